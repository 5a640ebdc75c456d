package main

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/manage/revokedkeys"
	"keywright.dev/keywright/internal/server/liveconfig"
)

// addMetrics registers metrics of the process, the view and the runtime configuration.
func addMetrics(
	registry *prometheus.Registry, index *verify.Index, unknown unknownPeppers, view view, config *liveconfig.Config,
) {
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		gauge("keywright_index_keys", "Keys in the index, refused ones included.", func() float64 {
			return float64(index.Len())
		}),
		gauge("keywright_keys_unknown_pepper", "Recorded keys that are refused because their pepper is "+
			"not mounted.", func() float64 {
			return float64(unknown.count())
		}),
		gauge("keywright_index_ready", "1 when everything has been seen once, else 0.", func() float64 {
			if view.Ready() != nil {
				return 0
			}
			return 1
		}),
		gauge("keywright_index_age_seconds", "How long ago the index was known to have everything.", func() float64 {
			return view.Age().Seconds()
		}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "keywright_index_restores_total",
			Help: "Lists of all objects of one kind that were older than the index, and replaced it.",
		}, func() float64 { return float64(view.Restores()) }),
		configurationSince{config},
		gauge("keywright_configuration_refused", "1 when the newest configuration can't be used and the one "+
			"before runs on, else 0.", func() float64 {
			if config.Refused() == nil {
				return 0
			}
			return 1
		}),
	)
}

// databaseUp is the gauge of the database, without which management stops.
func databaseUp(usable func() error) prometheus.Collector {
	return gauge("keywright_database_up", "1 when the database can be used, else 0.", func() float64 {
		if usable() != nil {
			return 0
		}
		return 1
	})
}

// revokedKeysMetrics are the gauges of the keys that are refused for good.
func revokedKeysMetrics(index *verify.Index, revoked *revokedkeys.Memory) []prometheus.Collector {
	return []prometheus.Collector{
		gauge("keywright_revoked_keys", "Revoked keys that this server remembers.", func() float64 {
			return float64(index.Revoked())
		}),
		gauge("keywright_revoked_keys_waiting", "Revoked keys that wait for the database.", func() float64 {
			return float64(revoked.Waiting())
		}),
		gauge("keywright_revoked_keys_loaded", "1 when the revoked keys in the database have been read, else 0.",
			func() float64 {
				if revoked.Loaded() {
					return 1
				}
				return 0
			}),
	}
}

// configurationSince collects one metric whose label, the revision, changes.
type configurationSince struct{ *liveconfig.Config }

var inForceDesc = prometheus.NewDesc("keywright_configuration_since_seconds",
	"When the configuration of this revision came into force, in seconds since 1970. Absent: there is "+
		"none yet.", []string{"revision"}, nil)

// Describe is part of prometheus.Collector.
func (configurationSince) Describe(to chan<- *prometheus.Desc) { to <- inForceDesc }

// Collect is part of prometheus.Collector.
func (c configurationSince) Collect(to chan<- prometheus.Metric) {
	if running := c.Running(); running.Revision != "" {
		to <- prometheus.MustNewConstMetric(
			inForceDesc, prometheus.GaugeValue, float64(running.Since.Unix()), running.Revision,
		)
	}
}

func gauge(name, help string, value func() float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
}
