package usage

import (
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// maxSeries bounds the pairs of provider and model that have series of their own.
	maxSeries = 100
	// otherModels is the provider and the model of all others.
	otherModels = "other"
)

// Metrics counts tokens and costs. It is safe for concurrent use.
type Metrics struct {
	tokens, cost *prometheus.CounterVec

	mu     sync.Mutex
	series map[series]bool
}

type series struct{ provider, model string }

// NewMetrics returns metrics in a registry.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{
		tokens: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "keywright_usage_tokens_total",
			Help: "Tokens of recorded AI calls, by class: input, output, cache_read, cache_write.",
		}, []string{"provider", "model", "class"}),
		cost: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "keywright_usage_cost_dollars_total",
			Help: "US dollars that recorded AI calls cost, as far as prices are known.",
		}, []string{"provider", "model"}),
		series: map[series]bool{},
	}
	registry.MustRegister(m.tokens, m.cost)
	return m
}

// Observe counts records that were stored.
func (m *Metrics) Observe(records []*Record) {
	for _, r := range records {
		s := m.seriesOf(r)
		for class, count := range map[string]int64{
			"input": r.Input, "output": r.Output, "cache_read": r.CacheRead, "cache_write": r.CacheWrite,
		} {
			m.tokens.WithLabelValues(s.provider, s.model, class).Add(float64(max(0, count)))
		}
		if r.Cost != nil {
			m.cost.WithLabelValues(s.provider, s.model).Add(max(0, r.Cost.Dollars()))
		}
	}
}

// seriesOf returns the labels of a record: the first models that occur have series of their own.
func (m *Metrics) seriesOf(r *Record) series {
	s := series{label(r.Provider), label(r.Model)}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.series[s] && len(m.series) >= maxSeries {
		return series{otherModels, otherModels}
	}
	m.series[s] = true
	return s
}

// label returns a text that can be a label: a copy, because a record may be a part of a large request.
func label(text string) string { return strings.Clone(strings.ToValidUTF8(text, "?")) }
