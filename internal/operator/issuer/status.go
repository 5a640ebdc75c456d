package issuer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/key/pepper"
)

// writeStatus writes what the plan says, and then the events that follow.
func (r *run) writeStatus(ctx context.Context, plan lifecycle.Plan) error {
	was, err := r.patchStatus(ctx, func() { r.setStatus(plan) })
	if err == nil && was != nil {
		r.tell(plan, was)
	}
	return err
}

// patchStatus writes a change, if it is one, and returns the status before it, or nil when nothing was written. The
// write is refused when the object has changed since it was read: a decision never overwrites what it has not seen.
func (r *run) patchStatus(ctx context.Context, change func()) (was *v1alpha1.KeyHolderStatus, err error) {
	before := r.holder.Object.DeepCopyObject().(client.Object)
	was = r.holder.status().DeepCopy()
	change()
	if equality.Semantic.DeepEqual(was, r.holder.status()) {
		return nil, nil
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Status().Patch(ctx, r.holder.Object, patch, client.FieldOwner(v1alpha1.FieldManager)); err != nil {
		*r.holder.status() = *was
		return nil, err
	}
	r.wrote.object = r.holder.Object.GetResourceVersion()
	return was, nil
}

func (r *run) setStatus(plan lifecycle.Plan) {
	h := r.holder
	s := h.status()
	s.ObservedGeneration = h.Object.GetGeneration()
	s.Keys = writeKeys(plan.Keys)
	switch plan.Step {
	case lifecycle.Record:
		s.LastRotateRequest = h.Spec.RotateRequest
		if plan.Adopt {
			s.AdoptedKeys = remember(s.AdoptedKeys, r.inHand)
		}
	case lifecycle.Settle, lifecycle.Rest, lifecycle.Stall:
		if h.Spec.ByAPI {
			// Refused, and told by an event: once.
			s.LastRotateRequest = h.Spec.RotateRequest
		}
		// What is stalled on its way to another Secret still has the one before.
		if plan.Step != lifecycle.Stall || s.SecretName == h.Spec.SecretName {
			s.SecretName = ""
		}
		if plan.Delivered {
			s.SecretName = h.Spec.SecretName
		}
		s.NextRotation = wholeSecond(plan.NextRotation)
	}
	r.setConditions(ready(r, plan))
}

// maxAdopted is how many adopted keys are remembered: enough for whoever edits keys by hand.
const maxAdopted = 16

func remember(ids []string, id string) []string {
	ids = append(slices.Clone(ids), id)
	return ids[max(0, len(ids)-maxAdopted):]
}

// verdict is what the Ready condition is to say, and with it Stalled and Reconciling.
type verdict struct {
	Finding
	state state
}

type state int

const (
	done state = iota
	working
	stuck
	// dead is stuck with a key on record that lets nobody in.
	dead
)

func (r *run) setConditions(v verdict) {
	r.set(v1alpha1.ConditionReady, v.state == done, v.Finding)
	r.setWhile(v1alpha1.ConditionStalled, v.state == stuck || v.state == dead, v.Finding)
	r.setWhile(v1alpha1.ConditionReconciling, v.state == working, v.Finding)
	accepted, finding := active(r.holder, r.Clock.Now())
	if accepted && v.state == dead {
		accepted, finding = false, v.Finding
	}
	r.set(v1alpha1.ConditionActive, accepted, finding)
}

func (r *run) set(kind string, is bool, f Finding) {
	status := metav1.ConditionFalse
	if is {
		status = metav1.ConditionTrue
	}
	meta.SetStatusCondition(&r.holder.status().Conditions, metav1.Condition{
		Type: kind, Status: status, Reason: f.Reason, Message: f.Message,
		ObservedGeneration: r.holder.Object.GetGeneration(), LastTransitionTime: r.transition(kind, status),
	})
}

// transition is now by the issuer's clock, or the recorded time when the status stays the same.
func (r *run) transition(kind string, status metav1.ConditionStatus) metav1.Time {
	if c := meta.FindStatusCondition(r.holder.status().Conditions, kind); c != nil && c.Status == status {
		return c.LastTransitionTime
	}
	return metav1.NewTime(r.Clock.Now())
}

// setWhile keeps a condition only while it is true, as kstatus has it.
func (r *run) setWhile(kind string, is bool, f Finding) {
	if is {
		r.set(kind, true, f)
		return
	}
	meta.RemoveStatusCondition(&r.holder.status().Conditions, kind)
}

// ready translates a plan.
func ready(r *run, plan lifecycle.Plan) verdict {
	switch plan.Step {
	case lifecycle.Record:
		return verdict{underway(r.holder, plan), working}
	case lifecycle.Drop, lifecycle.Amend:
		return dropping(r.holder)
	case lifecycle.Await:
		return verdict{Finding{v1alpha1.ReasonIssuing, "The API is about to issue the key."}, working}
	case lifecycle.Stall:
		return verdict{stalled(r, plan.Stall), stateIn(plan.Stall)}
	}
	return verdict{finished(r.holder, plan), done}
}

func stateIn(cause lifecycle.StallCause) state {
	if cause == lifecycle.LostPepper || cause == lifecycle.KeyTaken {
		return dead
	}
	return stuck
}

// underway leaves it at what went wrong while that is tried again: a condition that changes with each try tells less.
func underway(h *Holder, plan lifecycle.Plan) Finding {
	said := meta.FindStatusCondition(h.status().Conditions, v1alpha1.ConditionReady)
	if plan.Cause == lifecycle.Resumed && said != nil && said.Reason == v1alpha1.ReasonRetrying {
		return Finding{said.Reason, said.Message}
	}
	if lifecycle.Current(plan.Keys[:len(plan.Keys)-1]) == nil {
		return Finding{v1alpha1.ReasonIssuing, fmt.Sprintf("Writing a key into its Secret (%s).", plan.Cause)}
	}
	return Finding{v1alpha1.ReasonRotating, fmt.Sprintf("Writing a new key into its Secret (%s); the old one is accepted meanwhile.", plan.Cause)}
}

// dropping is revocation, or a change to the ends of keys, which changes nothing else.
func dropping(h *Holder) verdict {
	if h.Spec.Revoked || h.Spec.Deleted {
		return verdict{Finding{v1alpha1.ReasonRevoking, "No key is accepted any more; the Secret is being removed."}, working}
	}
	current := meta.FindStatusCondition(h.status().Conditions, v1alpha1.ConditionReady)
	if current == nil || len(h.status().Keys) == 0 {
		return verdict{Finding{v1alpha1.ReasonIssuing, "The recorded keys have ended."}, working}
	}
	state := stateOf(h.status().Conditions)
	return verdict{Finding{current.Reason, current.Message}, state}
}

func stateOf(conditions []metav1.Condition) state {
	switch {
	case meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionStalled):
		return stuck
	case meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReady):
		return done
	}
	return working
}

