package gate

import (
	"fmt"
	"strings"

	"keywright.dev/keywright/internal/auth/routes"
	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/config"
)

// Rules are the configuration in force, compiled. They never change: a changed configuration makes others.
type Rules struct {
	config.Runtime
	listed map[string]struct{}
	routes *routes.Table
}

// NewRules compiles a configuration. The operator has checked it, so an error says that this server is older.
func NewRules(runtime config.Runtime) (*Rules, error) {
	table, err := routes.Compile(runtime.Routes)
	if err != nil {
		return nil, fmt.Errorf("routes: %w", err)
	}
	r := &Rules{Runtime: runtime, routes: table, listed: map[string]struct{}{}}
	for _, name := range runtime.AllowedUsers {
		r.listed[username.Fold(name)] = struct{}{}
	}
	return r, nil
}

// mayWrite says whether the allow list, where there is one, has the caller. Admins pass. No name has a slash on the
// list, so one that has, which a proxy may well tell of, must not be taken for a subject: Account/ci.
func (r *Rules) mayWrite(c *Caller) bool {
	isName := !strings.Contains(c.Username, "/")
	return len(r.listed) == 0 || c.Admin || isName && r.lists(c.Username) || r.lists(c.Subject)
}

func (r *Rules) lists(name string) bool {
	if name == "" {
		return false
	}
	_, is := r.listed[username.Fold(name)]
	return is
}

// bySaved is how somebody is known by a saved name.
func (r *Rules) bySaved() By {
	if r.TrustUsernames {
		return BySavedName
	}
	return ByClaim
}

// dependOnRequest says that it matters what was asked for, and not only who asked.
func (r *Rules) dependOnRequest() bool {
	return len(r.listed) > 0 || r.AnonymousReads || r.routes.Len() > 0
}

// isRead says that a method changes nothing (RFC 9110, section 9.2.1, and the IANA registry of methods). A method that
// nobody knows may do anything.
func isRead(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "REPORT", "SEARCH", "QUERY":
		return true
	}
	return false
}
