package verify

import (
	"slices"
	"sync"
	"sync/atomic"

	"keywright.dev/keywright/internal/key/pepper"
)

// revokedKeys are the keys that are refused for good, whatever object records them. The set only grows. Reading it
// takes a lock, so the index marks the keys of objects: Verify reads it only to look for a key under another pepper.
type revokedKeys struct {
	// number counts the keys. plain is true if one has a plain digest.
	number atomic.Uint64
	plain  atomic.Bool

	mu   sync.RWMutex
	keys map[fingerprint]struct{}
	// peppers has the ids of the peppers of all digests.
	peppers map[string]struct{}
}

// add reports whether the set did not have the key.
func (r *revokedKeys) add(key *pepper.Digest) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := fingerprintOf(&key.Sum)
	if _, found := r.keys[f]; found {
		return false
	}
	if r.keys == nil {
		r.keys, r.peppers = map[fingerprint]struct{}{}, map[string]struct{}{}
	}
	r.keys[f], r.peppers[key.PepperID] = struct{}{}, struct{}{}
	if key.PepperID == pepper.Plain {
		r.plain.Store(true)
	}
	r.number.Add(1)
	return true
}

func (r *revokedKeys) has(f fingerprint) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	_, found := r.keys[f]
	return found
}

// hasUnder reports whether the set has a key under another pepper of the ring than the one at position known.
func (r *revokedKeys) hasUnder(ring *pepper.Keyring, known int, presented string) bool {
	for i := range ring.Forms() {
		if i == known || !r.hasPepper(ring.ID(i)) {
			continue
		}
		if sum := ring.Sum(i, presented); r.has(fingerprintOf(&sum)) {
			return true
		}
	}
	return false
}

func (r *revokedKeys) hasPepper(id string) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	_, found := r.peppers[id]
	return found
}

// Recurrence is a revoked key that an object records although the object itself is not revoked: a key that was adopted
// again, or that came back with a restored status.
type Recurrence struct {
	Object ID
	UID    string
	KeyID  string
	// Over is true when the object does not record the key any more.
	Over bool
}

// Revoke refuses keys for good, whatever object records them, now or later. It returns what Put returns.
func (x *Index) Revoke(keys []pepper.Digest) (ended []pepper.Digest) {
	x.mu.Lock()
	defer x.mu.Unlock()
	var added []fingerprint
	for i := range keys {
		if x.revoked.add(&keys[i]) {
			added = append(added, fingerprintOf(&keys[i].Sum))
		}
	}
	x.bar(added)
	return x.takeEnded()
}

// IsRevoked reports whether Revoke was called for the key.
func (x *Index) IsRevoked(key *pepper.Digest) bool { return x.revoked.has(fingerprintOf(&key.Sum)) }

// Revoked returns the number of keys that Revoke was called for.
func (x *Index) Revoked() int { return int(x.revoked.number.Load()) }

// TakeRecurrences returns the recurrences that were found since the last call.
func (x *Index) TakeRecurrences() []Recurrence {
	x.mu.Lock()
	defer x.mu.Unlock()
	taken := make([]Recurrence, 0, len(x.recurrences))
	for r := range x.recurrences {
		taken = append(taken, r)
	}
	x.recurrences = nil
	return taken
}

// bar applies a change of the keys that are refused for good to the objects that record one of these keys.
func (x *Index) bar(changed []fingerprint) {
	var concerned []*object
	for _, f := range changed {
		held, _ := x.keys.find(f)
		if held == nil {
			continue
		}
		for _, o := range append([]*object{held.owner}, x.hidden[f]...) {
			x.markBarred(o)
			x.noteRecurrences(nil, o)
			concerned = append(concerned, o)
		}
	}
	staying := x.admins.swap(nil, nil, concerned)
	x.refresh(append(staying, concerned...)...)
}

// markBarred notes which keys of the object are refused for good. A key that was the bootstrap key is refused to every
// object, and not to the bootstrap key itself.
func (x *Index) markBarred(o *object) {
	for i := range o.keys {
		k := &o.keys[i]
		f := k.fingerprint()
		_, former := x.formerBootstrap[f]
		k.barred = former && o.id != bootstrapID || x.revoked.has(f)
	}
}

