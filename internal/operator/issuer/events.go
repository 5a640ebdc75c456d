package issuer

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
)

// Recorder writes events about an object.
type Recorder interface {
	Eventf(regarding, related runtime.Object, eventtype, reason, action, note string, args ...any)
}

// event is one thing worth telling. None holds more of a key than its id and its shown prefix.
type event struct {
	kind, reason, action, note string
}

// tell writes the events that a status write stands for, and counts them.
func (r *run) tell(plan lifecycle.Plan, was *v1alpha1.KeyHolderStatus) {
	r.count(plan, was)
	for _, e := range r.events(plan, was) {
		r.Events.Eventf(r.holder.Object, nil, e.kind, e.reason, e.action, "%s", e.note)
	}
}

func (r *run) events(plan lifecycle.Plan, was *v1alpha1.KeyHolderStatus) []event {
	switch plan.Step {
	case lifecycle.Settle:
		return append([]event{r.settled(was)}, r.evicted(was)...)
	case lifecycle.Drop:
		return []event{dropped(r.holder, was)}
	case lifecycle.Stall:
		return slices.Concat(r.stalledAnew(was), r.rotationRefused(was), expired(r.holder, was))
	case lifecycle.Rest:
		return slices.Concat(secretLost(plan, was), r.rotationRefused(was), expired(r.holder, was))
	}
	return nil
}

func (r *run) settled(was *v1alpha1.KeyHolderStatus) event {
	now := r.holder.status().Keys[0]
	where := fmt.Sprintf("key %s (%s…) is in Secret %s", now.ID, now.Prefix, r.holder.Spec.SecretName)
	old := lifecycle.Current(readKeys(was.Keys))
	switch {
	case slices.Contains(r.holder.status().AdoptedKeys, now.ID):
		return event{corev1.EventTypeNormal, v1alpha1.EventKeyAdopted, "Adopt", "Adopted: " + where}
	case withoutOverlap(r.cause):
		// The keys before were dropped with the first write, for whoever had them could not be told of a new one.
		kind := corev1.EventTypeNormal
		if r.cause == lifecycle.RecordChanged {
			kind = corev1.EventTypeWarning
		}
		return event{kind, v1alpha1.EventKeyRotated, "Rotate", "Rotated: " + where + r.because() + "; every key before is refused"}
	case old == nil:
		return event{corev1.EventTypeNormal, v1alpha1.EventKeyIssued, "Issue", "Issued: " + where + r.because()}
	}
	return event{corev1.EventTypeNormal, v1alpha1.EventKeyRotated, "Rotate", "Rotated: " + where + r.because() + "; " + r.fate(old)}
}

// withoutOverlap: the old keys could not be read any more, or somebody else may know them.
func withoutOverlap(cause lifecycle.Cause) bool {
	switch cause {
	case lifecycle.SecretDeleted, lifecycle.SecretChanged, lifecycle.RecordChanged:
		return true
	}
	return false
}

// evicted tells of keys that a new one has pushed out before the end of their overlap: so many are not kept.
func (r *run) evicted(was *v1alpha1.KeyHolderStatus) []event {
	var early []v1alpha1.KeyStatus
	for _, k := range was.Keys {
		if k.NotAfter != nil && r.Clock.Now().Before(k.NotAfter.Time) && r.holder.Spec.Overlap > 0 {
			early = append(early, k)
		}
	}
	gone := idsGone(early, r.holder.status().Keys)
	if gone == "" {
		return nil
	}
	return []event{{corev1.EventTypeWarning, v1alpha1.EventKeyEnded, "End", fmt.Sprintf(
		"More than %d old keys: refused from now on, before the end of its overlap, is %s", lifecycle.MaxOverlapping, gone)}}
}

func (r *run) because() string {
	if r.cause == "" || r.cause == lifecycle.FirstIssue {
		return ""
	}
	return fmt.Sprintf(" (%s)", r.cause)
}

// fate says what has become of the key before.
func (r *run) fate(old *lifecycle.Key) string {
	for _, k := range r.holder.status().Keys {
		if k.ID == old.ID && k.NotAfter != nil {
			return fmt.Sprintf("key %s is accepted until %s", old.ID, k.NotAfter.UTC().Format(time.RFC3339))
		}
	}
	return fmt.Sprintf("key %s is refused from now on", old.ID)
}

