package lifecycle

import "time"

// What the rules ask of the facts.

// mayHold says that the Secret holds the current key, or held it and has not been looked at since: what is not
// known must not be forgotten.
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

func mustHold(f Facts) bool {
	current := Current(f.Status.Keys)
	return current != nil && f.Secret.holds(current.ID)
}

// lostCause says how the Secret came not to hold the current key. Empty: it does hold it.
func lostCause(f Facts) Cause {
	current := Current(f.Status.Keys)
	switch {
	case current == nil || f.Secret.holds(current.ID):
		return ""
	case f.Secret.Owner == Own && f.Secret.Intact && !f.Secret.Misplaced:
		// Nobody else wrote to the Secret, and it holds another key than the one on record.
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
	return Current(f.Status.Keys) != nil && (elsewhere || f.Secret.Misplaced)
}

// returned says that a Secret of a former object of this name came back with the status that records its key.
func returned(f Facts) bool {
	current := Current(f.Status.Keys)
	if f.Secret.Owner != Leftover || current == nil || f.Secret.KeyID != current.ID {
		return false
	}
	return f.Secret.Content == nil || f.Secret.Content.Usable && f.Secret.Content.Key.ID == current.ID
}

func recorded(keys []Key, id string) bool {
	for _, k := range keys {
		if k.ID == id {
			return true
		}
	}
	return false
}

func nextRotation(f Facts) time.Time {
	current := Current(f.Status.Keys)
	if f.Spec.Every == 0 || current == nil || Ended(f.Spec.ExpiresAt, f.Now) {
		return time.Time{}
	}
	return current.IssuedAt.Add(f.Spec.Every)
}

// earliestEnd is the next end of a key that is to come.
func earliestEnd(f Facts) time.Time {
	var first time.Time
	for _, k := range f.Status.Keys {
		if !k.ended(f.Now) {
			first = earliest(first, k.NotAfter)
		}
	}
	return first
}

func wakeAt(f Facts) time.Time {
	return earliest(earliestEnd(f), nextRotation(f))
}
