package verify

import (
	"encoding/hex"
	"time"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/key/pepper"
)

// Reason is why a key was accepted or refused. Logs and metrics have it; replies to the caller do not.
type Reason uint8

// The zero Reason refuses, so that an unset one never accepts a key.
const (
	// Unknown means that no object records the key.
	Unknown Reason = iota
	// Accepted is the only Reason that accepts a key.
	Accepted
	// Empty means that nothing was presented.
	Empty
	// Malformed means that the presented text can't be a key.
	Malformed
	// Ambiguous means that several different credentials were presented at once.
	Ambiguous
	// Expired means that the key has reached its end.
	Expired
	// Deleted means that the key's object is being deleted.
	Deleted
	// Disabled means that the key's object is disabled.
	Disabled
	// Demoted means that the user is not an admin any more.
	Demoted
	// UsernameTaken means that another object holds the username.
	UsernameTaken
	// Revoked means that the key's object is revoked, or that the key was revoked before, in this or another object.
	Revoked
	// OwnerGone means that the user whose key it is has no AdminUser any more.
	OwnerGone
	// OwnerDisabled means that the AdminUser of the key's owner is disabled.
	OwnerDisabled
	// OwnerDenied means that the roles of the key's owner do not allow the owner to have keys.
	OwnerDenied
	// UnknownRole means that a role which the key names does not exist. Such a key proves who the caller is,
	// and may do nothing.
	UnknownRole

	reasons
)

var reasonNames = [reasons]string{
	Unknown:       "unknown",
	Accepted:      "accepted",
	Empty:         "empty",
	Malformed:     "malformed",
	Ambiguous:     "ambiguous",
	Expired:       "expired",
	Deleted:       "deleted",
	Disabled:      "disabled",
	Demoted:       "demoted",
	UsernameTaken: "username_taken",
	Revoked:       "revoked",
	OwnerGone:     "owner_gone",
	OwnerDisabled: "owner_disabled",
	OwnerDenied:   "owner_denied",
	UnknownRole:   "unknown_role",
}

// String returns the reason in snake_case, for logs and metrics.
func (r Reason) String() string {
	if r >= reasons {
		return reasonNames[Unknown]
	}
	return reasonNames[r]
}

// Reasons returns every reason.
func Reasons() []Reason {
	all := make([]Reason, reasons)
	for i := range all {
		all[i] = Reason(i)
	}
	return all
}

// Verdict is the result of verifying one credential.
type Verdict struct {
	Reason Reason
	entry  *entry
	key    fingerprint
	id     [8]byte
}

// Refused returns the verdict on a credential that was refused without a look-up.
func Refused(reason Reason) Verdict { return Verdict{Reason: reason} }

// Accepted reports whether the key was accepted.
func (v Verdict) Accepted() bool { return v.Reason == Accepted }

// Identified reports whether the key proves who the caller is: it was accepted, or it was refused only because it
// names a missing role.
func (v Verdict) Identified() bool { return v.Accepted() || v.Reason == UnknownRole }

// Identity returns who the key speaks as, in the spelling of the user's AdminUser if there is one. It is zero unless
// the caller is Identified.
func (v Verdict) Identity() Identity {
	if !v.Identified() {
		return Identity{}
	}
	return v.entry.owner.spelled()
}

// Rights returns the rights of an accepted key; nil means everything. Verifier.May decides what the key may do.
func (v Verdict) Rights() *access.Rights {
	if !v.Accepted() {
		return &access.Rights{}
	}
	return v.entry.owner.rights
}

// Ends returns the end of the key of an Identified caller as objects stand now. It is zero if the key has no end.
func (v Verdict) Ends() time.Time {
	if !v.Identified() || v.entry.end() == never {
		return time.Time{}
	}
	return time.UnixMicro(v.entry.end()).UTC()
}

// KeyID returns the id of the key, as in status.keys, even if the key is refused. It is empty if no object
// records the key.
func (v Verdict) KeyID() string {
	if v.entry == nil {
		return ""
	}
	var text [2 * len(v.id)]byte
	hex.Encode(text[:], v.id[:])
	return string(text[:])
}

// ID returns the object that records the key, even if the key is refused. It is zero if no object does.
func (v Verdict) ID() ID {
	if v.entry == nil {
		return ID{}
	}
	return v.entry.owner.id
}

// UID returns the uid of that object.
func (v Verdict) UID() string {
	if v.entry == nil {
		return ""
	}
	return v.entry.owner.uid
}

// Current reports whether the key of an Identified caller has no successor. A pending key counts: its Secret may
// have it already.
func (v Verdict) Current() bool { return v.Identified() && v.entry.canHoldSession(v.key) }

// Digest returns the digest of the key, and nil if no object records the key.
func (v Verdict) Digest() *pepper.Digest {
	if v.entry == nil {
		return nil
	}
	d := v.entry.owner.key(v.key).digest()
	return &d
}

// ShouldReportUse reports whether a use of an accepted key is to be reported at the time now: once per
// interval for all keys of one object. Of several concurrent calls one returns true. It takes no lock and
// does not allocate.
func (v Verdict) ShouldReportUse(now time.Time, interval time.Duration) bool {
	return v.entry.owner.reported.due(now, interval)
}

// ShouldReportUser is ShouldReportUse for the owner of an accepted key. It returns false for an owner with an
// AdminUser.
func (v Verdict) ShouldReportUser(now time.Time, interval time.Duration) bool {
	u := v.entry.owner.user
	return u != nil && u.self.Load() == nil && u.reported.due(now, interval)
}
