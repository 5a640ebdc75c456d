package main

import (
	"context"
	"crypto/rand"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/controllers/adminuser"
	"keywright.dev/keywright/controllers/lastadmin"
	"keywright.dev/keywright/controllers/peppers"
	"keywright.dev/keywright/controllers/settings"
	"keywright.dev/keywright/internal/issuer"
	"keywright.dev/keywright/internal/key"
)

// recorderName is the reporting controller of every event.
const recorderName = "keywright-operator"

func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, err
	}
	return scheme, v1alpha1.AddToScheme(scheme)
}

// newManager has a cache of the one namespace, and of Secrets only metadata of those that Keywright wrote.
func newManager(config *rest.Config, o *options) (ctrl.Manager, error) {
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	// The API server's own fairness limits a client; a second limit here would only slow a large installation.
	config.QPS = -1
	written, err := labels.NewRequirement(v1alpha1.LabelIssuedFor, selection.Exists, nil)
	if err != nil {
		return nil, err
	}
	return ctrl.NewManager(config, ctrl.Options{
		Scheme:                        scheme,
		Metrics:                       metricsserver.Options{BindAddress: o.metricsAddress},
		HealthProbeBindAddress:        o.probeAddress,
		LeaderElection:                o.leaderElect,
		LeaderElectionID:              recorderName,
		LeaderElectionNamespace:       o.Namespace,
		LeaderElectionReleaseOnCancel: true,
		Cache: cache.Options{
			DefaultNamespaces: map[string]cache.Config{o.Namespace: {}},
			ByObject: map[client.Object]cache.ByObject{
				issuer.SecretMetadata(): {Label: labels.NewSelector().Add(*written)},
			},
		},
	})
}

// addControllers is the list of all there is.
func addControllers(ctx context.Context, mgr ctrl.Manager, o *options) error {
	source := &peppers.Source{}
	asked := make(chan event.GenericEvent)
	events := mgr.GetEventRecorder(recorderName)
	keys := &issuer.Issuer{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Events: events, Peppers: source,
		Format: key.Format{Prefix: key.DefaultPrefix}, Clock: clock.RealClock{}, Random: rand.Reader,
	}
	pepperCache, err := cacheOf(mgr, &corev1.Secret{}, o.Namespace, v1alpha1.PepperSecret)
	if err != nil {
		return err
	}
	configCache, err := cacheOf(mgr, &corev1.ConfigMap{}, o.Namespace, v1alpha1.ConfigMapConfig)
	if err != nil {
		return err
	}
	runtimeCache, err := cacheOf(mgr, &corev1.ConfigMap{}, o.Namespace, v1alpha1.ConfigMapRuntime)
	if err != nil {
		return err
	}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"index of Secrets", func() error { return issuer.IndexSecrets(ctx, mgr.GetFieldIndexer()) }},
		{"index of AdminUsers", func() error { return adminuser.Index(ctx, mgr.GetFieldIndexer()) }},
		{"index of admins", func() error { return lastadmin.Index(ctx, mgr.GetFieldIndexer()) }},
		{"pepper controller", func() error {
			r := &peppers.Reconciler{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Namespace: o.Namespace, Source: source, Ask: asked}
			return r.SetupWithManager(mgr, pepperCache)
		}},
		{"AdminUser controller", func() error {
			r := &adminuser.Reconciler{Client: mgr.GetClient(), Issuer: keys}
			return r.SetupWithManager(mgr, asked, controller.Options{MaxConcurrentReconciles: o.concurrency})
		}},
		{"last admin controller", func() error {
			r := &lastadmin.Reconciler{Client: mgr.GetClient(), Clock: clock.RealClock{}, Namespace: o.Namespace}
			return r.SetupWithManager(mgr)
		}},
		{"settings controller", func() error {
			r := &settings.Reconciler{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Events: events, Peppers: source, Namespace: o.Namespace}
			return r.SetupWithManager(mgr, configCache, runtimeCache)
		}},
		{"health check", func() error { return mgr.AddHealthzCheck("ping", healthz.Ping) }},
		{"readiness check", func() error { return mgr.AddReadyzCheck("ping", healthz.Ping) }},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

// cacheOf caches one object by its name: all that the operator may list of its kind.
func cacheOf(mgr ctrl.Manager, object client.Object, namespace, name string) (cache.Cache, error) {
	one, err := cache.New(mgr.GetConfig(), cache.Options{
		Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(), HTTPClient: mgr.GetHTTPClient(),
		ByObject: map[client.Object]cache.ByObject{object: {
			Namespaces: map[string]cache.Config{namespace: {FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, name)}},
		}},
	})
	if err != nil {
		return nil, fmt.Errorf("cache of %s: %w", name, err)
	}
	return one, mgr.Add(one)
}
