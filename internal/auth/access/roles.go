package access

import (
	"slices"
	"time"
)

// Given is what an API key was given, as its spec says.
type Given struct {
	Scopes, Roles []string
	Permissions   []Permission
}

// Role is an AccessRole.
type Role struct {
	Permissions []Permission
	// Members are the usernames who hold the role.
	Members []string
	// DeniesKeys: members may not own keys, unless another role that lists them allows it.
	DeniesKeys bool
	// MaxTTL ends a key that uses the role at the latest so long after its issue. 0: it does not.
	MaxTTL time.Duration
}

// Roles are all the roles there are at a time. They never change: a change makes others. The nil Roles are none.
type Roles struct {
	byName   map[string]Role
	byMember map[string][]string
}

// NewRoles takes the roles by their names.
func NewRoles(byName map[string]Role) *Roles {
	r := &Roles{byName: byName, byMember: map[string][]string{}}
	for name := range byName {
		for _, member := range byName[name].Members {
			r.byMember[member] = append(r.byMember[member], name)
		}
	}
	return r
}

// GrantOf is scopes, roles and policy taken together. A role that does not exist gives nothing.
func (r *Roles) GrantOf(given *Given) Grant {
	return Grant{Permissions: given.Permissions, scopes: given.Scopes, roles: given.Roles, among: r}
}

// HeldBy is what somebody holds who is no admin: what the roles that list them allow.
func (r *Roles) HeldBy(username string) Grant {
	if r == nil {
		return Grant{}
	}
	return Grant{roles: r.byMember[username], among: r}
}

func (r *Roles) permissions(name string) []Permission {
	if r == nil {
		return nil
	}
	return r.byName[name].Permissions
}

// MayOwnKeys is false for somebody whom only roles list that deny it.
func (r *Roles) MayOwnKeys(username string) bool {
	if r == nil || len(r.byMember[username]) == 0 {
		return true
	}
	return slices.ContainsFunc(r.byMember[username], func(name string) bool { return !r.byName[name].DeniesKeys })
}

// MaxTTL is the shortest of the roles named, or 0 when none has one.
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

// Missing are those of the names that no role has.
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
	_, is := r.byName[name]
	return is
}
