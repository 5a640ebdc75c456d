package keymetrics

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
)

// State is what has become of the key of one object. Each object is in exactly one.
type State uint8

// States. Reasons for which a key is refused are those of condition Active.
const (
	// Active: the key is accepted.
	Active State = iota
	// Pending: there is no key yet, and nothing stands in its way.
	Pending
	// Stalled: there is no key, or one that lets nobody in, and there will be no other until a person acts.
	Stalled
	// Expired: the end of the key has come.
	Expired
	// Disabled: spec.enabled is false.
	Disabled
	// OwnerDisabled: the AdminUser that the key speaks as is disabled.
	OwnerDisabled
	// OwnerDenied: the user that the key speaks as may not own keys.
	OwnerDenied
	// UsernameTaken: another AdminUser has the username.
	UsernameTaken
	// Demoted: the user is no admin any more.
	Demoted
	// Revoked: the key is refused for good.
	Revoked
	// Deleted: the object is going.
	Deleted
	// Unknown: status says something that the operator never wrote.
	Unknown

	states
)

var stateNames = [states]string{
	Active:        "active",
	Pending:       "pending",
	Stalled:       "stalled",
	Expired:       "expired",
	Disabled:      "disabled",
	OwnerDisabled: "owner_disabled",
	OwnerDenied:   "owner_denied",
	UsernameTaken: "username_taken",
	Demoted:       "demoted",
	Revoked:       "revoked",
	Deleted:       "deleted",
	Unknown:       "unknown",
}

// String is the state as the value of a label.
func (s State) String() string { return stateNames[s] }

// refusals translates the reasons of condition Active when it is False.
var refusals = map[string]State{
	v1alpha1.ReasonIssuing:       Pending,
	v1alpha1.ReasonNoKey:         Pending,
	v1alpha1.ReasonExpired:       Expired,
	v1alpha1.ReasonDisabled:      Disabled,
	v1alpha1.ReasonOwnerDisabled: OwnerDisabled,
	v1alpha1.ReasonOwnerDenied:   OwnerDenied,
	v1alpha1.ReasonUsernameTaken: UsernameTaken,
	v1alpha1.ReasonDemoted:       Demoted,
	v1alpha1.ReasonRevoked:       Revoked,
	v1alpha1.ReasonDeleted:       Deleted,
	v1alpha1.ReasonPepperLost:    Stalled,
	v1alpha1.ReasonKeyInUse:      Stalled,
}

// saidOf is the state by what status says. The end of a key is not part of it: that comes whether it has been
// written down yet or not.
func saidOf(status *v1alpha1.KeyHolderStatus) State {
	said := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionActive)
	switch {
	case said == nil:
		return Pending
	case said.Status == metav1.ConditionTrue:
		return Active
	}
	state, known := refusals[said.Reason]
	switch {
	case !known:
		return Unknown
	case state == Pending && isStalled(status):
		return Stalled
	}
	return state
}

func isStalled(status *v1alpha1.KeyHolderStatus) bool {
	return meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionStalled)
}
