package extauthz

import (
	"net/http"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"keywright.dev/keywright/internal/gate"
)

// identityHeaders are gate.IdentityHeaders as Envoy writes them.
var identityHeaders = func() (names [len(gate.IdentityHeaders)]string) {
	for i, name := range gate.IdentityHeaders {
		names[i] = strings.ToLower(name)
	}
	return names
}()

// misspelled is a response that removes the identity headers with one - or more replaced by _: many app servers take
// them for the same. They are removed from every request, seen or not: Envoy may be configured not to tell which headers
// there are.
var misspelled = func() (r okResponse) {
	for _, name := range identityHeaders {
		for _, spelling := range spellings(name)[1:] {
			r = r.remove(spelling)
		}
	}
	return r
}()

// spellings are all ways to write a name with - or _, the name itself first.
func spellings(name string) []string {
	before, after, found := strings.Cut(name, "-")
	if !found {
		return []string{name}
	}
	var all []string
	for _, separator := range []string{"-", "_"} {
		for _, rest := range spellings(after) {
			all = append(all, before+separator+rest)
		}
	}
	return all
}

// usualSize is enough for most responses, in bytes.
const usualSize = 1 << 10

// admit tells Envoy whose request it is, and what was for Keywright alone. Envoy sets headers first and removes last
// (Filter::onComplete of its ext_authz), so that none may be in both lists.
func admit(d *gate.Decision, header http.Header) reply {
	var buffer [usualSize]byte
	r := append(okResponse(buffer[:0]), misspelled...)
	for i, value := range d.Caller.Identity() {
		r = r.replace(identityHeaders[i], value)
	}
	r = withhold(r, header)
	if d.SetCookie != "" {
		// Envoy before 1.31 overwrites the app's cookies in the one answer that has ours.
		r = r.option(okResponseHeaders, "set-cookie", d.SetCookie, corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD)
	}
	return r.reply()
}

// withhold keeps from the app what let the caller in. A request that passes has no other credential in these headers.
func withhold(r okResponse, header http.Header) okResponse {
	for _, name := range gate.CredentialHeaders {
		if _, found := header[name]; found {
			r = r.remove(strings.ToLower(name))
		}
	}
	if others, hadSession := otherCookies(header["Cookie"]); hadSession {
		r = r.replace("cookie", others)
	}
	return r
}
