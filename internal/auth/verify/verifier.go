package verify

import (
	"errors"
	"sync/atomic"
	"time"

	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
)

// Verifier decides on presented keys. It is safe for concurrent use.
type Verifier struct {
	index  *Index
	format atomic.Pointer[keyformat.Format]
	ring   atomic.Pointer[pepper.Keyring]
}

// NewVerifier makes a verifier of keys in the index, digested with a pepper of the ring.
func NewVerifier(index *Index, format keyformat.Format, ring *pepper.Keyring) *Verifier {
	v := &Verifier{index: index}
	v.SetFormat(format)
	v.SetKeyring(ring)
	return v
}

// SetFormat changes the form of generated keys for every Verify that begins afterwards.
func (v *Verifier) SetFormat(format keyformat.Format) { v.format.Store(&format) }

// SetKeyring changes the peppers for every Verify that begins afterwards.
func (v *Verifier) SetKeyring(ring *pepper.Keyring) { v.ring.Store(ring) }

// Verify says whose key was presented and whether it is accepted at the time now. It does not allocate.
func (v *Verifier) Verify(presented string, now time.Time) Verdict {
	if err := v.format.Load().Check(presented); err != nil {
		return malformed(err)
	}
	ring := v.ring.Load()
	for i := range ring.Len() {
		sum := ring.Sum(i, presented)
		if verdict := v.lookUp(&sum, now); verdict.entry != nil {
			return verdict
		}
	}
	return Refused(Unknown)
}

// IsKey says that a text is a key that is on record, be it accepted or refused: it is to be repeated nowhere.
func (v *Verifier) IsKey(text string) bool {
	return v.Verify(text, time.Time{}).KeyID() != ""
}

// Recall says of a key that was verified before, and of which nothing but the digest was kept, what Verify would say of
// it now.
func (v *Verifier) Recall(digest *pepper.Digest, now time.Time) Verdict {
	return v.lookUp(&digest.Sum, now)
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
