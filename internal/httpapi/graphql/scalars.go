package graphql

import (
	"math"
	"strconv"
	"time"
)

// mistake is a value of another kind than it has to be. It says which kind that is, and not the value.
type mistake string

func (m mistake) Error() string { return string(m) }

// text is a String that is asked for. The library's own takes a number for the character of that code.
type text string

// ImplementsGraphQLType says which type of the schema it is.
func (text) ImplementsGraphQLType(name string) bool { return name == "String" }

// UnmarshalGraphQL reads it.
func (t *text) UnmarshalGraphQL(input any) error {
	s, is := input.(string)
	if !is {
		return mistake("A String has to be a string.")
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

// identifier is an ID that is asked for, which may be a number.
type identifier string

// ImplementsGraphQLType says which type of the schema it is.
func (identifier) ImplementsGraphQLType(name string) bool { return name == "ID" }

// UnmarshalGraphQL reads it.
func (i *identifier) UnmarshalGraphQL(input any) error {
	if s, is := input.(string); is {
		*i = identifier(s)
		return nil
	}
	number, is := whole(input)
	if !is {
		return mistake("An ID has to be a string, or a whole number.")
	}
	*i = identifier(strconv.FormatInt(number, 10))
	return nil
}

// count is an Int that is asked for.
type count int32

// ImplementsGraphQLType says which type of the schema it is.
func (count) ImplementsGraphQLType(name string) bool { return name == "Int" }

// UnmarshalGraphQL reads it.
func (c *count) UnmarshalGraphQL(input any) error {
	number, is := whole(input)
	if !is || number < math.MinInt32 || number > math.MaxInt32 {
		return mistake("An Int has to be a whole number of 32 bits.")
	}
	*c = count(number)
	return nil
}

// whole is a number without a fraction, in one of the types that it may come in: from a query, or from variables.
func whole(input any) (number int64, is bool) {
	switch n := input.(type) {
	case int32:
		return int64(n), true
	case int64:
		return n, true
	case float64:
		// Beyond this not every whole number is a float64, and int64 has an end.
		const exact = 1 << 53
		return int64(n), n == math.Trunc(n) && math.Abs(n) <= exact
	}
	return 0, false
}

// timestamp is an instant.
type timestamp struct{ at time.Time }

// latest is the last instant with a year of four digits.
var latest = time.Date(9999, time.December, 31, 23, 59, 59, 0, time.UTC).UnixMilli()

// ImplementsGraphQLType says which type of the schema it is.
func (timestamp) ImplementsGraphQLType(name string) bool { return name == "Timestamp" }

// UnmarshalGraphQL reads it.
func (t *timestamp) UnmarshalGraphQL(input any) error {
	number, is := whole(input)
	if s, isText := input.(string); isText {
		// ParseUint takes no sign.
		digits, err := strconv.ParseUint(s, 10, 63)
		number, is = int64(digits), err == nil
	}
	if !is || number < 0 || number > latest {
		return mistake("A Timestamp has to be milliseconds since 1970: a whole number, or a string of digits.")
	}
	t.at = time.UnixMilli(number).UTC()
	return nil
}

// MarshalJSON is a number.
//
//nolint:unparam // an interface has the error
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
