package issuer

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/convert"
)

// readiness is the content of condition Ready, and which of Stalled and Reconciling goes with it.
type readiness struct {
	Finding
	state state
	// refused: the recorded key is refused for this reason.
	refused bool
}

type state int

const (
	done state = iota
	reconciling
	stalled
)

func (r *run) setConditions(ready readiness) {
	r.set(v1alpha1.ConditionReady, ready.state == done, ready.Finding)
	r.setOrRemove(v1alpha1.ConditionStalled, ready.state == stalled, ready.Finding)
	r.restartGrace(ready.Reason)
	r.setOrRemove(v1alpha1.ConditionReconciling, ready.state == reconciling, ready.Finding)
	active, finding := activity(r.target, r.issuer.Clock.Now())
	if active && ready.refused {
		active, finding = false, ready.Finding
	}
	r.set(v1alpha1.ConditionActive, active, finding)
	if within := r.target.WithinBudget; within != nil {
		r.set(v1alpha1.ConditionWithinBudget, within.Holds, within.Finding)
	} else {
		meta.RemoveStatusCondition(&r.target.status().Conditions, v1alpha1.ConditionWithinBudget)
	}
}

func (r *run) set(kind string, is bool, f Finding) {
	status := metav1.ConditionFalse
	if is {
		status = metav1.ConditionTrue
	}
	meta.SetStatusCondition(&r.target.status().Conditions, metav1.Condition{
		Type: kind, Status: status, Reason: f.Reason, Message: f.Message,
		ObservedGeneration: r.target.Object.GetGeneration(), LastTransitionTime: r.transitionTime(kind, status),
	})
}

// transitionTime is now by the issuer's clock, or the recorded time when the status stays the same.
func (r *run) transitionTime(kind string, status metav1.ConditionStatus) metav1.Time {
	if c := meta.FindStatusCondition(r.target.status().Conditions, kind); c != nil && c.Status == status {
		return c.LastTransitionTime
	}
	return metav1.NewTime(r.issuer.Clock.Now())
}

// setOrRemove keeps a condition only while it is true, as kstatus expects.
func (r *run) setOrRemove(kind string, is bool, f Finding) {
	if is {
		r.set(kind, true, f)
		return
	}
	meta.RemoveStatusCondition(&r.target.status().Conditions, kind)
}

// readinessOf translates a plan.
func readinessOf(r *run, plan lifecycle.Plan) readiness {
	switch plan.Step {
	case lifecycle.Record:
		return readiness{Finding: issuing(r.target, plan), state: reconciling}
	case lifecycle.Drop, lifecycle.Amend, lifecycle.Note:
		return dropping(r.target)
	case lifecycle.Rebind:
		rebound := Finding{v1alpha1.ReasonIssuing, "The keys of the former user have ended."}
		return readiness{Finding: rebound, state: reconciling}
	case lifecycle.Await:
		return readiness{Finding: awaiting(r.target), state: reconciling}
	case lifecycle.Stall:
		return stalling(r, plan.Stall)
	}
	return readiness{Finding: atRest(r.target, plan)}
}

// stalling describes a problem: Stalled, or Reconciling while another object may still cure it.
func stalling(r *run, cause lifecycle.StallCause) readiness {
	problem := readiness{
		Finding: stallFinding(r, cause), state: stalled,
		refused: cause == lifecycle.LostPepper || cause == lifecycle.KeyTaken,
	}
	if r.issuer.Clock.Now().Before(r.graceUntil(cause, problem.Reason)) {
		problem.state = reconciling
	}
	return problem
}

// issuing keeps the message of a failure while it is retried: a condition that changes with each retry is less
// useful.
func issuing(t *Target, plan lifecycle.Plan) Finding {
	ready := meta.FindStatusCondition(t.status().Conditions, v1alpha1.ConditionReady)
	if plan.Cause == lifecycle.Resumed && ready != nil && ready.Reason == v1alpha1.ReasonRetrying {
		return Finding{ready.Reason, ready.Message}
	}
	if lifecycle.Current(plan.Keys[:len(plan.Keys)-1]) == nil {
		return Finding{v1alpha1.ReasonIssuing, fmt.Sprintf("Writing a key into its Secret (%s).", plan.Cause)}
	}
	return Finding{v1alpha1.ReasonRotating, fmt.Sprintf(
		"Writing a new key into its Secret (%s); the old one is accepted meanwhile.", plan.Cause)}
}

// dropping describes a revocation, or keeps the readiness when only the ends of keys change.
func dropping(t *Target) readiness {
	if t.Spec.Revoked || t.Spec.Deleted {
		revoking := Finding{v1alpha1.ReasonRevoking, "No key is accepted any more; the Secret is being removed."}
		return readiness{Finding: revoking, state: reconciling}
	}
	ready := meta.FindStatusCondition(t.status().Conditions, v1alpha1.ConditionReady)
	if ready == nil || len(t.status().Keys) == 0 {
		ended := Finding{v1alpha1.ReasonIssuing, "The recorded keys have ended."}
		return readiness{Finding: ended, state: reconciling}
	}
	active := meta.FindStatusCondition(t.status().Conditions, v1alpha1.ConditionActive)
	return readiness{
		Finding: Finding{ready.Reason, ready.Message}, state: stateOf(t.status().Conditions),
		refused: ready.Status == metav1.ConditionFalse && active != nil && active.Reason == ready.Reason,
	}
}

