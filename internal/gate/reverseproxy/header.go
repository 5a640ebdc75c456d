package reverseproxy

import (
	"net/http"

	"keywright.dev/keywright/internal/auth/credential"
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

func set(names []string) map[string]bool {
	all := make(map[string]bool, len(names))
	for _, name := range names {
		all[name] = true
	}
	return all
}

func isWithheld(name string) bool {
	return withheld[gate.CGIHeaderName(name)] || gate.IsIdentityHeader(name)
}

// withhold leaves only what is for the app.
func withhold(header http.Header) {
	for name := range header {
		if isWithheld(name) {
			delete(header, name)
		}
	}
	if others, hadSession := credential.WithoutSession(header["Cookie"]); hadSession {
		header["Cookie"] = others
	}
}

// identify tells the app who the caller is.
func identify(header http.Header, caller *gate.Caller) {
	values := caller.Identity()
	for i, name := range gate.IdentityHeaders {
		header[name] = values[i : i+1 : i+1]
	}
}
