package reverseproxy

import (
	"net/http"

	"keywright.dev/keywright/internal/auth/credential"
	"keywright.dev/keywright/internal/gate"
)

// withheld are headers of the client that the app does not get, under their canonical names: credentials, headers that
// Keywright or net/http sets itself, and headers that some apps read in place of the request that was decided on.
var withheld = set(append(gate.CredentialHeaders[:],
	"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-User",
	"X-Forwarded-Method", "X-Forwarded-Uri", "X-Original-Method", "X-Original-Uri", "X-Original-Url", "X-Rewrite-Url",
))

// forbiddenTrailers are headers without meaning, or with a harmful one, behind a body (RFC 9110, section 6.5.1).
var forbiddenTrailers = set([]string{
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

func isForbiddenTrailer(name string) bool {
	return isWithheld(name) || forbiddenTrailers[gate.CGIHeaderName(name)]
}

// withhold removes the headers that are not for the app.
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

// setIdentity sets the headers that describe the caller to the app.
func setIdentity(header http.Header, caller *gate.Caller) {
	values := caller.Identity()
	for i, name := range gate.IdentityHeaders {
		header[name] = values[i : i+1 : i+1]
	}
}
