package access

import (
	"slices"

	"keywright.dev/keywright/internal/auth/username"
)

// Any is the only wildcard of actions and of resources. It stands for a whole action or resource, never for a
// part.
const Any = "*"

// Effect is what a permission does.
type Effect string

// Effects in the spelling of manifests.
const (
	Allow Effect = "ALLOW"
	Deny  Effect = "DENY"
)

// Permission allows or denies actions on resources.
type Permission struct {
	Effect Effect
	// Actions are names such as certs.read or dashboard:View, or Any.
	Actions []string
	// Resources are names such as certificate:42, or Any.
	Resources []string
	// StringEquals limits the permission to requests that have all of these properties with these values.
	StringEquals map[string]string
}

// Request is what a caller wants to do.
type Request struct {
	Action   string
	Resource string
	// OfUser is true if the resource is a kind and a username, which is compared ignoring case.
	OfUser bool
	// Properties describe the resource.
	Properties map[string]string
}

// Grant is what a key or a user holds. The order of its permissions does not matter.
type Grant struct {
	// Everything allows every request that no permission denies. Admins hold it.
	Everything  bool
	Permissions []Permission
	// scopes and roles are resolved by allows: merging them into one list for each request would cost as much
	// as verifying the key.
	scopes   []string
	roles    []string
	allRoles *Roles
	// needsRoles is true for a key: while one of its roles does not exist, the grant allows nothing, because that
	// role may have denied what the rest allows.
	needsRoles bool
}

// Scope returns the permission that a scope is short for: ALLOW this action on every resource.
func Scope(action string) Permission {
	return Permission{Effect: Allow, Actions: []string{action}, Resources: []string{Any}}
}

// May reports whether a key with this grant may do r. ceiling is the grant of its owner, and nil for a key
// without an owner.
func May(grant Grant, ceiling *Grant, r Request) bool {
	return grant.allows(&r) && (ceiling == nil || ceiling.allows(&r))
}

func (g *Grant) allows(r *Request) bool {
	a := answer{allowed: g.Everything || includes(g.scopes, r.Action) && r.Resource != ""}
	a.weigh(g.Permissions, r)
	for _, name := range g.roles {
		role, exists := g.allRoles.role(name)
		if !exists && g.needsRoles {
			return false
		}
		a.weigh(role.Permissions, r)
	}
	return a.allowed && !a.denied
}

// answer is the result of the permissions weighed so far.
type answer struct{ allowed, denied bool }

func (a *answer) weigh(permissions []Permission, r *Request) {
	for i := range permissions {
		p := &permissions[i]
		if !p.matches(r) {
			continue
		}
		// An unknown effect denies.
		if p.Effect == Allow {
			a.allowed = true
		} else {
			a.denied = true
		}
	}
}

func (p *Permission) matches(r *Request) bool {
	return includes(p.Actions, r.Action) && p.coversResource(r) && p.conditionHolds(r.Properties)
}

func (p *Permission) coversResource(r *Request) bool {
	return includes(p.Resources, r.Resource) || r.OfUser && r.Resource != "" &&
		slices.ContainsFunc(p.Resources, func(n string) bool { return username.Equal(n, r.Resource) })
}

func includes(named []string, asked string) bool {
	return asked != "" && slices.ContainsFunc(named, func(n string) bool { return n == Any || n == asked })
}

// conditionHolds reports whether the properties meet the condition. An absent property never does, not even for
// a DENY: a DENY does not apply to a request that lacks a property of its condition.
func (p *Permission) conditionHolds(properties map[string]string) bool {
	for name, want := range p.StringEquals {
		if got, ok := properties[name]; !ok || got != want {
			return false
		}
	}
	return true
}
