package main

import (
	"io"
	"log/slog"
	"net/http"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/gate/forwardauth"
	"keywright.dev/keywright/internal/gate/introspect"
	"keywright.dev/keywright/internal/gate/reverseproxy"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/httpapi/openapi"
	"keywright.dev/keywright/internal/web"
)

// mainHandler serves every path of the main listener.
func mainHandler(s *service, log *slog.Logger) (http.Handler, error) {
	document, err := openapi.New()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	auth := s.requireClientCertificate("/auth", forwardauth.New(s.gate), log)
	authz := s.requireClientCertificate(forwardauth.PathPrefix, forwardauth.NewPathMode(s.gate), log)
	mux.Handle("/auth", auth)
	introspection := s.latency.Of("introspect", introspect.New(s.gate))
	mux.Handle("/introspect", s.requireClientCertificate("/introspect", introspection, log))
	mux.Handle("/openapi.yaml", document)
	mux.Handle("/docs", document)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "ok\n")
	})
	mux.Handle("GET /readyz", s.ready)
	mux.Handle(web.Assets())
	httpapi.Mount(mux, s.guard, slices.Concat(s.groups, s.pages)...)
	return recoverPanics(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Gateways send every request of every app here. Finding the path in the mux would take a tenth of the time.
		switch {
		case r.URL.Path == "/auth":
			auth.ServeHTTP(w, r)
		case forwardauth.IsPathMode(r):
			authz.ServeHTTP(w, r)
		default:
			mux.ServeHTTP(w, r)
		}
	}), log), nil
}

func metricsHandler(registry *prometheus.Registry, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return recoverPanics(mux, log)
}

// newProxyServer leaves OPTIONS * to the app, which http.Server would answer by itself.
func newProxyServer(g *gate.Gate, upstream *reverseproxy.Upstream, log *slog.Logger) *http.Server {
	proxy := reverseproxy.New(reverseproxy.Config{Gate: g, Upstream: upstream, Log: log})
	server := newServer(recoverPanics(proxy, log), log)
	server.DisableGeneralOptionsHandler, server.Protocols = true, reverseproxy.Protocols()
	return server
}
