package lifecycle

import (
	"slices"
	"time"
)

// Current is the key that counts: the first that is not pending. Nil: there is none.
func Current(keys []Key) *Key {
	for i := range keys {
		if !keys[i].Pending {
			return &keys[i]
		}
	}
	return nil
}

// Pending is the key on its way into the Secret. Nil: there is none.
func Pending(keys []Key) *Key {
	for i := range keys {
		if keys[i].Pending {
			return &keys[i]
		}
	}
	return nil
}

// settled is keys without the pending ones.
func settled(keys []Key) []Key {
	kept := make([]Key, 0, len(keys)+1)
	for _, k := range keys {
		if !k.Pending {
			kept = append(kept, k)
		}
	}
	return kept
}

// alive is keys without those in overlap whose end has come or that let nobody in. A key in overlap always has an end:
// one without was put there by somebody else and goes too. The current key stays when it has ended: that it did is on
// record with it.
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

// MaxOverlapping bounds how many old keys are accepted at a time: status has room for so many, and whoever rotates
// that often within one overlap wants the oldest gone.
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

// limitOverlap ends the keys in overlap at the latest when the overlap after the current key's issue is over. It never
// makes one live longer.
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
