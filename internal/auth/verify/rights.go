package verify

import (
	"slices"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/username"
)

// May says whether the bearer of a key may do what is asked. It goes by the roles and by the user as they are now,
// not as they were when the key was verified. Whoever was refused may do nothing.
func (v *Verifier) May(verdict Verdict, r access.Request) bool {
	if !verdict.Accepted() {
		return false
	}
	grant, ceiling := v.index.rights(verdict.entry.owner)
	return access.May(grant, &ceiling, r)
}

// Scopes are those that the key was given and may use on every resource. They are shared: not to be changed.
func (v *Verifier) Scopes(verdict Verdict) []string {
	given := verdict.Given()
	if given == nil || len(given.Scopes) == 0 {
		return nil
	}
	return v.index.usableScopes(verdict.entry.owner)
}

// UserMay says whether somebody may do what is asked who presented no key, but whose name is known: what the roles that
// list the name allow, and for nobody more than that.
func (v *Verifier) UserMay(name string, r access.Request) bool {
	return access.May(v.index.roles.Load().HeldBy(name), nil, r)
}

// UserIsDenied says that a role that lists somebody denies them what is asked, whatever others allow.
func (v *Verifier) UserIsDenied(name string, r access.Request) bool {
	held := v.index.roles.Load().HeldBy(name)
	held.Everything = true
	return !access.May(held, nil, r)
}

// IsDisabled says that an AdminUser of this name, case aside, says enabled: false. It waits for whoever changes the index.
func (v *Verifier) IsDisabled(name string) bool {
	v.index.mu.Lock()
	defer v.index.mu.Unlock()
	holder := v.index.names.holders[username.Fold(name)]
	return holder != nil && holder.disabled
}

// rights are what a key was given, and what its user holds when that limits it.
func (x *Index) rights(o *object) (grant, ceiling access.Grant) {
	everything := access.Grant{Everything: true}
	if o.given == nil {
		return everything, everything
	}
	roles := x.roles.Load()
	grant = roles.GrantOf(o.given)
	if o.user == nil || o.user.admin.Load() {
		return grant, everything
	}
	return grant, roles.HeldBy(o.identity.Username)
}

// usableScopes looks closer only where something has changed that rights depend on: every request is told, and most keys
// may use all scopes they were given.
func (x *Index) usableScopes(o *object) []string {
	now := x.changes.Load() + 1
	if o.allUsable.Load() == now {
		return o.given.Scopes
	}
	grant, ceiling := x.rights(o)
	beyond := func(scope string) bool {
		return !access.May(grant, &ceiling, access.Request{Action: scope, Resource: access.Any})
	}
	if slices.ContainsFunc(o.given.Scopes, beyond) {
		return slices.DeleteFunc(slices.Clone(o.given.Scopes), beyond)
	}
	o.allUsable.Store(now)
	return o.given.Scopes
}
