package httpapi

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"

	"keywright.dev/keywright/internal/manage"
)

// Codes of errors in the replies of /apiv1 and /graphql (docs/compatibility.md, "API keys").
const (
	CodeUnauthorized = 401
	CodeBadRequest   = 4000
	CodeNotFound     = 4001
	CodeForbidden    = 4003
	CodeConflict     = 4009
	CodeInternal     = 5000
)

// Code returns the code of an error by its HTTP status.
func Code(status int) int {
	switch {
	case status == http.StatusUnauthorized:
		return CodeUnauthorized
	case status == http.StatusForbidden:
		return CodeForbidden
	case status == http.StatusNotFound:
		return CodeNotFound
	case status == http.StatusConflict:
		return CodeConflict
	case status >= http.StatusInternalServerError:
		return CodeInternal
	}
	return CodeBadRequest
}

// Status returns the HTTP status of an error of the use cases.
func Status(kind manage.Kind) int {
	switch kind {
	case manage.Unauthorized:
		return http.StatusUnauthorized
	case manage.Forbidden:
		return http.StatusForbidden
	case manage.NotFound:
		return http.StatusNotFound
	case manage.Invalid:
		return http.StatusBadRequest
	case manage.Conflict:
		return http.StatusConflict
	case manage.Unavailable:
		return http.StatusServiceUnavailable
	case manage.Busy:
		return http.StatusTooManyRequests
	}
	return http.StatusInternalServerError
}

// SetRetryAfter sets when to try again, in whole seconds, if the error has a time for that.
func SetRetryAfter(header http.Header, err *manage.Error) {
	if err.RetryAfter > 0 {
		header.Set("Retry-After", strconv.Itoa(int(math.Ceil(err.RetryAfter.Seconds()))))
	}
}

// WriteJSON writes a reply. It ignores a client that has gone away.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// OrNull returns nil, for null, instead of an empty text.
func OrNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// TimeOrNull returns a time in whole seconds, cut off, or nil, for null, instead of the zero time. A key is
// never accepted at the end that a reply shows.
func TimeOrNull(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC().Format(time.RFC3339))
}
