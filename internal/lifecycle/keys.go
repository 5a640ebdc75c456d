package lifecycle

import "time"

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

// overlapping is keys without the pending ones and without the current one.
func overlapping(keys []Key) []Key {
	kept := settled(keys)
	if len(kept) > 0 {
		kept = kept[1:]
	}
	return kept
}

// alive is keys without those in overlap whose end has come. A key in overlap always has an end: one without was put
// there by somebody else and goes too. The current key stays when it has ended: that it did is on record with it.
func alive(keys []Key, now time.Time) []Key {
	kept := make([]Key, 0, len(keys))
	current := Current(keys)
	for i := range keys {
		k := &keys[i]
		if k == current || k.Pending || !k.NotAfter.IsZero() && !k.ended(now) {
			kept = append(kept, *k)
		}
	}
	return kept
}

// ended says that the key is refused for its age.
func (k *Key) ended(now time.Time) bool { return over(k.NotAfter, now) }

// over says that an end has come. Zero never comes.
func over(end, now time.Time) bool { return !end.IsZero() && !now.Before(end) }

// succeed makes next the current key and gives the old one its overlap, counted from now. An overlap never
// outlives the end that the old key had already.
func succeed(keys []Key, next Key, now time.Time, overlap time.Duration) []Key {
	next.Pending = false
	kept := []Key{next}
	if old := Current(keys); old != nil && overlap > 0 {
		last := *old
		if end := now.Add(overlap); last.NotAfter.IsZero() || end.Before(last.NotAfter) {
			last.NotAfter = end
		}
		kept = append(kept, last)
	}
	return append(kept, overlapping(keys)...)
}

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
