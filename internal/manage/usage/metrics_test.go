package usage

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestMetrics_CountTokensAndCost(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := NewMetrics(registry)
	cost := 3 * Dollar / 2
	m.Observe([]*Record{
		{
			Provider: "openai", Model: "a", Cost: &cost,
			Tokens: Tokens{Input: 1, Output: 2, CacheRead: 3, CacheWrite: 4, Reasoning: 1},
		},
		{Provider: "openai", Model: "b\xff", Tokens: Tokens{Input: -5}},
	})
	m.Observe([]*Record{{Provider: "openai", Model: "a", Tokens: Tokens{Input: 10}, Cost: &cost}})
	const want = `
# HELP keywright_usage_cost_dollars_total US dollars that recorded AI calls cost, as far as prices are known.
# TYPE keywright_usage_cost_dollars_total counter
keywright_usage_cost_dollars_total{model="a",provider="openai"} 3
# HELP keywright_usage_tokens_total Tokens of recorded AI calls, by class: input, output, cache_read, cache_write.
# TYPE keywright_usage_tokens_total counter
keywright_usage_tokens_total{class="cache_read",model="a",provider="openai"} 3
keywright_usage_tokens_total{class="cache_read",model="b?",provider="openai"} 0
keywright_usage_tokens_total{class="cache_write",model="a",provider="openai"} 4
keywright_usage_tokens_total{class="cache_write",model="b?",provider="openai"} 0
keywright_usage_tokens_total{class="input",model="a",provider="openai"} 11
keywright_usage_tokens_total{class="input",model="b?",provider="openai"} 0
keywright_usage_tokens_total{class="output",model="a",provider="openai"} 2
keywright_usage_tokens_total{class="output",model="b?",provider="openai"} 0
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

// Clients choose the names of models: the number of series is bounded.
func TestMetrics_BoundSeries(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := NewMetrics(registry)
	for i := range 3 * maxSeries {
		m.Observe([]*Record{{Provider: "p", Model: fmt.Sprint(i), Tokens: Tokens{Input: 1}}})
	}
	m.Observe([]*Record{{Provider: "p", Model: "0", Tokens: Tokens{Input: 1}}})
	if n, err := testutil.GatherAndCount(registry, "keywright_usage_tokens_total"); n != 4*(maxSeries+1) || err != nil {
		t.Errorf("%d series, %v", n, err)
	}
	for model, want := range map[string]float64{"0": 2, "99": 1} {
		if got := testutil.ToFloat64(m.tokens.WithLabelValues("p", model, "input")); got != want {
			t.Errorf("model %s: %v, want %v", model, got, want)
		}
	}
	if got := testutil.ToFloat64(m.tokens.WithLabelValues(otherModels, otherModels, "input")); got != 2*maxSeries {
		t.Errorf("%v tokens of other models", got)
	}
}
