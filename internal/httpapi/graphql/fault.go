package graphql

import (
	"context"
	"errors"
	"strings"

	"keywright.dev/keywright/internal/manage/apikeys"
)

// Codes are those of COMPAT D.
const (
	codeUnauthorized = 401
	codeForbidden    = 4003
	codeNotFound     = 4001
	codeBadRequest   = 4000
	codeConflict     = 4009
	codeInternal     = 5000
)

const internalError = "internal error"

// fault is why a field could not be had.
type fault struct {
	code        int
	field, text string
}

func (f *fault) Error() string {
	if f.field == "" {
		return f.text
	}
	return f.field + ": " + f.text
}

// Extensions are what programs read of it.
func (f *fault) Extensions() map[string]any {
	extensions := map[string]any{"code": f.code}
	if f.field != "" {
		extensions["field"] = f.field
	}
	return extensions
}

// fieldNames are fields of the schema by what they are called in package apikeys, where that is something else.
var fieldNames = strings.NewReplacer(apikeys.FieldExpiresAt, "expiresAt", "integration", "id")

func (r *root) fault(ctx context.Context, err error) error {
	var e *apikeys.Error
	if !errors.As(err, &e) {
		r.log.ErrorContext(ctx, "A request about keys failed", "error", err)
		return &fault{code: codeInternal, text: internalError}
	}
	f := &fault{field: fieldNames.Replace(e.Field), text: e.Text}
	switch e.Kind {
	case apikeys.Unauthorized:
		f.code = codeUnauthorized
	case apikeys.Forbidden:
		f.code = codeForbidden
	case apikeys.NotFound:
		f.code = codeNotFound
	case apikeys.Invalid:
		f.code = codeBadRequest
	case apikeys.Conflict:
		f.code = codeConflict
	case apikeys.Unavailable, apikeys.Failed:
		f.code = codeInternal
	}
	return f
}
