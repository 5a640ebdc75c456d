package access

import (
	"time"

	"keywright.dev/keywright/internal/auth/budget"
	"keywright.dev/keywright/internal/auth/username"
)

// Rights is what the spec of an APIKey gives to its keys, before its roles are resolved.
type Rights struct {
	Scopes, Roles []string
	Permissions   []Permission
}

// Role is an AccessRole.
type Role struct {
	Permissions []Permission
	// MaxTTL bounds the lifetime of keys with this role. 0: no bound.
	MaxTTL time.Duration
	// Budgets are shared by all keys with this role.
	Budgets []budget.Budget
}

// Roles is an immutable set of all roles and of what bindings give to users. The nil Roles is empty.
type Roles struct {
	byName map[string]Role
	// byUser has the holdings by folded usernames.
	byUser map[string]*Holding
}

// NewRoles returns the set of these roles and bindings, each keyed by name.
func NewRoles(byName map[string]Role, bindings map[string]Binding) *Roles {
	return &Roles{byName: byName, byUser: holdings(bindings)}
}

// WithRoles returns the set of these roles and the bindings of r.
func (r *Roles) WithRoles(byName map[string]Role) *Roles {
	next := &Roles{byName: byName}
	if r != nil {
		next.byUser = r.byUser
	}
	return next
}

// GrantOf returns the sum of scopes, roles and policy of a key. While one of the roles does not exist, the grant allows
// nothing.
func (r *Roles) GrantOf(rights *Rights) Grant {
	return Grant{
		Permissions: rights.Permissions, scopes: rights.Scopes, roles: rights.Roles, allRoles: r, needsRoles: true,
	}
}

// HeldBy returns the grant of a user who is not an admin: the sum of the user's roles. A role that does not exist gives
// nothing, and denies nothing.
func (r *Roles) HeldBy(user string) Grant { return r.GrantOfHolding(r.Holding(user)) }

// Holding returns what the bindings give to a user, whatever the case of the name, and nil for a user without bindings.
func (r *Roles) Holding(user string) *Holding {
	if r == nil {
		return nil
	}
	return r.byUser[username.Fold(user)]
}

// GrantOfHolding is HeldBy for a user whose Holding is known.
func (r *Roles) GrantOfHolding(h *Holding) Grant {
	if h == nil {
		return Grant{}
	}
	return Grant{roles: h.roles, allRoles: r}
}

func (r *Roles) role(name string) (role Role, exists bool) {
	if r == nil {
		return Role{}, false
	}
	role, exists = r.byName[name]
	return role, exists
}

// MayOwnKeys reports whether a user may own keys: false only if every binding of the user denies it.
func (r *Roles) MayOwnKeys(user string) bool { return r.Holding(user).MayOwnKeys() }

// Budgets returns the budgets that all keys with this role share.
func (r *Roles) Budgets(name string) []budget.Budget {
	role, _ := r.role(name)
	return role.Budgets
}

// MaxTTL returns the shortest MaxTTL of these roles, or 0 if they set none.
func (r *Roles) MaxTTL(names []string) time.Duration {
	shortest, _ := r.ShortestTTL(names)
	return shortest
}

// ShortestTTL returns the shortest MaxTTL of these roles and the name of its role, or 0 if they set none.
func (r *Roles) ShortestTTL(names []string) (shortest time.Duration, role string) {
	if r == nil {
		return 0, ""
	}
	for _, name := range names {
		ttl := r.byName[name].MaxTTL
		if ttl > 0 && (shortest == 0 || ttl < shortest || ttl == shortest && name < role) {
			shortest, role = ttl, name
		}
	}
	return shortest, role
}

// Missing returns the names that no role has.
func (r *Roles) Missing(names []string) []string {
	var missing []string
	for _, name := range names {
		if _, exists := r.role(name); !exists {
			missing = append(missing, name)
		}
	}
	return missing
}
