package gate

import (
	"cmp"
	"io"
	"net/http"
	"strconv"

	"keywright.dev/keywright/internal/auth/credential"
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

// unauthorized are the refusals of a caller without an accepted key.
type unauthorized struct {
	askForKey, invalidKey, severalKeys *Refusal
}

// bySchemes has the refusals for each set of schemes that a client may use: a challenge for another scheme would make
// browsers and Git ask for a password in vain.
var bySchemes = func() (all [credential.Schemes + 1]unauthorized) {
	for schemes := range credential.Schemes + 1 {
		all[schemes] = newUnauthorized(schemes)
	}
	return all
}()

// newUnauthorized returns the refusals for some schemes. Refused keys look alike for every reason: unknown, expired and
// malformed. Several different keys are a fault of the request, whatever they are (RFC 6750, section 3.1).
func newUnauthorized(schemes credential.Forms) unauthorized {
	refuse := func(what, parameter string) *Refusal {
		return refusal(http.StatusUnauthorized, codeUnauthorized, what, challenge(schemes, parameter)...)
	}
	return unauthorized{
		askForKey:   refuse("invalid token", ""),
		invalidKey:  refuse("invalid token", `, error="invalid_token"`),
		severalKeys: refuse("the request presents several different keys", `, error="invalid_request"`),
	}
}

// The texts are fixed by docs/compatibility.md, "Allow list" and "API keys".
var (
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

// challenge returns a challenge for each scheme: git never sends its credentials unless asked for Basic. A 401 must
// have one (RFC 9110, section 15.5.2), so a set without schemes gets ApiKey, which clients don't know. parameter is
// empty if nothing was presented (RFC 6750, section 3).
func challenge(schemes credential.Forms, parameter string) (header []string) {
	for _, c := range []struct {
		scheme credential.Forms
		text   string
	}{
		{credential.Bearer, `Bearer realm="keywright"` + parameter},
		{credential.Basic, `Basic realm="keywright", charset="UTF-8"`},
		{credential.Token, `Token realm="keywright"` + parameter},
	} {
		if schemes&c.scheme != 0 {
			header = append(header, "Www-Authenticate", c.text)
		}
	}
	if header == nil {
		return []string{"Www-Authenticate", `ApiKey realm="keywright"` + parameter}
	}
	return header
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
	refusals := &bySchemes[d.Forms.Schemes()]
	switch {
	case d.verdict == verify.Ambiguous:
		return refusals.severalKeys
	case d.Presented:
		return refusals.invalidKey
	}
	return refusals.askForKey
}

// Refusals returns every refusal that requests share.
func Refusals() []*Refusal {
	all := []*Refusal{notListed, notPermitted, unmatched, ambiguous, undescribed, usedUp, notReady, stale}
	for _, u := range bySchemes {
		all = append(all, u.askForKey, u.invalidKey, u.severalKeys)
	}
	return all
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
