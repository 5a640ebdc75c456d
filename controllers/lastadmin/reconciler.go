package lastadmin

import (
	"context"
	"errors"
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

// Indexes of AdminUsers: those that are active, those that carry the condition, and those that carry the finalizer.
const (
	activeIndex   = "keywright.dev/active"
	markedIndex   = "keywright.dev/last-admin"
	anchoredIndex = "keywright.dev/anchored"
	yes           = "true"
)

// retryConflict is how soon a write is tried again that lost against somebody else's.
const retryConflict = 50 * time.Millisecond

// Reconciler keeps the condition on whom it belongs to. There is one question for all AdminUsers, so there is one
// request, whoever changed.
type Reconciler struct {
	// Client reads AdminUsers from a cache that has Index.
	Client client.Client
	// Live reads the namespace, which is in no cache.
	Live      client.Reader
	Events    Recorder
	Clock     clock.PassiveClock
	Namespace string

	// hold is of the one request that there is.
	hold hold
}

// Index makes it cheap to find the active and the marked. To be called once, before the cache starts.
func Index(ctx context.Context, indexer client.FieldIndexer) error {
	for name, is := range map[string]func(*v1alpha1.AdminUser) bool{
		activeIndex: isActive, markedIndex: isMarked, anchoredIndex: isAnchored,
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

// Reconcile brings condition and finalizer to whom they belong.
func (r *Reconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	kept, err := r.settle(ctx)
	switch {
	case apierrors.IsConflict(err):
		return reconcile.Result{RequeueAfter: retryConflict}, nil
	case errors.Is(err, errTooEarly):
		// The time may have come since, and nothing at all would mean never.
		return reconcile.Result{RequeueAfter: max(r.hold.left(r.Clock.Now()), retryConflict)}, nil
	case err != nil || !kept:
		// An object that is gone needs no mark, and the event of its going asks anew.
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	return reconcile.Result{RequeueAfter: lookForNamespace}, nil
}

// settle first makes sure of those who stay, and only then lets go of those who leave: in between there may be
// too many marks, and never none. kept says that somebody is kept who was deleted.
func (r *Reconciler) settle(ctx context.Context) (kept bool, err error) {
	active, err := r.list(ctx, activeIndex)
	if err != nil {
		return false, err
	}
	anchored, err := r.list(ctx, anchoredIndex)
	if err != nil {
		return false, err
	}
	var last *v1alpha1.AdminUser
	switch len(active) {
	case 0:
		if last, err = r.keep(ctx, anchored); err != nil {
			return false, err
		}
	case 1:
		last = &active[0]
		if err := r.mark(ctx, last, onlyActive); err != nil {
			return false, err
		}
	}
	tooEarly := r.anchor(ctx, active, anchored, last)
	if tooEarly != nil && !errors.Is(tooEarly, errTooEarly) {
		return false, tooEarly
	}
	// The mark, which admission goes by, waits for no anchor.
	if err := r.unmarkOthers(ctx, last); err != nil {
		return false, err
	}
	return last != nil && !last.DeletionTimestamp.IsZero(), tooEarly
}

func (r *Reconciler) unmarkOthers(ctx context.Context, last *v1alpha1.AdminUser) error {
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

// What the condition says.
var (
	onlyActive = metav1.Condition{
		Reason:  v1alpha1.ReasonOnlyActiveAdmin,
		Message: "No other admin is active: make one before this one is deleted, demoted or disabled.",
	}
	keptLast = metav1.Condition{
		Reason: v1alpha1.ReasonKeptLastAdmin,
		Message: "Deleted, and kept because no other admin is active: it goes when another one is. To have none, set annotation " +
			v1alpha1.AnnotationAllowLastAdminRemoval + ": \"true\".",
	}
)

func (r *Reconciler) mark(ctx context.Context, user *v1alpha1.AdminUser, says metav1.Condition) error {
	says.Type, says.Status = v1alpha1.ConditionLastAdmin, metav1.ConditionTrue
	says.ObservedGeneration, says.LastTransitionTime = user.Generation, metav1.NewTime(r.Clock.Now())
	return r.patch(ctx, user, func(conditions *[]metav1.Condition) { meta.SetStatusCondition(conditions, says) })
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
	err := r.Client.Status().Patch(ctx, changed, patch, client.FieldOwner(v1alpha1.FieldManager))
	if err == nil {
		// It may have to be written again in this run.
		*user = *changed
	}
	return err
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
		isAnchored(before) != isAnchored(after) ||
		(isMarked(after) || isAnchored(after)) && (before.Generation != after.Generation || mayGo(before) != mayGo(after))
}

// markOf is the condition, or its zero value.
func markOf(u *v1alpha1.AdminUser) metav1.Condition {
	if c := meta.FindStatusCondition(u.Status.Conditions, v1alpha1.ConditionLastAdmin); c != nil {
		return said(*c)
	}
	return metav1.Condition{}
}
