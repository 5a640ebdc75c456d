package lifecycle

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Current returns the current key, or nil.
func Current(keys []Key) *Key { return find(keys, StateCurrent) }

// Pending returns the newest pending key, or nil.
func Pending(keys []Key) *Key { return find(keys, StatePending) }

// pendingKey returns the first pending key that meets a condition, or nil.
func pendingKey(keys []Key, meets func(*Key) bool) *Key {
	for i := range keys {
		if k := &keys[i]; k.State == StatePending && meets(k) {
			return k
		}
	}
	return nil
}

// maxPending bounds the pending keys. An operator that is killed or paused between two writes leaves one.
const maxPending = 8

// pendingKeys returns the pending keys that stay when one more is recorded. Another operator may be about to write any
// of them into the Secret, and a key that can be read there has to be accepted. Of too many the oldest leave.
func pendingKeys(keys []Key) []Key {
	pending := slices.DeleteFunc(slices.Clone(keys), func(k Key) bool { return k.State != StatePending })
	slices.SortFunc(pending, func(a, b Key) int { return newestFirst(&a, &b) })
	return pending[:min(len(pending), maxPending-1)]
}

// find returns the newest key in this state. More than one key is current only in a status edited by hand.
func find(keys []Key, state State) *Key {
	var found *Key
	for i := range keys {
		if k := &keys[i]; k.State == state && (found == nil || newestFirst(k, found) < 0) {
			found = k
		}
	}
	return found
}

// newestFirst compares keys by the time of their issue.
func newestFirst(a, b *Key) int {
	return cmp.Or(b.IssuedAt.Compare(a.IssuedAt), strings.Compare(a.ID, b.ID))
}

// settled returns keys without the pending ones.
func settled(keys []Key) []Key {
	kept := make([]Key, 0, len(keys)+1)
	for _, k := range keys {
		if k.State != StatePending {
			kept = append(kept, k)
		}
	}
	return kept
}

// alive returns keys without overlapping ones that have ended, are dead or refused. An overlapping key always has an
// end: Keywright did not write one without, and it is removed too, as are a second current key and a key in no known
// state. The current key stays when it has ended, as the record of that.
func alive(keys []Key, now time.Time) []Key {
	kept := make([]Key, 0, len(keys))
	current := Current(keys)
	for i := range keys {
		k := &keys[i]
		overlaps := k.State == StateOverlapping && !k.isRefused() && !k.ExpiresAt.IsZero() && !k.ended(now)
		if k == current || k.State == StatePending || overlaps {
			kept = append(kept, *k)
		}
	}
	return kept
}

// isRefused reports whether the key is refused although it is recorded, whatever its end.
func (k *Key) isRefused() bool { return k.Dead != "" || k.Refused }

// CurrentFirst compares states: Current comes before every other.
func CurrentFirst(a, b State) int {
	switch {
	case a == b:
		return 0
	case a == StateCurrent:
		return -1
	case b == StateCurrent:
		return 1
	}
	return 0
}

// MaxOverlapping bounds the old keys that are accepted at a time. Status has room for that many, and someone who
// rotates so often within one overlap wants the oldest gone.
const MaxOverlapping = 16

// MaxOverlapOfRotation bounds the overlap that the API chooses for one rotation.
const MaxOverlapOfRotation = 24 * time.Hour

// Succeed returns the keys of an object after next has become its current key. Older keys overlap with it; those that
// have ended, are dead or refused, or are next itself (a write that is repeated) leave at once, as all do without an
// overlap. Of too many the oldest leave. Operator and server both record a key by this rule.
func Succeed(keys []Key, next Key, overlap time.Duration, now time.Time) []Key {
	next.State = StateCurrent
	old := slices.DeleteFunc(settled(keys), func(k Key) bool {
		return overlap <= 0 || k.ID == next.ID || k.isRefused() || k.ended(now)
	})
	// The former current key is the newest, whatever the clock did.
	slices.SortFunc(old, func(a, b Key) int { return cmp.Or(CurrentFirst(a.State, b.State), newestFirst(&a, &b)) })
	old = old[:min(len(old), MaxOverlapping)]
	for i := range old {
		old[i].State = StateOverlapping
	}
	return limitOverlap(append([]Key{next}, old...), overlap)
}

// limitOverlap ends overlapping keys at the latest one overlap after the issue of the current key. It never makes an
// end later.
func limitOverlap(keys []Key, overlap time.Duration) []Key {
	limited := slices.Clone(keys)
	current := Current(limited)
	if current == nil {
		return limited
	}
	end := WholeSecond(current.IssuedAt.Add(overlap))
	for i := range limited {
		k := &limited[i]
		if k.State == StateOverlapping && (k.ExpiresAt.IsZero() || end.Before(k.ExpiresAt)) {
			k.ExpiresAt = end
		}
	}
	return limited
}
