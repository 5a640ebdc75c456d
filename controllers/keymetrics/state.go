package keymetrics

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
)

// State is the state of the key of one object. Each object is in exactly one.
type State uint8

// States. Those of refused keys correspond to the reasons of condition Active.
const (
	// Active: the key is accepted.
	Active State = iota
	// Pending: the key is still to be issued.
	Pending
	// AwaitingClaim: the first use of a claim link issues the key.
	AwaitingClaim
	// Stalled: there is no accepted key, and a person has to act before one is issued.
	Stalled
	// Expired: the key has ended.
	Expired
	// Disabled: spec.state is Disabled.
	Disabled
	// OwnerGone: the user that the key belongs to is gone.
	OwnerGone
	// OwnerDisabled: the AdminUser of the owner is disabled.
	OwnerDisabled
	// OwnerDenied: the owner may not own keys.
	OwnerDenied
	// UnknownRole: the key may do nothing because an AccessRole that it names does not exist.
	UnknownRole
	// UsernameTaken: the claim of another AdminUser to the username is honoured.
	UsernameTaken
	// Demoted: the role of the user is no longer admin.
	Demoted
	// Revoked: the key is refused for good.
	Revoked
	// Deleted: the object is being deleted.
	Deleted
	// Refused: the server refuses the key for a reason of its own.
	Refused
	// Unknown: the status was not written by the operator.
	Unknown

	states
)

var stateNames = [states]string{
	Active:        "active",
	Pending:       "pending",
	AwaitingClaim: "awaiting_claim",
	Stalled:       "stalled",
	Expired:       "expired",
	Disabled:      "disabled",
	OwnerGone:     "owner_gone",
	OwnerDisabled: "owner_disabled",
	OwnerDenied:   "owner_denied",
	UnknownRole:   "unknown_role",
	UsernameTaken: "username_taken",
	Demoted:       "demoted",
	Revoked:       "revoked",
	Deleted:       "deleted",
	Refused:       "refused",
	Unknown:       "unknown",
}

// String returns the value of label state.
func (s State) String() string { return stateNames[s] }

// refusals maps the reasons of a False condition Active to states.
var refusals = map[string]State{
	v1alpha1.ReasonIssuing:       Pending,
	v1alpha1.ReasonNoKey:         Pending,
	v1alpha1.ReasonAwaitingClaim: AwaitingClaim,
	v1alpha1.ReasonExpired:       Expired,
	v1alpha1.ReasonDisabled:      Disabled,
	v1alpha1.ReasonOwnerGone:     OwnerGone,
	v1alpha1.ReasonOwnerDisabled: OwnerDisabled,
	v1alpha1.ReasonOwnerDenied:   OwnerDenied,
	v1alpha1.ReasonUnknownRole:   UnknownRole,
	v1alpha1.ReasonUsernameTaken: UsernameTaken,
	v1alpha1.ReasonDemoted:       Demoted,
	v1alpha1.ReasonRevoked:       Revoked,
	v1alpha1.ReasonDeleted:       Deleted,
	v1alpha1.ReasonPepperLost:    Stalled,
	v1alpha1.ReasonKeyInUse:      Stalled,
}

// reportedState returns the state according to status. It ignores the end of the key, which takes effect
// whether or not status reports it yet.
func reportedState(status *v1alpha1.KeyHolderStatus) State {
	active := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionActive)
	switch {
	case active == nil:
		return Pending
	case active.Status == metav1.ConditionTrue:
		return Active
	}
	state, found := refusals[active.Reason]
	switch {
	case !found && isRefusedByServer(status):
		return Refused
	case !found:
		return Unknown
	case state == Pending && isStalled(status):
		return Stalled
	}
	return state
}

// isRefusedByServer reports whether the server refuses the current key for a reason of its own, which condition Active
// repeats.
func isRefusedByServer(status *v1alpha1.KeyHolderStatus) bool {
	current := status.CurrentKey()
	return current != nil && status.RefusalOf(current.ID) != nil
}

func isStalled(status *v1alpha1.KeyHolderStatus) bool {
	return meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionStalled)
}
