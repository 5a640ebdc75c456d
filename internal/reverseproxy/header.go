package reverseproxy

import (
	"net/http"
	"slices"
	"strings"

	"keywright.dev/keywright/internal/credential"
	"keywright.dev/keywright/internal/gate"
)

// withheld are headers that the app does not get from the client, under their canonical names: what let the caller in,
// what Keywright or net/http sets anew, and what some apps take for the request itself in the place of the one that
// was decided on.
var withheld = set(append(gate.CredentialHeaders[:],
	"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-User",
	"X-Forwarded-Method", "X-Forwarded-Uri", "X-Original-Method", "X-Original-Uri", "X-Original-Url", "X-Rewrite-Url",
))

// untrailed are those that mean nothing, or harm, behind a body (RFC 9110, section 6.5.1).
var untrailed = set([]string{
	"Connection", "Content-Length", "Content-Type", "Cookie", "Expect", "Host", "Keep-Alive", "Proxy-Authorization",
	"Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
})

// overrides are headers by which some apps take a request for one of another method.
var overrides = set([]string{"X-Http-Method", "X-Http-Method-Override", "X-Method-Override"})

func set(names []string) map[string]bool {
	all := make(map[string]bool, len(names))
	for _, name := range names {
		all[name] = true
	}
	return all
}

// canonical is the name that an app may take a header's for: many servers, going by CGI, make one character of
// everything that is neither letter nor digit.
func canonical(name string) string {
	if strings.IndexFunc(name, isOdd) < 0 {
		return name
	}
	return http.CanonicalHeaderKey(strings.Map(func(c rune) rune {
		if isOdd(c) {
			return '-'
		}
		return c
	}, name))
}

func isOdd(c rune) bool {
	return c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
}

func isWithheld(name string) bool {
	name = canonical(name)
	return withheld[name] || gate.IsIdentityHeader(name)
}

// contradicts says that headers tell of another method than the request has.
func contradicts(r *http.Request) bool {
	for name, values := range r.Header {
		if overrides[canonical(name)] && slices.ContainsFunc(values, func(v string) bool { return !strings.EqualFold(v, r.Method) }) {
			return true
		}
	}
	return false
}

// withhold leaves only what is for the app.
func withhold(header http.Header) {
	for name := range header {
		if isWithheld(name) {
			delete(header, name)
		}
	}
	withholdSession(header)
}

// identify tells the app who the caller is.
func identify(header http.Header, caller *gate.Caller) {
	values := caller.Identity()
	for i, name := range gate.IdentityHeaders {
		header[name] = values[i : i+1 : i+1]
	}
}

// withholdSession takes the session out of the cookies and leaves every other as it is.
func withholdSession(header http.Header) {
	lines := header["Cookie"]
	if !slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, credential.SessionCookie) }) {
		return
	}
	var kept []string
	for _, line := range lines {
		if line = withoutSession(line); line != "" {
			kept = append(kept, line)
		}
	}
	header["Cookie"] = kept
}

func withoutSession(line string) string {
	cookies := strings.Split(line, ";")
	others := slices.DeleteFunc(slices.Clone(cookies), func(cookie string) bool {
		name, _, _ := strings.Cut(cookie, "=")
		return strings.TrimSpace(name) == credential.SessionCookie
	})
	if len(others) == len(cookies) {
		return line
	}
	return strings.TrimLeft(strings.Join(others, ";"), " \t")
}
