package graphql

import (
	"context"
	"errors"
	"strings"

	"github.com/graph-gophers/graphql-go"
	qerrors "github.com/graph-gophers/graphql-go/errors"

	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
)

const internalError = "internal error"

func newError(code int, text string) *qerrors.QueryError {
	return &qerrors.QueryError{Message: text, Extensions: map[string]any{"code": code}}
}

func oneError(code int, text string) []*qerrors.QueryError {
	return []*qerrors.QueryError{newError(code, text)}
}

// fieldError is why a field has no value.
type fieldError struct {
	code        int
	field, text string
	// id is of what was created already with the idempotency key of the request. It may be empty.
	id string
}

func (f *fieldError) Error() string {
	if f.field == "" {
		return f.text
	}
	return f.field + ": " + f.text
}

// Extensions returns what programs read of the error.
func (f *fieldError) Extensions() map[string]any {
	extensions := map[string]any{"code": f.code}
	if f.field != "" {
		extensions["field"] = f.field
	}
	if f.id != "" {
		extensions["id"] = f.id
	}
	return extensions
}

// fieldNames translates names of input fields to those of the schema.
var fieldNames = strings.NewReplacer(apikeys.FieldExpiresAt, "expiresAt", "integration", "id")

// fail returns the error of an operation as a fieldError.
func (r *root) fail(ctx context.Context, err error) error {
	var e *manage.Error
	if !errors.As(err, &e) {
		r.log.ErrorContext(ctx, "A request about keys failed", "error", err)
		return &fieldError{code: httpapi.CodeInternal, text: internalError}
	}
	return &fieldError{
		code: httpapi.Code(httpapi.Status(e.Kind)), field: fieldNames.Replace(e.Field), text: e.Text, id: e.ID,
	}
}

// maxErrors bounds the errors that are reported about one query.
const maxErrors = 10

// queryErrors returns what is wrong with a query. Errors of fields belong to its execution.
func queryErrors(found []*qerrors.QueryError) []*qerrors.QueryError {
	var reported []*qerrors.QueryError
	for _, e := range found {
		if e.ResolverError != nil || len(reported) == maxErrors {
			continue
		}
		p := newError(httpapi.CodeBadRequest, wording(e))
		p.Locations, p.Path = e.Locations, e.Path
		reported = append(reported, p)
	}
	return reported
}

const wrongType = "A value has the wrong type."

// wording keeps a message of the library only where it names nothing but parts of the schema and the query.
// Values are never repeated.
func wording(e *qerrors.QueryError) string {
	var t typeError
	switch {
	case errors.As(e.Err, &t):
		return string(t)
	case errors.Is(e.Err, graphql.ErrTooManySelections):
		return "The query has too many fields: at most 500 are allowed, fragments included."
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

// ofVariable names the variable, and what is missing or unknown.
func ofVariable(message string) string {
	variable, rest, _ := strings.Cut(message, " has invalid")
	unknown, isUnknown := strings.CutPrefix(rest, " value.\n")
	switch {
	case strings.HasSuffix(message, ", found null."):
		return cut(variable + " must not be null.")
	case isUnknown:
		return cut(variable + ": " + unknown)
	}
	return cut(variable + " has a value of the wrong type.")
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

// ofOperation covers errors without a rule: which operation to run, and values in the wrong place.
func ofOperation(message string) string {
	switch {
	case strings.HasPrefix(message, "no operations"):
		return "The query has no operation."
	case strings.HasPrefix(message, "more than one operation"):
		return "The query has more than one operation: operationName must name one of them."
	case strings.HasPrefix(message, "no operation with name"):
		return "The query has no operation with the name in operationName."
	case strings.HasPrefix(message, "graphql-ws"):
		return "Subscriptions are not supported."
	}
	return wrongType
}

// maxText bounds a text, in bytes: names in a query may be of any length.
const maxText = 300

func cut(text string) string {
	if len(text) > maxText {
		return strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	return text
}
