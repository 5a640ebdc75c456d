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
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/controllers/adminuser"
	"keywright.dev/keywright/controllers/apikey"
	"keywright.dev/keywright/controllers/configcompiler"
	"keywright.dev/keywright/controllers/configrollout"
	"keywright.dev/keywright/controllers/keymetrics"
	"keywright.dev/keywright/controllers/lastadmin"
	"keywright.dev/keywright/controllers/peppersecret"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/internal/operator/cachetrim"
	"keywright.dev/keywright/internal/operator/issuer"
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

// newManager has a cache of what Keywright works on, and of Secrets only metadata of those that it wrote.
func newManager(restConfig *rest.Config, o *options) (ctrl.Manager, error) {
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	// The API server's own fairness limits a client; a second limit here would only slow a large installation.
	restConfig.QPS = -1
	cached, err := cacheOptions(o)
	if err != nil {
		return nil, err
	}
	return ctrl.NewManager(restConfig, ctrl.Options{
		Scheme:                        scheme,
		Metrics:                       metricsserver.Options{BindAddress: o.metricsAddress},
		HealthProbeBindAddress:        o.probeAddress,
		LeaderElection:                o.leaderElect,
		LeaderElectionID:              recorderName,
		LeaderElectionNamespace:       o.Namespace,
		LeaderElectionReleaseOnCancel: true,
		Cache:                         cached,
	})
}

// cacheOptions: AdminUsers of Keywright's own namespace, APIKeys and Secrets of the namespaces where APIKeys count.
func cacheOptions(o *options) (cache.Options, error) {
	written, err := labels.NewRequirement(v1alpha1.LabelIssuedFor, selection.Exists, nil)
	if err != nil {
		return cache.Options{}, err
	}
	own := map[string]cache.Config{o.Namespace: {}}
	keys, secrets := map[string]cache.Config{}, map[string]cache.Config{o.Namespace: {}}
	for _, namespace := range o.KeyNamespaces {
		keys[namespace], secrets[namespace] = cache.Config{}, cache.Config{}
	}
	if len(o.KeyNamespaces) == 0 {
		keys = map[string]cache.Config{cache.AllNamespaces: {}}
		secrets = keys
	}
	trimmer := &cachetrim.Trimmer{}
	return cache.Options{
		DefaultNamespaces: own,
		ByObject: map[client.Object]cache.ByObject{
			&v1alpha1.AdminUser{}:   {Transform: trimmer.KeyObject},
			&v1alpha1.APIKey{}:      {Namespaces: keys, Transform: trimmer.KeyObject},
			issuer.SecretMetadata(): {Label: labels.NewSelector().Add(*written), Namespaces: secrets, Transform: trimmer.Secret},
		},
	}, nil
}

// addControllers is the list of all there is.
func addControllers(ctx context.Context, mgr ctrl.Manager, o *options) error {
	source := &peppersecret.Source{}
	formats := &configcompiler.Formats{}
	askUser, askKey := make(chan event.GenericEvent), make(chan event.GenericEvent)
	ask := map[string]chan<- event.GenericEvent{keyholder.AdminUser: askUser, keyholder.APIKey: askKey}
	scope := keyholder.Scope{System: o.Namespace, Namespaces: o.KeyNamespaces}
	events := mgr.GetEventRecorder(recorderName)
	counts, err := issuer.NewMetrics(metrics.Registry)
	if err != nil {
		return err
	}
	keys := &issuer.Issuer{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Events: events, Peppers: source, Metrics: counts,
		Formats: formats, Clock: clock.RealClock{}, Random: rand.Reader,
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
		{"index of digests", func() error { return keyholder.Index(ctx, mgr.GetFieldIndexer()) }},
		{"index of APIKeys", func() error { return apikey.Index(ctx, mgr.GetFieldIndexer()) }},
		{"index of AdminUsers", func() error { return keyholder.IndexUsernames(ctx, mgr.GetFieldIndexer()) }},
		{"index of admins", func() error { return lastadmin.Index(ctx, mgr.GetFieldIndexer()) }},
		{"pepper controller", func() error {
			r := &peppersecret.Reconciler{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Namespace: o.Namespace, Scope: scope, Source: source, Ask: ask}
			return r.SetupWithManager(mgr, pepperCache)
		}},
		{"AdminUser controller", func() error {
			r := &adminuser.Reconciler{Client: mgr.GetClient(), Issuer: keys}
			return r.SetupWithManager(mgr, askUser, controller.Options{MaxConcurrentReconciles: o.concurrency})
		}},
		{"APIKey controller", func() error {
			r := &apikey.Reconciler{Client: mgr.GetClient(), Issuer: keys, System: o.Namespace}
			return r.SetupWithManager(mgr, askKey, controller.Options{MaxConcurrentReconciles: o.concurrency})
		}},
		{"last admin controller", func() error {
			r := &lastadmin.Reconciler{
				Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Events: events, Clock: clock.RealClock{}, Namespace: o.Namespace,
			}
			return r.SetupWithManager(mgr)
		}},
		{"settings controller", func() error {
			r := &configcompiler.Reconciler{
				Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Events: events, Peppers: source, Namespace: o.Namespace,
				Formats: formats, Scope: scope, Ask: ask,
			}
			return r.SetupWithManager(mgr, configCache, runtimeCache)
		}},
		{"rollout controller", func() error {
			r := &configrollout.Reconciler{Events: events, Clock: clock.RealClock{}, Namespace: o.Namespace}
			return r.SetupWithManager(mgr, configCache, runtimeCache)
		}},
		{"metrics of all keys", func() error {
			all, err := keymetrics.New(ctx, mgr.GetCache(), clock.RealClock{}, mgr.Elected())
			if err != nil {
				return err
			}
			return metrics.Registry.Register(all)
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
