package lifecycle

import "time"

// Questions that the rules ask of the facts.

// mayHold reports whether the Secret holds the current key, or held it when it was last read.
func mayHold(f Facts) bool {
	current := Current(f.Status.Keys)
	switch {
	case current == nil:
		return false
	case f.Secret.holds(current.ID):
		return true
	case f.Status.SecretName != f.Spec.SecretName:
		return false
	}
	return f.Secret.Owner == Own && f.Secret.Content == nil || f.Secret.Owner == NoSecret && !f.Secret.Live
}

// pendingInHand reports whether the caller holds the plaintext of a pending key.
func pendingInHand(f Facts) bool {
	return pendingKey(f.Status.Keys, func(k *Key) bool { return k.ID == f.InHand }) != nil
}

func mustHold(f Facts) bool {
	current := Current(f.Status.Keys)
	return current != nil && f.Secret.holds(current.ID)
}

// lostCause returns why the Secret does not hold the current key. Empty: it does.
func lostCause(f Facts) Cause {
	current := Current(f.Status.Keys)
	switch {
	case current == nil || f.Secret.holds(current.ID):
		return ""
	case f.Secret.Owner == Own && f.Secret.Intact && !f.Secret.elsewhere():
		// No other writer touched the Secret, and it holds another key than the recorded one.
		return RecordChanged
	case f.Secret.Owner == Own:
		return SecretChanged
	case f.Status.Restored:
		return Restored
	}
	return SecretDeleted
}

func renamed(f Facts) bool {
	elsewhere := f.Status.SecretName != "" && f.Status.SecretName != f.Spec.SecretName
	return Current(f.Status.Keys) != nil && (elsewhere || f.Secret.elsewhere())
}

// returned reports whether a Secret came back from a backup with the status that records its key: it names a former
// object of this name as its owner, or nothing.
func returned(f Facts) bool {
	current := Current(f.Status.Keys)
	cameBack := f.Secret.Owner == Leftover || f.Secret.Unowned && f.Status.Restored
	if !cameBack || current == nil || f.Secret.KeyID != current.ID {
		return false
	}
	return f.Secret.Content == nil || f.Secret.Content.Usable && f.Secret.Content.Key.ID == current.ID
}

// outlives reports whether the Secret is to stay when the object is deleted.
func outlives(f Facts) bool {
	return f.Spec.Orphan && !f.Spec.ByAPI || f.Secret.Owner == Own && f.Secret.Adopt
}

func recorded(keys []Key, id string) bool {
	for _, k := range keys {
		if k.ID == id {
			return true
		}
	}
	return false
}

// nextRotation returns when the schedule or Spec.RotateAfter replaces the current key. Zero: never.
func nextRotation(f Facts) time.Time {
	return earliest(scheduled(f), rotateAt(f))
}

// scheduled returns when the schedule replaces the current key.
func scheduled(f Facts) time.Time {
	current := Current(f.Status.Keys)
	if f.Spec.Every == 0 || current == nil || Ended(f.Spec.ExpiresAt, f.Now) {
		return time.Time{}
	}
	return current.IssuedAt.Add(f.Spec.Every)
}

// rotateAt returns when Spec.RotateAfter replaces the current key: in whole seconds, as the time of an issue is
// recorded, or one instant would replace key after key.
func rotateAt(f Facts) time.Time {
	current := Current(f.Status.Keys)
	if f.Spec.RotateAfter.IsZero() || current == nil || Ended(f.Spec.ExpiresAt, f.Now) {
		return time.Time{}
	}
	if due := WholeSecond(f.Spec.RotateAfter); current.IssuedAt.Before(due) {
		return due
	}
	return time.Time{}
}

// earliestEnd returns the next end of a key that is still to come.
func earliestEnd(f Facts) time.Time {
	var first time.Time
	for _, k := range f.Status.Keys {
		if !k.ended(f.Now) {
			first = earliest(first, k.ExpiresAt)
		}
	}
	return first
}

func wakeAt(f Facts) time.Time {
	return earliest(earliestEnd(f), nextRotation(f))
}
