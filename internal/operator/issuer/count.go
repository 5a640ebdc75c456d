package issuer

import (
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
)

// Why keys ended, as metrics have it.
const (
	endedOverlap = "overlap"
	endedExpiry  = "expired"
)

// count keeps the meter in step with what was written.
func (r *run) count(plan lifecycle.Plan, was *v1alpha1.KeyHolderStatus) {
	kind := r.holder.kind()
	switch plan.Step {
	case lifecycle.Settle:
		r.countSettled(kind, was)
	case lifecycle.Drop:
		r.Meter.Ended(kind, r.whyDropped(), len(was.Keys)-len(r.holder.status().Keys))
	case lifecycle.Stall:
		if plan.Stall == lifecycle.SecretConflict && !alreadyStalled(was, v1alpha1.ReasonSecretConflict) {
			r.Meter.Conflict(kind, "secret")
		}
	}
	if expiredNow(r.holder.status(), was) && len(was.Keys) > 0 {
		r.Meter.Ended(kind, endedExpiry, 1)
	}
}

func (r *run) countSettled(kind string, was *v1alpha1.KeyHolderStatus) {
	if r.cause == lifecycle.Adopted {
		r.Meter.Adopted(kind)
	} else {
		r.Meter.Issued(kind)
	}
	if lifecycle.Current(readKeys(was.Keys)) != nil || withoutOverlap(r.cause) {
		r.Meter.Rotated(kind, label(r.cause))
	}
}

// whyDropped is the reason for which the object's keys are refused, or the end of an overlap.
func (r *run) whyDropped() string {
	if r.holder.Spec.Revoked || r.holder.Spec.Deleted {
		return strings.ToLower(r.holder.Refused.Reason)
	}
	return endedOverlap
}

// labels are causes as the values of a label.
var labels = map[lifecycle.Cause]string{
	lifecycle.Requested:     "requested",
	lifecycle.Scheduled:     "scheduled",
	lifecycle.SecretDeleted: "secret_deleted",
	lifecycle.SecretChanged: "secret_changed",
	lifecycle.SecretRenamed: "secret_renamed",
	lifecycle.RecordChanged: "record_changed",
	lifecycle.Adopted:       "adopted",
}

// label of a key that a process before this one began to deliver is resumed.
func label(cause lifecycle.Cause) string {
	if named, is := labels[cause]; is {
		return named
	}
	return "resumed"
}

func alreadyStalled(was *v1alpha1.KeyHolderStatus, reason string) bool {
	before := meta.FindStatusCondition(was.Conditions, v1alpha1.ConditionStalled)
	return before != nil && before.Reason == reason
}
