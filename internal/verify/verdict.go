package verify

import (
	"encoding/hex"
	"time"

	"keywright.dev/keywright/internal/access"
)

// Verdict is the answer to who presented a key.
type Verdict struct {
	Reason Reason
	entry  *entry
	id     [8]byte
}

// Accepted says that the key lets its bearer in.
func (v Verdict) Accepted() bool { return v.Reason == Accepted }

// Identity is whose key it is. It is zero unless the key was accepted.
func (v Verdict) Identity() Identity {
	if !v.Accepted() {
		return Identity{}
	}
	return v.entry.owner.identity
}

// Given is what the key was given, and nil when that is everything. What it may do is for Verifier.May to say.
func (v Verdict) Given() *access.Given {
	if !v.Accepted() {
		return &access.Given{}
	}
	return v.entry.owner.given
}

// Ends is the instant from which an accepted key is refused as things are now, and zero when there is none.
func (v Verdict) Ends() time.Time {
	if !v.Accepted() || v.entry.plain() {
		return time.Time{}
	}
	return time.UnixMicro(v.entry.until).UTC()
}

// KeyID is the id of the key, as in status.keys, or "" when no object records it. Refused keys have one too.
func (v Verdict) KeyID() string {
	if v.entry == nil {
		return ""
	}
	var text [2 * len(v.id)]byte
	hex.Encode(text[:], v.id[:])
	return string(text[:])
}

// Refused is a verdict on what never came as far as a look-up.
func Refused(why Reason) Verdict { return Verdict{Reason: why} }