func stateOf(conditions []metav1.Condition) state {
	switch {
	case meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionStalled):
		return stalled
	case meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReady):
		return done
	}
	return reconciling
}

func atRest(t *Target, plan lifecycle.Plan) Finding {
	switch {
	case t.Spec.Revoked, t.Spec.Deleted:
		return *t.Refused
	case len(t.status().Keys) == 0:
		return neverIssued(t)
	case t.Spec.ByAPI:
		return Finding{v1alpha1.ReasonIssued, "The key was returned by the API."}
	case plan.Lost != "" && plan.Expired:
		return Finding{v1alpha1.ReasonExpired, fmt.Sprintf("The key has expired, and no Secret holds it: %s.", plan.Lost)}
	case plan.Lost != "":
		return Finding{v1alpha1.ReasonSecretGone, fmt.Sprintf(
			"The key still works, but no Secret holds it: %s. To get a new key in a new Secret, set annotation %s.",
			plan.Lost, v1alpha1.AnnotationRotate)}
	}
	return Finding{v1alpha1.ReasonIssued, fmt.Sprintf("The key is in Secret %s.", t.Spec.SecretName)}
}

// stallFinding describes what a person has to do, and when Keywright checks again if no event triggers that.
func stallFinding(r *run, cause lifecycle.StallCause) Finding {
	problem := describeStall(r, cause)
	if needsPolling(cause) {
		problem.Message += " Keywright checks it again every minute."
	}
	return problem
}

func describeStall(r *run, cause lifecycle.StallCause) Finding {
	secret := r.target.Spec.SecretName
	switch cause {
	case lifecycle.SecretConflict:
		return Finding{v1alpha1.ReasonSecretConflict, r.conflictMessage()}
	case lifecycle.TypeConflict:
		return Finding{v1alpha1.ReasonSecretConflict, fmt.Sprintf(
			"Secret %s was handed over with type %s, which can't be changed to %s: set spec.secret.type to %[2]s, "+
				"or name another Secret in spec.secret.name.",
			secret, r.foundType, r.target.contents().typeOrOpaque())}
	case lifecycle.KeyInUse:
		return Finding{v1alpha1.ReasonKeyInUse, fmt.Sprintf(
			"The key in Secret %s already belongs to %s: put another key into the Secret.", secret, r.usedBy)}
	case lifecycle.KeyTaken:
		return Finding{v1alpha1.ReasonKeyInUse, fmt.Sprintf(
			"The recorded key belongs to %s, which is older: request a new key with annotation %s.",
			r.usedBy, v1alpha1.AnnotationRotate)}
	case lifecycle.LostPepper:
		return Finding{v1alpha1.ReasonPepperLost, fmt.Sprintf(
			"The key was digested with a pepper that Secret %s no longer holds: "+
				"restore the pepper under any name but %q, or request a new key with annotation %s.",
			v1alpha1.PepperSecret, pepper.Active, v1alpha1.AnnotationRotate)}
	case lifecycle.InvalidKey:
		return Finding{v1alpha1.ReasonInvalidKey, r.invalidKeyMessage()}
	case lifecycle.RetiredKey:
		return Finding{v1alpha1.ReasonRetiredKey, fmt.Sprintf(
			"Secret %s holds a key that was replaced after its adoption: "+
				"put another key into it, or remove annotation %s from the Secret.", secret, v1alpha1.AnnotationAdopt)}
	case lifecycle.SecretFight:
		return Finding{v1alpha1.ReasonSecretConflict, r.fightMessage()}
	case lifecycle.WriteRefused:
		return Finding{v1alpha1.ReasonWriteRefused, r.refusalMessage()}
	case lifecycle.AwaitingKey:
		return neverClaimed(r.target)
	}
	return *r.target.Blocked
}

// invalidKeyMessage names what is wrong with the key to adopt, or the entries of the Secret if none is the key.
func (r *run) invalidKeyMessage() string {
	secret, entry := r.target.Spec.SecretName, r.target.dataKey()
	switch {
	case !errors.Is(r.unusable, errNoEntry):
		return fmt.Sprintf("The key to adopt, %q in Secret %s, %v.", entry, secret, r.unusable)
	case len(r.entries) == 0:
		return fmt.Sprintf("Secret %s has no entry %q to adopt: it is empty.", secret, entry)
	}
	return fmt.Sprintf("Secret %s has no entry %q to adopt: put the key there, or name its entry in spec.secret.dataKey. "+
		"The Secret has %s.", secret, entry, listEntries(r.entries))
}

