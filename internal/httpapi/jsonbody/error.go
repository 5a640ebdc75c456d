package jsonbody

import (
	"encoding/json"
	"errors"
	"strings"
)

// Kind of what is wrong.
type Kind uint8

// Kinds of what is wrong with a body.
const (
	// NotJSON: it is no JSON, or not only that.
	NotJSON Kind = iota + 1
	// OtherType: it is JSON, and says that it is something else.
	OtherType
	// NotObject: it is JSON, and no object.
	NotObject
	// TooLong: it is longer than MaxBytes.
	TooLong
	// BadField: an object, but for a field that is unknown, there twice, or of another type.
	BadField
)

const problemNotObject = "the body must be a JSON object"

// Error says what is wrong with a body.
type Error struct {
	Kind Kind
	// Field is the path of the field, with BadField: policy.permissions.effect.
	Field string
	// Problem is for a person to read. With BadField it follows the name of the field.
	Problem string
}

// Error is the field and its problem.
func (e *Error) Error() string {
	if e.Field == "" {
		return e.Problem
	}
	return e.Field + ": " + e.Problem
}

// unwanted translates what the parser says of fields: unknown field "name", duplicate field "name".
func unwanted(err error) *Error {
	problem, field, _ := strings.Cut(err.Error(), " field ")
	e := &Error{Kind: BadField, Field: shown(strings.Trim(field, `"`)), Problem: "is given twice"}
	if problem == "unknown" {
		e.Problem = "is not known"
	}
	return e
}

// unreadable tells a value of another type from what is no JSON at all.
func unreadable(document []byte, err error) *Error {
	var other *json.UnmarshalTypeError
	isType := errors.As(err, &other) || json.Valid(document)
	switch {
	case !isType:
		return &Error{Kind: NotJSON, Problem: "the body is not JSON"}
	case !strings.HasPrefix(trim(document), "{"):
		return &Error{Kind: NotObject, Problem: problemNotObject}
	case other == nil:
		// A type of ours that reads itself has refused its value. What it says may repeat that.
		return &Error{Kind: BadField, Field: "body", Problem: "has a value that can't be read"}
	}
	return &Error{Kind: BadField, Field: shown(other.Field), Problem: "must not be " + article(other.Value)}
}

func article(value string) string {
	// "number -1" and the like say more than the type.
	kind, _, _ := strings.Cut(value, " ")
	switch kind {
	case "object", "array":
		return "an " + kind
	case "bool":
		return "true or false"
	}
	return "a " + kind
}

// maxShown bounds what is repeated of a field's name, which may be anything when the field is unknown: in bytes.
const maxShown = 64

func shown(field string) string {
	if len(field) > maxShown {
		field = strings.ToValidUTF8(field[:maxShown], "") + "…"
	}
	return field
}
