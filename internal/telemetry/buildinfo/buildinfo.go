// Package buildinfo exports which build of a program runs, as a metric.
package buildinfo

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
)

// New returns a gauge that is always 1. program is operator or server.
func New(program, version string) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "keywright_build_info",
		Help:        "Always 1. The labels name the program, its version, and the version of Go that compiled it.",
		ConstLabels: prometheus.Labels{"program": program, "version": version, "go_version": runtime.Version()},
	}, func() float64 { return 1 })
}
