package main

import (
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/key"
	"keywright.dev/keywright/internal/verify"
)

// format is the form of this instance's generated keys.
var format = key.Format{Prefix: key.DefaultPrefix}

// surfaces are the two listeners' handlers.
type surfaces struct {
	main, metrics http.Handler
}

// handlers lists every path there is.
func handlers(verifier *verify.Verifier, ready http.Handler, index *verify.Index, registry *prometheus.Registry, log *slog.Logger) surfaces {
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "keywright_keys", Help: "Keys in the index, refused ones included.",
		}, func() float64 { return float64(index.Len()) }),
	)
	main := http.NewServeMux()
	main.Handle("GET /auth", gate.New(verifier, time.Now, log, registry))
	main.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("ok\n"))
	})
	main.Handle("GET /readyz", ready)
	metrics := http.NewServeMux()
	metrics.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return surfaces{main: survive(main, log), metrics: metrics}
}

// survive answers a panic with 500 and logs where it was: one request must not end all others.
func survive(next http.Handler, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch reason := recover(); reason {
			case nil:
			case http.ErrAbortHandler:
				panic(reason)
			default:
				log.Error("A request ended in a panic", "path", r.URL.Path, "stack", string(debug.Stack()))
				w.WriteHeader(http.StatusInternalServerError)
			}
		}()
		next.ServeHTTP(w, r)
	})
}
