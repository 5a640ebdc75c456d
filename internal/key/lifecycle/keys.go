package lifecycle

import (
	"slices"
	"time"
)

// Current returns the current key, which is the first that is not pending, or nil.
func Current(keys []Key) *Key {
	for i := range keys {
		if !keys[i].Pending {
			return &keys[i]
		}
	}
	return nil
}

// Pending returns the pending key, or nil.
func Pending(keys []Key) *Key {
	for i := range keys {
		if keys[i].Pending {
			return &keys[i]
		}
	}
	return nil
}

// settled returns keys without the pending ones.
func settled(keys []Key) []Key {
	kept := make([]Key, 0, len(keys)+1)
	for _, k := range keys {
		if !k.Pending {
			kept = append(kept, k)
		}
	}
	return kept
}

// alive returns keys without overlapping ones that have ended or are dead. An overlapping key always has an end:
// Keywright did not write one without, and it is removed too. The current key stays when it has ended, as the record of
// that.
func alive(keys []Key, now time.Time) []Key {
	kept := make([]Key, 0, len(keys))
	current := Current(keys)
	for i := range keys {
		k := &keys[i]
		if k == current || k.Pending || k.Dead == "" && !k.NotAfter.IsZero() && !k.ended(now) {
			kept = append(kept, *k)
		}
	}
	return kept
}

// MaxOverlapping bounds the old keys that are accepted at a time. Status has room for that many, and someone who
// rotates so often within one overlap wants the oldest gone.
const MaxOverlapping = 16

// Succeed returns the keys of an object after next has become its current key. Older keys overlap with it; those that
// have ended, are dead, or are next itself (a write that is repeated) leave at once, as all of them do without an
// overlap. Operator and server both record a key by this rule.
func Succeed(keys []Key, next Key, overlap time.Duration, now time.Time) []Key {
	next.Pending = false
	old := slices.DeleteFunc(settled(keys), func(k Key) bool {
		return overlap <= 0 || k.ID == next.ID || k.Dead != "" || k.ended(now)
	})
	return limitOverlap(append([]Key{next}, old[:min(len(old), MaxOverlapping)]...), overlap)
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
		if k != current && !k.Pending && (k.NotAfter.IsZero() || end.Before(k.NotAfter)) {
			k.NotAfter = end
		}
	}
	return limited
}
