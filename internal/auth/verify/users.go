package verify

import (
	"slices"
	"sync/atomic"
	"unique"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/username"
)

// user is the owner of API keys. Names that differ by case alone are one user.
type user struct {
	objects []objectSlot
	// present is the id of the user whose AdminUser has the name now, or "".
	present unique.Handle[string]
	// disabled and denied are why the keys are refused.
	disabled, denied bool
	// The remaining fields are read without Index.mu.

	// admin is true if the user's rights do not limit the keys.
	admin atomic.Bool
	// holding is what bindings give to the user. Finding it by name would cost as much as the decision does.
	holding atomic.Pointer[access.Holding]
	// self is the identity of the AdminUser of this name. Nil without one.
	self atomic.Pointer[Identity]
	// reported is when the user was last reported as seen.
	reported reportTime
}

// reason returns why a key is refused that belongs to the user with this id. It accepts keys that speak as no user: u
// may be nil.
func (u *user) reason(owner unique.Handle[string]) Reason {
	if u == nil {
		return Accepted
	}
	return OwnerFacts{u.present.Value(), u.disabled, u.denied}.Standing(owner.Value())
}

// attach adds an object to its owner, if it has one that limits it.
func (x *Index) attach(o *object) {
	if o.rights == nil || o.identity.Username == "" {
		return
	}
	name := username.Fold(o.identity.Username)
	u := x.users[name]
	if u == nil {
		u = &user{}
		x.updateUser(name, u)
		if x.users == nil {
			x.users = map[string]*user{}
		}
		x.users[name] = u
	}
	o.user, o.indexInUser = u, int32(len(u.objects))
	u.objects = append(u.objects, o.slot)
	o.spellAs(u.self.Load())
}

// detach leaves o.user unchanged, because verdicts may still read it.
func (x *Index) detach(o *object) {
	u := o.user
	if u == nil {
		return
	}
	last := len(u.objects) - 1
	u.objects[o.indexInUser] = u.objects[last]
	x.objects.objects[u.objects[o.indexInUser]].indexInUser = o.indexInUser
	u.objects = u.objects[:last]
	if last == 0 {
		delete(x.users, username.Fold(o.identity.Username))
	}
}

// updateUser recomputes the state of a user, whose name may be given in any case, and reports whether the reason of
// its keys may have changed.
func (x *Index) updateUser(name string, u *user) (changed bool) {
	present, disabled, denied := u.present, u.disabled, u.denied
	self := x.names.find(name)
	x.spell(u, self)
	u.present = x.userID(self)
	u.disabled = self != nil && self.disabled
	holding := x.roles.Load().Holding(name)
	u.holding.Store(holding)
	u.denied = !holding.MayOwnKeys()
	if admin := x.isAdmin(self); u.admin.Swap(admin) != admin {
		x.changes.Add(1)
	}
	return u.present != present || u.disabled != disabled || u.denied != denied
}

// userID returns the id of the user of an AdminUser, which may be nil. An AdminUser that is being deleted, and is not
// kept as the last admin, is gone.
func (x *Index) userID(self *object) unique.Handle[string] {
	if self == nil || x.reason(self) == Deleted {
		return unique.Make("")
	}
	return self.userID
}

// spell makes the keys of a user speak in the spelling of its AdminUser, or in their own if self is nil.
func (x *Index) spell(u *user, self *object) {
	var spelling *Identity
	if self != nil {
		spelling = &self.identity
	}
	before := u.self.Swap(spelling)
	if before != nil && spelling != nil && before.Username == spelling.Username {
		return
	}
	for _, o := range x.objects.at(u.objects) {
		o.spellAs(spelling)
	}
}

// spellAs records whether the spelling of the object differs from that of the AdminUser, which may be nil.
func (o *object) spellAs(self *Identity) {
	o.respelled.Store(self != nil && self.Username != o.identity.Username)
}

// spelled returns the identity in the spelling of the user's AdminUser, if there is one.
func (o *object) spelled() Identity {
	id := o.identity
	if o.respelled.Load() {
		if self := o.user.self.Load(); self != nil {
			id.Username, id.Subject = self.Username, self.Subject
		}
	}
	return id
}

// updateUsers updates the users whose AdminUsers these objects are, and the entries of their keys.
func (x *Index) updateUsers(objects ...*object) {
	for _, o := range objects {
		if o == nil || !o.ownsUsername {
			continue
		}
		name := username.Fold(o.identity.Username)
		if u := x.users[name]; u != nil && x.updateUser(name, u) {
			x.refresh(x.objects.at(u.objects)...)
		}
	}
}

// admins counts the active admins. While there are none, objects that stay if last are accepted.
type admins struct {
	active int
	// staying has the objects that stay if last. There is hardly ever one.
	staying []*object
}

// none reports whether there are no active admins.
func (a *admins) none() bool { return a.active == 0 }

// swap replaces prev by next; others won or lost a username by that. It returns the objects that stay if last
// when they become accepted or refused.
func (a *admins) swap(prev, next *object, others []*object) (concerned []*object) {
	before := a.none()
	if prev != nil {
		a.count(prev, false)
		a.staying = slices.DeleteFunc(a.staying, func(o *object) bool { return o == prev })
	}
	for _, o := range others {
		a.count(o, o.isActiveAdmin())
	}
	if next != nil {
		a.count(next, next.isActiveAdmin())
		if next.staysIfLast {
			a.staying = append(a.staying, next)
		}
	}
	if a.none() == before {
		return nil
	}
	return slices.Clone(a.staying)
}

func (a *admins) count(o *object, active bool) {
	switch {
	case active && !o.active:
		a.active++
	case !active && o.active:
		a.active--
	}
	o.active = active
}

// isActiveAdmin requires a current key without an end: a key that ends would make the count wrong without any
// change of an object.
func (o *object) isActiveAdmin() bool {
	isEndless := func(k heldKey) bool { return !k.pending && !k.overlapping && !k.barred && k.expiresAt == never }
	accepted := slices.ContainsFunc(o.keys, isEndless)
	return o.ownsUsername && ActiveAdmin(o.identity.Admin, Refusal(o.standing, o.outranked, Accepted), accepted)
}
