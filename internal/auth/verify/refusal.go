package verify

// The rules on refusals that operator and server share. Two are elsewhere: the end of a key, lifecycle.EndOf, and the
// roles that it lacks, access.Roles.Missing. Of several causes, those of this file come first, then the end, then
// UnknownRole.

// Facts are the parts of a key object that decide on its standing.
type Facts struct {
	// Deleted is true while the object is being deleted. Kept is true if it stays accepted as the last admin.
	Deleted, Kept bool
	// Demoted is true for an AdminUser whose role is not admin, Revoked for an APIKey that is refused for good.
	Demoted, Revoked bool
	Disabled         bool
	// NoSubject is true for an APIKey without a subject, which nothing would limit.
	NoSubject bool
}

// Standing returns why the object refuses every key of its own, or Accepted.
func (f Facts) Standing() Reason {
	switch {
	case f.Deleted && !f.Kept:
		return Deleted
	case f.Demoted:
		return Demoted
	case f.Revoked:
		return Revoked
	case f.Disabled:
		return Disabled
	case f.NoSubject:
		return Unknown
	}
	return Accepted
}

// OwnerStanding returns why every key that speaks as a user is refused, or Accepted.
func OwnerStanding(disabled, deniedKeys bool) Reason {
	switch {
	case disabled:
		return OwnerDisabled
	case deniedKeys:
		return OwnerDenied
	}
	return Accepted
}

// Refusal returns why every key of an object is refused, whatever its end, or Accepted. A username that
// another object holds outweighs a disabled object: it has to be settled first.
func Refusal(standing Reason, usernameTaken bool, owner Reason) Reason {
	switch {
	case usernameTaken && (standing == Accepted || standing == Disabled):
		return UsernameTaken
	case standing != Accepted:
		return standing
	}
	return owner
}

// ActiveAdmin reports whether an AdminUser counts as an active admin: its role is admin, nothing refuses its
// keys, and its current key is accepted. A pending key does not count: its plaintext may not be delivered yet.
//
// The current key of an AdminUser has no end. So it does not matter whether a caller takes "accepted" from
// condition Active, from the record at one instant, or from the record without an end.
func ActiveAdmin(admin bool, refusal Reason, currentKeyAccepted bool) bool {
	return admin && refusal == Accepted && currentKeyAccepted
}
