package graphql

import (
	"errors"
	"strings"

	"github.com/graph-gophers/graphql-go"
	qerrors "github.com/graph-gophers/graphql-go/errors"
)

func problem(code int, text string) *qerrors.QueryError {
	return &qerrors.QueryError{Message: text, Extensions: map[string]any{"code": code}}
}

func single(code int, text string) []*qerrors.QueryError {
	return []*qerrors.QueryError{problem(code, text)}
}

// maxTold bounds how much is said of what is wrong with one query.
const maxTold = 10

// tell says what is wrong with a query. What a field itself has to say is left for the performance.
func tell(found []*qerrors.QueryError) []*qerrors.QueryError {
	var told []*qerrors.QueryError
	for _, e := range found {
		if e.ResolverError != nil || len(told) == maxTold {
			continue
		}
		p := problem(codeBadRequest, wording(e))
		p.Locations, p.Path = e.Locations, e.Path
		told = append(told, p)
	}
	return told
}

const wrongType = "A value is of another type than it has to be."

// wording is the library's own where that names but what is in the schema or in the query, and never a value.
func wording(e *qerrors.QueryError) string {
	var m mistake
	switch {
	case errors.As(e.Err, &m):
		return string(m)
	case errors.Is(e.Err, graphql.ErrTooManySelections):
		return "The query asks for too many fields: with its fragments put in, 500 are the most."
	case errors.Is(e.Err, qerrors.ErrSyntax):
		return "Syntax error" + expected(e.Message) + "."
	case e.Rule == "VariablesOfCorrectType":
		return ofVariable(e.Message)
	case e.Rule == "ValuesOfCorrectTypeRule":
		return withoutValue(e.Message)
	case e.Rule != "":
		return cut(e.Message)
	}
	return ofOperation(e.Message)
}

// expected leaves out what was found instead.
func expected(message string) string {
	if i := strings.LastIndex(message, ", expecting "); i >= 0 {
		return ": " + message[i+len(", "):]
	}
	return ""
}

// ofVariable has the name of the variable, and what is missing or unknown.
func ofVariable(message string) string {
	variable, rest, _ := strings.Cut(message, " has invalid")
	unknown, isUnknown := strings.CutPrefix(rest, " value.\n")
	switch {
	case strings.HasSuffix(message, ", found null."):
		return cut(variable + " must not be null.")
	case isUnknown:
		return cut(variable + ": " + unknown)
	}
	return cut(variable + " has a value of another type.")
}

func withoutValue(message string) string {
	for _, mark := range []string{", found ", ": "} {
		if before, after, has := strings.Cut(message, mark); has && after != "null." {
			return cut(before + ".")
		}
	}
	if strings.HasPrefix(message, "Field ") || strings.HasPrefix(message, "Expected ") {
		return cut(message)
	}
	return wrongType
}

// ofOperation is of what has no rule: which operation is meant, and values that do not go where they are put.
func ofOperation(message string) string {
	switch {
	case strings.HasPrefix(message, "no operations"):
		return "The query has no operation."
	case strings.HasPrefix(message, "more than one operation"):
		return "The query has more than one operation: operationName has to say which one is meant."
	case strings.HasPrefix(message, "no operation with name"):
		return "The query has no operation of the name that operationName has."
	case strings.HasPrefix(message, "graphql-ws"):
		return "There are no subscriptions here."
	}
	return wrongType
}

// maxWords bounds a text, in bytes: names in a query may be of any length.
const maxWords = 300

func cut(words string) string {
	if len(words) > maxWords {
		return strings.ToValidUTF8(words[:maxWords], "") + "…"
	}
	return words
}
