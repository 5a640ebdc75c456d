package main

import (
	"io"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"keywright.dev/keywright/internal/forwardauth"
	"keywright.dev/keywright/internal/introspect"
)

// mainHandler lists every path of the main door.
func mainHandler(s *service, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/auth", forwardauth.New(s.gate))
	mux.Handle("/introspect", introspect.New(s.gate))
	for path, handler := range s.managed {
		mux.Handle(path, handler)
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "ok\n")
	})
	mux.Handle("GET /readyz", s.ready)
	return survive(mux, log)
}

func metricsHandler(registry *prometheus.Registry, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return survive(mux, log)
}
