package keys

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/httpapi/jsonbody"
	"keywright.dev/keywright/internal/manage"
)

// API is what all paths below /apiv1 have in common.
var API = &httpapi.API{Name: "keys", Prefix: "/apiv1/", Refuse: refuse, Unmatched: unmatched}

type problem struct {
	Code int    `json:"code"`
	What string `json:"what"`
	// ID is the id of what was created already with the idempotency key of the request.
	ID string `json:"id,omitempty"`
}

func refuse(w http.ResponseWriter, _ *http.Request, status int, what string) {
	writeProblem(w, status, problem{What: what})
}

func writeProblem(w http.ResponseWriter, status int, p problem) {
	p.Code = httpapi.Code(status)
	httpapi.WriteJSON(w, status, struct {
		Error problem `json:"error"`
	}{p})
}

// unmatched identifies the caller first: others do not learn which paths exist.
func unmatched(c *httpapi.Call, allowed []string) {
	if !c.Identify(httpapi.Proven) {
		return
	}
	if len(allowed) == 0 {
		c.Refuse(http.StatusNotFound, "not found")
		return
	}
	slices.Sort(allowed)
	c.W.Header().Set("Allow", strings.Join(allowed, ", "))
	c.Refuse(http.StatusMethodNotAllowed, "method not allowed")
}

func reply(c *httpapi.Call, status int, data any) {
	httpapi.WriteJSON(c.W, status, struct {
		Data any `json:"data"`
	}{data})
}

// fail replies with the error of an operation.
func fail(c *httpapi.Call, err error) {
	var why *manage.Error
	var body *jsonbody.Error
	switch {
	case !errors.As(err, &why):
		c.Log.ErrorContext(c.R.Context(), "A request for API keys failed", "method", c.R.Method, "route", c.R.Pattern,
			"error", err.Error())
		c.Refuse(http.StatusInternalServerError, "internal error")
	case errors.As(err, &body) && body.Kind == jsonbody.TooLong:
		c.Refuse(http.StatusRequestEntityTooLarge, why.Error())
	case why.Kind == manage.Unavailable:
		c.RefuseUnavailable(why.Error())
	default:
		writeProblem(c.W, httpapi.Status(why.Kind), problem{What: why.Error(), ID: why.ID})
	}
}
