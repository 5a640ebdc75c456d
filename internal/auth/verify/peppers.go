package verify

import "unique"

// pepperUse counts recorded keys by the id of the pepper they were digested with.
type pepperUse map[unique.Handle[string]]int

// swap counts next in the place of prev. Either may be nil.
func (u pepperUse) swap(prev, next *object) {
	if next != nil {
		for _, k := range next.keys {
			u[k.pepper]++
		}
	}
	if prev == nil {
		return
	}
	for _, k := range prev.keys {
		u[k.pepper]--
		if u[k.pepper] == 0 {
			delete(u, k.pepper)
		}
	}
}

// UnknownPeppers counts, by the pepper's id, the recorded keys that no presented key is found by now: the pepper they
// were digested with is not in the keyring. It is empty when all is well.
func (v *Verifier) UnknownPeppers() map[string]int {
	ring := v.ring.Load()
	v.index.mu.Lock()
	defer v.index.mu.Unlock()
	unknown := map[string]int{}
	for id, keys := range v.index.peppers {
		if !ring.Knows(id.Value()) {
			unknown[id.Value()] = keys
		}
	}
	return unknown
}
