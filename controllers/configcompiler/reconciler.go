package configcompiler

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/internal/operator/keysource"
)

const (
	// poll is how often to check for a changed bootstrap key or pepper. The Secret that ADMIN_KEY_SECRET names
	// is not cached, because the operator watches only Secrets that it wrote.
	poll = 15 * time.Second
	// pollPending is how often to check for a keyring that was not ready.
	pollPending = time.Second
)

// Reconciler compiles keywright-config into keywright-runtime.
type Reconciler struct {
	Client client.Client
	// Live reads the ConfigMaps, and the Secret that the configuration names.
	Live      client.Reader
	Events    events.EventRecorder
	Peppers   keysource.Peppers
	Namespace string
	// Formats is updated from the configuration in force.
	Formats *Formats
	// Scope is where the key objects are that wait for Formats. Requeue receives them; its channels are by kind.
	Scope   keyholder.Scope
	Requeue map[string]chan<- event.GenericEvent

	// lastWarning keeps polling from emitting the same warning again.
	lastWarning string
	// applied is the resourceVersion of the configuration in force. Nil: nothing was compiled since the start.
	applied *string
	// lastGood is the document in force. Empty: not known yet.
	lastGood string
}

// Reconcile checks, compiles and publishes the configuration.
func (r *Reconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	configMap := &corev1.ConfigMap{}
	configMap.Namespace, configMap.Name = r.Namespace, v1alpha1.ConfigMapConfig
	err := r.Live.Get(ctx, client.ObjectKeyFromObject(configMap), configMap)
	if client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, err
	}
	parsed, faults := config.Parse(configMap.Data)
	if faults = append(faults, binaryFaults(configMap)...); len(faults) > 0 {
		r.emitInvalid(inputs{config: configMap}, faults)
		return reconcile.Result{}, r.keepLastGood(ctx, configMap)
	}
	return r.compile(ctx, configMap, &parsed)
}

// binaryFaults returns a fault for every setting that is not text. kubectl creates such a setting from a file
// that is not UTF-8.
func binaryFaults(configMap *corev1.ConfigMap) (faults []config.Fault) {
	for _, name := range slices.Sorted(maps.Keys(configMap.BinaryData)) {
		faults = append(faults, config.Fault{Key: name, Problem: "is binaryData: a setting is text, in data"})
	}
	return faults
}

func (r *Reconciler) compile(
	ctx context.Context, configMap *corev1.ConfigMap, parsed *config.Settings,
) (reconcile.Result, error) {
	digest, secret, err := r.bootstrapDigest(ctx, parsed)
	in := inputs{config: configMap, secret: secret}
	if err != nil {
		return r.withoutBootstrapKey(ctx, in, parsed, err)
	}
	runtime := parsed.Runtime(digest)
	// Set the format before publishing: when the configuration is in force, new keys already follow it.
	r.Formats.set(runtime.Format())
	p, err := r.publish(ctx, runtime.Encode())
	if err != nil {
		return reconcile.Result{}, err
	}
	// Report an edit even if nothing changed. The first reconcile after a start is not an edit.
	edited := r.applied != nil && !r.isApplied(configMap)
	switch {
	case edited || r.lastWarning != "" || p.changed && p.document != r.lastGood:
		r.emitApplied(in, p, parsed.AdminKey != "")
	case p.changed:
		r.emitRestored(in, p)
	}
	r.lastWarning, r.applied, r.lastGood = "", &configMap.ResourceVersion, p.document
	result := reconcile.Result{}
	if digest != "" {
		result.RequeueAfter = poll
	}
	return result, r.requeueWaiting(ctx)
}

func (r *Reconciler) isApplied(configMap *corev1.ConfigMap) bool {
	return r.applied != nil && *r.applied == configMap.ResourceVersion
}

