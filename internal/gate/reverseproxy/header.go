package reverseproxy

import (
	"net/http"
	"strings"

	"keywright.dev/keywright/internal/auth/credential"
	"keywright.dev/keywright/internal/gate"
)

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

// isWithheld reports whether the app does not get a header as the client sent it: credentials in the accepted forms,
// headers that Keywright or net/http sets itself, and headers that some apps read in place of the request that was
// decided on.
func isWithheld(name string, accepted credential.Forms) bool {
	known := gate.LookUpHeader(name)
	return known != nil && !known.IsForApp(accepted)
}

// isForbiddenTrailer reports whether a trailer is dropped. The gate decides before trailers arrive, so no header that
// it reads may come as one.
func isForbiddenTrailer(name string) bool {
	return gate.LookUpHeader(name) != nil || forbiddenTrailers[plainName(name)]
}

// plainName returns the canonical form of a name as a CGI-style app server reads it.
func plainName(name string) string {
	return http.CanonicalHeaderKey(strings.Map(func(c rune) rune {
		if c < '0' || c > '9' && c < 'A' || c > 'Z' && c < 'a' || c > 'z' {
			return '-'
		}
		return c
	}, name))
}

// withhold removes the headers that are not for the app.
func withhold(header http.Header, accepted credential.Forms) {
	for name := range header {
		if isWithheld(name, accepted) {
			delete(header, name)
		}
	}
	if others, hadSession := credential.WithoutSession(header["Cookie"]); hadSession {
		header["Cookie"] = others
	}
}

// keepOrigin copies what a trusted proxy sent about the origin of a request, except X-Forwarded-For.
func keepOrigin(to, sent http.Header) {
	for name, values := range sent {
		known := gate.LookUpHeader(name)
		if known != nil && known.Use == gate.HeaderOrigin && known.Name == name && name != gate.ForwardedFor {
			to[name] = values
		}
	}
}

// setIdentity sets the headers that describe the caller to the app.
func setIdentity(header http.Header, caller *gate.Caller) {
	values := caller.Identity()
	for i, name := range gate.IdentityHeaders {
		header[name] = values[i : i+1 : i+1]
	}
}
