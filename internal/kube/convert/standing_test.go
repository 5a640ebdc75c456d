package convert_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/kube/convert"
)

func TestStanding_AcceptsTheKeptLastAdmin(t *testing.T) {
	kept := func(change func(*v1alpha1.AdminUser)) *v1alpha1.AdminUser {
		u := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{
			Name: "alice", DeletionTimestamp: new(metav1.Now()), Finalizers: []string{v1alpha1.FinalizerLastAdmin},
		}}
		u.Status.Conditions = []metav1.Condition{{Type: "LastAdmin", Status: "True", Reason: "KeptLastAdmin"}}
		change(u)
		return u
	}
	for name, c := range map[string]struct {
		change func(*v1alpha1.AdminUser)
		want   verify.Reason
	}{
		"kept": {func(*v1alpha1.AdminUser) {}, verify.Accepted},
		"marked for another reason": {func(u *v1alpha1.AdminUser) { u.Status.Conditions[0].Reason = "OnlyActiveAdmin" },
			verify.Deleted},
		"not marked":            {func(u *v1alpha1.AdminUser) { u.Status.Conditions = nil }, verify.Deleted},
		"without the finalizer": {func(u *v1alpha1.AdminUser) { u.Finalizers = []string{"another"} }, verify.Deleted},
		"removal allowed": {func(u *v1alpha1.AdminUser) {
			u.Annotations = map[string]string{v1alpha1.AnnotationAllowLastAdminRemoval: "true"}
		}, verify.Deleted},
		"disabled": {func(u *v1alpha1.AdminUser) { u.Spec.State = v1alpha1.StateDisabled }, verify.Deleted},
	} {
		if got := convert.Standing(kept(c.change)); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// Revoked is final, even if the state is set back where no policy refuses that.
func TestStanding_OfARevokedKey(t *testing.T) {
	for _, state := range []v1alpha1.State{"", v1alpha1.StateActive, v1alpha1.StateDisabled, v1alpha1.StateRevoked} {
		k := &v1alpha1.APIKey{}
		k.Spec.Subject = v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"}
		k.Spec.State, k.Status.RevokedAt = state, &metav1.Time{Time: noon}
		if got := convert.Standing(k); got != verify.Revoked {
			t.Errorf("state %q: %s", state, got)
		}
		if object, _ := convert.KeyObject(k); object.Standing != verify.Revoked {
			t.Errorf("state %q: %s in the index", state, object.Standing)
		}
	}
}

func TestStaysIfLast(t *testing.T) {
	gone := metav1.Unix(1_900_000_000, 0)
	for name, c := range map[string]struct {
		change func(*v1alpha1.AdminUser)
		want   bool
	}{
		"held":              {func(*v1alpha1.AdminUser) {}, true},
		"not being deleted": {func(u *v1alpha1.AdminUser) { u.DeletionTimestamp = nil }, false},
		"held by another finalizer": {func(u *v1alpha1.AdminUser) { u.Finalizers = []string{v1alpha1.FinalizerKeepSecret} },
			false},
		"demoted":  {func(u *v1alpha1.AdminUser) { u.Spec.Role = v1alpha1.RoleUser }, false},
		"disabled": {func(u *v1alpha1.AdminUser) { u.Spec.State = v1alpha1.StateDisabled }, false},
		"removal allowed": {func(u *v1alpha1.AdminUser) {
			u.Annotations = map[string]string{v1alpha1.AnnotationAllowLastAdminRemoval: "true"}
		}, false},
		"removal allowed by another value": {func(u *v1alpha1.AdminUser) {
			u.Annotations = map[string]string{v1alpha1.AnnotationAllowLastAdminRemoval: "yes"}
		}, true},
	} {
		u := &v1alpha1.AdminUser{}
		u.Finalizers, u.DeletionTimestamp = []string{v1alpha1.FinalizerLastAdmin}, &gone
		c.change(u)
		if got := convert.StaysIfLast(u); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
