package issuer

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/kube/convert"
)

// event is an event to emit. It never contains more of a key than its id and its prefix.
type event struct {
	kind, reason, action, note string
}

// report counts a status write and emits its events. before is the status before the write.
func (r *run) report(plan lifecycle.Plan, before *v1alpha1.KeyHolderStatus) {
	r.count(plan, before)
	for _, e := range r.events(plan, before) {
		r.emit(e)
	}
}

func (r *run) emit(e event) {
	r.issuer.Events.Eventf(r.target.Object, nil, e.kind, e.reason, e.action, "%s", e.note)
}

func (r *run) events(plan lifecycle.Plan, before *v1alpha1.KeyHolderStatus) []event {
	switch plan.Step {
	case lifecycle.Settle:
		return append([]event{r.delivered(before)}, r.evicted(before)...)
	case lifecycle.Drop:
		return []event{dropped(r.target, before)}
	case lifecycle.Rebind:
		return []event{{corev1.EventTypeNormal, v1alpha1.EventOwnerChanged, "Rebind", fmt.Sprintf(
			"A rotation was requested for the present user: ended %s of a user who is gone",
			cmp.Or(removedKeys(before.Keys, nil), "the keys"))}}
	case lifecycle.Amend:
		// An earlier end may be over already.
		return r.expired(before)
	case lifecycle.Stall:
		return slices.Concat(r.newlyStalled(before), r.rotationRefused(before), r.expired(before))
	case lifecycle.Rest:
		return slices.Concat(secretLost(plan, before), r.rotationRefused(before), r.expired(before))
	}
	return nil
}

// delivered reports the new current key.
func (r *run) delivered(before *v1alpha1.KeyHolderStatus) event {
	added := lifecycle.Current(convert.Keys(r.target.status().Keys))
	key := fmt.Sprintf("key %s (%s…) is in Secret %s", added.ID, added.Prefix, r.target.Spec.SecretName)
	old := lifecycle.Current(convert.Keys(before.Keys))
	rotated := event{corev1.EventTypeNormal, v1alpha1.EventKeyRotated, "Rotate", ""}
	rotated.note = "Rotated: " + key + r.causeSuffix() + "; "
	switch {
	case slices.Contains(r.target.status().AdoptedKeyIDs, added.ID):
		return event{corev1.EventTypeNormal, v1alpha1.EventKeyAdopted, "Adopt", "Adopted: " + key}
	case endsOldKeys(r.cause):
		rotated.note += fateOfAll(r.target.status().Keys)
		// A person who deletes the Secret may want a new key.
		if r.cause != lifecycle.SecretDeleted || r.losses.IsFight() {
			rotated.kind = corev1.EventTypeWarning
		}
		return rotated
	case old == nil:
		return event{corev1.EventTypeNormal, v1alpha1.EventKeyIssued, "Issue", "Issued: " + key + r.causeSuffix()}
	}
	rotated.note += r.fateOf(old)
	return rotated
}

// endsOldKeys reports whether the old keys end at once: the Secret no longer holds them, or they may be compromised.
// The write that records the new key drops them.
func endsOldKeys(cause lifecycle.Cause) bool {
	switch cause {
	case lifecycle.SecretDeleted, lifecycle.SecretChanged, lifecycle.RecordChanged:
		return true
	}
	return false
}

// evicted warns of keys that a new key has ended before the end of their overlap: there may only be so many.
func (r *run) evicted(before *v1alpha1.KeyHolderStatus) []event {
	var overlapping []v1alpha1.KeyStatus
	for _, k := range before.Keys {
		ends := k.State != v1alpha1.KeyPending && k.ExpiresAt != nil && r.issuer.Clock.Now().Before(k.ExpiresAt.Time)
		if ends && r.target.Spec.Overlap > 0 && before.RefusalOf(k.ID) == nil {
			overlapping = append(overlapping, k)
		}
	}
	removed := removedKeys(overlapping, r.target.status().Keys)
	if removed == "" {
		return nil
	}
	return []event{{corev1.EventTypeWarning, v1alpha1.EventKeyEnded, "End", fmt.Sprintf(
		"More than %d overlapping keys: ended %s before the end of its overlap", lifecycle.MaxOverlapping, removed)}}
}

func (r *run) causeSuffix() string {
	switch {
	case r.cause == "" || r.cause == lifecycle.FirstIssue:
		return ""
	case r.cause == lifecycle.SecretChanged && r.losses.By != "":
		return fmt.Sprintf(" (%s by field manager %q)", r.cause, r.losses.By)
	}
	return fmt.Sprintf(" (%s)", r.cause)
}

// fateOfAll describes what becomes of earlier keys when the one before was not recorded.
func fateOfAll(keys []v1alpha1.KeyStatus) string {
	if len(keys) > 1 {
		return "overlapping keys are accepted until their end"
	}
	return "every earlier key is refused"
}

