package graphql

import (
	"math"
	"strconv"
	"time"
)

// typeError is the error for a value of the wrong type. It names the type and not the value.
type typeError string

func (t typeError) Error() string { return string(t) }

// text is a String argument. The library's own type accepts a number as a character code.
type text string

// ImplementsGraphQLType reports whether name is the type in the schema.
func (text) ImplementsGraphQLType(name string) bool { return name == "String" }

// UnmarshalGraphQL decodes the value.
func (t *text) UnmarshalGraphQL(input any) error {
	s, ok := input.(string)
	if !ok {
		return typeError("A String must be a string.")
	}
	*t = text(s)
	return nil
}

func (t *text) string() string {
	if t == nil {
		return ""
	}
	return string(*t)
}

// identifier is an ID argument, which may be a number.
type identifier string

// ImplementsGraphQLType reports whether name is the type in the schema.
func (identifier) ImplementsGraphQLType(name string) bool { return name == "ID" }

// UnmarshalGraphQL decodes the value.
func (i *identifier) UnmarshalGraphQL(input any) error {
	if s, ok := input.(string); ok {
		*i = identifier(s)
		return nil
	}
	number, ok := whole(input)
	if !ok {
		return typeError("An ID must be a string, or a whole number.")
	}
	*i = identifier(strconv.FormatInt(number, 10))
	return nil
}

// count is an Int argument.
type count int32

// ImplementsGraphQLType reports whether name is the type in the schema.
func (count) ImplementsGraphQLType(name string) bool { return name == "Int" }

// UnmarshalGraphQL decodes the value.
func (c *count) UnmarshalGraphQL(input any) error {
	number, ok := whole(input)
	if !ok || number < math.MinInt32 || number > math.MaxInt32 {
		return typeError("An Int must be a whole number of 32 bits.")
	}
	*c = count(number)
	return nil
}

// whole returns a number without a fraction. Queries and variables have different types for numbers.
func whole(input any) (number int64, ok bool) {
	switch n := input.(type) {
	case int32:
		return int64(n), true
	case int64:
		return n, true
	case float64:
		// float64 is exact for whole numbers up to 2^53.
		const exact = 1 << 53
		return int64(n), n == math.Trunc(n) && math.Abs(n) <= exact
	}
	return 0, false
}

// timestamp is an instant.
type timestamp struct{ at time.Time }

// latest is the last instant with a year of four digits.
var latest = time.Date(9999, time.December, 31, 23, 59, 59, 0, time.UTC).UnixMilli()

// ImplementsGraphQLType reports whether name is the type in the schema.
func (timestamp) ImplementsGraphQLType(name string) bool { return name == "Timestamp" }

// UnmarshalGraphQL decodes the value.
func (t *timestamp) UnmarshalGraphQL(input any) error {
	number, ok := whole(input)
	if s, isText := input.(string); isText {
		// ParseUint takes no sign.
		digits, err := strconv.ParseUint(s, 10, 63)
		number, ok = int64(digits), err == nil
	}
	if !ok || number < 0 || number > latest {
		return typeError("A Timestamp must be milliseconds since 1970: a whole number, or a string of digits.")
	}
	t.at = time.UnixMilli(number).UTC()
	return nil
}

// MarshalJSON returns a number.
//
//nolint:unparam // the error is part of json.Marshaler
func (t timestamp) MarshalJSON() ([]byte, error) {
	return strconv.AppendInt(nil, t.at.UnixMilli(), 10), nil
}

func (t *timestamp) time() *time.Time {
	if t == nil {
		return nil
	}
	return &t.at
}

func stamp(at *time.Time) *timestamp {
	if at == nil {
		return nil
	}
	return &timestamp{at: *at}
}
