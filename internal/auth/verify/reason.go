package verify

// Reason is why a key was accepted or not. Logs and metrics tell reasons apart; a caller is never told.
type Reason uint8

// The zero Reason refuses, so that nothing is accepted because somebody forgot to say.
const (
	// Unknown: no object records the key.
	Unknown Reason = iota
	// Accepted is the one Reason that lets a caller in.
	Accepted
	// Empty: nothing was presented.
	Empty
	// Malformed: what was presented can't be a key.
	Malformed
	// Ambiguous: several different credentials were presented at once.
	Ambiguous
	// Expired: the key's NotAfter has come.
	Expired
	// Deleted: the key's object is being deleted.
	Deleted
	// Disabled: the key's object says enabled: false.
	Disabled
	// Demoted: the user is no admin any more.
	Demoted
	// UsernameTaken: another object holds the username.
	UsernameTaken
	// Revoked: the key's object says revoked: true.
	Revoked
	// OwnerDisabled: the AdminUser of the user that the key speaks for says enabled: false.
	OwnerDisabled
	// OwnerDenied: the roles that list the user that the key speaks for let nobody own keys.
	OwnerDenied

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
	OwnerDisabled: "owner_disabled",
	OwnerDenied:   "owner_denied",
}

// String is the reason in snake_case, as logs and metrics have it.
func (r Reason) String() string {
	if r >= reasons {
		return reasonNames[Unknown]
	}
	return reasonNames[r]
}

// Reasons lists every reason.
func Reasons() []Reason {
	all := make([]Reason, reasons)
	for i := range all {
		all[i] = Reason(i)
	}
	return all
}
