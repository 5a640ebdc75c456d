package lastadmin

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/operator/endingnamespace"
)

// Indexes of AdminUsers: those that are active, those with condition LastAdmin, and those with the finalizer.
const (
	activeIndex = "keywright.dev/active"
	markedIndex = "keywright.dev/last-admin"
	anchorIndex = "keywright.dev/anchored"
	indexed     = "true"
)

const (
	// retryConflict is the delay before a write is retried that conflicted with another writer.
	retryConflict = 50 * time.Millisecond
	// pollNamespace is how often to check whether the namespace is being deleted while a deleted admin is kept.
	pollNamespace = 5 * time.Second
)

// Reconciler sets condition and finalizer. The decision covers all AdminUsers, so every change leads to the same
// request.
type Reconciler struct {
	// Client reads AdminUsers from a cache that has Index.
	Client client.Client
	// Live reads the namespace, which is not cached, and confirms the anchor.
	Live      client.Reader
	Events    events.EventRecorder
	Clock     clock.PassiveClock
	Namespace string

	// age is only used by the one request that is reconciled at a time.
	age anchorAge
}

// Index adds the indexes that the Reconciler needs. Call it once, before the cache starts.
func Index(ctx context.Context, indexer client.FieldIndexer) error {
	for name, is := range map[string]func(*v1alpha1.AdminUser) bool{
		activeIndex: isActive, markedIndex: isMarked, anchorIndex: convert.IsAnchor,
	} {
		if err := indexer.IndexField(ctx, &v1alpha1.AdminUser{}, name, indexWhere(is)); err != nil {
			return err
		}
	}
	return nil
}

func indexWhere(is func(*v1alpha1.AdminUser) bool) client.IndexerFunc {
	return func(o client.Object) []string {
		if is(o.(*v1alpha1.AdminUser)) {
			return []string{indexed}
		}
		return nil
	}
}

// Reconcile updates condition and finalizer of all AdminUsers.
func (r *Reconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	kept, err := r.update(ctx)
	switch {
	case apierrors.IsConflict(err):
		return reconcile.Result{RequeueAfter: retryConflict}, nil
	case errors.Is(err, errAnchorTooNew):
		// The wait may be over by now, and a RequeueAfter of 0 would mean never.
		return reconcile.Result{RequeueAfter: max(r.age.untilSettled(r.Clock.Now()), retryConflict)}, nil
	case err != nil || !kept:
		// A deleted object needs no condition, and its deletion triggers another reconcile.
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	return reconcile.Result{RequeueAfter: pollNamespace}, nil
}

// update first sets condition and finalizer on the admins that stay, and only then removes them from others: in between
// too many may have them, but never none. kept reports whether a deleted admin is kept.
func (r *Reconciler) update(ctx context.Context) (kept bool, err error) {
	active, err := r.list(ctx, activeIndex)
	if err != nil {
		return false, err
	}
	anchors, err := r.list(ctx, anchorIndex)
	if err != nil {
		return false, err
	}
	var last *v1alpha1.AdminUser
	switch len(active) {
	case 0:
		if last, err = r.keepDeleted(ctx, anchors); err != nil {
			return false, err
		}
	case 1:
		last = &active[0]
		if err := r.mark(ctx, last, onlyActive); err != nil {
			return false, err
		}
	}
	tooNew := r.anchor(ctx, active, anchors, last)
	if tooNew != nil && !errors.Is(tooNew, errAnchorTooNew) {
		return false, tooNew
	}
	// The condition, which admission relies on, does not wait for the anchor.
	if err := r.unmarkOthers(ctx, last); err != nil {
		return false, err
	}
	return last != nil && !last.DeletionTimestamp.IsZero(), tooNew
}

func (r *Reconciler) list(ctx context.Context, index string) ([]v1alpha1.AdminUser, error) {
	var list v1alpha1.AdminUserList
	err := r.Client.List(ctx, &list, client.InNamespace(r.Namespace), client.MatchingFields{index: indexed},
		client.UnsafeDisableDeepCopy)
	return list.Items, err
}

// SetupWithManager registers the controller. Only changes that may affect the last admin are reconciled.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	all := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: client.ObjectKey{Namespace: r.Namespace, Name: "admins"}}}
	})
	return ctrl.NewControllerManagedBy(mgr).
		Named("lastadmin").
		Watches(&v1alpha1.AdminUser{}, all, builder.WithPredicates(predicate.Funcs{UpdateFunc: affectsLastAdmin})).
		Complete(endingnamespace.Quiet(r))
}

// affectsLastAdmin reports whether a change may affect the last admin. It includes a condition that another client
// changed, which is restored.
func affectsLastAdmin(e event.UpdateEvent) bool {
	before, after := e.ObjectOld.(*v1alpha1.AdminUser), e.ObjectNew.(*v1alpha1.AdminUser)
	return isActive(before) != isActive(after) || conditionOf(before) != conditionOf(after) ||
		convert.IsAnchor(before) != convert.IsAnchor(after) ||
		(isMarked(after) || convert.IsAnchor(after)) &&
			(before.Generation != after.Generation || convert.RemovalAllowed(before) != convert.RemovalAllowed(after))
}
