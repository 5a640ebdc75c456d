package access

import "slices"

// Any is the one wildcard, of actions and of resources. It stands for a whole one, never for a part.
const Any = "*"

// Effect of a permission.
type Effect string

// Effects, as manifests write them.
const (
	Allow Effect = "ALLOW"
	Deny  Effect = "DENY"
)

// Permission allows or denies actions on resources.
type Permission struct {
	Effect Effect
	// Actions are such as certs.read or dashboard:View, or Any.
	Actions []string
	// Resources are such as certificate:42, or Any.
	Resources []string
	// StringEquals limits the permission to requests that have every one of these properties with this very value.
	StringEquals map[string]string
}

// Request is what somebody wants to do.
type Request struct {
	Action   string
	Resource string
	// Properties are of the object asked for.
	Properties map[string]string
}

// Grant is all that one key, or one person, was given. The order within it never matters.
type Grant struct {
	// Everything is an admin's: whatever is not denied is allowed.
	Everything  bool
	Permissions []Permission
	// scopes, and the permissions of roles, are looked at where they are: to put them together anew for each request
	// would cost as much as to verify the key.
	scopes []string
	roles  []string
	among  *Roles
}

// Scope is the permission that a scope is short for: an ALLOW on that action, on all resources.
func Scope(action string) Permission {
	return Permission{Effect: Allow, Actions: []string{action}, Resources: []string{Any}}
}

// May says whether a key with this grant may do what is asked. ceiling is what the person may for whom the key
// speaks; nil for a key that speaks for no person.
func May(grant Grant, ceiling *Grant, r Request) bool {
	return grant.allows(&r) && (ceiling == nil || ceiling.allows(&r))
}

func (g *Grant) allows(r *Request) bool {
	a := answer{given: g.Everything || includes(g.scopes, r.Action) && r.Resource != ""}
	a.weigh(g.Permissions, r)
	for _, name := range g.roles {
		a.weigh(g.among.permissions(name), r)
	}
	return a.given && !a.denied
}

// answer is what the permissions looked at so far come to.
type answer struct{ given, denied bool }

func (a *answer) weigh(permissions []Permission, r *Request) {
	for i := range permissions {
		p := &permissions[i]
		if !p.matches(r) {
			continue
		}
		// Whatever is neither ALLOW nor DENY was not understood, and takes away rather than gives.
		if p.Effect == Allow {
			a.given = true
		} else {
			a.denied = true
		}
	}
}

func (p *Permission) matches(r *Request) bool {
	return includes(p.Actions, r.Action) && includes(p.Resources, r.Resource) && p.conditionHolds(r.Properties)
}

func includes(named []string, asked string) bool {
	return asked != "" && slices.ContainsFunc(named, func(n string) bool { return n == Any || n == asked })
}

// conditionHolds: a property that the caller does not give equals nothing. That is so for a DENY too: it denies what
// it describes, and what nobody described as such is for the ALLOWs to decide.
func (p *Permission) conditionHolds(properties map[string]string) bool {
	for name, want := range p.StringEquals {
		if got, given := properties[name]; !given || got != want {
			return false
		}
	}
	return true
}
