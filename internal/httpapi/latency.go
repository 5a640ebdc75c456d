package httpapi

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// requestBuckets are for replies that usually wait for the database or the API server.
var requestBuckets = []float64{0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30}

// Latency measures how long requests take until their reply is complete. A nil Latency measures nothing.
type Latency struct{ seconds *prometheus.HistogramVec }

// NewLatency registers the metric.
func NewLatency(registry prometheus.Registerer) *Latency {
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "keywright_request_seconds",
		Help:    "How long requests to management and to /introspect took, by group of routes.",
		Buckets: requestBuckets,
	}, []string{"group"})
	registry.MustRegister(seconds)
	return &Latency{seconds}
}

// Of measures a handler under the name of its group. Names are few and fixed: no part of a request is one.
func (l *Latency) Of(group string, next http.Handler) http.Handler {
	if l == nil {
		return next
	}
	seconds := l.seconds.WithLabelValues(group)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		defer func() { seconds.Observe(time.Since(began).Seconds()) }()
		next.ServeHTTP(w, r)
	})
}
