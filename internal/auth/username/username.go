package username

import (
	"strings"
	"time"
	"unicode"
)

// Fold is the form in which two names that differ by case alone are the same. Names of Keywright are ASCII; a proxy may
// tell of others, and none of these becomes one of ours: the Kelvin sign in lower case is a k.
func Fold(name string) string {
	folded := strings.ToLower(name)
	if isASCII(folded) && !isASCII(name) {
		return name
	}
	return folded
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > unicode.MaxASCII }) < 0
}

// Claim is one object's claim to a username.
type Claim struct {
	// HoldsKeys says that the object's status records a key.
	HoldsKeys bool
	// Created is the object's creation, to the second as Kubernetes has it.
	Created time.Time
	// UID tells apart what was created in the same second.
	UID string
}

// Before says whether c wins over other: the object that holds keys, then the older, then the smaller uid.
func (c Claim) Before(other Claim) bool {
	switch {
	case c.HoldsKeys != other.HoldsKeys:
		return c.HoldsKeys
	case !c.Created.Equal(other.Created):
		return c.Created.Before(other.Created)
	}
	return c.UID < other.UID
}
