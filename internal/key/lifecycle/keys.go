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

// ended says that the key is refused for its age.
func (k *Key) ended(now time.Time) bool { return over(k.NotAfter, now) }

// over says that an end has come. Zero never comes.
func over(end, now time.Time) bool { return !end.IsZero() && !now.Before(end) }

// MaxOverlapping bounds how many old keys are accepted at a time: status has room for so many, and whoever rotates
// that often within one overlap wants the oldest gone.
const MaxOverlapping = 16

// succeed makes next the current key and the old one the first in overlap, unless it has ended already.
func succeed(keys []Key, next Key, overlap time.Duration, now time.Time) []Key {
	next.Pending = false
	old := slices.DeleteFunc(settled(keys), func(k Key) bool { return k.Dead != "" || overlap == 0 || k.ended(now) })
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
	end := wholeSecond(current.IssuedAt.Add(overlap))
	for i := range limited {
		k := &limited[i]
		if k != current && !k.Pending && (k.NotAfter.IsZero() || end.Before(k.NotAfter)) {
			k.NotAfter = end
		}
	}
	return limited
}

// wholeSecond rounds up: status keeps no fractions, and nobody is to lose part of what was promised.
func wholeSecond(t time.Time) time.Time { return t.Add(time.Second - 1).Truncate(time.Second) }

// earliest is the first of the given instants, zero ones left out.
func earliest(instants ...time.Time) time.Time {
	var first time.Time
	for _, t := range instants {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}
