package gate

import (
	"cmp"
	"io"
	"net/http"
	"strconv"

	"keywright.dev/keywright/internal/auth/verify"
)

// Refusal is the reply for an outcome that does not let a request pass.
type Refusal struct {
	Status int
	// Header is shared and must not be changed.
	Header http.Header
	Body   string
	// Text is the message in Body, for surfaces with a form of their own.
	Text string
}

const (
	codeUnauthorized = 401
	codeForbidden    = 4003
	codeOverBudget   = 4029
	codeInternal     = 5000
)

// NotAllowed is the text for a caller who is not on the allow list (docs/compatibility.md, "Allow list").
const NotAllowed = "User not allowed. Contact an administrator to be added to the allow list."

// The texts are fixed by docs/compatibility.md, "Allow list" and "API keys". Refused keys look alike for every reason:
// unknown, expired and malformed. Several different keys are a fault of the request, whatever they are (RFC 6750,
// section 3.1).
var (
	askForKey  = refusal(http.StatusUnauthorized, codeUnauthorized, "invalid token", challenge("")...)
	invalidKey = refusal(
		http.StatusUnauthorized, codeUnauthorized, "invalid token", challenge(`, error="invalid_token"`)...,
	)
	severalKeys = refusal(
		http.StatusUnauthorized, codeUnauthorized, "the request presents several different keys",
		challenge(`, error="invalid_request"`)...,
	)
	notListed    = detailed(NotAllowed)
	notPermitted = refusal(http.StatusForbidden, codeForbidden, "API key lacks required permission")
	unmatched    = refusal(http.StatusForbidden, codeForbidden, "No route allows this request")
	ambiguous    = refusal(http.StatusForbidden, codeForbidden, "The request can be read in more than one way")
	undescribed  = refusal(
		http.StatusForbidden, codeForbidden, "The gateway did not describe the request: its method, path or host is missing",
	)
	// usedUp stands for overBudget in a Decision that does not know the budget.
	usedUp = refusal(http.StatusTooManyRequests, codeOverBudget, "A budget is used up", "Retry-After", "1")
	// These are not 401: on a 401, git discards its key, which may be valid.
	notReady = refusal(http.StatusServiceUnavailable, codeInternal, "not ready yet", "Retry-After", "1")
	stale    = refusal(
		http.StatusServiceUnavailable, codeInternal, "the view of the cluster is too old", "Retry-After", "1",
	)
)

// NoClientCertificate is the reply to a gateway without a client certificate, where gateways need one. It is not 401:
// clients of the gateway could do nothing about it.
var NoClientCertificate = refusal(
	http.StatusForbidden, codeForbidden, "The gateway has no client certificate, which this server requires",
)

// challenge returns the challenges for both schemes: git never sends its credentials unless asked for Basic. parameter
// is empty if nothing was presented (RFC 6750, section 3).
func challenge(parameter string) []string {
	return []string{
		"Www-Authenticate", `Bearer realm="keywright"` + parameter,
		"Www-Authenticate", `Basic realm="keywright", charset="UTF-8"`,
	}
}

func refusal(status, code int, what string, header ...string) *Refusal {
	return newRefusal(status, what, `{"error":{"code":`+strconv.Itoa(code)+`,"what":`+strconv.Quote(what)+`}}`, header)
}

// detailed returns a refusal that also has the text in "detail", where clients of the admin API look for it.
func detailed(text string) *Refusal {
	quoted := strconv.Quote(text)
	body := `{"detail":` + quoted + `,"error":{"code":` + strconv.Itoa(codeForbidden) + `,"what":` + quoted + `}}`
	return newRefusal(http.StatusForbidden, text, body, nil)
}

func newRefusal(status int, text, body string, header []string) *Refusal {
	r := &Refusal{Status: status, Text: text, Body: body + "\n", Header: http.Header{
		"Cache-Control": {"no-store"}, "Content-Type": {"application/json"},
	}}
	for i := 0; i < len(header); i += 2 {
		r.Header[header[i]] = append(r.Header[header[i]], header[i+1])
	}
	return r
}

// Refusal returns the reply that refuses the request, or nil if it may pass.
func (d *Decision) Refusal() *Refusal {
	switch d.Outcome {
	case Allowed:
		return nil
	case NotListed:
		return notListed
	case NotPermitted, NotOwner:
		return notPermitted
	case Unmatched:
		return unmatched
	case Ambiguous:
		return ambiguous
	case Undescribed:
		return undescribed
	case OverBudget:
		return cmp.Or(d.overBudget, usedUp)
	case NotReady:
		return notReady
	case Stale:
		return stale
	}
	switch {
	case d.verdict == verify.Ambiguous:
		return severalKeys
	case d.Presented:
		return invalidKey
	}
	return askForKey
}

// Answer writes the refusal as an HTTP reply.
func (r *Refusal) Answer(w http.ResponseWriter) {
	header := w.Header()
	for name, values := range r.Header {
		header[name] = values
	}
	w.WriteHeader(r.Status)
	_, _ = io.WriteString(w, r.Body)
}
