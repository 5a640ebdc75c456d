package lastadmin

import (
	"context"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/api/v1alpha1"
)

// Indexes of AdminUsers: those that are active, and those that carry the condition.
const (
	activeIndex = "keywright.dev/active"
	markedIndex = "keywright.dev/last-admin"
	yes         = "true"
)

// retryConflict is how soon a write is tried again that lost against somebody else's.
const retryConflict = 50 * time.Millisecond

// Reconciler keeps the condition on whom it belongs to. There is one question for all AdminUsers, so there is one
// request, whoever changed.
type Reconciler struct {
	// Client reads AdminUsers from a cache that has Index.
	Client    client.Client
	Clock     clock.PassiveClock
	Namespace string
}

// Index makes it cheap to find the active and the marked. To be called once, before the cache starts.
func Index(ctx context.Context, indexer client.FieldIndexer) error {
	if err := indexer.IndexField(ctx, &v1alpha1.AdminUser{}, activeIndex, indexWhere(isActive)); err != nil {
		return err
	}
	return indexer.IndexField(ctx, &v1alpha1.AdminUser{}, markedIndex, indexWhere(isMarked))
}

func indexWhere(is func(*v1alpha1.AdminUser) bool) client.IndexerFunc {
	return func(o client.Object) []string {
		if is(o.(*v1alpha1.AdminUser)) {
			return []string{yes}
		}
		return nil
	}
}

// isActive: a key of this admin is accepted, and will go on being so as far as the spec says.
func isActive(u *v1alpha1.AdminUser) bool {
	return u.IsAdmin() && u.IsEnabled() && u.DeletionTimestamp.IsZero() &&
		meta.IsStatusConditionTrue(u.Status.Conditions, v1alpha1.ConditionActive)
}

func isMarked(u *v1alpha1.AdminUser) bool {
	return meta.FindStatusCondition(u.Status.Conditions, v1alpha1.ConditionLastAdmin) != nil
}

// Reconcile brings the condition to whom it belongs.
func (r *Reconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	err := r.settle(ctx)
	if apierrors.IsConflict(err) {
		return reconcile.Result{RequeueAfter: retryConflict}, nil
	}
	// An object that is gone needs no mark, and the event of its going asks anew.
	return reconcile.Result{}, client.IgnoreNotFound(err)
}

// settle marks the one active admin, if there is just one, before it unmarks any other: in between there may be two,
// and never none.
func (r *Reconciler) settle(ctx context.Context) error {
	active, err := r.list(ctx, activeIndex)
	if err != nil {
		return err
	}
	var last *v1alpha1.AdminUser
	if len(active) == 1 {
		last = &active[0]
		if err := r.mark(ctx, last); err != nil {
			return err
		}
	}
	marked, err := r.list(ctx, markedIndex)
	if err != nil {
		return err
	}
	for i := range marked {
		if last != nil && marked[i].UID == last.UID {
			continue
		}
		if err := r.unmark(ctx, &marked[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reconciler) list(ctx context.Context, index string) ([]v1alpha1.AdminUser, error) {
	var list v1alpha1.AdminUserList
	err := r.Client.List(ctx, &list, client.InNamespace(r.Namespace), client.MatchingFields{index: yes}, client.UnsafeDisableDeepCopy)
	return list.Items, err
}

func (r *Reconciler) mark(ctx context.Context, user *v1alpha1.AdminUser) error {
	return r.patch(ctx, user, func(conditions *[]metav1.Condition) {
		meta.SetStatusCondition(conditions, metav1.Condition{
			Type: v1alpha1.ConditionLastAdmin, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonOnlyActiveAdmin,
			Message:            "No other admin is active: make one before this one is deleted, demoted or disabled.",
			ObservedGeneration: user.Generation, LastTransitionTime: metav1.NewTime(r.Clock.Now()),
		})
	})
}

func (r *Reconciler) unmark(ctx context.Context, user *v1alpha1.AdminUser) error {
	return r.patch(ctx, user, func(conditions *[]metav1.Condition) {
		meta.RemoveStatusCondition(conditions, v1alpha1.ConditionLastAdmin)
	})
}

// patch changes conditions of the object as it was read, or conflicts.
func (r *Reconciler) patch(ctx context.Context, user *v1alpha1.AdminUser, change func(*[]metav1.Condition)) error {
	changed := user.DeepCopy()
	change(&changed.Status.Conditions)
	if sameConditions(user.Status.Conditions, changed.Status.Conditions) {
		return nil
	}
	patch := client.MergeFromWithOptions(user, client.MergeFromWithOptimisticLock{})
	return r.Client.Status().Patch(ctx, changed, patch, client.FieldOwner(v1alpha1.FieldManager))
}

// sameConditions compares what is said, not when.
func sameConditions(a, b []metav1.Condition) bool {
	return slices.EqualFunc(a, b, func(x, y metav1.Condition) bool { return said(x) == said(y) })
}

func said(c metav1.Condition) metav1.Condition {
	c.LastTransitionTime = metav1.Time{}
	return c
}

// SetupWithManager registers the controller. Only a change of who is active or marked is looked at.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	all := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: client.ObjectKey{Namespace: r.Namespace, Name: "admins"}}}
	})
	return ctrl.NewControllerManagedBy(mgr).
		Named("lastadmin").
		Watches(&v1alpha1.AdminUser{}, all, builder.WithPredicates(predicate.Funcs{UpdateFunc: matters})).
		Complete(r)
}

// matters is false for what this controller has nothing to do with. A mark that somebody else changed is put right.
func matters(e event.UpdateEvent) bool {
	before, after := e.ObjectOld.(*v1alpha1.AdminUser), e.ObjectNew.(*v1alpha1.AdminUser)
	return isActive(before) != isActive(after) || markOf(before) != markOf(after) ||
		isMarked(after) && before.Generation != after.Generation
}

// markOf is the condition, or its zero value.
func markOf(u *v1alpha1.AdminUser) metav1.Condition {
	if c := meta.FindStatusCondition(u.Status.Conditions, v1alpha1.ConditionLastAdmin); c != nil {
		return said(*c)
	}
	return metav1.Condition{}
}
