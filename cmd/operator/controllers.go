package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/controllers/adminuser"
	"keywright.dev/keywright/controllers/apikey"
	"keywright.dev/keywright/controllers/configcompiler"
	"keywright.dev/keywright/controllers/configrollout"
	"keywright.dev/keywright/controllers/keymetrics"
	"keywright.dev/keywright/controllers/lastadmin"
	"keywright.dev/keywright/controllers/peppersecret"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/internal/operator/issuer"
	"keywright.dev/keywright/internal/operator/secretwait"
	"keywright.dev/keywright/internal/telemetry/buildinfo"
)

// recorderName is the reporting controller of every event.
const recorderName = "keywright-operator"

// step is one step of the setup. Its name prefixes the error.
type step struct {
	name string
	do   func() error
}

// addControllers adds everything that the operator runs to the manager.
func addControllers(ctx context.Context, mgr ctrl.Manager, o *options) error {
	s, err := newShared(mgr, o)
	if err != nil {
		return err
	}
	for _, step := range slices.Concat(indexes(ctx, mgr), s.controllers(ctx)) {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

func indexes(ctx context.Context, mgr ctrl.Manager) []step {
	indexer := mgr.GetFieldIndexer()
	return []step{
		{"index of Secrets", func() error { return issuer.IndexSecrets(ctx, indexer) }},
		{"index of digests", func() error { return keyholder.Index(ctx, indexer) }},
		{"index of APIKeys", func() error { return apikey.Index(ctx, indexer) }},
		{"index of AdminUsers", func() error { return keyholder.IndexUsernames(ctx, indexer) }},
		{"index of admins", func() error { return lastadmin.Index(ctx, indexer) }},
	}
}

// shared is what several controllers use.
type shared struct {
	mgr     ctrl.Manager
	options *options
	scope   keyholder.Scope
	events  events.EventRecorder
	peppers *peppersecret.Source
	formats *configcompiler.Formats
	issuer  *issuer.Issuer
	// runtimeCache has the configuration in force.
	runtimeCache cache.Cache
	// requeueUsers and requeueKeys carry the objects that wait for the pepper or the key format.
	requeueUsers, requeueKeys chan event.GenericEvent
}

func newShared(mgr ctrl.Manager, o *options) (*shared, error) {
	if err := metrics.Registry.Register(buildinfo.New("operator", version)); err != nil {
		return nil, err
	}
	counters, err := issuer.NewMetrics(metrics.Registry)
	if err != nil {
		return nil, err
	}
	s := &shared{
		mgr: mgr, options: o,
		scope:        keyholder.Scope{System: o.Namespace, Namespaces: o.KeyNamespaces},
		events:       mgr.GetEventRecorder(recorderName),
		peppers:      &peppersecret.Source{},
		formats:      &configcompiler.Formats{},
		requeueUsers: make(chan event.GenericEvent),
		requeueKeys:  make(chan event.GenericEvent),
	}
	s.runtimeCache, err = singleObjectCache(mgr, &corev1.ConfigMap{}, o.Namespace, v1alpha1.ConfigMapRuntime)
	if err != nil {
		return nil, err
	}
	waiter, err := s.addWaiter()
	s.issuer = &issuer.Issuer{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Events: s.events, Peppers: s.peppers, Formats: s.formats,
		Bootstrap: s.formats, Clock: clock.RealClock{}, Random: rand.Reader, Metrics: counters, Waiter: waiter,
	}
	return s, err
}

// addWaiter returns a Waiter that runs with the controllers.
func (s *shared) addWaiter() (*secretwait.Waiter, error) {
	live, err := client.NewWithWatch(s.mgr.GetConfig(), client.Options{
		HTTPClient: s.mgr.GetHTTPClient(), Scheme: s.mgr.GetScheme(), Mapper: s.mgr.GetRESTMapper(),
	})
	if err != nil {
		return nil, err
	}
	waiter := secretwait.New(live, s.requeue())
	return waiter, s.mgr.Add(waiter)
}

func (s *shared) controllers(ctx context.Context) []step {
	concurrent := controller.Options{MaxConcurrentReconciles: s.options.concurrency}
	return []step{
		{"pepper controller", s.addPepper},
		{"AdminUser controller", func() error {
			r := &adminuser.Reconciler{Client: s.mgr.GetClient(), Issuer: s.issuer, System: s.options.Namespace}
			return r.SetupWithManager(s.mgr, s.requeueUsers, concurrent)
		}},
		{"APIKey controller", func() error {
			r := &apikey.Reconciler{
				Client: s.mgr.GetClient(), Issuer: s.issuer, System: s.options.Namespace, RuntimeCache: s.runtimeCache,
			}
			return r.SetupWithManager(s.mgr, s.requeueKeys, concurrent)
		}},
		{"last admin controller", func() error {
			r := &lastadmin.Reconciler{
				Client: s.mgr.GetClient(), Live: s.mgr.GetAPIReader(), Events: s.events, Clock: clock.RealClock{},
				Namespace: s.options.Namespace,
			}
			return r.SetupWithManager(s.mgr)
		}},
		{"configuration controllers", s.addConfiguration},
		{"key metrics", func() error {
			collector, err := keymetrics.New(ctx, s.mgr.GetCache(), clock.RealClock{}, s.mgr.Elected())
			if err != nil {
				return err
			}
			return metrics.Registry.Register(collector)
		}},
		{"health check", func() error { return s.mgr.AddHealthzCheck("ping", healthz.Ping) }},
		{"readiness check", func() error {
			return s.mgr.AddReadyzCheck("custom-resources", resourcesReady(s.mgr.GetCache()))
		}},
	}
}

func (s *shared) requeue() map[string]chan<- event.GenericEvent {
	return map[string]chan<- event.GenericEvent{
		keyholder.AdminUser: s.requeueUsers, keyholder.APIKey: s.requeueKeys,
	}
}

func (s *shared) addPepper() error {
	peppers, err := singleObjectCache(s.mgr, &corev1.Secret{}, s.options.Namespace, v1alpha1.PepperSecret)
	if err != nil {
		return err
	}
	r := &peppersecret.Reconciler{
		Client: s.mgr.GetClient(), Live: s.mgr.GetAPIReader(), Namespace: s.options.Namespace,
		Scope: s.scope, Source: s.peppers, Requeue: s.requeue(),
	}
	return r.SetupWithManager(s.mgr, peppers)
}

// addConfiguration adds the controllers that compile the configuration and report its rollout. They share caches.
func (s *shared) addConfiguration() error {
	configCache, err := singleObjectCache(s.mgr, &corev1.ConfigMap{}, s.options.Namespace, v1alpha1.ConfigMapConfig)
	if err != nil {
		return err
	}
	compiler := &configcompiler.Reconciler{
		Client: s.mgr.GetClient(), Live: s.mgr.GetAPIReader(), Events: s.events, Peppers: s.peppers,
		Clock: clock.RealClock{}, Namespace: s.options.Namespace, Formats: s.formats, Scope: s.scope, Requeue: s.requeue(),
	}
	if err := compiler.SetupWithManager(s.mgr, configCache, s.runtimeCache); err != nil {
		return err
	}
	misnamed := &configcompiler.Misnamed{Client: s.mgr.GetClient(), Events: s.events, Namespace: s.options.Namespace}
	if err := misnamed.SetupWithManager(s.mgr); err != nil {
		return err
	}
	rollout := &configrollout.Reconciler{Events: s.events, Clock: clock.RealClock{}, Namespace: s.options.Namespace}
	return rollout.SetupWithManager(s.mgr, configCache, s.runtimeCache)
}
