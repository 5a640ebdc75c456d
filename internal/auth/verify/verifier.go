package verify

import (
	"errors"
	"sync/atomic"
	"time"
	"unique"

	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
)

// Verifier decides on presented keys. It is safe for concurrent use.
type Verifier struct {
	index  *Index
	format atomic.Pointer[keyformat.Format]
	ring   atomic.Pointer[pepper.Keyring]
}

// NewVerifier returns a verifier of the keys in the index, which are digested with the peppers of the ring.
func NewVerifier(index *Index, format keyformat.Format, ring *pepper.Keyring) *Verifier {
	v := &Verifier{index: index}
	v.SetFormat(format)
	v.SetKeyring(ring)
	return v
}

// SetFormat changes the format of generated keys for every Verify that begins afterwards.
func (v *Verifier) SetFormat(format keyformat.Format) { v.format.Store(&format) }

// SetKeyring changes the peppers for every Verify that begins afterwards.
func (v *Verifier) SetKeyring(ring *pepper.Keyring) { v.ring.Store(ring) }

// Format returns the format of generated keys.
func (v *Verifier) Format() keyformat.Format { return *v.format.Load() }

// Keyring returns the peppers.
func (v *Verifier) Keyring() *pepper.Keyring { return v.ring.Load() }

// Verify returns whose key was presented and whether it is accepted at the time now. It does not allocate.
func (v *Verifier) Verify(presented string, now time.Time) Verdict {
	if err := v.format.Load().Check(presented); err != nil {
		return malformed(err)
	}
	ring := v.ring.Load()
	for i := range v.forms(ring) {
		sum := ring.Sum(i, presented)
		verdict := v.lookUp(&sum, now)
		if verdict.entry == nil {
			continue
		}
		if v.severalForms(ring) && verdict.Identified() && v.isRevokedElsewhere(&verdict, ring, i, presented) {
			verdict.Reason = Revoked
		}
		return verdict
	}
	return Refused(Unknown)
}

// forms returns the number of forms in which a key may be recorded. The plain one is looked up only while an object has
// it: every unknown key would cost another hash.
func (v *Verifier) forms(ring *pepper.Keyring) int {
	if v.index.plain.Load() == 0 {
		return ring.Len()
	}
	return ring.Forms()
}

// severalForms reports whether a key may be recorded in one form and revoked in another.
func (v *Verifier) severalForms(ring *pepper.Keyring) bool {
	return v.forms(ring) > 1 || v.index.revoked.plain.Load()
}

// VerifyDigest returns the verdict on a key that was verified before and whose digest was kept: the one that
// Verify would return for the key at the time now.
func (v *Verifier) VerifyDigest(digest *pepper.Digest, now time.Time) Verdict {
	return v.lookUp(&digest.Sum, now)
}

// IsKey reports whether a text is a key that an object records, even if it is refused. Such a text must not
// be logged, stored or returned.
func (v *Verifier) IsKey(text string) bool {
	return v.Verify(text, time.Time{}).KeyID() != ""
}

func (v *Verifier) lookUp(sum *pepper.Sum, now time.Time) Verdict {
	f := fingerprintOf(sum)
	found, plain := v.index.keys.find(f)
	if found == nil {
		return Refused(Unknown)
	}
	return Verdict{Reason: found.reasonAt(now, plain), entry: found, key: f, id: [8]byte(sum[:8])}
}

func malformed(err error) Verdict {
	if errors.Is(err, keyformat.ErrEmpty) {
		return Refused(Empty)
	}
	return Refused(Malformed)
}

// pepperUse counts recorded keys by the id of their pepper.
type pepperUse map[unique.Handle[string]]int

var plainPepper = unique.Make(pepper.Plain)

// swap counts next instead of prev. Either may be nil.
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

// UnknownPeppers counts, by the id of their pepper, the recorded keys whose pepper is not in the keyring. No
// presented key can match them. The map is empty when all is well.
func (v *Verifier) UnknownPeppers() map[string]int {
	ring := v.ring.Load()
	v.index.mu.Lock()
	defer v.index.mu.Unlock()
	unknown := map[string]int{}
	for id, keys := range v.index.peppers {
		if !ring.Has(id.Value()) {
			unknown[id.Value()] = keys
		}
	}
	return unknown
}
