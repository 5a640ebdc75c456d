package manage

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage/audit"
)

// Kind is why an operation was not done. Each surface has a status or code for every Kind.
type Kind uint8

// Kinds of errors.
const (
	// Failed is an unexpected failure of the server.
	Failed Kind = iota
	// Unauthorized: the caller has not proven who it is.
	Unauthorized
	// Forbidden: the caller lacks the right.
	Forbidden
	// NotFound: the object does not exist for this caller.
	NotFound
	// Invalid: the input is not valid.
	Invalid
	// Conflict: the operation contradicts the present state.
	Conflict
	// Unavailable: something that the operation needs is down.
	Unavailable
	// Busy: too much is asked for at once. The caller may try again soon.
	Busy
)

// Error is why an operation was not done.
type Error struct {
	Kind Kind
	// Field is the input that is wrong, as /apiv1 names it: expires_at, policy.permissions[0].actions[1]. It is
	// empty where the error is not about a field. Text does not repeat it.
	Field string
	// Text is for the caller. It never holds a key.
	Text string
	// ID is the id of what was created already, in a Conflict of creations with an idempotency key. It may be empty.
	ID string
	// Right is the right that a Forbidden caller lacks: apikeys.read. It is empty where no single right would do.
	Right string
	// RetryAfter is when a Busy caller may try again, if that is known.
	RetryAfter time.Duration
	// Cause is for the log. It may be nil.
	Cause error
	// Others are more faults of the same input. A surface that reports one fault leaves them out.
	Others []*Error
}

// Errorf returns an Error with a formatted text.
func Errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Text: fmt.Sprintf(format, args...)}
}

// NotReady returns the error for a request that comes before the server has read enough of the cluster.
func NotReady() *Error {
	return Errorf(Unavailable, "The server has not read enough of the cluster yet to identify you")
}

// InvalidField returns the Error for a field of the input.
func InvalidField(field, text string) *Error { return &Error{Kind: Invalid, Field: field, Text: text} }

// Faults returns the first fault of an input, which holds the other ones. Without a fault it returns nil.
func Faults(all []*Error) error {
	if len(all) == 0 {
		return nil
	}
	first := *all[0]
	first.Others = all[1:]
	return &first
}

func (e *Error) Error() string {
	if e.Field == "" {
		return e.Text
	}
	return e.Field + ": " + e.Text
}

func (e *Error) Unwrap() error { return e.Cause }

// Is reports whether err is an *Error of this Kind.
func Is(err error, kind Kind) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == kind
}

// Outcome returns the audit outcome of an operation that returned err.
func Outcome(err error) string {
	var e *Error
	switch {
	case err == nil:
		return audit.Done
	case !errors.As(err, &e) || e.Kind == Failed || e.Kind == Unavailable:
		return audit.Failed
	}
	return audit.Refused
}

// Translation translates errors of package objects for the callers of a service.
type Translation struct {
	// Gone, Exists and Other are returned for objects.ErrGone, objects.ErrExists and unexpected errors.
	Gone, Exists, Other Error
}

// Error returns err as an *Error. err must not be nil.
func (t *Translation) Error(err error) *Error {
	var known *Error
	var invalid *objects.Invalid
	var refused *objects.Refused
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &invalid):
		return &Error{Kind: Invalid, Field: invalid.Field, Text: cmp.Or(invalid.Problem, "is not valid"), Cause: err}
	case errors.As(err, &refused):
		return &Error{Kind: Conflict, Text: refused.Error(), Cause: err}
	case errors.Is(err, objects.ErrGone):
		return t.Gone.because(err)
	case errors.Is(err, objects.ErrExists):
		return t.Exists.because(err)
	case errors.Is(err, objects.ErrNotRevoked):
		return &Error{Kind: Unavailable, Text: "The database is unavailable, and the key was not revoked", Cause: err}
	case errors.Is(err, objects.ErrUnavailable):
		return &Error{Kind: Unavailable, Text: "The API server is unavailable", Cause: err}
	}
	return t.Other.because(err)
}

// because returns a copy of e with its cause.
func (e Error) because(cause error) *Error {
	e.Cause = cause
	return &e
}
