package apikeys

import (
	"time"

	"keywright.dev/keywright/internal/access"
	"keywright.dev/keywright/internal/gate"
)

// Gate says what callers may.
type Gate interface {
	May(c *gate.Caller, r access.Request) bool
	// MayGive says whether a caller may hand out rights to a key that speaks for a user, or for none: "".
	MayGive(c *gate.Caller, given *access.Given, to string) bool
}

// Config is what the use cases work with.
type Config struct {
	Gate Gate
	// Account is the name of the instance's own account.
	Account func() string
	Now     func() time.Time
}