// fateOf describes until when the former current key is accepted.
func (r *run) fateOf(old *lifecycle.Key) string {
	for _, k := range r.target.status().Keys {
		if k.ID == old.ID && k.ExpiresAt != nil {
			return fmt.Sprintf("key %s is accepted until %s", old.ID, k.ExpiresAt.UTC().Format(time.RFC3339))
		}
	}
	return fmt.Sprintf("key %s is refused from now on", old.ID)
}

func dropped(t *Target, before *v1alpha1.KeyHolderStatus) event {
	removed := removedKeys(before.Keys, t.status().Keys)
	if t.Spec.Revoked || t.Spec.Deleted {
		note := fmt.Sprintf("Revoked %s: %s", removed, t.Refused.Message)
		return event{corev1.EventTypeNormal, v1alpha1.EventKeyRevoked, "Revoke", note}
	}
	return event{corev1.EventTypeNormal, v1alpha1.EventKeyEnded, "End", "The overlap has ended for " + removed}
}

// removedKeys lists the keys that are no longer recorded.
func removedKeys(before, now []v1alpha1.KeyStatus) string {
	var removed []string
	for _, k := range before {
		if !slices.ContainsFunc(now, func(kept v1alpha1.KeyStatus) bool { return kept.ID == k.ID }) {
			removed = append(removed, "key "+k.ID)
		}
	}
	return strings.Join(removed, ", ")
}

// newlyStalled warns once for each new reason or message, and not of a problem that another object may still cure.
func (r *run) newlyStalled(before *v1alpha1.KeyHolderStatus) []event {
	now := meta.FindStatusCondition(r.target.status().Conditions, v1alpha1.ConditionStalled)
	earlier := meta.FindStatusCondition(before.Conditions, v1alpha1.ConditionStalled)
	if now == nil || earlier != nil && earlier.Reason == now.Reason && earlier.Message == now.Message {
		return nil
	}
	return []event{{corev1.EventTypeWarning, now.Reason, "Stall", now.Message}}
}

// rotationRefused warns of a rotation request that only the API can carry out, or that came before the status showed
// that the owner is gone.
func (r *run) rotationRefused(before *v1alpha1.KeyHolderStatus) []event {
	var why string
	switch {
	case r.target.status().LastRotateRequest == before.LastRotateRequest:
		return nil
	case r.target.Spec.ByAPI:
		why = "The API returns this key in a reply: rotate it through the API"
	case r.target.OwnerGone:
		why = "The key belongs to a user who is gone: request the rotation for the present user, with another value"
	default:
		return nil
	}
	return []event{{corev1.EventTypeWarning, v1alpha1.EventRotationRefused, "Refuse", why}}
}

// emitRetry warns of the first failure, but not of the same failure again with each retry.
func (r *run) emitRetry(before *v1alpha1.KeyHolderStatus) {
	earlier := meta.FindStatusCondition(before.Conditions, v1alpha1.ConditionReady)
	now := meta.FindStatusCondition(r.target.status().Conditions, v1alpha1.ConditionReady)
	if earlier == nil || earlier.Reason != now.Reason {
		r.emit(event{corev1.EventTypeWarning, now.Reason, "Retry", now.Message})
	}
}

// expired reports once that the key has expired. It warns of an end that comes from the instance
// and not from the spec.
func (r *run) expired(before *v1alpha1.KeyHolderStatus) []event {
	t := r.target
	if !justExpired(t.status(), before) {
		return nil
	}
	active := meta.FindStatusCondition(t.status().Conditions, v1alpha1.ConditionActive)
	kind := corev1.EventTypeNormal
	current := t.status().CurrentKey()
	if len(t.status().Keys) == 0 || current != nil && endedByInstance(t, current, r.issuer.Clock.Now()) != "" {
		kind = corev1.EventTypeWarning
	}
	return []event{{kind, v1alpha1.EventKeyExpired, "Expire", active.Message}}
}

func justExpired(now, before *v1alpha1.KeyHolderStatus) bool {
	return isExpired(now) && !isExpired(before)
}

func isExpired(s *v1alpha1.KeyHolderStatus) bool {
	active := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionActive)
	return active != nil && active.Reason == v1alpha1.ReasonExpired
}

// secretLost warns when a key has lost its Secret and is not reissued.
func secretLost(plan lifecycle.Plan, before *v1alpha1.KeyHolderStatus) []event {
	if plan.Lost == "" || before.SecretName == "" {
		return nil
	}
	reason := v1alpha1.EventSecretDeleted
	if plan.Lost == lifecycle.SecretChanged {
		reason = v1alpha1.EventSecretChanged
	}
	note := "The key still works without Secret %s: %s"
	if plan.Expired {
		note = "The key has expired and is not written to Secret %s again: %s"
	}
	return []event{{corev1.EventTypeWarning, reason, "Keep", fmt.Sprintf(note, before.SecretName, plan.Lost)}}
}