func finished(h *Holder, plan lifecycle.Plan) Finding {
	switch {
	case h.Spec.Revoked, h.Spec.Deleted:
		return *h.Refused
	case len(h.status().Keys) == 0:
		return neverIssued(h)
	case h.Spec.ByAPI:
		return Finding{v1alpha1.ReasonIssued, "The key was returned by the API."}
	case plan.Lost != "" && plan.Expired:
		return Finding{v1alpha1.ReasonExpired, fmt.Sprintf("The key has come to its end, and no Secret holds it: %s.", plan.Lost)}
	case plan.Lost != "":
		return Finding{v1alpha1.ReasonSecretGone, fmt.Sprintf(
			"The key goes on working, but no Secret holds it: %s. Annotation %s asks for a new key in a new Secret.", plan.Lost, v1alpha1.AnnotationRotate)}
	}
	return Finding{v1alpha1.ReasonIssued, fmt.Sprintf("The key is in Secret %s.", h.Spec.SecretName)}
}

// stalled says what a person has to do.
func stalled(r *run, cause lifecycle.StallCause) Finding {
	secret := r.holder.Spec.SecretName
	switch cause {
	case lifecycle.SecretConflict:
		return Finding{v1alpha1.ReasonSecretConflict, r.conflict()}
	case lifecycle.KeyInUse:
		return Finding{v1alpha1.ReasonKeyInUse, fmt.Sprintf(
			"The key in Secret %s is that of %s already: put another key into the Secret.", secret, r.inUse)}
	case lifecycle.KeyTaken:
		return Finding{v1alpha1.ReasonKeyInUse, fmt.Sprintf(
			"The key on record is that of %s, which is older: ask for a new key with annotation %s.", r.inUse, v1alpha1.AnnotationRotate)}
	case lifecycle.LostPepper:
		return Finding{v1alpha1.ReasonPepperLost, fmt.Sprintf(
			"The key was digested with a pepper that Secret %s no longer holds: put it back under any name but %q, or ask for a new key with annotation %s.",
			v1alpha1.PepperSecret, pepper.Active, v1alpha1.AnnotationRotate)}
	case lifecycle.InvalidKey:
		return Finding{v1alpha1.ReasonInvalidKey, fmt.Sprintf(
			"The key to be adopted, %q in Secret %s, %v.", r.holder.entry(), secret, r.unusable)}
	case lifecycle.RetiredKey:
		return Finding{v1alpha1.ReasonRetiredKey, fmt.Sprintf(
			"Secret %s holds a key that was replaced since it was adopted: put another key into it, or remove annotation %s from the Secret.",
			secret, v1alpha1.AnnotationAdopt)}
	case lifecycle.AwaitingKey:
		return Finding{v1alpha1.ReasonAwaitingKey, "Delivery is Response and the API has issued no key: rotate the key through the API."}
	}
	return *r.holder.Block
}

