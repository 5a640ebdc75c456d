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

// OwnerFacts are what the keys that speak as a user depend on.
type OwnerFacts struct {
	// Present is the id of the user whose AdminUser has the name now: not of one that is being deleted. Empty: there is
	// none.
	Present string
	// Disabled is true if that AdminUser is disabled, Denied if the user may not own keys.
	Disabled, Denied bool
}

// Standing returns why a key is refused that belongs to the user with this id, or Accepted. An empty owner stands for a
// key that belongs to no AdminUser. A key never passes to another user of the same name.
func (f OwnerFacts) Standing(owner string) Reason {
	switch {
	case owner != "" && owner != f.Present:
		return OwnerGone
	case f.Disabled:
		return OwnerDisabled
	case f.Denied:
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
