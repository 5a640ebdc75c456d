package issuer

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
)

// grace is how long a problem that another object may cure is Reconciling before it is Stalled: the objects of one
// apply arrive one after the other.
const grace = time.Minute

// curedByOthers has the reasons of problems that a change of another object ends: a role or a binding that is created,
// an AdminUser that comes back with its status, another AdminUser or Secret that goes.
var curedByOthers = map[string]bool{
	v1alpha1.ReasonUnknownRole:    true,
	v1alpha1.ReasonOwnerGone:      true,
	v1alpha1.ReasonOwnerDenied:    true,
	v1alpha1.ReasonUsernameTaken:  true,
	v1alpha1.ReasonSecretConflict: true,
	v1alpha1.ReasonKeyInUse:       true,
}

// graceUntil returns the end of the grace of a problem. It is zero if the problem has none, or was Stalled before. A
// fight for the Secret has lasted long enough when it is noticed.
func (r *run) graceUntil(cause lifecycle.StallCause, reason string) time.Time {
	if !curedByOthers[reason] || cause == lifecycle.SecretFight {
		return time.Time{}
	}
	return r.waitUntil(reason, reason, grace)
}

// waitUntil returns until when an object is Reconciling for a reason, counted from the first run that reported it. It
// is zero once the object is Stalled for the other reason. A clock that has stepped back does not make the wait longer.
func (r *run) waitUntil(waiting, failed string, limit time.Duration) time.Time {
	conditions, since := r.target.status().Conditions, r.issuer.Clock.Now()
	stalled := meta.FindStatusCondition(conditions, v1alpha1.ConditionStalled)
	if stalled != nil && stalled.Reason == failed {
		return time.Time{}
	}
	reported := meta.FindStatusCondition(conditions, v1alpha1.ConditionReconciling)
	if reported != nil && reported.Reason == waiting && reported.LastTransitionTime.Time.Before(since) {
		since = reported.LastTransitionTime.Time
	}
	return since.Add(limit)
}

// restartGrace removes condition Reconciling of another reason before one with a grace is set: its transition time is
// the beginning of the grace.
func (r *run) restartGrace(reason string) {
	conditions := &r.target.status().Conditions
	reported := meta.FindStatusCondition(*conditions, v1alpha1.ConditionReconciling)
	if reported != nil && reported.Reason != reason && curedByOthers[reason] {
		meta.RemoveStatusCondition(conditions, v1alpha1.ConditionReconciling)
	}
}
