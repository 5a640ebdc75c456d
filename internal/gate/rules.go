package gate

import (
	"fmt"
	"strings"

	"keywright.dev/keywright/internal/auth/credential"
	"keywright.dev/keywright/internal/auth/routes"
	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
)

// Rules are a compiled runtime configuration. They never change: a new configuration makes new Rules.
type Rules struct {
	config.Runtime
	listed map[string]struct{}
	routes *routes.Table
	// forms are the forms in which a key counts for requests to apps.
	forms credential.Forms
}

// NewRules compiles a configuration. The operator has checked it, so an error means that this server is older.
func NewRules(runtime config.Runtime) (*Rules, error) {
	table, err := routes.Compile(runtime.Routes)
	if err != nil {
		return nil, fmt.Errorf("routes: %w", err)
	}
	forms, known := credential.ParseForms(runtime.Credentials)
	if !known {
		return nil, fmt.Errorf("credentials: one of %q is unknown", runtime.Credentials)
	}
	r := &Rules{Runtime: runtime, routes: table, forms: forms, listed: map[string]struct{}{}}
	for _, name := range runtime.AllowedUsers {
		r.listed[username.Fold(name)] = struct{}{}
	}
	return r, nil
}

// mayWrite reports whether the allow list admits the caller. Admins pass, and everyone passes without a list. Names on
// the list have no slash; a proxy may send a name with one, which must not count as a subject such as Account/ci.
func (r *Rules) mayWrite(c *Caller) bool {
	isName := !strings.Contains(c.Username, "/")
	return len(r.listed) == 0 || c.Admin || isName && r.lists(c.Username) || r.lists(c.Subject)
}

// AdmitsWrites reports whether the allow list admits writes by the caller of a verdict.
func (g *Gate) AdmitsWrites(verdict verify.Verdict) bool {
	c := callerOf(CredentialKey, verdict)
	return g.rulesOrDefault().mayWrite(&c)
}

func (r *Rules) lists(name string) bool {
	if name == "" {
		return false
	}
	_, ok := r.listed[username.Fold(name)]
	return ok
}

// savedNameKind returns the kind that a saved name counts as.
func (r *Rules) savedNameKind() CredentialKind {
	if r.TrustUsernames {
		return CredentialSavedName
	}
	return CredentialDisplayName
}

// dependOnRequest reports whether decisions depend on the request, and not on the caller alone.
func (r *Rules) dependOnRequest() bool {
	return len(r.listed) > 0 || r.AnonymousReads || r.routes.Len() > 0
}

// isRead reports whether a method changes nothing (RFC 9110, section 9.2.1, and the IANA registry of methods). Unknown
// methods count as writes.
func isRead(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "REPORT", "SEARCH", "QUERY":
		return true
	}
	return false
}
