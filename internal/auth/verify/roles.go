package verify

import (
	"maps"
	"reflect"

	"keywright.dev/keywright/internal/auth/access"
)

// PutRole takes what a role says in place of what it said before. The cost is that of all keys that were given
// something.
func (x *Index) PutRole(name string, r access.Role) {
	x.changeRoles(func(byName map[string]access.Role) { byName[name] = r })
}

// DeleteRole takes a role away: it gives nothing any more, and takes nothing.
func (x *Index) DeleteRole(name string) {
	x.changeRoles(func(byName map[string]access.Role) { delete(byName, name) })
}

// ReplaceRoles takes all the roles there are in place of those before, at the cost of one change.
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
	x.roles.Store(access.NewRoles(next))
	x.changes.Add(1)
	for name, u := range x.users {
		x.settle(name, u)
	}
	for o := range x.shelf.all() {
		if o.given != nil {
			x.refresh(o)
		}
	}
	// What a role takes it may give again: the keys are refused meanwhile, and their sessions with them.
	x.takeEnded()
}
