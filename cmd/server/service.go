package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/gate/extauthz"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage/claims"
	"keywright.dev/keywright/internal/manage/revokedkeys"
	"keywright.dev/keywright/internal/manage/tokenusage"
	"keywright.dev/keywright/internal/manage/usage"
	"keywright.dev/keywright/internal/manage/usage/book"
	"keywright.dev/keywright/internal/program"
	"keywright.dev/keywright/internal/server/certfiles"
	"keywright.dev/keywright/internal/server/clusterwatch"
	"keywright.dev/keywright/internal/server/endedkeys"
	"keywright.dev/keywright/internal/server/heartbeat"
	"keywright.dev/keywright/internal/server/liveconfig"
	"keywright.dev/keywright/internal/telemetry/buildinfo"
)

// service is every part of the running server.
type service struct {
	verifier  *verify.Verifier
	store     *objects.Store
	database  *databaseParts
	watch     *clusterwatch.Watcher
	gate      *gate.Gate
	config    *liveconfig.Config
	prices    *priceParts
	heartbeat *heartbeat.Reporter
	waits     *databaseWait
	unknown   unknownPeppers
	// recurrences reports revoked keys that come back.
	recurrences *revokedkeys.Reporter
	claims      *claims.Service
	ready       *readiness
	metrics     *prometheus.Registry
	// certificates is nil without TLS.
	certificates *certfiles.Files
	guard        *httpapi.Guard
	latency      *httpapi.Latency
	// groups are those of the management API, pages those of the web pages.
	groups, pages []httpapi.Group
}

// newService wires the server, leaves first. Nothing connects to the API server or the database yet.
func newService(config *rest.Config, ring *pepper.Keyring, o *options, log *slog.Logger) (*service, error) {
	index, metrics := &verify.Index{}, prometheus.NewRegistry()
	verifier := verify.NewVerifier(index, keyformat.Format{Prefix: keyformat.DefaultPrefix}, ring)
	db, err := newDatabaseParts(o.database, index, verifier, metrics, log)
	if err != nil {
		return nil, program.Misused("--database: %v", err)
	}
	store, err := objects.New(objects.Options{
		REST: config, Namespace: o.Namespace, KeyNamespaces: o.KeyNamespaces, Verifier: verifier, Revocations: db.revoked,
		Format: verifier.Format, Ring: verifier.Keyring, Random: rand.Reader, Now: time.Now, Log: log,
		Instance: os.Getenv("POD_NAME"), InstanceUID: os.Getenv("POD_UID"),
	})
	if err != nil {
		return nil, err
	}
	db.recordUses(verifier, store, metrics, log)
	watch, err := clusterwatch.New(config, keyholder.Scope{System: o.Namespace, Namespaces: o.KeyNamespaces},
		clusterwatch.Targets{Index: index, EndedKeys: db.ended, RevokedKeys: endedkeys.New(db.revoked.Note)}, log)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	store.View, db.budgets.View = watch, watch
	g := gate.New(gate.Config{
		Verifier: verifier, View: clusterwatch.Bounded{Watcher: watch}, Sessions: db.sessions, Now: time.Now, Log: log,
		Registry: metrics, Uses: db.uses, SeenUsers: db.seen, OverBudget: db.overBudget, Tracer: o.spans.Tracer(),
	})
	priced := newPriceParts(o.pricesFile, store, metrics, log)
	live := liveconfig.New(liveconfig.Targets{
		Index: index, Verifier: verifier, Gate: g, View: watch, Prices: priced.table, EndedKeys: db.ended,
	}, time.Now)
	beat, err := heartbeat.New(heartbeat.Options{
		REST: config, Namespace: o.Namespace, Pod: os.Getenv("POD_NAME"), PodUID: os.Getenv("POD_UID"),
		Configuration: live, DatabaseAnswered: db.db.Answered, Clock: clock.RealClock{}, Log: log,
	})
	if err != nil {
		return nil, err
	}
	usageService := tokenusage.New(tokenusage.Config{
		Gate: g, Store: db.db.Usage(), Pricer: priced.table, Metrics: usage.NewMetrics(metrics), Budgets: db.budgets,
		Trail: db.trail, Now: time.Now,
	})
	unknown := unknownPeppers(verifier.UnknownPeppers)
	addMetrics(metrics, index, unknown, watch, live)
	metrics.MustRegister(databaseUp(db.db.Err), databaseMetrics{db.db}, book.Metrics{Book: db.budgets})
	metrics.MustRegister(revokedKeysMetrics(index, db.revoked)...)
	db.limitTables(live)
	management := newManagementServices(managementParts{
		verifier, store, db, g, live, usageService, newInstance(o, g, live, db.db, verifier, beat), log,
	})
	waits := newDatabaseWait(o.databaseWait, db.db, beat.OthersHaveDatabase,
		func(text string) { store.WarnOnInstance(v1alpha1.EventDatabaseUnavailable, text) }, log)
	ready := newReadiness(indexCheck(g, watch), configurationCheck(live), pepperCheck(unknown),
		databaseCheck(firstError(db.db.Starting, waits.err), db.db.Err, db.db.Volume), revokedKeysCheck(db.revoked),
		budgetsCheck(db.budgets))
	metrics.MustRegister(buildinfo.New("server", version), ready.metric())
	latency := httpapi.NewLatency(metrics)
	return &service{
		verifier: verifier, store: store, database: db, watch: watch, gate: g, config: live, prices: priced, heartbeat: beat,
		waits: waits, unknown: unknown, metrics: metrics, ready: ready, latency: latency,
		claims:      management.claims,
		recurrences: &revokedkeys.Reporter{From: index, Status: store, Log: log},
		guard:       &httpapi.Guard{Gate: g, Sessions: db.sessions, Database: db.db, Log: log, Latency: latency},
		groups:      management.apiGroups(),
		pages:       management.pageGroups(),
	}, nil
}

