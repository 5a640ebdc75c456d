package apikeys

import (
	"time"

	"keywright.dev/keywright/api/v1alpha1"
)

// Query is which keys to list, newest first.
type Query struct {
	// Name is what the key's has to be, with * for any characters and ? for one. Empty: any.
	Name string
	// After is the Key.Cursor of the last key that was listed before. Empty: from the first.
	After string
	// Offset is how many to leave out, and Limit how many to list. 0: all.
	Offset, Limit int
}

// Page is a part of the keys there are.
type Page struct {
	// Items are never nil.
	Items []Key
	// Total is how many there are by the Query's Name, whatever part of them is listed.
	Total int
	// More says that others follow.
	More bool
}

// Wanted is a key to be created.
type Wanted struct {
	Name, Description, Category string
	Scopes, Roles               []string
	Policy                      *v1alpha1.Policy
	// Everything is short for a policy that allows everything, within what the key's user may.
	Everything bool
	// ExpiresAt is the instant from which the key is refused. Nil: none. A part of a second is cut off.
	ExpiresAt *time.Time
	// TTL is how long after each issue a key is refused, in whole seconds. 0: it goes on. It excludes ExpiresAt.
	TTL time.Duration
	// Disabled keys are refused until they are enabled.
	Disabled bool
}

// Change is what to change of a key. What is nil stays as it is.
type Change struct {
	Name, Description *string
	// Scopes and Roles replace those there are.
	Scopes, Roles *[]string
	// Policy replaces the one there is; NoPolicy takes it away.
	Policy   *v1alpha1.Policy
	NoPolicy bool
	// ExpiresAt and EndsIn, which counts from now, replace every end that the key has of its own; NoEnd takes them away.
	// Those of roles stay.
	ExpiresAt *time.Time
	EndsIn    time.Duration
	NoEnd     bool
	Enabled   *bool
}
