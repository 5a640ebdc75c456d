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
)

// recheck is how soon a pepper that can't be used is looked at again though nobody touched it: what makes it
// unusable are keys recorded elsewhere, and those may go.
const recheck = 30 * time.Second

// Reconciler keeps Source in step with the pepper Secret. It runs once at a time.
type Reconciler struct {
	// Live reads from the API server itself: whether a pepper may be made must not rest on a cache.
	Live   client.Reader
	Client client.Client
	// Namespace is Keywright's own.
	Namespace string
	// Scope is where the objects are whose keys were digested.
	Scope  keyholder.Scope
	Source *Source
	// Ask is told every object that has to be looked at again after a change, by its kind.
	Ask map[string]chan<- event.GenericEvent

	// untold is true from a change until everybody has been told of it.
	untold bool
}

// Check is for start-up: it fails when the pepper can't be read, or is there and broken.
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
		return fmt.Errorf("Secret %s/%s is broken: %w: restore it from a backup", namespace, v1alpha1.PepperSecret, err) //nolint:staticcheck // begins with the name of a kind
	}
	return nil
}

// Reconcile reads the Secret, makes it when no key exists yet, and tells everybody of a change.
func (r *Reconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	next, err := r.read(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	if r.Source.set(next) {
		r.untold = true
		report(ctx, next)
	}
	if r.untold {
		if err := r.Scope.Ask(ctx, r.Client, r.Ask); err != nil {
			return reconcile.Result{}, err
		}
		r.untold = false
	}
	return reconcile.Result{RequeueAfter: next.again()}, nil
}

func report(ctx context.Context, next state) {
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

// create makes the first pepper. Where another replica was faster, its pepper is read on the next try.
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

// digested lists the ids of all peppers that recorded keys were digested with.
func (r *Reconciler) digested(ctx context.Context) (map[string]bool, error) {
	ids := map[string]bool{}
	err := r.Scope.EachLive(ctx, r.Live, func(o keyholder.Object) error {
		for _, k := range o.HolderStatus().Keys {
			if digest, err := pepper.ParseDigest(k.Digest); err == nil {
				ids[digest.PepperID] = true
			}
		}
		return nil
	})
	return ids, err
}

// SetupWithManager registers the controller. one is a cache of the pepper Secret alone: the manager's own holds
// Secrets that Keywright wrote, and of those metadata only.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, one cache.Cache) error {
	first := make(chan event.GenericEvent, 1)
	first <- event.GenericEvent{Object: &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: v1alpha1.PepperSecret}}}
	return ctrl.NewControllerManagedBy(mgr).
		Named("pepper").
		WatchesRawSource(source.Kind(one, &corev1.Secret{}, &handler.TypedEnqueueRequestForObject[*corev1.Secret]{})).
		WatchesRawSource(source.Channel(first, &handler.EnqueueRequestForObject{})).
		Complete(r)
}
