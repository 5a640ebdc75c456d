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
	"keywright.dev/keywright/internal/kube/serverlease"
	"keywright.dev/keywright/internal/operator/endingnamespace"
)

// Reconciler reports the rollout of the configuration. The decision covers all replicas, so every change leads
// to the same request.
type Reconciler struct {
	// Config reads ConfigMap keywright-config, Runtime ConfigMap keywright-runtime, and Leases the Leases of
	// the replicas. SetupWithManager sets them.
	Config, Runtime, Leases client.Reader
	Events                  events.EventRecorder
	Clock                   clock.PassiveClock
	Namespace               string

	state state
}

// Reconcile compares the published configuration with the Leases of the replicas.
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
	ofReplicas := client.MatchingLabels(v1alpha1.ServerLeaseLabels())
	if err := r.Leases.List(ctx, &leases, client.InNamespace(r.Namespace), ofReplicas); err != nil {
		return reconcile.Result{}, err
	}
	next, event, checkAfter := decide(r.state, revisionOf(runtime), serverlease.Read(leases.Items), r.Clock.Now())
	r.state = next
	// Without a configuration there is no object for the event.
	if event != nil && configMap.UID != "" {
		related := relatedTo(event, runtime, leases.Items)
		r.Events.Eventf(configMap, related, event.kind, event.reason, event.action, "%s", event.note)
	}
	return reconcile.Result{RequeueAfter: checkAfter}, nil
}

// readConfigMap returns a ConfigMap without a UID if it does not exist.
func readConfigMap(ctx context.Context, from client.Reader, namespace, name string) (*corev1.ConfigMap, error) {
	configMap := &corev1.ConfigMap{}
	configMap.Namespace, configMap.Name = namespace, name
	return configMap, client.IgnoreNotFound(from.Get(ctx, client.ObjectKeyFromObject(configMap), configMap))
}

func revisionOf(runtime *corev1.ConfigMap) string {
	document, found := runtime.Data[config.RuntimeKey]
	if !found {
		return ""
	}
	return config.Revision(document)
}

// relatedTo returns the object that the event relates to. Events a few minutes apart that differ only in their note
// would be merged, with the note of the first; the related object keeps them apart.
func relatedTo(event *rolloutEvent, runtime *corev1.ConfigMap, leases []coordinationv1.Lease) client.Object {
	for i := range leases {
		if leases[i].Name == event.lease {
			return &leases[i]
		}
	}
	return runtime
}

// SetupWithManager registers the controller and a cache of the replicas' Leases. configCache and runtimeCache
// each have one ConfigMap. The controller does not run concurrently.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, configCache, runtimeCache cache.Cache) error {
	leases, err := cacheOfLeases(mgr, r.Namespace)
	if err != nil {
		return err
	}
	r.Config, r.Runtime, r.Leases = configCache, runtimeCache, leases
	return ctrl.NewControllerManagedBy(mgr).
		Named("rollout").
		WatchesRawSource(source.Func(r.enqueueFirst)).
		WatchesRawSource(source.Kind(runtimeCache, &corev1.ConfigMap{}, enqueue[*corev1.ConfigMap](r))).
		WatchesRawSource(source.Kind(leases, &coordinationv1.Lease{}, enqueue[*coordinationv1.Lease](r))).
		Complete(endingnamespace.Quiet(r))
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

func (r *Reconciler) request() reconcile.Request {
	return reconcile.Request{NamespacedName: client.ObjectKey{Namespace: r.Namespace, Name: v1alpha1.ConfigMapRuntime}}
}

// enqueueFirst requests a reconcile at the start, before anything changes: what happens afterwards is new.
func (r *Reconciler) enqueueFirst(
	_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request],
) error {
	queue.Add(r.request())
	return nil
}

// enqueue requests a reconcile for any change.
func enqueue[O client.Object](r *Reconciler) handler.TypedEventHandler[O, reconcile.Request] {
	return handler.TypedEnqueueRequestsFromMapFunc(func(context.Context, O) []reconcile.Request {
		return []reconcile.Request{r.request()}
	})
}
