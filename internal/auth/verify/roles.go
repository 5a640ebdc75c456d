package verify

import (
	"iter"
	"maps"
	"reflect"
	"slices"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/key/lifecycle"
)

// PutRole adds or replaces a role. The cost is that of all API keys.
func (x *Index) PutRole(name string, r access.Role) {
	x.changeRoles(func(byName map[string]access.Role) { byName[name] = r })
}

// DeleteRole removes a role: keys that name it may do nothing until it is back, and users lose what it gave them.
func (x *Index) DeleteRole(name string) {
	x.changeRoles(func(byName map[string]access.Role) { delete(byName, name) })
}

// ReplaceRoles replaces all roles, at the cost of one change.
func (x *Index) ReplaceRoles(all map[string]access.Role) {
	x.changeRoles(func(byName map[string]access.Role) {
		clear(byName)
		maps.Copy(byName, all)
	})
}

func (x *Index) changeRoles(change func(byName map[string]access.Role)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	next := map[string]access.Role{}
	maps.Copy(next, x.byRole)
	change(next)
	if reflect.DeepEqual(next, x.byRole) {
		return
	}
	x.byRole = next
	x.roles.Store(x.roles.Load().WithRoles(next))
	x.changes.Add(1)
	isLimited := x.accounts.setRoles(next)
	for o := range x.objects.all() {
		if o.rights == nil {
			continue
		}
		x.refresh(o)
		if isLimited {
			x.limit(o)
		}
	}
	x.discardEnded()
}

// SetLimits sets the limits of the instance. The cost is that of all API keys.
func (x *Index) SetLimits(limits lifecycle.Limits) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if limits == x.Limits() {
		return
	}
	x.limits.Store(&limits)
	for o := range x.objects.all() {
		if o.rights != nil {
			x.refresh(o)
		}
	}
	x.discardEnded()
}

// Limits returns the limits of the instance.
func (x *Index) Limits() lifecycle.Limits {
	if limits := x.limits.Load(); limits != nil {
		return *limits
	}
	return lifecycle.Limits{}
}

// PutBinding adds or replaces a binding, which must not be modified afterwards. The cost is that of its users and their
// keys.
func (x *Index) PutBinding(name string, b access.Binding) { x.changeBinding(name, &b) }

// DeleteBinding removes a binding: its users lose the role, unless another binding gives it to them.
func (x *Index) DeleteBinding(name string) { x.changeBinding(name, nil) }

func (x *Index) changeBinding(name string, after *access.Binding) {
	x.mu.Lock()
	defer x.mu.Unlock()
	before := x.bindings[name]
	if reflect.DeepEqual(before, after) {
		return
	}
	if x.bindings == nil {
		x.bindings = map[string]*access.Binding{}
	}
	var users []string
	if before != nil {
		users = slices.Clone(before.Users)
		delete(x.bindings, name)
	}
	if after != nil {
		users = append(users, after.Users...)
		x.bindings[name] = after
	}
	x.bind(x.roles.Load().WithBinding(before, after), slices.Values(users))
}

// ReplaceBindings replaces all bindings, at the cost of all of them and of all users of keys.
func (x *Index) ReplaceBindings(all map[string]access.Binding) {
	x.mu.Lock()
	defer x.mu.Unlock()
	next := make(map[string]*access.Binding, len(all))
	for name, b := range all {
		next[name] = &b
	}
	if reflect.DeepEqual(next, x.bindings) {
		return
	}
	x.bindings = next
	x.bind(access.NewRoles(x.byRole, all), maps.Keys(x.users))
}

// bind applies bindings that have changed for these users. The caller holds mu.
func (x *Index) bind(roles *access.Roles, users iter.Seq[string]) {
	x.roles.Store(roles)
	var concerned []*object
	for name := range users {
		if u := x.users[username.Fold(name)]; u != nil && x.updateUser(name, u) {
			concerned = append(concerned, x.objects.at(u.objects)...)
		}
	}
	x.changes.Add(1)
	x.refresh(concerned...)
	x.discardEnded()
}

// discardEnded discards the keys that a change of roles, bindings or limits has ended, because a later change may allow
// them again. Until then the keys and their sessions are refused, but the sessions do not end.
func (x *Index) discardEnded() { x.ended = nil }
