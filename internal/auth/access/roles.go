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
	// Members are the usernames that hold the role.
	Members []string
	// DeniesKeys is true if members may not own keys, unless another of their roles allows it.
	DeniesKeys bool
	// MaxTTL bounds the lifetime of keys with this role. 0: no bound.
	MaxTTL time.Duration
}

// Roles is an immutable set of all roles. The nil Roles is empty.
type Roles struct {
	byName   map[string]Role
	byMember map[string][]string
}

// NewRoles returns the set of these roles, keyed by name.
func NewRoles(byName map[string]Role) *Roles {
	r := &Roles{byName: byName, byMember: map[string][]string{}}
	for name := range byName {
		for _, member := range byName[name].Members {
			r.byMember[member] = append(r.byMember[member], name)
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
	return Grant{roles: r.byMember[username], allRoles: r}
}

func (r *Roles) permissions(name string) []Permission {
	if r == nil {
		return nil
	}
	return r.byName[name].Permissions
}

// MayOwnKeys reports whether a user may own keys: false only if every role of the user denies it.
func (r *Roles) MayOwnKeys(username string) bool {
	if r == nil || len(r.byMember[username]) == 0 {
		return true
	}
	return slices.ContainsFunc(r.byMember[username], func(name string) bool { return !r.byName[name].DeniesKeys })
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
