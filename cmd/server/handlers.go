package main

import (
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
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
func handlers(verifier *verify.Verifier, seen view, ready *readiness, registry *prometheus.Registry, log *slog.Logger) surfaces {
	main := http.NewServeMux()
	main.Handle("GET /auth", gate.New(gate.Config{
		Verifier: verifier, Ready: seen.Ready, Now: time.Now, Log: log, Registry: registry,
	}))
	main.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "ok\n")
	})
	main.Handle("GET /readyz", ready)
	metrics := http.NewServeMux()
	metrics.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return surfaces{main: survive(main, log), metrics: survive(metrics, log)}
}
