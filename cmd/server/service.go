package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/gate/extauthz"
	"keywright.dev/keywright/internal/gate/reverseproxy"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/program"
	"keywright.dev/keywright/internal/server/clusterwatch"
	"keywright.dev/keywright/internal/server/heartbeat"
	"keywright.dev/keywright/internal/server/liveconfig"
)

// service is everything that decides, and what there is to say of it. It is wired here and nowhere else.
type service struct {
	verifier  *verify.Verifier
	gate      *gate.Gate
	feed      *clusterwatch.Feed
	config    *liveconfig.Config
	heartbeat *heartbeat.Reporter
	unknown   strangers
	ready     *readiness
	metrics   *prometheus.Registry
	// objects are read and written there by management, memory is its database, and managed its handlers by their paths.
	objects *objects.Store
	memory  *memory
	managed map[string]http.Handler
}

// newService talks to nobody yet.
func newService(config *rest.Config, ring *pepper.Keyring, o *options, log *slog.Logger) (*service, error) {
	index := &verify.Index{}
	s := &service{verifier: verify.NewVerifier(index, keyformat.Format{Prefix: keyformat.DefaultPrefix}, ring), metrics: prometheus.NewRegistry()}
	if err := s.takeObjects(config, o, log); err != nil {
		return nil, err
	}
	var err error
	if s.memory, err = remember(o.database, s.verifier, s.objects, s.metrics, log); err != nil {
		return nil, program.Misused("--database: %v", err)
	}
	sinks := clusterwatch.Sinks{
		Index: index, Configure: func(document string) error { return s.config.Apply(document) }, Ended: s.memory.sessions.EndForKeys,
	}
	if s.feed, err = clusterwatch.New(config, clusterwatch.Places{System: o.Namespace, Keys: o.KeyNamespaces}, sinks, log); err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	s.decideBy(index, s.feed, log)
	s.tellOfDatabase(s.memory.database.Starting, s.memory.database.Err)
	if s.managed, err = s.management(log); err != nil {
		return nil, err
	}
	s.heartbeat, err = heartbeat.New(heartbeat.Options{
		REST: config, Namespace: o.Namespace, Pod: os.Getenv("POD_NAME"), PodUID: os.Getenv("POD_UID"),
		Configuration: s.config, Clock: clock.RealClock{}, Log: log,
	})
	return s, err
}

// decideBy puts a gate before an index of what is seen.
func (s *service) decideBy(index *verify.Index, seen gate.View, log *slog.Logger) {
	c := gate.Config{Verifier: s.verifier, View: seen, Now: time.Now, Log: log, Registry: s.metrics}
	if s.memory != nil {
		c.Sessions, c.Uses, c.SeenUsers = s.memory.sessions, s.memory.uses, s.memory.seen
	}
	s.gate = gate.New(c)
	targets := liveconfig.Targets{Index: index, Verifier: s.verifier, Gate: s.gate}
	if s.memory != nil {
		targets.Sessions = s.memory.sessions
	}
	s.config = liveconfig.New(targets, time.Now)
	s.unknown = s.verifier.UnknownPeppers
	s.ready = &readiness{checks: []check{indexCheck(s.gate, seen), configurationCheck(s.config), pepperCheck(s.unknown)}}
	addMetrics(s.metrics, index, s.unknown, seen, s.config)
}

// tellOfDatabase has readiness and metrics say whether it is there.
func (s *service) tellOfDatabase(starting, usable func() error) {
	s.ready.checks = append(s.ready.checks, databaseCheck(starting, usable))
	s.metrics.MustRegister(databaseUp(usable))
}

// doorways lists every listener there may be, the main one first.
func (s *service) doorways(o *options, log *slog.Logger) []doorway {
	all := []doorway{
		{"--listen", o.listen, newServer(mainHandler(s, log), log)},
		{"--metrics-listen", o.metricsListen, newServer(metricsHandler(s.metrics, log), log)},
		{"--ext-authz-listen", o.extAuthzListen, extauthz.New(extauthz.Config{Gate: s.gate, Ready: s.ready.err, Log: log})},
	}
	if o.upstream != nil {
		all = append(all, doorway{"--proxy-listen", o.proxyListen, newProxyServer(s.gate, o.upstream, log)})
	}
	return all
}

// newProxyServer leaves to the app what the server would answer by itself.
func newProxyServer(g *gate.Gate, upstream *reverseproxy.Upstream, log *slog.Logger) *http.Server {
	server := newServer(survive(reverseproxy.New(reverseproxy.Config{Gate: g, Upstream: upstream, Log: log}), log), log)
	server.DisableGeneralOptionsHandler = true
	return server
}