// work lists what runs beside the requests.
func (s *service) work(log *slog.Logger) []func(context.Context) {
	return append(s.database.work(),
		s.store.Run,
		func(ctx context.Context) { s.watch.Run(ctx, s.config.Apply) },
		s.heartbeat.Run,
		s.waits.run,
		s.recurrences.Run,
		s.claims.Run,
		s.prices.run,
		s.followCertificates,
		s.sessionCatchUp().run,
		func(ctx context.Context) { s.unknown.follow(ctx, pepperInterval, log) },
		func(ctx context.Context) {
			volumeState(s.database.db.Volume).follow(ctx, volumeInterval, s.warnOfVolume, log)
		},
	)
}

func (s *service) warnOfVolume(text string) { s.store.WarnOnInstance(v1alpha1.EventLowDiskSpace, text) }

// listeners lists every listener that may be opened, the main one first.
func (s *service) listeners(o *options, log *slog.Logger) ([]listenerSpec, error) {
	main, err := mainHandler(s, log)
	if err != nil {
		return nil, err
	}
	authz := extauthz.New(extauthz.Config{
		Gate: s.gate, Ready: s.ready.err, Log: log,
		TLS: s.tls(tls.RequireAndVerifyClientCert, "h2"),
	})
	all := []listenerSpec{
		// People and the kubelet have no client certificate: requireClientCertificate protects the paths of the gate.
		{"--listen", o.listen, over(s.tls(tls.VerifyClientCertIfGiven, "h2", "http/1.1"), newServer(main, log))},
		{"--metrics-listen", o.metricsListen, newServer(metricsHandler(s.metrics, log), log)},
		{"--ext-authz-listen", o.extAuthzListen, authz},
	}
	if o.upstream != nil {
		proxy := over(s.tls(tls.NoClientCert, "h2", "http/1.1"), newProxyServer(s.gate, o.upstream, log))
		all = append(all, listenerSpec{"--proxy-listen", o.proxyListen, proxy})
	}
	return all, nil
}
