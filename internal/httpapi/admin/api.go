package admin

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/httpapi/jsonbody"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/tokenusage"
)

const prefix = "/api/"

// API is what all paths below /api have in common.
var API = &httpapi.API{Name: "admin", Prefix: prefix, Refuse: refuse, Unmatched: unmatched}

const adminOnly = "Admin access required"

type problem struct {
	Detail string `json:"detail"`
	// ID is the id of what was created already with the idempotency key of the request.
	ID string `json:"id,omitempty"`
}

func refuse(w http.ResponseWriter, _ *http.Request, status int, detail string) {
	httpapi.WriteJSON(w, status, problem{Detail: detail})
}

// unmatched hides from a caller without any right which paths exist below /api/admin.
func unmatched(c *httpapi.Call, allowed []string) {
	if isBelowAdmin(c.R) {
		if !c.Identify(httpapi.Lenient) {
			return
		}
		if !hasAnyRight(c) {
			c.Refuse(http.StatusForbidden, adminOnly)
			return
		}
	}
	if len(allowed) == 0 {
		c.Refuse(http.StatusNotFound, "Not found")
		return
	}
	c.W.Header().Set("Allow", strings.Join(allowed, ", "))
	c.Refuse(http.StatusMethodNotAllowed, "Method not allowed")
}

// isBelowAdmin takes the path apart before it decodes it: admin%2Fusers is one segment.
func isBelowAdmin(r *http.Request) bool {
	rest, _ := strings.CutPrefix(r.URL.EscapedPath(), prefix)
	first, _, _ := strings.Cut(rest, "/")
	decoded, err := url.PathUnescape(first)
	return err == nil && decoded == "admin"
}

func hasAnyRight(c *httpapi.Call) bool {
	rights := []string{"users.read", "users.write", audit.ActionRead, tokenusage.ActionRead}
	return c.Caller.Admin || slices.ContainsFunc(rights, c.May)
}

func reply(c *httpapi.Call, v any) { httpapi.WriteJSON(c.W, http.StatusOK, v) }

// fail replies with the error of an operation or of its input.
func fail(c *httpapi.Call, err error) {
	var body *jsonbody.Error
	var refusal *manage.Error
	switch {
	case errors.As(err, &body):
		refuseBody(c, body)
	case errors.As(err, &refusal) && refusal.Kind != manage.Failed && refusal.Kind != manage.Unavailable:
		httpapi.SetRetryAfter(c.W.Header(), refusal)
		httpapi.WriteJSON(c.W, httpapi.Status(refusal.Kind), problem{Detail: refusal.Error(), ID: refusal.ID})
	default:
		unavailable(c, err)
	}
}

// unavailable logs the cause of a failure of the server, and replies without it.
func unavailable(c *httpapi.Call, err error) {
	cause := err
	if inner := errors.Unwrap(err); inner != nil {
		cause = inner
	}
	c.Log.WarnContext(c.R.Context(), "A request for management failed",
		"method", c.R.Method, "route", c.R.Pattern, "error", cause.Error())
	text := "The server can't do this now"
	var refusal *manage.Error
	if errors.As(err, &refusal) {
		text = refusal.Error()
	}
	c.RefuseUnavailable(text)
}

// refuseBody uses the texts of docs/compatibility.md, "Login and users", where it has one.
func refuseBody(c *httpapi.Call, err *jsonbody.Error) {
	switch err.Kind {
	case jsonbody.NotJSON:
		c.Refuse(http.StatusBadRequest, "Invalid JSON body")
	case jsonbody.OtherType:
		c.Refuse(http.StatusBadRequest, "Invalid JSON body: "+err.Error())
	case jsonbody.NotObject:
		c.Refuse(http.StatusBadRequest, "JSON body must be an object")
	case jsonbody.TooLong:
		c.Refuse(http.StatusRequestEntityTooLarge, err.Error())
	default:
		c.Refuse(http.StatusBadRequest, err.Error())
	}
}

// read reads the body of a call into v.
func read(c *httpapi.Call, v any, options ...jsonbody.Option) error {
	err := jsonbody.Read(c.W, c.R, v, options...)
	if err == nil {
		// A nil *jsonbody.Error would be a non-nil error.
		return nil
	}
	return &manage.Error{Kind: manage.Invalid, Field: err.Field, Text: err.Problem, Cause: err}
}