// withoutBootstrapKey keeps what is in force when the bootstrap key cannot be read or digested.
func (r *Reconciler) withoutBootstrapKey(
	ctx context.Context, in inputs, parsed *config.Settings, err error,
) (reconcile.Result, error) {
	var fault config.Fault
	switch {
	case errors.Is(err, keysource.ErrPepperPending):
		// The key format is valid, and keys that wait for the pepper need not wait for the format too.
		return reconcile.Result{RequeueAfter: pollPending}, r.setFormat(ctx, &parsed.Service)
	case errors.Is(err, errNoPepper):
		// A configuration that is in force already does not wait for anything.
		if !r.isApplied(in.config) {
			r.warn(in, v1alpha1.EventConfigWaits, "The configuration waits for the pepper: "+err.Error())
		}
	case errors.As(err, &fault):
		r.emitInvalid(in, []config.Fault{fault})
	default:
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: poll}, r.keepLastGood(ctx, in.config)
}

// keepLastGood restores the published document if another client has changed it, and keeps the format of new
// keys. After a start, the published document is the last good one.
func (r *Reconciler) keepLastGood(ctx context.Context, configMap *corev1.ConfigMap) error {
	if r.lastGood == "" {
		present, err := r.readDocument(ctx)
		if err != nil {
			return err
		}
		runtime, err := config.ParseRuntime(present)
		if err != nil {
			// Nothing was ever in force, or another client has overwritten it. A valid configuration ends both.
			return nil //nolint:nilerr // the person who can repair it has got an event
		}
		r.lastGood = present
		return r.setFormat(ctx, &runtime)
	}
	p, err := r.publish(ctx, r.lastGood)
	if p.changed && err == nil {
		r.emitRestored(inputs{config: configMap}, p)
	}
	return err
}

// publication is a document written for the servers.
type publication struct {
	// before is the former document, document the present one.
	before, document string
	changed          bool
}

// changes describes the changed settings. An unreadable former document counts as an empty configuration.
func (p publication) changes() []string {
	before, _ := config.ParseRuntime(p.before)
	after, _ := config.ParseRuntime(p.document)
	return config.Changes(before, after)
}

// publish writes keywright-runtime if the document differs.
func (r *Reconciler) publish(ctx context.Context, document string) (publication, error) {
	before, err := r.readDocument(ctx)
	if err != nil {
		return publication{}, err
	}
	p := publication{before: before, document: document, changed: before != document}
	if !p.changed {
		return p, nil
	}
	wanted := corev1ac.ConfigMap(v1alpha1.ConfigMapRuntime, r.Namespace).
		WithData(map[string]string{config.RuntimeKey: document})
	return p, r.Client.Apply(ctx, wanted, client.FieldOwner(v1alpha1.FieldManager), client.ForceOwnership)
}

// readDocument returns the published document, or "".
func (r *Reconciler) readDocument(ctx context.Context) (string, error) {
	var present corev1.ConfigMap
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: v1alpha1.ConfigMapRuntime}, &present)
	return present.Data[config.RuntimeKey], client.IgnoreNotFound(err)
}

// SetupWithManager registers the controller. configCache and runtimeCache each have one ConfigMap: the
// configuration, and the document compiled from it, which is restored when another client changes it. The
// controller does not run concurrently. It runs once at the start even without a ConfigMap: servers wait for
// the document, and keys for their format.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, configCache, runtimeCache cache.Cache) error {
	configMap := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: v1alpha1.ConfigMapConfig}}
	first := make(chan event.GenericEvent, 1)
	first <- event.GenericEvent{Object: configMap}
	enqueue := handler.TypedEnqueueRequestsFromMapFunc(func(context.Context, *corev1.ConfigMap) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: client.ObjectKeyFromObject(configMap)}}
	})
	return ctrl.NewControllerManagedBy(mgr).
		Named("settings").
		WatchesRawSource(source.Kind(configCache, &corev1.ConfigMap{}, enqueue)).
		WatchesRawSource(source.Kind(runtimeCache, &corev1.ConfigMap{}, enqueue)).
		WatchesRawSource(source.Channel(first, &handler.EnqueueRequestForObject{})).
		Complete(r)
}