// conflict says whose the Secret is, and the ways out. It is looked at again by itself, but not at once: a Secret that
// is not Keywright's is not watched.
func (r *run) conflict() string {
	secret := r.holder.Spec.SecretName
	if r.secret != nil {
		if owner := metav1.GetControllerOfNoCopy(r.secret); owner != nil {
			return fmt.Sprintf("Secret %s belongs to %s %s: name another in spec.secret.name. It is looked at again once a minute.",
				secret, owner.Kind, owner.Name)
		}
	}
	return fmt.Sprintf("Secret %s exists and is not Keywright's: delete it or name another in spec.secret.name, or hand its key over with annotation %s: \"true\" on the Secret. It is looked at again once a minute.",
		secret, v1alpha1.AnnotationAdopt)
}

// active says whether a key of the object would be accepted now.
func active(h *Holder, now time.Time) (bool, Finding) {
	keys := h.status().Keys
	current := slices.IndexFunc(keys, func(k v1alpha1.KeyStatus) bool { return !k.Pending })
	switch {
	case h.Refused != nil:
		return false, *h.Refused
	case current >= 0 && keys[current].NotAfter != nil && !now.Before(keys[current].NotAfter.Time):
		return false, Finding{v1alpha1.ReasonExpired, fmt.Sprintf("The key came to its end at %s.", keys[current].NotAfter.UTC().Format(time.RFC3339))}
	case current >= 0:
		return true, Finding{v1alpha1.ReasonAccepted, "The key is accepted."}
	case len(keys) > 0:
		return false, Finding{v1alpha1.ReasonIssuing, "The first key is on its way into its Secret."}
	case !h.Spec.ExpiresAt.IsZero() && !now.Before(h.Spec.ExpiresAt):
		return false, neverIssued(h)
	}
	return false, Finding{v1alpha1.ReasonNoKey, "There is no key to accept."}
}

// neverIssued: a key would have come to its end at its issue.
func neverIssued(h *Holder) Finding {
	return Finding{v1alpha1.ReasonExpired, fmt.Sprintf("spec.expiresAt is past: no key was issued that ended at %s.", h.Spec.ExpiresAt.UTC().Format(time.RFC3339))}
}

// maxFailure is how much of a failure is told: an API server may quote a whole object in it.
const maxFailure = 1000

// reportRetry puts a failure where the person looks who waits for the key.
func (r *run) reportRetry(ctx context.Context, failure error) error {
	was, err := r.patchStatus(ctx, func() {
		r.holder.status().ObservedGeneration = r.holder.Object.GetGeneration()
		r.setConditions(verdict{Finding{v1alpha1.ReasonRetrying, fmt.Sprintf("%.*s", maxFailure, failure)}, working})
	})
	if err == nil && was != nil {
		r.failing(was)
	}
	return client.IgnoreNotFound(err)
}
