package apikeys

// Kind is why something was not done. A surface has a status or a code for each.
type Kind uint8

// Kinds. The zero Kind is a failure of ours.
const (
	// Failed: something went wrong that nobody asked for.
	Failed Kind = iota
	// Unauthorized: nobody asks who may be known.
	Unauthorized
	// Forbidden: the caller may not.
	Forbidden
	// NotFound: there is no such key for this caller.
	NotFound
	// Invalid: what was asked for can't be.
	Invalid
	// Conflict: it can't be as things are now.
	Conflict
	// Unavailable: what it takes can't be reached now.
	Unavailable
)

// Error is why something was not done.
type Error struct {
	Kind Kind
	// Field is what is wrong with what was asked for, as package keysapi names it: expires_at,
	// policy.permissions[0].actions[1]. Empty where it is no field. Text does not repeat it.
	Field string
	// Text is for the caller. It holds no key.
	Text string
	// Cause is for the log, and nil where the text says it all.
	Cause error
}

func (e *Error) Error() string {
	if e.Field == "" {
		return e.Text
	}
	return e.Field + ": " + e.Text
}

func (e *Error) Unwrap() error { return e.Cause }
