package access

import (
	"slices"
	"time"
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
}

// Binding is an AccessRoleBinding: it gives a role to users.
type Binding struct {
	// Role is the name of the role. If no such role exists, the binding gives no permissions.
	Role  string
	Users []string
	// DeniesKeys is true if the users may not own keys, unless another of their bindings allows it.
	DeniesKeys bool
}

// Roles is an immutable set of all roles and bindings. The nil Roles is empty.
type Roles struct {
	byName map[string]Role
	byUser map[string]bound
}

// bound is what all bindings of one user come to.
type bound struct {
	roles []string
	// mayOwnKeys is true if one of the bindings allows it.
	mayOwnKeys bool
}

// NewRoles returns the set of these roles and bindings, each keyed by name.
func NewRoles(byName map[string]Role, bindings map[string]Binding) *Roles {
	r := &Roles{byName: byName, byUser: map[string]bound{}}
	for _, b := range bindings {
		for _, user := range b.Users {
			u := r.byUser[user]
			u.mayOwnKeys = u.mayOwnKeys || !b.DeniesKeys
			if !slices.Contains(u.roles, b.Role) {
				u.roles = append(u.roles, b.Role)
			}
			r.byUser[user] = u
		}
	}
	return r
}

// GrantOf returns the sum of scopes, roles and policy. A role that does not exist gives nothing.
func (r *Roles) GrantOf(rights *Rights) Grant {
	return Grant{Permissions: rights.Permissions, scopes: rights.Scopes, roles: rights.Roles, allRoles: r}
}

// HeldBy returns the grant of a user who is not an admin: the sum of the user's roles.
func (r *Roles) HeldBy(username string) Grant {
	if r == nil {
		return Grant{}
	}
	return Grant{roles: r.byUser[username].roles, allRoles: r}
}

func (r *Roles) permissions(name string) []Permission {
	if r == nil {
		return nil
	}
	return r.byName[name].Permissions
}

// MayOwnKeys reports whether a user may own keys: false only if every binding of the user denies it.
func (r *Roles) MayOwnKeys(username string) bool {
	if r == nil {
		return true
	}
	u, isBound := r.byUser[username]
	return !isBound || u.mayOwnKeys
}

// MaxTTL returns the shortest MaxTTL of these roles, or 0 if they set none.
func (r *Roles) MaxTTL(names []string) time.Duration {
	if r == nil {
		return 0
	}
	var shortest time.Duration
	for _, name := range names {
		if ttl := r.byName[name].MaxTTL; ttl > 0 && (shortest == 0 || ttl < shortest) {
			shortest = ttl
		}
	}
	return shortest
}

// Missing returns the names that no role has.
func (r *Roles) Missing(names []string) []string {
	var missing []string
	for _, name := range names {
		if r == nil || !r.has(name) {
			missing = append(missing, name)
		}
	}
	return missing
}

func (r *Roles) has(name string) bool {
	_, ok := r.byName[name]
	return ok
}
