package forwardauth

import (
	"net/http"
	"strings"

	"keywright.dev/keywright/internal/gate"
)

// PathPrefix is what a gateway puts before the path of the request that it asks about in path mode.
const PathPrefix = "/authz"

// IsPathMode reports whether a request is one of path mode. Such a path must not go through an http.ServeMux, which
// redirects paths such as /authz//a.
func IsPathMode(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, PathPrefix+"/") }

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
