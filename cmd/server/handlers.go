package main

import (
	"io"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"keywright.dev/keywright/internal/gate/forwardauth"
	"keywright.dev/keywright/internal/gate/introspect"
)

// mainHandler lists every path of the main door.
func mainHandler(s *service, log *slog.Logger) http.Handler {
	mux, auth := http.NewServeMux(), forwardauth.New(s.gate)
	mux.Handle("/auth", auth)
	mux.Handle("/introspect", introspect.New(s.gate))
	for path, handler := range s.managed {
		mux.Handle(path, handler)
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "ok\n")
	})
	mux.Handle("GET /readyz", s.ready)
	return survive(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Every request of every app comes here: to look for its path would take a tenth of the time.
		if r.URL.Path == "/auth" {
			auth.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	}), log)
}

func metricsHandler(registry *prometheus.Registry, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return survive(mux, log)
}
