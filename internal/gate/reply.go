package gate

import (
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Headers that tell the app who sent a request.
const (
	HeaderUser    = "X-Auth-User"
	HeaderSubject = "X-Auth-Subject"
	HeaderKeyID   = "X-Auth-Key-Id"
	HeaderScopes  = "X-Auth-Scopes"
	HeaderAdmin   = "X-Auth-Admin"
)

// IdentityHeaders are all of them, in the order of Identity.
var IdentityHeaders = [...]string{HeaderUser, HeaderSubject, HeaderKeyID, HeaderScopes, HeaderAdmin}

// Identity is what IdentityHeaders say of a caller. Nobody in particular is all empty, but for false.
func (c *Caller) Identity() [len(IdentityHeaders)]string {
	return [...]string{c.Username, c.Subject, c.KeyID, strings.Join(c.Scopes, " "), strconv.FormatBool(c.Admin)}
}

// IsIdentityHeader says that an app may take a header for one of IdentityHeaders.
func IsIdentityHeader(name string) bool { return slices.Contains(IdentityHeaders[:], AsRead(name)) }

// CredentialHeaders carry what Keywright lets callers in by, and nothing that is any of the app's business.
var CredentialHeaders = [...]string{"Authorization", "X-Api-Key"}

// Refusal is how a caller is told that a request does not pass.
type Refusal struct {
	Status int
	// Header is shared: it is not to be changed.
	Header http.Header
	Body   string
}

const (
	codeUnauthorized = 401
	codeForbidden    = 4003
	codeInternal     = 5000
)

// NotAllowed is what somebody reads who is not on the allow list (COMPAT A).
const NotAllowed = "User not allowed. Contact an administrator to be added to the allow list."

// The texts are those of COMPAT A and D. Whatever is refused as a key looks alike: unknown, ended and malformed ones.
var (
	askForKey    = refusal(http.StatusUnauthorized, codeUnauthorized, "invalid token", challenge("")...)
	invalidKey   = refusal(http.StatusUnauthorized, codeUnauthorized, "invalid token", challenge(`, error="invalid_token"`)...)
	notListed    = detailed(NotAllowed)
	notPermitted = refusal(http.StatusForbidden, codeForbidden, "API key lacks required permission")
	unmatched    = refusal(http.StatusForbidden, codeForbidden, "No route allows this request")
	ambiguous    = refusal(http.StatusForbidden, codeForbidden, "The request can be read in more than one way")
	// It is no 401, on which git would forget a key that is good.
	notReady = refusal(http.StatusServiceUnavailable, codeInternal, "not ready yet", "Retry-After", "1")
	stale    = refusal(http.StatusServiceUnavailable, codeInternal, "the view of the cluster is too old", "Retry-After", "1")
)

// challenge asks for both schemes: without the one for Basic, git never sends its credentials. parameter is empty where
// nothing was presented (RFC 6750, section 3).
func challenge(parameter string) []string {
	return []string{"Www-Authenticate", `Bearer realm="keywright"` + parameter, "Www-Authenticate", `Basic realm="keywright", charset="UTF-8"`}
}

func refusal(status, code int, what string, header ...string) *Refusal {
	return newRefusal(status, `{"error":{"code":`+strconv.Itoa(code)+`,"what":`+strconv.Quote(what)+`}}`, header)
}

// detailed has the text also where clients of COMPAT A look for it.
func detailed(text string) *Refusal {
	quoted := strconv.Quote(text)
	return newRefusal(http.StatusForbidden, `{"detail":`+quoted+`,"error":{"code":`+strconv.Itoa(codeForbidden)+`,"what":`+quoted+`}}`, nil)
}

func newRefusal(status int, body string, header []string) *Refusal {
	r := &Refusal{Status: status, Body: body + "\n", Header: http.Header{
		"Cache-Control": {"no-store"}, "Content-Type": {"application/json"},
	}}
	for i := 0; i < len(header); i += 2 {
		r.Header[header[i]] = append(r.Header[header[i]], header[i+1])
	}
	return r
}

// Refusal is nil when the request may pass.
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
	case NotReady:
		return notReady
	case Stale:
		return stale
	}
	if d.Presented {
		return invalidKey
	}
	return askForKey
}

// Answer tells a caller over HTTP.
func (r *Refusal) Answer(w http.ResponseWriter) {
	header := w.Header()
	for name, values := range r.Header {
		header[name] = values
	}
	w.WriteHeader(r.Status)
	_, _ = io.WriteString(w, r.Body)
}
