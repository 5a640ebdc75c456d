package jsonbody

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// Kind is what is wrong with a body.
type Kind uint8

// Kinds of errors.
const (
	// NotJSON: the body is not one JSON value.
	NotJSON Kind = iota + 1
	// OtherType: the body is JSON, but its Content-Type is not.
	OtherType
	// NotObject: the body is JSON but not an object.
	NotObject
	// TooLong: the body is longer than MaxBytes.
	TooLong
	// BadField: a field is unknown, given twice, or of the wrong type.
	BadField
)

const problemNotObject = "the body must be a JSON object"

// Error is why a body is refused.
type Error struct {
	Kind Kind
	// Field is the path of the field for BadField: policy.permissions.effect.
	Field string
	// Problem is for people. For BadField it follows the name of the field.
	Problem string
}

// Error returns the field and its problem.
func (e *Error) Error() string {
	if e.Field == "" {
		return e.Problem
	}
	return e.Field + ": " + e.Problem
}

// unwanted translates the parser's errors about fields: unknown field "name", duplicate field "name".
func unwanted(err error) *Error {
	problem, field, _ := strings.Cut(err.Error(), " field ")
	e := &Error{Kind: BadField, Field: shown(strings.Trim(field, `"`)), Problem: "is given twice"}
	if problem == "unknown" {
		e.Problem = "is not known"
	}
	return e
}

// unreadable distinguishes a value of the wrong type from a body that is not JSON.
func unreadable(document []byte, err error) *Error {
	var other *json.UnmarshalTypeError
	isType := errors.As(err, &other) || json.Valid(document)
	switch {
	case !isType:
		return &Error{Kind: NotJSON, Problem: "the body is not JSON"}
	case !strings.HasPrefix(trim(document), "{"):
		return &Error{Kind: NotObject, Problem: problemNotObject}
	case other == nil:
		// An UnmarshalJSON method refused its value. Its error may repeat the value.
		return &Error{Kind: BadField, Field: "body", Problem: "has a value that can't be read"}
	}
	return &Error{Kind: BadField, Field: shown(other.Field), Problem: problemOf(other)}
}

// problemOf says what a value must be, or must not be.
func problemOf(e *json.UnmarshalTypeError) string {
	number, isNumber := strings.CutPrefix(e.Value, "number ")
	if kind := e.Type.Kind(); !isNumber || kind != reflect.Int && kind != reflect.Int64 {
		return "must not be " + article(e.Value)
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || math.Abs(n) > math.MaxInt64 || !strings.ContainsAny(number, ".eE") {
		return fmt.Sprintf("must be from %d to %d", math.MinInt64, math.MaxInt64)
	}
	return "must be a whole number"
}

func article(value string) string {
	// Some have a value after the type: "number -1".
	kind, _, _ := strings.Cut(value, " ")
	switch kind {
	case "object", "array":
		return "an " + kind
	case "bool":
		return "true or false"
	}
	return "a " + kind
}

// maxShown bounds the name of a field that is repeated, in bytes. A longer one is not cut: it may be a key, and a part
// of a key is not recognized.
const (
	maxShown = 64
	longName = "a field with a long name"
)

func shown(field string) string {
	if len(field) > maxShown {
		return longName
	}
	return field
}
