package cluster

import (
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// advice is what a person can do about the reason of a condition. The message of the condition has the details. Names
// in braces are commands for the object; {server} is the command of keywright that issues its key.
var advice = map[string]string{
	v1alpha1.ReasonUsernameTaken: "give one of the two AdminUsers another username",
	v1alpha1.ReasonSecretConflict: `stop the other writer, delete the Secret, choose another spec.secret.name, or hand the ` +
		`Secret over with annotation keywright.dev/adopt: "true"`,
	v1alpha1.ReasonWriteRefused:   "change what refuses the write; it is tried again once a minute",
	v1alpha1.ReasonForbiddenType:  "choose another spec.secret.type",
	v1alpha1.ReasonInvalidKey:     "put a key into the Secret; it is read again once a minute",
	v1alpha1.ReasonRetiredKey:     "put a key into the Secret that the object has not had before",
	v1alpha1.ReasonKeyInUse:       "delete the other object, or bring another key",
	v1alpha1.ReasonAwaitingKey:    "{server}",
	v1alpha1.ReasonPepperLost:     "restore the pepper: kubectl keywright doctor",
	v1alpha1.ReasonUnknownRole:    "create the AccessRole, or remove its name from spec.roles",
	v1alpha1.ReasonOwnerGone:      "restore the AdminUser, or make it a key of the present user: {rotate}",
	v1alpha1.ReasonOwnerDenied:    "change the AccessRoleBinding that has apiKeys: Denied for the user",
	v1alpha1.ReasonOwnerDisabled:  "enable the AdminUser whose key it is",
	v1alpha1.ReasonExpired:        "set a later spec.expiresAt, if there is one, or ask for a new key: {rotate}",
	v1alpha1.ReasonRevoked:        "create another object: this one stays as the record",
	v1alpha1.ReasonRevokedKey:     "ask for a new key: {rotate}",
	v1alpha1.ReasonDisabled:       "if it should be accepted again: {enable}",
	v1alpha1.ReasonDemoted:        "if the user should be an admin again: set spec.role to admin",
	v1alpha1.ReasonNoKey:          "ask for a key: {rotate}",
	v1alpha1.ReasonRefused:        "see what the message names",
	v1alpha1.ReasonBudgetExceeded: "wait until the budget resets, or raise it where the message says that it is set",
	v1alpha1.ReasonBudgetWarning:  "nothing: requests are accepted; see what uses the budget: keywright admin token-usage",
	v1alpha1.ReasonSecretGone:     "if a Secret should have a key again: {rotate}",
	v1alpha1.ReasonIssuing:        "wait: {wait}; if that takes more than a minute: kubectl keywright doctor",
	v1alpha1.ReasonAwaitingClaim:  "nothing: the claim link issues the key; see keywright admin claims list",
	v1alpha1.ReasonRotating:       "nothing: the old key is accepted meanwhile",
	v1alpha1.ReasonRevoking:       "nothing: the keys are refused already",
	v1alpha1.ReasonRetrying:       "nothing, if what the message names passes by itself: it is tried again",
}

// adviceFor returns what a person can do about the state of an object, or "".
func adviceFor(o keyholder.Object) string {
	reason := troubleOf(o.HolderStatus().Conditions)
	if len(o.HolderStatus().Conditions) == 0 {
		reason = v1alpha1.ReasonIssuing
	}
	text := advice[reason]
	server := "keywright keys rotate " + string(o.GetUID())
	if u, isUser := o.(*v1alpha1.AdminUser); isUser {
		server = "keywright admin users rotate-key " + u.EffectiveUsername()
	}
	rotate := commandFor("rotate", o)
	if delivery(o) == v1alpha1.DeliveryResponse {
		rotate = server
	}
	return strings.NewReplacer("{server}", server, "{rotate}", rotate, "{enable}", commandFor("enable", o),
		"{wait}", commandFor("wait", o)).Replace(text)
}

// troubleOf returns the reason of the first condition that is not as it should be. What stalls explains the others.
func troubleOf(conditions []metav1.Condition) string {
	for _, bad := range []struct {
		kind   string
		status metav1.ConditionStatus
	}{
		{v1alpha1.ConditionStalled, metav1.ConditionTrue},
		{v1alpha1.ConditionActive, metav1.ConditionFalse},
		{v1alpha1.ConditionReady, metav1.ConditionFalse},
		{v1alpha1.ConditionWithinBudget, metav1.ConditionFalse},
	} {
		if c := meta.FindStatusCondition(conditions, bad.kind); c != nil && c.Status == bad.status {
			return c.Reason
		}
	}
	ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	if ready != nil && ready.Reason == v1alpha1.ReasonSecretGone {
		return ready.Reason
	}
	return ""
}
