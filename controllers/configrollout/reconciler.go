package configrollout

import (
	"context"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/config"
)

// Reconciler follows the configuration into the servers. There is one question for all of them, so there is one
// request, whoever changed.
type Reconciler struct {
	// Config reads ConfigMap keywright-config, Runtime ConfigMap keywright-runtime, and Leases those of the
	// servers. SetupWithManager sets them.
	Config, Runtime, Leases client.Reader
	Events                  events.EventRecorder
	Clock                   clock.PassiveClock
	Namespace               string

	memory memory
}

// Reconcile takes a look.
func (r *Reconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	configMap, err := readConfigMap(ctx, r.Config, r.Namespace, v1alpha1.ConfigMapConfig)
	if err != nil {
		return reconcile.Result{}, err
	}
	runtime, err := readConfigMap(ctx, r.Runtime, r.Namespace, v1alpha1.ConfigMapRuntime)
	if err != nil {
		return reconcile.Result{}, err
	}
	var leases coordinationv1.LeaseList
	if err := r.Leases.List(ctx, &leases, client.InNamespace(r.Namespace), client.MatchingLabels(v1alpha1.ServerLeaseLabels())); err != nil {
		return reconcile.Result{}, err
	}
	next, say, again := decide(r.memory, documentOf(runtime), readReplicas(leases.Items), r.Clock.Now())
	r.memory = next
	// Without the ConfigMap that people write there is nothing to put an event on.
	if say != nil && configMap.UID != "" {
		r.Events.Eventf(configMap, related(say, runtime, leases.Items), say.kind, say.reason, say.action, "%s", say.text)
	}
	return reconcile.Result{RequeueAfter: again}, nil
}

// readConfigMap returns one without a UID where there is none.
func readConfigMap(ctx context.Context, from client.Reader, namespace, name string) (*corev1.ConfigMap, error) {
	configMap := &corev1.ConfigMap{}
	configMap.Namespace, configMap.Name = namespace, name
	return configMap, client.IgnoreNotFound(from.Get(ctx, client.ObjectKeyFromObject(configMap), configMap))
}

func documentOf(runtime *corev1.ConfigMap) string {
	document, is := runtime.Data[config.RuntimeKey]
	if !is {
		return ""
	}
	return config.Revision(document)
}

// related also keeps events apart: two that differ in their note alone, within a few minutes, would be recorded
// as one that happened twice, with the note of the first.
func related(say *note, runtime *corev1.ConfigMap, leases []coordinationv1.Lease) client.Object {
	for i := range leases {
		if leases[i].Name == say.about {
			return &leases[i]
		}
	}
	return runtime
}

// SetupWithManager registers the controller, and a cache of the servers' Leases. config and runtime are each a
// cache of the one ConfigMap. It runs once at a time: there is one configuration.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, configMap, runtime cache.Cache) error {
	leases, err := cacheOfLeases(mgr, r.Namespace)
	if err != nil {
		return err
	}
	r.Config, r.Runtime, r.Leases = configMap, runtime, leases
	return ctrl.NewControllerManagedBy(mgr).
		Named("rollout").
		WatchesRawSource(source.Func(r.first)).
		WatchesRawSource(source.Kind(runtime, &corev1.ConfigMap{}, always[*corev1.ConfigMap](r))).
		WatchesRawSource(source.Kind(leases, &coordinationv1.Lease{}, always[*coordinationv1.Lease](r))).
		Complete(r)
}

func cacheOfLeases(mgr ctrl.Manager, namespace string) (cache.Cache, error) {
	leases, err := cache.New(mgr.GetConfig(), cache.Options{
		Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(), HTTPClient: mgr.GetHTTPClient(),
		ByObject: map[client.Object]cache.ByObject{&coordinationv1.Lease{}: {
			Namespaces: map[string]cache.Config{namespace: {}},
			Label:      labels.SelectorFromSet(v1alpha1.ServerLeaseLabels()),
		}},
	})
	if err != nil {
		return nil, err
	}
	return leases, mgr.Add(leases)
}

func (r *Reconciler) theOne() reconcile.Request {
	return reconcile.Request{NamespacedName: client.ObjectKey{Namespace: r.Namespace, Name: v1alpha1.ConfigMapRuntime}}
}

// first asks for a look at the start, when there may be nothing yet that could change: what comes after it is new.
func (r *Reconciler) first(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	queue.Add(r.theOne())
	return nil
}

// always asks for a look, whatever has changed.
func always[O client.Object](r *Reconciler) handler.TypedEventHandler[O, reconcile.Request] {
	return handler.TypedEnqueueRequestsFromMapFunc(func(context.Context, O) []reconcile.Request {
		return []reconcile.Request{r.theOne()}
	})
}
