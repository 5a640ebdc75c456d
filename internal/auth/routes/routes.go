package routes

import (
	"errors"
	"net/http"

	"keywright.dev/keywright/internal/auth/access"
)

// Route is one entry of ROUTES.
type Route struct {
	// Match is a pattern of Go's http.ServeMux, of at most 512 bytes: method, host, path and wildcards. Only
	// the path is required.
	Match string `json:"match"`
	// Action is what the caller must be allowed to do: certs.read, dashboard:View. Empty: no action is needed.
	Action string `json:"action,omitempty"`
	// Resource is the resource of Action, with wildcards of Match in braces: device:{id}. Empty: access.Any.
	// It needs an Action.
	Resource string `json:"resource,omitempty"`
	// Owner is the user who must be the caller, unless the caller is an admin, with wildcards of Match in
	// braces. Empty: any caller.
	Owner string `json:"owner,omitempty"`
	// Anonymous admits requests without a caller, writes too. It excludes Action and Owner.
	Anonymous bool `json:"anonymous,omitempty"`
}

// Table finds the route of a request. It never changes, and is safe for concurrent use. The nil Table has no
// routes.
type Table struct {
	// mux only finds the pattern of a path. It never serves a request.
	mux       *http.ServeMux
	byPattern map[string]*route
	// hasHosts is true if a pattern has a host.
	hasHosts bool
	// hasAnonymous is true if a route is anonymous.
	hasAnonymous bool
}

// HasHosts reports whether a route depends on the host.
func (t *Table) HasHosts() bool { return t != nil && t.hasHosts }

// HasAnonymous reports whether a route admits requests without a caller.
func (t *Table) HasAnonymous() bool { return t != nil && t.hasAnonymous }

// Len returns the number of routes.
func (t *Table) Len() int {
	if t == nil {
		return 0
	}
	return len(t.byPattern)
}

// Request is what Find has to know about a request.
type Request struct {
	// Method and Host are as the client sent them. Host may have a port.
	Method, Host string
	// Target is path and query as the client sent them: the request-target in origin form (RFC 9112, section
	// 3.2.1).
	Target string
}

// Match is what the route of a request needs.
type Match struct {
	// Pattern is the pattern of the route, as written in its entry. Empty: no route matches.
	Pattern string
	// Owner is the user who must be the caller. Empty: the route has no owner.
	Owner string
	// Anonymous is true if the route admits requests without a caller.
	Anonymous bool
	// Needs has one request for each way to read the query. The caller must be allowed to do all of them.
	// Empty: the route needs no action.
	Needs []access.Request
}

// ErrAmbiguous matches every error of Find: programs read the request differently, or it is not valid.
var ErrAmbiguous = errors.New("the request can be read in more than one way")

// ambiguity is a reason for ErrAmbiguous. It repeats nothing of the request, which may be hostile or contain
// secrets.
type ambiguity string

func (a ambiguity) Error() string { return ErrAmbiguous.Error() + ": " + string(a) }

// Is makes every ambiguity an ErrAmbiguous.
func (ambiguity) Is(target error) bool { return target == ErrAmbiguous }

const (
	badMethod     = ambiguity("the method is not valid")
	badHost       = ambiguity("the host is not valid")
	badTarget     = ambiguity("the target is not a path that begins with /")
	longTarget    = ambiguity("the target is too long")
	fragment      = ambiguity("the target has a fragment")
	badCharacter  = ambiguity("the target has control characters or spaces")
	badEscape     = ambiguity("the path has an invalid escape")
	badText       = ambiguity("the path is not UTF-8, or has control characters")
	manyReadings  = ambiguity("there are too many ways to read the path")
	differentRead = ambiguity("programs that read it differently would use different routes")
	noOwner       = ambiguity("the owner is empty")
	badQuery      = ambiguity("the query can't be parsed")
	badParameter  = ambiguity("a parameter of the query is not UTF-8, or has control characters")
	manyParams    = ambiguity("the query has too many parameters")
	manyNeeds     = ambiguity("parameters of the query are given too often")
)
