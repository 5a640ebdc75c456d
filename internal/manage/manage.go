package manage

import (
	"context"

	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/lastuse"
)

// Caller is who calls an operation, and from which address.
type Caller struct {
	*gate.Caller
	From string
	// Reason is why the caller does it, in the caller's own words: one line without keys. It may be empty.
	Reason string
	// BadReason is the *Error for a reason that cannot be recorded, or nil. It is a fault of the input.
	BadReason error
}

// Because returns the end of an event's sentence: the reason, if there is one.
func (c Caller) Because() string {
	if c.Reason == "" {
		return ""
	}
	return ": " + c.Reason
}

// Read reads what a caller asks for. An operation calls it once the caller is authorized, so that only
// authorized callers learn what is wrong with their input. Its error is an *Error.
type Read[T any] func() (T, error)

// By reads for a caller. It returns refused if the caller's key is refused by now: the input may take long to arrive,
// and what a user may do ends with the user.
func (r Read[T]) By(g *gate.Gate, caller Caller, refused error) (input T, err error) {
	if caller.BadReason != nil {
		return input, caller.BadReason
	}
	input, err = r()
	if err == nil && !g.Accepts(caller.Caller) {
		err = refused
	}
	return input, err
}

// Trail records audit entries. In the server it is an *audit.Trail; tests keep the entries in memory.
type Trail interface {
	Record(ctx context.Context, e audit.Entry)
}

// Entries lists the audit trail. In the server it is in the database, which may be down.
type Entries interface {
	List(ctx context.Context, f audit.Filter) ([]audit.Entry, error)
}

// Uses returns the last uses of objects by uid, and the uses of one object by address and day. In the server they are
// in the database, which may be down.
type Uses interface {
	LastUses(ctx context.Context, uids []string) (map[string]lastuse.Use, error)
	AddressUses(ctx context.Context, uid string) ([]lastuse.AddressUse, error)
}
