package admin

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"keywright.dev/keywright/internal/httpapi/jsonbody"
	"keywright.dev/keywright/internal/manage/users"
)

// prepare sets what every reply has.
func prepare(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Type", "application/json")
	header.Set("X-Content-Type-Options", "nosniff")
}

// reply is a success. A caller who is gone is nobody to tell of an error.
func reply(w http.ResponseWriter, v any) {
	_ = json.NewEncoder(w).Encode(v)
}

type problem struct {
	Detail string `json:"detail"`
}

func refuse(w http.ResponseWriter, status int, detail string) {
	w.WriteHeader(status)
	reply(w, problem{detail})
}

func refuseMethod(w http.ResponseWriter, allowed []string) {
	if slices.Contains(allowed, http.MethodGet) {
		allowed = append(allowed, http.MethodHead)
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	refuse(w, http.StatusMethodNotAllowed, "Method not allowed")
}

var statuses = map[users.Kind]int{
	users.Forbidden:   http.StatusForbidden,
	users.NotFound:    http.StatusNotFound,
	users.Invalid:     http.StatusBadRequest,
	users.Conflict:    http.StatusConflict,
	users.Unavailable: http.StatusServiceUnavailable,
}

// fail says why something was not done.
func (c *call) fail(err error) {
	var body *jsonbody.Error
	var refusal *users.Error
	switch {
	case errors.As(err, &body):
		refuseBody(c.w, body)
	case errors.As(err, &refusal) && refusal.Kind != users.Failed && refusal.Kind != users.Unavailable:
		refuse(c.w, statuses[refusal.Kind], refusal.Text)
	default:
		c.unavailable(err)
	}
}

// unavailable is what there is to say of a failure of ours. The log has its cause.
func (c *call) unavailable(err error) {
	cause := err
	if inner := errors.Unwrap(err); inner != nil {
		cause = inner
	}
	c.Log.WarnContext(c.r.Context(), "A request for management failed", "method", c.r.Method, "path", c.r.URL.Path, "error", cause.Error())
	var refusal *users.Error
	detail := "The server can't do this now"
	if errors.As(err, &refusal) {
		detail = refusal.Text
	}
	if down := c.Database.Err(); down != nil {
		detail = "The database is unavailable: " + down.Error()
	}
	refuse(c.w, http.StatusServiceUnavailable, detail)
}

// refuseBody says what is wrong with a body, in the words of COMPAT where it has some.
func refuseBody(w http.ResponseWriter, err *jsonbody.Error) {
	switch err.Kind {
	case jsonbody.NotJSON:
		refuse(w, http.StatusBadRequest, "Invalid JSON body")
	case jsonbody.OtherType:
		refuse(w, http.StatusBadRequest, "Invalid JSON body: "+err.Error())
	case jsonbody.NotObject:
		refuse(w, http.StatusBadRequest, "JSON body must be an object")
	case jsonbody.TooLong:
		refuse(w, http.StatusRequestEntityTooLarge, err.Error())
	default:
		refuse(w, http.StatusBadRequest, err.Error())
	}
}

// read reads the body into v.
func (c *call) read(v any, options ...jsonbody.Option) error {
	// A nil *Error is no nil error.
	if err := jsonbody.Read(c.w, c.r, v, options...); err != nil {
		return err
	}
	return nil
}

// written is a time as replies have it; nil, for null, where there is none.
func written(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC().Format(time.RFC3339))
}
