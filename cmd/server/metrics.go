package main

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"keywright.dev/keywright/internal/verify"
)

// view is what the server sees of the cluster.
type view interface {
	// Ready is an error until everything has been seen once.
	Ready() error
	// Age is for how long the API server could not be asked.
	Age() time.Duration
}

// newRegistry has the metrics of the process and of what it sees.
func newRegistry(index *verify.Index, unknown strangers, seen view) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		gauge("keywright_index_keys", "Keys in the index, refused ones included.", func() float64 {
			return float64(index.Len())
		}),
		gauge("keywright_keys_unknown_pepper", "Recorded keys that are refused because their pepper is not mounted.", func() float64 {
			return float64(unknown.count())
		}),
		gauge("keywright_index_ready", "1 when everything has been seen once, else 0.", func() float64 {
			if seen.Ready() != nil {
				return 0
			}
			return 1
		}),
		gauge("keywright_index_age_seconds", "For how long the API server could not be asked. 0: it can.", func() float64 {
			return seen.Age().Seconds()
		}),
	)
	return registry
}

func gauge(name, help string, value func() float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
}
