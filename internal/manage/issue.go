package manage

import (
	"time"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/gate"
)

// NotPermitted is the text for a caller without the right (docs/compatibility.md, "API keys").
const NotPermitted = "API key lacks required permission"

// Issue is a key as an operation would leave it: created, rotated, or changed so that it may do more or for longer.
type Issue struct {
	// Rights are those of an APIKey. Nil: the key of an admin, who holds everything.
	Rights *access.Rights
	// User is the user that the key speaks for. It is empty for a key without a user.
	User string
	// Ends is the latest end that the key can have without another operation. Zero: it has no end.
	Ends time.Time
	// Renews is true if the caller renews its own key, and has the right to.
	Renews bool
	// Hint follows the text that refuses Ends. It may be empty.
	Hint string
}

// CheckIssue refuses a key that exceeds its caller: it has a right that the caller lacks, or ends after the key of the
// caller. Otherwise a key with an end could replace itself in time. Every operation that returns or requests a
// plaintext, or widens what a key may do, calls it before it writes.
func CheckIssue(g *gate.Gate, caller Caller, i *Issue) error {
	switch {
	case i.Rights == nil && !caller.Admin, i.Rights != nil && !g.MayDelegate(caller.Caller, i.Rights, i.User):
		return Errorf(Forbidden, NotPermitted+": a caller can only give what it holds")
	case i.Renews || !outlasts(i.Ends, caller.Ends()):
		return nil
	}
	return Errorf(Forbidden, NotPermitted+": a caller can only give what it holds: "+
		"the end must be no later than the end of the caller's key, %s%s", caller.Ends().Format(time.RFC3339), i.Hint)
}

// outlasts reports whether end is later than other. The zero time means that there is no end.
func outlasts(end, other time.Time) bool {
	return !other.IsZero() && (end.IsZero() || end.After(other))
}
