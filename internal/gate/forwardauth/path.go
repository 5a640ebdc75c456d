package forwardauth

import (
	"net/http"
	"strings"

	"keywright.dev/keywright/internal/auth/credential"
	"keywright.dev/keywright/internal/gate"
)

// PathPrefix is what a gateway puts before the path of the request that it asks about in path mode.
const PathPrefix = "/authz"

// IsPathMode reports whether a request is one of path mode. Such a path must not go through an http.ServeMux, which
// redirects paths such as /authz//a.
func IsPathMode(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, PathPrefix+"/") }

// admitByPath adds to the reply of /auth what Envoy removes from the request to the app (headers_to_remove of its
// external_auth.proto). Other gateways ignore that header: docs/gateways.md shows how they remove the same.
func admitByPath(header http.Header, d *gate.Decision) {
	admit(header, d)
	header[headersToRemove] = removals[d.Forms&credential.All]
}

const headersToRemove = "X-Envoy-Auth-Headers-To-Remove"

// removals are the values of headersToRemove by the forms of keys that count. They are shared and must not be changed.
var removals = func() (all [credential.All + 1][]string) {
	for forms := range all {
		var names []string
		for _, known := range gate.KnownHeaders() {
			isOurs := known.Use == gate.HeaderCredential && !known.IsForApp(credential.Forms(forms))
			if isOurs || known.Use == gate.HeaderDescription || known.Use == gate.HeaderMethodOverride {
				names = append(names, strings.ToLower(known.Name))
			}
		}
		all[forms] = []string{strings.Join(names, ",")}
	}
	return all
}()

// pathRequest returns the request that a gateway asks about in path mode. Method, host and path are those of the
// question itself. Headers say nothing about them: in path mode a gateway passes on the client's own.
func pathRequest(r *http.Request) gate.Request {
	request := gate.Request{
		Surface: gate.PathMode, Method: r.Method, Host: r.Host, Header: r.Header, RemoteAddr: r.RemoteAddr, IsForwarded: true,
	}
	request.Forged, request.OddForms = oddHeaders(r.Header)
	target, found := strings.CutPrefix(r.RequestURI, PathPrefix)
	// The prefix itself may be escaped, and the request-target may be a whole URL. No gateway asks like this.
	if !found || !strings.HasPrefix(target, "/") {
		request.Contradictory = true
		return request
	}
	request.Target = target
	return request
}
