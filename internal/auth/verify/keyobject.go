package verify

import (
	"time"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/budget"
	"keywright.dev/keywright/internal/key/pepper"
)

// ID names a key object.
type ID struct {
	Kind, Namespace, Name string
}

// Identity is who a key speaks as.
type Identity struct {
	// Username is the name of a subject of kind User, and empty for others.
	Username string
	// Subject is <kind>/<name>: User/alice.
	Subject string
	// Admin is true for an admin's own key.
	Admin bool
}

// KeyObject is what the index has to know about a key object.
type KeyObject struct {
	Identity Identity
	// Standing is Accepted, or why every key of the object is refused.
	Standing Reason
	// Created and UID order objects that claim the same key or username: the older wins, then the smaller uid.
	Created time.Time
	UID     string
	// UserID is the id of an AdminUser's user, and of the user that an APIKey belongs to. It is empty for an APIKey that
	// belongs to none.
	UserID string
	// OwnsUsername is true if the object claims its username. Of several such objects with equal names one is
	// honoured: see username.Claim.
	OwnsUsername bool
	// HoldsKeys is true if the object records a key, even an unreadable one.
	HoldsKeys bool
	// Disabled also refuses the keys that other objects record for this user. It needs OwnsUsername.
	Disabled bool
	// StaysIfLast accepts the keys of an object that is being deleted, while there is no active admin.
	StaysIfLast bool
	// Rights is what the object gives to its keys. Nil: everything, as for an admin's own keys, which no other object
	// limits or refuses. It must not be modified after Put, and objects may share one to save memory.
	Rights *access.Rights
	// Budgets are those of the object itself. They must not be modified after Put.
	Budgets []budget.Budget
	// ExpiresAt is the instant from which every key is refused. Zero: never.
	ExpiresAt time.Time
	// TTL is how long after its issue a key is refused. Zero: never.
	TTL time.Duration
	// Keys are the recorded keys, the pending one included.
	Keys []Key
	// LastUsed is the last use of a key that the object's status records. Zero: none.
	LastUsed time.Time
}

// Key is one key of a KeyObject.
type Key struct {
	Digest pepper.Digest
	// IssuedAt is the instant that the lifetime of the key counts from.
	IssuedAt time.Time
	// ExpiresAt is the instant from which the key is refused, to the microsecond. Zero: never.
	ExpiresAt time.Time
	// Pending is true until the plaintext is in its Secret. A pending key is accepted like any other.
	Pending bool
	// Overlapping is true for an earlier key that is accepted until the end of its overlap.
	Overlapping bool
}
