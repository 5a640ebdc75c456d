package routes

import (
	"net/http"

	"keywright.dev/keywright/internal/auth/access"
)

// Route is one entry of ROUTES.
type Route struct {
	// Match is a pattern of Go's http.ServeMux, of at most 512 bytes: method, host, path and wildcards, of which only the
	// path is required.
	Match string `json:"match"`
	// Action is what the caller must be allowed to do: certs.read, dashboard:View. Empty: nothing in particular.
	Action string `json:"action,omitempty"`
	// Resource is what it is done to, with wildcards of Match in braces: device:{id}. Empty: access.Any. It takes an
	// Action.
	Resource string `json:"resource,omitempty"`
	// Owner is the user whose request it must be, with wildcards of Match in braces: anybody else but an admin is
	// refused. Empty: anybody.
	Owner string `json:"owner,omitempty"`
}

// Table finds the route of a request. It never changes, and is safe for concurrent use. The nil Table has no routes.
type Table struct {
	// mux knows which pattern a path matches. Nobody is served by it.
	mux       *http.ServeMux
	byPattern map[string]*route
	// hasHosts says that some pattern names a host.
	hasHosts bool
}

// Len is the number of routes.
func (t *Table) Len() int {
	if t == nil {
		return 0
	}
	return len(t.byPattern)
}

// Request is one that a route is looked for.
type Request struct {
	// Method and Host are as the client sent them; Host may have a port.
	Method, Host string
	// Target is path and query as the client sent them: the request-target in origin form (RFC 9112, section 3.2.1).
	Target string
}

// Match is what the route of a request asks for.
type Match struct {
	// Pattern is that of the route, as its entry has it. Empty: no route matches.
	Pattern string
	// Owner is the user whose request it must be. Empty: the route has no owner, and anybody may come.
	Owner string
	// Needs are the ways to read the request, where it can be read in several: its caller must be allowed each of them.
	// Empty: the route asks for no action.
	Needs []access.Request
}