func dropped(h *Holder, was *v1alpha1.KeyHolderStatus) event {
	gone := idsGone(was.Keys, h.status().Keys)
	if h.Spec.Revoked || h.Spec.Deleted {
		return event{corev1.EventTypeNormal, v1alpha1.EventKeyRevoked, "Revoke", fmt.Sprintf("Revoked %s: %s", gone, h.Refused.Message)}
	}
	return event{corev1.EventTypeNormal, v1alpha1.EventKeyEnded, "End", fmt.Sprintf("The overlap is over for %s", gone)}
}

// idsGone names the keys that are no longer on record.
func idsGone(was, now []v1alpha1.KeyStatus) string {
	var gone []string
	for _, k := range was {
		if !slices.ContainsFunc(now, func(left v1alpha1.KeyStatus) bool { return left.ID == k.ID }) {
			gone = append(gone, "key "+k.ID)
		}
	}
	return strings.Join(gone, ", ")
}

// stalledAnew warns once for each new reason or message.
func (r *run) stalledAnew(was *v1alpha1.KeyHolderStatus) []event {
	now := meta.FindStatusCondition(r.holder.status().Conditions, v1alpha1.ConditionStalled)
	before := meta.FindStatusCondition(was.Conditions, v1alpha1.ConditionStalled)
	if before != nil && before.Reason == now.Reason && before.Message == now.Message {
		return nil
	}
	return []event{{corev1.EventTypeWarning, now.Reason, "Stall", now.Message}}
}

// rotationRefused answers a request that only the API can meet.
func (r *run) rotationRefused(was *v1alpha1.KeyHolderStatus) []event {
	if !r.holder.Spec.ByAPI || r.holder.status().LastRotateRequest == was.LastRotateRequest {
		return nil
	}
	return []event{{corev1.EventTypeWarning, v1alpha1.EventRotationRefused, "Refuse",
		"The key is delivered in a reply: rotate it through the API, which returns the new one"}}
}

// failing warns of a failure once, and not with each try.
func (r *run) failing(was *v1alpha1.KeyHolderStatus) {
	before := meta.FindStatusCondition(was.Conditions, v1alpha1.ConditionReady)
	now := meta.FindStatusCondition(r.holder.status().Conditions, v1alpha1.ConditionReady)
	if before == nil || before.Reason != now.Reason {
		r.Events.Eventf(r.holder.Object, nil, corev1.EventTypeWarning, now.Reason, "Retry", "%s", now.Message)
	}
}

// expired tells once that the end of the key has come.
func expired(h *Holder, was *v1alpha1.KeyHolderStatus) []event {
	if !expiredNow(h.status(), was) {
		return nil
	}
	now := meta.FindStatusCondition(h.status().Conditions, v1alpha1.ConditionActive)
	kind := corev1.EventTypeNormal
	if len(h.status().Keys) == 0 {
		kind = corev1.EventTypeWarning
	}
	return []event{{kind, v1alpha1.EventKeyExpired, "Expire", now.Message}}
}

func expiredNow(now, was *v1alpha1.KeyHolderStatus) bool {
	return isExpired(now) && !isExpired(was)
}

func isExpired(s *v1alpha1.KeyHolderStatus) bool {
	active := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionActive)
	return active != nil && active.Reason == v1alpha1.ReasonExpired
}

// secretLost warns when a key has lost its Secret and goes on without.
func secretLost(plan lifecycle.Plan, was *v1alpha1.KeyHolderStatus) []event {
	if plan.Lost == "" || was.SecretName == "" {
		return nil
	}
	reason := v1alpha1.EventSecretDeleted
	if plan.Lost == lifecycle.SecretChanged {
		reason = v1alpha1.EventSecretChanged
	}
	without := "The key goes on working without Secret %s: %s"
	if plan.Expired {
		without = "The key has come to its end, and is not written anew into Secret %s: %s"
	}
	return []event{{corev1.EventTypeWarning, reason, "Keep", fmt.Sprintf(without, was.SecretName, plan.Lost)}}
}