// maxEntries bounds the entries of a Secret that a message names.
const maxEntries = 8

// listEntries quotes the names of entries.
func listEntries(names []string) string {
	quoted := make([]string, 0, maxEntries)
	for _, name := range names[:min(len(names), maxEntries)] {
		quoted = append(quoted, strconv.Quote(keyformat.Redact(name, func(string) bool { return false })))
	}
	if more := len(names) - maxEntries; more > 0 {
		return strings.Join(quoted, ", ") + " and " + strconv.Itoa(more) + " more"
	}
	return strings.Join(quoted, ", ")
}

// conflictMessage names the owner of the Secret and the ways out.
func (r *run) conflictMessage() string {
	secret := r.target.Spec.SecretName
	if r.secret != nil {
		owner := metav1.GetControllerOfNoCopy(r.secret)
		switch {
		case owner != nil && r.observed.Owner == lifecycle.Leftover:
			return fmt.Sprintf("Secret %s names a deleted %s %s as its owner, but Keywright did not write it: delete it, or "+
				"remove its ownerReferences and hand its key over with annotation %s: \"true\" on the Secret.",
				secret, owner.Kind, owner.Name, v1alpha1.AnnotationAdopt)
		case owner != nil:
			return fmt.Sprintf("Secret %s belongs to %s %s: name another in spec.secret.name.",
				secret, owner.Kind, owner.Name)
		}
	}
	return fmt.Sprintf("Secret %s exists and does not belong to Keywright: delete it, name another in spec.secret.name, "+
		"or hand its key over with annotation %s: \"true\" on the Secret.", secret, v1alpha1.AnnotationAdopt)
}

// activity reports whether a key of the object would be accepted now, and why.
func activity(t *Target, now time.Time) (active bool, why Finding) {
	current := t.status().CurrentKey()
	switch {
	case t.Refused != nil:
		return false, *t.Refused
	case current != nil:
		return activityOf(t, current, now)
	case len(t.status().Keys) > 0:
		return false, Finding{v1alpha1.ReasonIssuing, "The first key is being written into its Secret."}
	case lifecycle.Ended(t.Spec.ExpiresAt, now):
		return false, neverIssued(t)
	case now.Before(t.claimUntil()):
		return false, awaiting(t)
	}
	return false, Finding{v1alpha1.ReasonNoKey, "The object has no key."}
}

// activityOf reports whether the current key of an object whose keys are not refused is accepted, and why.
func activityOf(t *Target, k *v1alpha1.KeyStatus, now time.Time) (active bool, why Finding) {
	if lifecycle.Ended(convert.Instant(k.ExpiresAt), now) {
		message := "The key expired at " + k.ExpiresAt.UTC().Format(time.RFC3339)
		if limit := endedByInstance(t, k, now); limit != "" {
			message += ", by setting " + limit
		}
		return false, Finding{v1alpha1.ReasonExpired, message + "."}
	}
	if refusal := t.status().RefusalOf(k.ID); refusal != nil {
		return false, refusedByServer(refusal)
	}
	if t.Idle != nil {
		return false, *t.Idle
	}
	return true, Finding{v1alpha1.ReasonAccepted, "The key is accepted."}
}

// endedByInstance returns the setting of the instance that has ended the current key, or "".
func endedByInstance(t *Target, k *v1alpha1.KeyStatus, now time.Time) string {
	recorded := convert.Keys([]v1alpha1.KeyStatus{*k})
	if len(recorded) == 0 {
		return ""
	}
	bounds := t.Spec.Bounds()
	end, from := bounds.End(recorded[0].Since())
	if !from.FromInstance() || !lifecycle.Ended(end, now) {
		return ""
	}
	return bounds.Named(from)
}

// validReason is the form of a reason that programs can compare. The API server accepts more.
var validReason = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)

// refusedByServer describes a refusal that the server reports under status.usage.
func refusedByServer(refused *v1alpha1.RefusedKey) Finding {
	reason, message := refused.Reason, fmt.Sprintf("The server refuses key %s: %s.", refused.ID, refused.Reason)
	if reason == v1alpha1.ReasonRevokedKey {
		return Finding{reason, fmt.Sprintf("Key %s was revoked before and is refused for good, whatever object records it: "+
			"request a new key with annotation %s.", refused.ID, v1alpha1.AnnotationRotate)}
	}
	if !validReason.MatchString(reason) || reason == v1alpha1.ReasonAccepted {
		reason, message = v1alpha1.ReasonRefused, fmt.Sprintf("The server refuses key %s: %q.", refused.ID, refused.Reason)
	}
	return Finding{reason, message}
}

// neverIssued describes an object without a key because the key would have expired at once.
func neverIssued(t *Target) Finding {
	return Finding{v1alpha1.ReasonExpired, fmt.Sprintf(
		"spec.expiresAt %s is in the past: no key was issued.", t.Spec.ExpiresAt.UTC().Format(time.RFC3339))}
}
