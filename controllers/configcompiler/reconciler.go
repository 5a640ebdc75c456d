package configcompiler

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
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
	"keywright.dev/keywright/internal/operator/endingnamespace"
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
	Clock     clock.PassiveClock
	Namespace string
	// Formats is updated from the configuration in force.
	Formats *Formats
	// Scope is where the key objects are that wait for Formats. Requeue receives them; its channels are by kind.
	Scope   keyholder.Scope
	Requeue map[string]chan<- event.GenericEvent

	// lastWarning keeps polling from emitting the same warning again.
	lastWarning warning
	// applied is the resourceVersion of the configuration in force. Nil: nothing was compiled since the start.
	applied *string
	// lastGood is the document in force. Empty: not known yet.
	lastGood string
	// reported is the resourceVersion of keywright-config after the operator annotated it, and reportedAt when it did.
	reported   string
	reportedAt time.Time
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
		return r.refuse(ctx, inputs{config: configMap}, faults, 0)
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
	present, err := r.readRuntime(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	runtime := parsed.Runtime(digest)
	runtime.SucceedBootstrap(r.inForce(present))
	// Set the format before publishing: when the configuration is in force, new keys already follow it.
	r.Formats.set(runtime.Format())
	r.Formats.setBootstrap(&runtime)
	p, err := r.publish(ctx, present, runtime.Encode())
	if err != nil {
		return reconcile.Result{}, err
	}
	// Report an edit even if nothing changed. The first reconcile after a start is not an edit.
	edited := r.applied != nil && !r.isApplied(configMap)
	switch {
	case r.isRemoved(configMap, p):
		r.emitRemoved(p)
	case edited || r.lastWarning != warning{} || p.changed && p.document != r.lastGood:
		r.emitApplied(in, p, parsed.AdminKey != "")
		if err := errors.Join(r.warnOfNames(ctx, in, parsed), r.warnOfEnds(ctx, in, p)); err != nil {
			return reconcile.Result{}, err
		}
	case p.changed:
		r.emitRestored(configMap)
	}
	r.lastWarning, r.applied, r.lastGood = warning{}, new(configMap.ResourceVersion), p.document
	var after time.Duration
	if digest != "" {
		after = poll
	}
	again, err := r.reportAccepted(ctx, configMap)
	return reconcile.Result{RequeueAfter: sooner(after, again)}, errors.Join(err, r.requeueWaiting(ctx))
}

// sooner returns the shorter of two times. 0 is never.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// inForce returns the configuration in force, or an empty one if it is not known. The published document is the one in
// force unless another client has changed it.
func (r *Reconciler) inForce(present *corev1.ConfigMap) *config.Runtime {
	runtime, _ := config.ParseRuntime(cmp.Or(r.lastGood, present.Data[config.RuntimeKey]))
	return &runtime
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
		present, err := r.readRuntime(ctx)
		if err != nil {
			return reconcile.Result{}, err
		}
		r.Formats.setBootstrap(r.inForce(present))
		return reconcile.Result{RequeueAfter: pollPending}, r.setFormat(ctx, &parsed.Service)
	case errors.Is(err, errNoPepper) && r.isApplied(in.config):
		// A configuration that is in force already does not wait for anything.
		return reconcile.Result{RequeueAfter: poll}, r.keepLastGood(ctx, in.config)
	case errors.Is(err, errNoPepper):
		text := "The configuration waits for the pepper: " + err.Error()
		r.warn(in, v1alpha1.EventConfigWaits, text)
		return r.reject(ctx, in, v1alpha1.ConfigurationWaiting, text, poll)
	case errors.As(err, &fault):
		return r.refuse(ctx, in, []config.Fault{fault}, poll)
	}
	return reconcile.Result{}, err
}

// refuse reports the faults of the configuration, and keeps what is in force. after is when to check again.
func (r *Reconciler) refuse(
	ctx context.Context, in inputs, faults []config.Fault, after time.Duration,
) (reconcile.Result, error) {
	text := config.Summary(faults, maxNote)
	r.warn(in, v1alpha1.EventConfigInvalid, text)
	return r.reject(ctx, in, v1alpha1.ConfigurationInvalid, text, after)
}

// reject keeps what is in force, and annotates why the configuration is not.
func (r *Reconciler) reject(
	ctx context.Context, in inputs, status, text string, after time.Duration,
) (reconcile.Result, error) {
	if err := r.keepLastGood(ctx, in.config); err != nil {
		return reconcile.Result{}, err
	}
	again, err := r.report(ctx, in.config, status, unchanged(text))
	return reconcile.Result{RequeueAfter: sooner(after, again)}, err
}

// keepLastGood restores the published document if another client has changed it, and keeps the format of new
// keys. After a start, the published document is the last good one.
func (r *Reconciler) keepLastGood(ctx context.Context, configMap *corev1.ConfigMap) error {
	if r.lastGood == "" {
		present, err := r.readRuntime(ctx)
		if err != nil {
			return err
		}
		runtime, err := config.ParseRuntime(present.Data[config.RuntimeKey])
		if err != nil {
			// Nothing was ever in force, or another client has overwritten it. A valid configuration ends both.
			return nil //nolint:nilerr // the person who can repair it has got an event
		}
		r.lastGood = present.Data[config.RuntimeKey]
		r.Formats.setBootstrap(&runtime)
		return r.setFormat(ctx, &runtime)
	}
	present, err := r.readRuntime(ctx)
	if err != nil {
		return err
	}
	p, err := r.publish(ctx, present, r.lastGood)
	if p.changed && err == nil {
		r.emitRestored(configMap)
	}
	return err
}

// publication is a document written for the servers.
type publication struct {
	// before is the former document, document the present one.
	before, document string
	changed          bool
	// runtime is the ConfigMap as it was before.
	runtime *corev1.ConfigMap
}

// changes describes the changed settings. An unreadable former document counts as an empty configuration.
func (p publication) changes() []string {
	before, _ := config.ParseRuntime(p.before)
	after, _ := config.ParseRuntime(p.document)
	return config.Changes(before, after)
}

// publish writes keywright-runtime if the document differs from the present one. The annotations stay: report replaces
// them.
func (r *Reconciler) publish(ctx context.Context, present *corev1.ConfigMap, document string) (publication, error) {
	before := present.Data[config.RuntimeKey]
	p := publication{before: before, document: document, changed: before != document, runtime: present}
	if !p.changed {
		return p, nil
	}
	return p, r.applyRuntime(ctx, document, annotationsOf(present))
}

// applyRuntime writes everything that the operator owns of keywright-runtime.
func (r *Reconciler) applyRuntime(ctx context.Context, document string, annotations map[string]string) error {
	wanted := corev1ac.ConfigMap(v1alpha1.ConfigMapRuntime, r.Namespace).
		WithAnnotations(annotations).
		WithData(map[string]string{config.RuntimeKey: document})
	return r.Client.Apply(ctx, wanted, client.FieldOwner(v1alpha1.FieldManager), client.ForceOwnership)
}

// readRuntime returns keywright-runtime, or an empty ConfigMap if it does not exist.
func (r *Reconciler) readRuntime(ctx context.Context) (*corev1.ConfigMap, error) {
	present := &corev1.ConfigMap{}
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: v1alpha1.ConfigMapRuntime}, present)
	return present, client.IgnoreNotFound(err)
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
		Complete(endingnamespace.Quiet(r))
}
