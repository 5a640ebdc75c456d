package clusterwatch

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
)

func TestWhomTheOperatorKeepsIsAcceptedThoughDeleted(t *testing.T) {
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
		"kept":                   {func(*v1alpha1.AdminUser) {}, verify.Accepted},
		"marked for another end": {func(u *v1alpha1.AdminUser) { u.Status.Conditions[0].Reason = "OnlyActiveAdmin" }, verify.Deleted},
		"not marked":             {func(u *v1alpha1.AdminUser) { u.Status.Conditions = nil }, verify.Deleted},
		"without the finalizer":  {func(u *v1alpha1.AdminUser) { u.Finalizers = []string{"another"} }, verify.Deleted},
		"said to be allowed to go": {func(u *v1alpha1.AdminUser) {
			u.Annotations = map[string]string{v1alpha1.AnnotationAllowLastAdminRemoval: "true"}
		}, verify.Deleted},
		"disabled": {func(u *v1alpha1.AdminUser) { u.Spec.Enabled = new(false) }, verify.Deleted},
	} {
		if got := standing(kept(c.change)); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
