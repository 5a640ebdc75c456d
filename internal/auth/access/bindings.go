package access

import (
	"maps"
	"slices"

	"keywright.dev/keywright/internal/auth/username"
)

// Binding is an AccessRoleBinding: it gives a role to users.
type Binding struct {
	// Role is the name of the role. If no such role exists, the binding gives no permissions.
	Role string
	// Users are usernames in any case.
	Users []string
	// DeniesKeys is true if the users may not own keys, unless another of their bindings allows it.
	DeniesKeys bool
}

// boundRole is what one binding gives to each of its users.
type boundRole struct {
	name       string
	deniesKeys bool
}

// folded returns the users by their folded names, each once.
func (b *Binding) folded() []string {
	users := make([]string, len(b.Users))
	for i, user := range b.Users {
		users[i] = username.Fold(user)
	}
	slices.Sort(users)
	return slices.Compact(users)
}

func (b *Binding) role() boundRole { return boundRole{name: b.Role, deniesKeys: b.DeniesKeys} }

// Holding is what all bindings of a user come to. It is immutable, and users with the same bindings share one. The nil
// Holding is that of a user without bindings.
type Holding struct {
	// bound has an entry for each binding.
	bound []boundRole
	// roles are the names of the bound roles, sorted, each once.
	roles []string
	// mayOwnKeys is true if one of the bindings allows it.
	mayOwnKeys bool
}

// newHolding returns nil if nothing is bound.
func newHolding(bound []boundRole) *Holding {
	if len(bound) == 0 {
		return nil
	}
	h := &Holding{bound: bound, roles: make([]string, 0, len(bound))}
	for _, r := range bound {
		h.roles = append(h.roles, r.name)
		h.mayOwnKeys = h.mayOwnKeys || !r.deniesKeys
	}
	slices.Sort(h.roles)
	h.roles = slices.Clip(slices.Compact(h.roles))
	return h
}

// with returns the holding and one more role.
func (h *Holding) with(r boundRole) *Holding {
	if h == nil {
		return newHolding([]boundRole{r})
	}
	return newHolding(append(slices.Clip(h.bound), r))
}

// without returns the holding less one such role, which may be held by another binding.
func (h *Holding) without(r boundRole) *Holding {
	if h == nil {
		return nil
	}
	i := slices.Index(h.bound, r)
	if i < 0 {
		return h
	}
	return newHolding(slices.Delete(slices.Clone(h.bound), i, i+1))
}

// MayOwnKeys reports whether the user may own keys: false only if every binding of the user denies it.
func (h *Holding) MayOwnKeys() bool { return h == nil || h.mayOwnKeys }

// Names returns the names of the bound roles, sorted. Those of roles that do not exist are among them.
func (h *Holding) Names() []string {
	if h == nil {
		return nil
	}
	return h.roles
}

// holdings returns the holding of every user that a binding lists, by the folded name.
func holdings(bindings map[string]Binding) map[string]*Holding {
	bound := map[string][]boundRole{}
	for _, b := range bindings {
		for _, user := range b.folded() {
			bound[user] = append(bound[user], b.role())
		}
	}
	byUser, single := make(map[string]*Holding, len(bound)), map[boundRole]*Holding{}
	for user, roles := range bound {
		if len(roles) > 1 {
			byUser[user] = newHolding(roles)
			continue
		}
		if single[roles[0]] == nil {
			single[roles[0]] = newHolding(roles)
		}
		byUser[user] = single[roles[0]]
	}
	return byUser
}

// WithBinding returns the set after a binding was added, replaced or removed. before is what the binding was, and after
// what it is; nil: it was or is not there. The cost is that of its users, and of a copy of the map of all bound users.
func (r *Roles) WithBinding(before, after *Binding) *Roles {
	next := &Roles{}
	if r != nil {
		next.byName, next.byUser = r.byName, maps.Clone(r.byUser)
	}
	if next.byUser == nil {
		next.byUser = map[string]*Holding{}
	}
	if before != nil {
		next.change(before.folded(), func(h *Holding) *Holding { return h.without(before.role()) })
	}
	if after != nil {
		next.change(after.folded(), func(h *Holding) *Holding { return h.with(after.role()) })
	}
	return next
}

// change changes the holdings of users, by their folded names. Those that shared a holding share the changed one.
func (r *Roles) change(users []string, change func(*Holding) *Holding) {
	changed := map[*Holding]*Holding{}
	for _, user := range users {
		before := r.byUser[user]
		after, known := changed[before]
		if !known {
			after = change(before)
			changed[before] = after
		}
		if after == nil {
			delete(r.byUser, user)
			continue
		}
		r.byUser[user] = after
	}
}
