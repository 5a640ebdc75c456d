package users

import (
	"errors"
	"fmt"

	"keywright.dev/keywright/internal/kube/objects"
)

// Kind is why something was not done. A surface has a status for each.
type Kind uint8

// Kinds. The zero Kind is a failure of ours.
const (
	// Failed: something went wrong that nobody asked for.
	Failed Kind = iota
	// Forbidden: the caller may not.
	Forbidden
	// NotFound: there is no such user.
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
	// Text is for the caller. It holds no key.
	Text string
	// Cause is for the log, and nil where the text says it all.
	Cause error
}

func (e *Error) Error() string { return e.Text }

func (e *Error) Unwrap() error { return e.Cause }

// Refusal is an error of a surface, in what a caller asked.
func Refusal(text string) *Error { return &Error{Kind: Invalid, Text: text} }

func failf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Text: fmt.Sprintf(format, args...)}
}

var errForbidden = &Error{Kind: Forbidden, Text: "Admin access required"}

// failure translates what went wrong underneath.
func failure(err error) error {
	var ours *Error
	var invalid *objects.Invalid
	var refused *objects.Refused
	switch {
	case err == nil || errors.As(err, &ours):
		return err
	case errors.As(err, &invalid):
		return &Error{Kind: Invalid, Text: invalid.Error(), Cause: err}
	case errors.As(err, &refused):
		return &Error{Kind: Conflict, Text: refused.Error(), Cause: err}
	case errors.Is(err, objects.ErrGone):
		return &Error{Kind: Conflict, Text: "The user was deleted meanwhile", Cause: err}
	case errors.Is(err, objects.ErrUnavailable):
		return &Error{Kind: Unavailable, Text: "The API server is unavailable", Cause: err}
	}
	return &Error{Kind: Unavailable, Text: "The server can't do this now", Cause: err}
}
