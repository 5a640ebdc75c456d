package lastadmin

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
)

func TestWhoIsWorthKeeping(t *testing.T) {
	deleted := func(u *v1alpha1.AdminUser) {
		u.DeletionTimestamp = new(metav1.Now())
		u.Status.Keys = []v1alpha1.KeyStatus{{ID: "one"}}
	}
	for name, c := range map[string]struct {
		change func(*v1alpha1.AdminUser)
		want   bool
	}{
		"an admin":             {func(*v1alpha1.AdminUser) {}, true},
		"one who stays anyway": {func(u *v1alpha1.AdminUser) { u.DeletionTimestamp = nil }, false},
		"one who was demoted":  {func(u *v1alpha1.AdminUser) { u.Spec.Role = v1alpha1.RoleUser }, false},
		"one who is disabled":  {func(u *v1alpha1.AdminUser) { u.Spec.Enabled = new(false) }, false},
		"one without a key":    {func(u *v1alpha1.AdminUser) { u.Status.Keys = nil }, false},
		"one whose first key is on its way": {func(u *v1alpha1.AdminUser) {
			u.Status.Keys[0].Pending = true
		}, false},
		"one who may go": {func(u *v1alpha1.AdminUser) {
			u.Annotations = map[string]string{v1alpha1.AnnotationAllowLastAdminRemoval: "true"}
		}, false},
	} {
		if got := worthKeeping(userWith(metav1.ConditionTrue, deleted, c.change)); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
