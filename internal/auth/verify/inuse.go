package verify

import (
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
)

// Format is the form of generated keys as it is now.
func (v *Verifier) Format() keyformat.Format { return *v.format.Load() }

// Keyring is the peppers as they are now.
func (v *Verifier) Keyring() *pepper.Keyring { return v.ring.Load() }

// Carries says that sessions may rest on the key of a digest as objects stand, be it expired, and whether it is on record
// at all.
func (v *Verifier) Carries(digest *pepper.Digest) (carries, onRecord bool) {
	f := fingerprintOf(&digest.Sum)
	held, _ := v.index.keys.find(f)
	return held != nil && held.carries(f), held != nil
}
