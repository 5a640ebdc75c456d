package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage/usage/price"
	"keywright.dev/keywright/internal/server/pricefile"
)

// priceParts are the prices of AI models.
type priceParts struct {
	table *price.Table
	// file is nil without --prices-file.
	file *pricefile.File
}

// newPriceParts reads the file once, so that the first calls have prices. A file that can't be used doesn't stop the
// server: verifying keys needs no prices.
func newPriceParts(
	path string, store *objects.Store, metrics prometheus.Registerer, log *slog.Logger,
) *priceParts {
	p := &priceParts{table: &price.Table{}}
	if path != "" {
		p.file = pricefile.New(pricefile.Options{
			Path: path, Use: p.table.UseFile, Now: time.Now, Log: log,
			Warn: func(text string) { store.WarnOnInstance(v1alpha1.EventPricesRefused, text) },
		})
		p.file.Check()
	}
	metrics.MustRegister(p.metrics()...)
	return p
}

// run follows the file.
func (p *priceParts) run(ctx context.Context) {
	if p.file != nil {
		p.file.Run(ctx)
	}
}

func (p *priceParts) metrics() []prometheus.Collector {
	count := func(source string, value func() int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "keywright_prices", Help: "Prices of AI models in force, by source: config, file.",
			ConstLabels: prometheus.Labels{"source": source},
		}, func() float64 { return float64(value()) })
	}
	return []prometheus.Collector{
		count(price.Setting, func() int { setting, _ := p.table.Count(); return setting }),
		count(price.File, func() int { _, file := p.table.Count(); return file }),
		gauge("keywright_prices_refused", "1 when the file with prices can't be used and the previous prices stay, else 0.",
			func() float64 {
				if p.file != nil && p.file.Refused() {
					return 1
				}
				return 0
			}),
	}
}
