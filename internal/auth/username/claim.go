package username

import "time"

// Claim is the claim of one object to a username.
type Claim struct {
	// HoldsKeys is true if the object's status records a key.
	HoldsKeys bool
	// Created is the creation time of the object, which Kubernetes records to the second.
	Created time.Time
	// UID breaks the tie between objects that were created in the same second.
	UID string
}

// Before reports whether c wins over other: the object that holds keys wins, then the older, then the smaller
// uid.
func (c Claim) Before(other Claim) bool {
	switch {
	case c.HoldsKeys != other.HoldsKeys:
		return c.HoldsKeys
	case !c.Created.Equal(other.Created):
		return c.Created.Before(other.Created)
	}
	return c.UID < other.UID
}
