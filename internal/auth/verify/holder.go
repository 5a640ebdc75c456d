package verify

import (
	"time"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/key/pepper"
)

// ID names the object that a Holder was read from.
type ID struct {
	Kind, Namespace, Name string
}

// Identity is who a key speaks as.
type Identity struct {
	// Username is the name of a subject of kind User, and empty for others.
	Username string
	// Subject is <kind>/<name>: User/alice.
	Subject string
	// Admin says that the key is an admin's own.
	Admin bool
}

// Holder is what an object says about its keys.
type Holder struct {
	Identity Identity
	// Standing is Accepted, or why every key of the object is refused.
	Standing Reason
	// Created and UID order objects that lay claim to the same key or name: the older wins, then the smaller UID.
	Created time.Time
	UID     string
	// OwnsUsername says that the object stands for the user itself. Of several such objects of one username,
	// case aside, only one is honoured: username.Claim says which.
	OwnsUsername bool
	// HoldsKeys says that the object records a key, be it one that can't be read.
	HoldsKeys bool
	// Disabled says of an object that owns its username that the user's keys of other objects are refused too.
	Disabled bool
	// StaysIfLast says of an object that is being deleted that its keys are accepted while no other admin is there.
	StaysIfLast bool
	// Given is what the keys were given. Nil: everything, as an admin's own keys are; and only they come in whatever is
	// said of their user elsewhere. It is not to be changed any more, and takes memory once where several share it.
	Given *access.Given
	// ExpiresAt is the instant from which every key is refused. Zero: none.
	ExpiresAt time.Time
	// TTL is how long after its issue a key is refused. Zero: it goes on.
	TTL time.Duration
	// Keys are the object's keys. A pending one is accepted like any other.
	Keys []Key
	// LastUsed is the last use of a key that the object tells of. Zero: none.
	LastUsed time.Time
}

// Key is one key of a Holder.
type Key struct {
	Digest   pepper.Digest
	IssuedAt time.Time
	// NotAfter is the instant from which the key is refused, to the microsecond. Zero: none.
	NotAfter time.Time
	// Overlaps says that another key has taken its place, and that it only goes on until programs have taken that up.
	Overlaps bool
}
