package verify

import (
	"encoding/hex"
	"time"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/key/pepper"
)

// Verdict is the answer to who presented a key.
type Verdict struct {
	Reason Reason
	entry  *entry
	key    fingerprint
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

// ID names the object that records the key. It is zero when none does. Refused keys have one too.
func (v Verdict) ID() ID {
	if v.entry == nil {
		return ID{}
	}
	return v.entry.owner.id
}

// UID is the uid of that object.
func (v Verdict) UID() string {
	if v.entry == nil {
		return ""
	}
	return v.entry.owner.claim.UID
}

// Current says of an accepted key that no other has taken its place. A pending one will: it is in its Secret already.
func (v Verdict) Current() bool { return v.Accepted() && v.entry.carries(v.key) }

// Digest is that of the key, and nil when no object records it.
func (v Verdict) Digest() *pepper.Digest {
	if v.entry == nil {
		return nil
	}
	d := v.entry.owner.key(v.key).digest()
	return &d
}

// Tells says whether a use of an accepted key is to be told of at the time now: no other use of its object's was for so
// long. Of several at once, one is. It takes no lock and does not allocate.
func (v Verdict) Tells(now time.Time, every time.Duration) bool {
	return v.entry.owner.told.again(now, every)
}

// TellsUser is Tells for the user whom an accepted key speaks for, where that is somebody without an AdminUser.
func (v Verdict) TellsUser(now time.Time, every time.Duration) bool {
	u := v.entry.owner.user
	return u != nil && !u.known.Load() && u.told.again(now, every)
}

// Refused is a verdict on what never came as far as a look-up.
func Refused(why Reason) Verdict { return Verdict{Reason: why} }
