package lastadmin

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/convert"
)

// isActive reports whether a key of this admin is accepted, and stays accepted as far as the spec determines.
func isActive(u *v1alpha1.AdminUser) bool {
	return convert.ActiveAdmin(u, meta.IsStatusConditionTrue(u.Status.Conditions, v1alpha1.ConditionActive))
}

// isMarked reports whether the user has condition LastAdmin.
func isMarked(u *v1alpha1.AdminUser) bool {
	return meta.FindStatusCondition(u.Status.Conditions, v1alpha1.ConditionLastAdmin) != nil
}

// The two states of condition LastAdmin.
var (
	onlyActive = metav1.Condition{
		Reason:  v1alpha1.ReasonOnlyActiveAdmin,
		Message: "No other admin is active: create one before this one is deleted, demoted or disabled.",
	}
	keptLast = metav1.Condition{
		Reason: v1alpha1.ReasonKeptLastAdmin,
		Message: "Deleted, but kept because no other admin is active: it is removed when another one is. " +
			"To remove it now, set annotation " + v1alpha1.AnnotationAllowLastAdminRemoval + ": \"true\".",
	}
)

func (r *Reconciler) mark(ctx context.Context, user *v1alpha1.AdminUser, condition metav1.Condition) error {
	condition.Type, condition.Status = v1alpha1.ConditionLastAdmin, metav1.ConditionTrue
	condition.ObservedGeneration, condition.LastTransitionTime = user.Generation, metav1.NewTime(r.Clock.Now())
	return r.patch(ctx, user, func(conditions *[]metav1.Condition) { meta.SetStatusCondition(conditions, condition) })
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

func (r *Reconciler) unmark(ctx context.Context, user *v1alpha1.AdminUser) error {
	return r.patch(ctx, user, func(conditions *[]metav1.Condition) {
		meta.RemoveStatusCondition(conditions, v1alpha1.ConditionLastAdmin)
	})
}

// patch changes the conditions of this version of the object, or fails with a conflict.
func (r *Reconciler) patch(
	ctx context.Context, user *v1alpha1.AdminUser, change func(*[]metav1.Condition),
) error {
	changed := user.DeepCopy()
	change(&changed.Status.Conditions)
	if sameConditions(user.Status.Conditions, changed.Status.Conditions) {
		return nil
	}
	patch := client.MergeFromWithOptions(user, client.MergeFromWithOptimisticLock{})
	err := r.Client.Status().Patch(ctx, changed, patch, client.FieldOwner(v1alpha1.FieldManager))
	if err == nil {
		// The same reconcile may write the object again.
		*user = *changed
	}
	return err
}

// sameConditions compares conditions without their transition times.
func sameConditions(a, b []metav1.Condition) bool {
	return slices.EqualFunc(a, b, func(x, y metav1.Condition) bool { return withoutTime(x) == withoutTime(y) })
}

func withoutTime(c metav1.Condition) metav1.Condition {
	c.LastTransitionTime = metav1.Time{}
	return c
}

// conditionOf returns condition LastAdmin without its transition time, or the zero value.
func conditionOf(u *v1alpha1.AdminUser) metav1.Condition {
	if c := meta.FindStatusCondition(u.Status.Conditions, v1alpha1.ConditionLastAdmin); c != nil {
		return withoutTime(*c)
	}
	return metav1.Condition{}
}
