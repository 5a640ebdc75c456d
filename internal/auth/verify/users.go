package verify

import "sync/atomic"

// user is somebody for whom keys speak that were given something. The name is matched exactly.
type user struct {
	objects []place
	// disabled and denied are why the keys are refused, if they are.
	disabled, denied bool
	// What follows is read without Index.mu.

	// admin says that the keys are not limited by what the user holds.
	admin atomic.Bool
	// known says that an AdminUser of the name is honoured.
	known atomic.Bool
	// told is when it was told last that the user was here.
	told told
}

// reason takes a nil user for nobody in particular.
func (u *user) reason() Reason {
	switch {
	case u == nil:
		return Accepted
	case u.disabled:
		return OwnerDisabled
	case u.denied:
		return OwnerDenied
	}
	return Accepted
}

// attach makes an object one of its user's, if it is limited by one.
func (x *Index) attach(o *object) {
	name := o.identity.Username
	if o.given == nil || name == "" {
		return
	}
	u := x.users[name]
	if u == nil {
		u = &user{}
		x.settle(name, u)
		if x.users == nil {
			x.users = map[string]*user{}
		}
		x.users[name] = u
	}
	o.user, o.seat = u, int32(len(u.objects))
	u.objects = append(u.objects, o.place)
}

// detach leaves o.user as it is: a verdict may still ask.
func (x *Index) detach(o *object) {
	u := o.user
	if u == nil {
		return
	}
	last := len(u.objects) - 1
	u.objects[o.seat] = u.objects[last]
	x.shelf.objects[u.objects[o.seat]].seat = o.seat
	u.objects = u.objects[:last]
	if last == 0 {
		delete(x.users, o.identity.Username)
	}
}

// settle finds out anew what is said of a user, and whether keys are refused for it that were not, or the reverse.
func (x *Index) settle(name string, u *user) (changed bool) {
	before := u.reason()
	self := x.userNamed(name)
	u.known.Store(self != nil)
	u.disabled = self != nil && self.disabled
	u.denied = !x.roles.Load().MayOwnKeys(name)
	if admin := x.isAdmin(self); u.admin.Swap(admin) != admin {
		x.changes.Add(1)
	}
	return u.reason() != before
}

// follow brings the keys of users in line with what objects say of them.
func (x *Index) follow(objects ...*object) {
	for _, o := range objects {
		if o == nil || !o.ownsUsername {
			continue
		}
		name := o.identity.Username
		if u := x.users[name]; u != nil && x.settle(name, u) {
			x.refresh(x.shelf.at(u.objects)...)
		}
	}
}
