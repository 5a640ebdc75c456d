package lastadmin

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"keywright.dev/keywright/api/v1alpha1"
)

// userWith is an AdminUser with a condition Active of this status, after some changes.
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
			Type: v1alpha1.ConditionLastAdmin, Status: metav1.ConditionTrue, Message: message, LastTransitionTime: metav1.Now(),
		})
	}
}

func demoted(u *v1alpha1.AdminUser)     { u.Spec.Role = v1alpha1.RoleUser }
func disabled(u *v1alpha1.AdminUser)    { u.Spec.Enabled = new(false) }
func terminating(u *v1alpha1.AdminUser) { u.DeletionTimestamp = &metav1.Time{Time: time.Now()} }
func edited(u *v1alpha1.AdminUser)      { u.Generation++ }
func used(u *v1alpha1.AdminUser)        { u.Status.LastUsedTime = &metav1.Time{Time: time.Now()} }

func TestMatters(t *testing.T) {
	const yes, no = metav1.ConditionTrue, metav1.ConditionFalse
	for name, c := range map[string]struct {
		before, after *v1alpha1.AdminUser
		want          bool
	}{
		"nothing":                      {userWith(yes), userWith(yes), false},
		"last use":                     {userWith(yes, mark("")), userWith(yes, mark(""), used), false},
		"an edit of an unmarked one":   {userWith(yes), userWith(yes, edited), false},
		"an edit of the marked one":    {userWith(yes, mark("")), userWith(yes, mark(""), edited), true},
		"a first key":                  {userWith(no), userWith(yes), true},
		"the loss of all keys":         {userWith(yes), userWith(no), true},
		"demotion":                     {userWith(yes), userWith(yes, demoted), true},
		"disabling":                    {userWith(yes), userWith(yes, disabled), true},
		"deletion with a finalizer":    {userWith(yes), userWith(yes, terminating), true},
		"deletion of an inactive one":  {userWith(no), userWith(no, terminating), false},
		"a mark":                       {userWith(yes), userWith(yes, mark("")), true},
		"a mark taken away":            {userWith(yes, mark("")), userWith(yes), true},
		"a mark changed by hand":       {userWith(yes, mark("")), userWith(yes, mark("ours")), true},
		"a mark on an inactive admin":  {userWith(no), userWith(no, mark("")), true},
		"Active where there was none":  {&v1alpha1.AdminUser{}, userWith(yes), true},
		"Active where there is no key": {&v1alpha1.AdminUser{}, userWith(no), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := matters(event.UpdateEvent{ObjectOld: c.before, ObjectNew: c.after}); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
