package configcompiler

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	// poll is how soon a changed bootstrap key or pepper is noticed: the Secret that ADMIN_KEY_SECRET points to
	// is in no cache, for the operator does not watch Secrets that are not its own.
	poll = 15 * time.Second
	// pollPending is how soon a keyring that was not there yet is asked for again.
	pollPending = time.Second
)

// Reconciler compiles keywright-config into keywright-runtime.
type Reconciler struct {
	Client client.Client
	// Live reads the ConfigMaps and the Secret that one of them points to.
	Live      client.Reader
	Events    events.EventRecorder
	Peppers   keysource.Peppers
	Namespace string
	// Formats is kept in step with the setting of how keys begin.
	Formats *Formats
	// Scope is where the objects are that wait for it, and Ask who listens for them, by their kind.
	Scope keyholder.Scope
	Ask   map[string]chan<- event.GenericEvent

	// told is the trouble that was told last, so that polling does not tell it again.
	told string
	// applied is the resourceVersion of the configuration that is in force. Nil: no look has succeeded since
	// the start.
	applied *string
	// good is the document that is in force. Empty: it is not known.
	good string
}

// Reconcile checks and compiles the configuration as it stands.
func (r *Reconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	configMap := &corev1.ConfigMap{}
	configMap.Namespace, configMap.Name = r.Namespace, v1alpha1.ConfigMapConfig
	err := r.Live.Get(ctx, client.ObjectKeyFromObject(configMap), configMap)
	if client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, err
	}
	parsed, faults := config.Parse(configMap.Data)
	if faults = append(faults, binary(configMap)...); len(faults) > 0 {
		r.refuse(edit{config: configMap}, faults)
		return reconcile.Result{}, r.goOn(ctx, configMap)
	}
	return r.compile(ctx, configMap, &parsed)
}

// binary is a fault for every setting that is not text: kubectl makes it so of a file that is not UTF-8.
func binary(configMap *corev1.ConfigMap) (faults []config.Fault) {
	for _, name := range slices.Sorted(maps.Keys(configMap.BinaryData)) {
		faults = append(faults, config.Fault{Key: name, Problem: "is binaryData: a setting is text, in data"})
	}
	return faults
}

func (r *Reconciler) compile(ctx context.Context, configMap *corev1.ConfigMap, parsed *config.Settings) (reconcile.Result, error) {
	digest, secret, err := r.bootstrap(ctx, parsed)
	e := edit{config: configMap, secret: secret}
	if err != nil {
		return r.hold(ctx, e, parsed, err)
	}
	runtime := parsed.Runtime(digest)
	// First, so that who sees the configuration in force gets keys that begin as it says.
	r.Formats.set(runtime.Format())
	p, err := r.publish(ctx, runtime.Encode())
	if err != nil {
		return reconcile.Result{}, err
	}
	// An edit is told although it comes to the same; a start is not one.
	edited := r.applied != nil && !r.isApplied(configMap)
	switch {
	case edited || r.told != "" || p.changed && p.document != r.good:
		r.announce(e, p, parsed.AdminKey != "")
	case p.changed:
		r.restored(e, p)
	}
	r.told, r.applied, r.good = "", &configMap.ResourceVersion, p.document
	result := reconcile.Result{}
	if digest != "" {
		result.RequeueAfter = poll
	}
	return result, r.askWhoWaited(ctx)
}

func (r *Reconciler) isApplied(configMap *corev1.ConfigMap) bool {
	return r.applied != nil && *r.applied == configMap.ResourceVersion
}

// hold leaves everything as it is, because the bootstrap key can't be had or digested.
func (r *Reconciler) hold(ctx context.Context, e edit, parsed *config.Settings, err error) (reconcile.Result, error) {
	var fault config.Fault
	switch {
	case errors.Is(err, keysource.ErrPepperPending):
		// Who waits for the pepper does not wait for this, too: that there is nothing wrong with the prefix is
		// known.
		return reconcile.Result{RequeueAfter: pollPending}, r.setFormat(ctx, &parsed.Service)
	case errors.Is(err, errNoPepper):
		// Of a configuration that is in force already there is nothing to tell here.
		if !r.isApplied(e.config) {
			r.warn(e, v1alpha1.EventConfigWaits, "The configuration waits for the pepper: "+err.Error())
		}
	case errors.As(err, &fault):
		r.refuse(e, []config.Fault{fault})
	default:
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: poll}, r.goOn(ctx, e.config)
}

// goOn has what was in force stay so: it is put back where somebody else has changed it, and new keys begin as
// it says. After a start that is what the servers have.
func (r *Reconciler) goOn(ctx context.Context, configMap *corev1.ConfigMap) error {
	if r.good == "" {
		present, err := r.document(ctx)
		if err != nil {
			return err
		}
		runtime, err := config.ParseRuntime(present)
		if err != nil {
			// Nothing was ever in force, or it is spoilt. Both end with a configuration that is good.
			return nil //nolint:nilerr // who is to mend it has been told
		}
		r.good = present
		return r.setFormat(ctx, &runtime)
	}
	p, err := r.publish(ctx, r.good)
	if p.changed && err == nil {
		r.restored(edit{config: configMap}, p)
	}
	return err
}

// SetupWithManager registers the controller. config and runtime are each a cache of the one ConfigMap: what
// people write, and what is compiled from it, which is put right when somebody else changes it. It runs once at
// a time: there is one configuration. The first time it runs whether there is a ConfigMap or not: servers wait
// for what is compiled of none, and keys for how they begin.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, configMap, runtime cache.Cache) error {
	theOne := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: v1alpha1.ConfigMapConfig}}
	first := make(chan event.GenericEvent, 1)
	first <- event.GenericEvent{Object: theOne}
	ask := handler.TypedEnqueueRequestsFromMapFunc(func(context.Context, *corev1.ConfigMap) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: client.ObjectKeyFromObject(theOne)}}
	})
	return ctrl.NewControllerManagedBy(mgr).
		Named("settings").
		WatchesRawSource(source.Kind(configMap, &corev1.ConfigMap{}, ask)).
		WatchesRawSource(source.Kind(runtime, &corev1.ConfigMap{}, ask)).
		WatchesRawSource(source.Channel(first, &handler.EnqueueRequestForObject{})).
		Complete(r)
}
