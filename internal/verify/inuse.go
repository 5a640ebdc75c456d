package verify

import (
	"keywright.dev/keywright/internal/key"
	"keywright.dev/keywright/internal/pepper"
)

// Format is the form of generated keys as it is now.
func (v *Verifier) Format() key.Format { return *v.format.Load() }

// Keyring is the peppers as they are now.
func (v *Verifier) Keyring() *pepper.Keyring { return v.ring.Load() }