// noteRecurrences notes the revoked keys that the object records now, unless it is refused anyway, and those that an
// earlier version of it recorded. prev may be nil.
func (x *Index) noteRecurrences(prev, next *object) {
	if prev != nil && prev.uid == next.uid {
		for i := range prev.keys {
			if k := &prev.keys[i]; !next.records(k.fingerprint()) {
				x.noteRecurrence(next, k, true)
			}
		}
	}
	switch next.standing {
	case Revoked, Demoted, Deleted:
		return
	}
	for i := range next.keys {
		x.noteRecurrence(next, &next.keys[i], false)
	}
}

func (x *Index) noteRecurrence(o *object, k *heldKey, over bool) {
	if !k.barred || o.id == bootstrapID || !x.revoked.has(k.fingerprint()) {
		return
	}
	if x.recurrences == nil {
		x.recurrences = map[Recurrence]struct{}{}
	}
	digest := k.digest()
	one := Recurrence{Object: o.id, UID: o.uid, KeyID: digest.KeyID(), Over: !over}
	// The latest counts.
	delete(x.recurrences, one)
	one.Over = over
	x.recurrences[one] = struct{}{}
}

func (o *object) records(f fingerprint) bool {
	return slices.ContainsFunc(o.keys, func(k heldKey) bool { return k.fingerprint() == f })
}

// isBarred reports whether a key is refused for good. The last admin keeps its key until there is another one.
func (x *Index) isBarred(o *object, k *heldKey) bool {
	return k.barred && (!o.staysIfLast || !x.admins.none())
}

// addFormerBootstrap refuses earlier bootstrap keys to every object. The caller holds mu.
func (x *Index) addFormerBootstrap(former []pepper.Digest) {
	if x.formerBootstrap == nil {
		x.formerBootstrap = map[fingerprint]struct{}{}
	}
	var added []fingerprint
	for i := range former {
		f := fingerprintOf(&former[i].Sum)
		x.formerBootstrap[f] = struct{}{}
		added = append(added, f)
	}
	x.bar(added)
}

// keepFormerBootstrap removes all other earlier bootstrap keys than these. The caller holds mu.
func (x *Index) keepFormerBootstrap(former []pepper.Digest) {
	var removed []fingerprint
	for f := range x.formerBootstrap {
		isKept := func(d pepper.Digest) bool { return fingerprintOf(&d.Sum) == f }
		if !slices.ContainsFunc(former, isKept) {
			delete(x.formerBootstrap, f)
			removed = append(removed, f)
		}
	}
	x.bar(removed)
}

// IsRevoked reports whether a presented key is refused for good, under any pepper of the keyring.
func (v *Verifier) IsRevoked(presented string) bool {
	return v.index.revoked.hasUnder(v.ring.Load(), -1, presented)
}

// IsRevokedDigest is IsRevoked for the digest of a key.
func (v *Verifier) IsRevokedDigest(digest *pepper.Digest) bool { return v.index.IsRevoked(digest) }

// WasBootstrap reports whether a presented key is one of the earlier bootstrap keys that the configuration records.
func (v *Verifier) WasBootstrap(presented string) bool {
	ring := v.ring.Load()
	v.index.mu.Lock()
	defer v.index.mu.Unlock()
	for i := range ring.Forms() {
		sum := ring.Sum(i, presented)
		if _, found := v.index.formerBootstrap[fingerprintOf(&sum)]; found {
			return true
		}
	}
	return false
}

// isRevokedElsewhere reports whether the key of an accepted verdict was revoked under another pepper than the one at
// position known, under which it was adopted again since. The answer no holds until the next revocation, or another
// keyring.
func (v *Verifier) isRevokedElsewhere(verdict *Verdict, ring *pepper.Keyring, known int, presented string) bool {
	revoked := v.index.revoked.number.Load()
	if revoked == 0 {
		return false
	}
	// Two keys of an object, which is rare, take turns.
	checked := verdict.key.low ^ revoked<<32 ^ hashOfRing(ring)
	owner := verdict.entry.owner
	if owner.checked.Load() == checked {
		return false
	}
	if v.index.revoked.hasUnder(ring, known, presented) {
		v.index.Revoke([]pepper.Digest{*verdict.Digest()})
		return true
	}
	owner.checked.Store(checked)
	return false
}

// hashOfRing returns a number that differs between keyrings.
func hashOfRing(ring *pepper.Keyring) uint64 {
	hash := uint64(14695981039346656037)
	for i := range ring.Len() {
		for _, c := range []byte(ring.ID(i)) {
			hash = (hash ^ uint64(c)) * 1099511628211
		}
	}
	return hash
}
