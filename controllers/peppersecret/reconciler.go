package peppersecret

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/internal/operator/endingnamespace"
)

// recheck is how often an unusable pepper is checked again although the Secret did not change: it becomes usable when
// the recorded keys are gone.
const recheck = 30 * time.Second

// Reconciler updates Source from the pepper Secret. It does not run concurrently.
type Reconciler struct {
	// Live reads from the API server: the decision to create a pepper must not depend on a cache.
	Live   client.Reader
	Client client.Client
	// Namespace is the namespace of the operator.
	Namespace string
	// Scope is where key objects are.
	Scope  keyholder.Scope
	Source *Source
	// Requeue receives every key object after a change of the keyring. Its channels are by kind.
	Requeue map[string]chan<- event.GenericEvent

	// requeuePending is true from a change until every object has been requeued.
	requeuePending bool
}

// Check fails if the pepper cannot be read or is broken. The operator calls it at startup.
func Check(ctx context.Context, reader client.Reader, namespace string) error {
	var secret corev1.Secret
	err := reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: v1alpha1.PepperSecret}, &secret)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading Secret %s/%s: %w", namespace, v1alpha1.PepperSecret, err)
	}
	if _, err := pepper.Load(secret.Data); err != nil {
		return fmt.Errorf( //nolint:staticcheck // begins with the name of a kind
			"Secret %s/%s is broken: %w: restore it from a backup", namespace, v1alpha1.PepperSecret, err)
	}
	return nil
}

// Reconcile reads the Secret, or creates it while no key exists, and requeues every key object after a change.
func (r *Reconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	next, err := r.read(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	if r.Source.set(next) {
		r.requeuePending = true
		logState(ctx, next)
	}
	if r.requeuePending {
		if err := r.Scope.Requeue(ctx, r.Client, r.Requeue); err != nil {
			return reconcile.Result{}, err
		}
		r.requeuePending = false
	}
	return reconcile.Result{RequeueAfter: next.recheckAfter()}, nil
}

func logState(ctx context.Context, next state) {
	if next.err != nil {
		log.FromContext(ctx).Error(next.err, "Issuing is stopped")
		return
	}
	log.FromContext(ctx).Info("Pepper in use", "pepper", next.ring.ActiveID(), "peppers", next.ring.Len())
}

func (r *Reconciler) read(ctx context.Context) (state, error) {
	var secret corev1.Secret
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: v1alpha1.PepperSecret}, &secret)
	if client.IgnoreNotFound(err) != nil {
		return state{}, err
	}
	digested, listErr := r.digested(ctx)
	switch {
	case listErr != nil:
		return state{}, listErr
	case err == nil:
		return assess(&secret, digested), nil
	case len(digested) > 0:
		return lost(), nil
	}
	return r.create(ctx)
}

// create creates the first pepper. If another replica was faster, the retry reads its pepper.
func (r *Reconciler) create(ctx context.Context) (state, error) {
	fresh, err := pepper.New()
	if err != nil {
		return state{}, err
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: v1alpha1.PepperSecret},
		Data:       map[string][]byte{pepper.Active: fresh},
	}
	if err := r.Client.Create(ctx, secret, client.FieldOwner(v1alpha1.FieldManager)); err != nil {
		return state{}, fmt.Errorf("creating Secret %s: %w", v1alpha1.PepperSecret, err)
	}
	return assess(secret, nil), nil
}

// digested returns the ids of the peppers that recorded keys were digested with.
func (r *Reconciler) digested(ctx context.Context) (map[string]bool, error) {
	ids := map[string]bool{}
	err := r.Scope.EachLive(ctx, r.Live, func(o keyholder.Object) error {
		for _, k := range o.HolderStatus().Keys {
			if digest, err := pepper.ParseDigest(k.Digest); err == nil && digest.PepperID != pepper.Plain {
				ids[digest.PepperID] = true
			}
		}
		return nil
	})
	return ids, err
}

// SetupWithManager registers the controller. pepperCache has only the pepper Secret: the manager's cache has
// the metadata of Secrets that Keywright wrote.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, pepperCache cache.Cache) error {
	meta := metav1.ObjectMeta{Namespace: r.Namespace, Name: v1alpha1.PepperSecret}
	first := make(chan event.GenericEvent, 1)
	first <- event.GenericEvent{Object: &corev1.Secret{ObjectMeta: meta}}
	return ctrl.NewControllerManagedBy(mgr).
		Named("pepper").
		WatchesRawSource(source.Kind(pepperCache, &corev1.Secret{}, &handler.TypedEnqueueRequestForObject[*corev1.Secret]{})).
		WatchesRawSource(source.Channel(first, &handler.EnqueueRequestForObject{})).
		Complete(endingnamespace.Quiet(r))
}
