package lastadmin

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"keywright.dev/keywright/api/v1alpha1"
)

// userWith returns an AdminUser with condition Active of this status, after some changes.
func userWith(active metav1.ConditionStatus, changes ...func(*v1alpha1.AdminUser)) *v1alpha1.AdminUser {
	user := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Generation: 1}}
	user.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionActive, Status: active}}
	for _, change := range changes {
		change(user)
	}
	return user
}

func mark(message string) func(*v1alpha1.AdminUser) {
	return func(u *v1alpha1.AdminUser) {
		u.Status.Conditions = append(u.Status.Conditions, metav1.Condition{
			Type: v1alpha1.ConditionLastAdmin, Status: metav1.ConditionTrue, Message: message,
			LastTransitionTime: metav1.Now(),
		})
	}
}

func demoted(u *v1alpha1.AdminUser)     { u.Spec.Role = v1alpha1.RoleUser }
func disabled(u *v1alpha1.AdminUser)    { u.Spec.State = v1alpha1.StateDisabled }
func terminating(u *v1alpha1.AdminUser) { u.DeletionTimestamp = &metav1.Time{Time: time.Now()} }
func edited(u *v1alpha1.AdminUser)      { u.Generation++ }
func used(u *v1alpha1.AdminUser)        { u.Status.Usage.LastUsedAt = &metav1.Time{Time: time.Now()} }

func TestAffectsLastAdmin(t *testing.T) {
	const yes, no = metav1.ConditionTrue, metav1.ConditionFalse
	for name, c := range map[string]struct {
		before, after *v1alpha1.AdminUser
		want          bool
	}{
		"nothing":                         {userWith(yes), userWith(yes), false},
		"last use":                        {userWith(yes, mark("")), userWith(yes, mark(""), used), false},
		"an edit of an unmarked admin":    {userWith(yes), userWith(yes, edited), false},
		"an edit of the marked admin":     {userWith(yes, mark("")), userWith(yes, mark(""), edited), true},
		"a first key":                     {userWith(no), userWith(yes), true},
		"the loss of all keys":            {userWith(yes), userWith(no), true},
		"demotion":                        {userWith(yes), userWith(yes, demoted), true},
		"disabling":                       {userWith(yes), userWith(yes, disabled), true},
		"deletion with a finalizer":       {userWith(yes), userWith(yes, terminating), true},
		"deletion of an inactive admin":   {userWith(no), userWith(no, terminating), false},
		"a new mark":                      {userWith(yes), userWith(yes, mark("")), true},
		"a removed mark":                  {userWith(yes, mark("")), userWith(yes), true},
		"a mark changed by hand":          {userWith(yes, mark("")), userWith(yes, mark("ours")), true},
		"a mark on an inactive admin":     {userWith(no), userWith(no, mark("")), true},
		"Active set for the first time":   {&v1alpha1.AdminUser{}, userWith(yes), true},
		"Active false for the first time": {&v1alpha1.AdminUser{}, userWith(no), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := affectsLastAdmin(event.UpdateEvent{ObjectOld: c.before, ObjectNew: c.after}); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestShouldKeep(t *testing.T) {
	deleted := func(u *v1alpha1.AdminUser) {
		u.DeletionTimestamp = new(metav1.Now())
		u.Finalizers = []string{v1alpha1.FinalizerLastAdmin}
		u.Status.Keys = []v1alpha1.KeyStatus{{
			Digest: "hmac-sha256:00000000:" + strings.Repeat("0", 64), State: v1alpha1.KeyCurrent,
		}}
	}
	for name, c := range map[string]struct {
		change func(*v1alpha1.AdminUser)
		want   bool
	}{
		"a deleted admin":              {func(*v1alpha1.AdminUser) {}, true},
		"an admin that is not deleted": {func(u *v1alpha1.AdminUser) { u.DeletionTimestamp = nil }, false},
		"a demoted admin":              {func(u *v1alpha1.AdminUser) { u.Spec.Role = v1alpha1.RoleUser }, false},
		"a disabled admin":             {func(u *v1alpha1.AdminUser) { u.Spec.State = v1alpha1.StateDisabled }, false},
		"an admin without a key":       {func(u *v1alpha1.AdminUser) { u.Status.Keys = nil }, false},
		"an admin with only a pending key": {func(u *v1alpha1.AdminUser) {
			u.Status.Keys[0].State = v1alpha1.KeyPending
		}, false},
		"an admin whose removal is allowed": {func(u *v1alpha1.AdminUser) {
			u.Annotations = map[string]string{v1alpha1.AnnotationAllowLastAdminRemoval: "true"}
		}, false},
	} {
		if got := shouldKeep(userWith(metav1.ConditionTrue, deleted, c.change)); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
