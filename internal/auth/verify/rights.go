package verify

import (
	"slices"
	"time"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/key/lifecycle"
)

// May reports whether the caller of a verdict may do r. It uses the roles and the user as they are now, not
// as they were when the key was verified. A refused caller may do nothing.
func (v *Verifier) May(verdict Verdict, r access.Request) bool {
	if !verdict.Accepted() {
		return false
	}
	grant, ceiling := v.index.grantOf(verdict.entry.owner)
	return access.May(grant, &ceiling, r)
}

// Explain returns why the caller of an accepted verdict may do r or not: by what the key was given, and by what its
// owner holds, which is nil unless it limits the key. May is true if both allow it.
func (v *Verifier) Explain(verdict Verdict, r access.Request) (key access.Explanation, owner *access.Explanation) {
	if !verdict.Accepted() {
		return access.Explanation{}, nil
	}
	o := verdict.entry.owner
	grant, ceiling := v.index.grantOf(o)
	key = access.Explain(grant, r)
	if o.user != nil {
		held := access.Explain(ceiling, r)
		owner = &held
	}
	return key, owner
}

// Scopes returns the scopes that the key was given and may use on every resource. The caller must not change
// the slice.
func (v *Verifier) Scopes(verdict Verdict) []string {
	rights := verdict.Rights()
	if rights == nil || len(rights.Scopes) == 0 {
		return nil
	}
	return v.index.usableScopes(verdict.entry.owner)
}

// UserMay reports whether a caller with a name and no key may do r: whether the roles of that name allow it.
func (v *Verifier) UserMay(name string, r access.Request) bool {
	return access.May(v.index.roles.Load().HeldBy(name), nil, r)
}

// UserIsDenied reports whether a role of the user denies r, whatever others allow.
func (v *Verifier) UserIsDenied(name string, r access.Request) bool {
	held := v.index.roles.Load().HeldBy(name)
	held.Everything = true
	return !access.May(held, nil, r)
}

// MayDelegate reports whether the caller of a verdict may give rights to a key whose owner is the user `to`,
// or to a key without an owner if `to` is empty. A refused caller may give nothing, not even an empty grant.
func (v *Verifier) MayDelegate(verdict Verdict, rights *access.Rights, to string) bool {
	if !verdict.Accepted() {
		return false
	}
	held, ceiling := v.index.grantOf(verdict.entry.owner)
	roles := v.index.roles.Load()
	return access.Covers(held, &ceiling, roles.GrantOf(rights), v.limit(roles, to))
}

// UserMayDelegate is MayDelegate for a caller with a name and no key. Such a caller may create a key with all
// rights of the user, present and future.
func (v *Verifier) UserMayDelegate(name string, rights *access.Rights, to string) bool {
	roles := v.index.roles.Load()
	ceiling := roles.HeldBy(name)
	return access.Covers(access.Grant{Everything: true}, &ceiling, roles.GrantOf(rights), v.limit(roles, to))
}

// Allows reports whether rights allow r, apart from what limits the owner of a key.
func (v *Verifier) Allows(rights *access.Rights, r access.Request) bool {
	return access.May(v.index.roles.Load().GrantOf(rights), nil, r)
}

// limit returns the rights that limit keys of a user, and nil if there is no user. The rights of an admin
// include those the user would have after a demotion.
func (v *Verifier) limit(roles *access.Roles, username string) *access.Grant {
	if username == "" {
		return nil
	}
	limit := roles.HeldBy(username)
	if v.UserIsAdmin(username) {
		limit = access.Grant{Everything: true}
	}
	return &limit
}

// RolesOf returns the names of the AccessRoles that are bound to a user, sorted. The caller must not change them.
func (v *Verifier) RolesOf(username string) []string {
	return v.index.roles.Load().Holding(username).Names()
}

// MayOwnKeys reports whether a user may own keys: false only if every binding of the user denies it.
func (v *Verifier) MayOwnKeys(username string) bool { return v.index.roles.Load().MayOwnKeys(username) }

// Limits returns the limits of the instance on the life of API keys.
func (v *Verifier) Limits() lifecycle.Limits { return v.index.Limits() }

// Bounds returns what bounds the life of a key with this end and these roles.
func (v *Verifier) Bounds(expiresAt time.Time, ttl time.Duration, roles []string) *lifecycle.Bounds {
	b := &lifecycle.Bounds{ExpiresAt: expiresAt, TTL: ttl, Limits: v.index.Limits()}
	b.RoleTTL, b.Role = v.index.roles.Load().ShortestTTL(roles)
	return b
}

// grantOf returns the grant of an object, and the grant of its owner if that limits it.
func (x *Index) grantOf(o *object) (grant, ceiling access.Grant) {
	everything := access.Grant{Everything: true}
	if o.rights == nil {
		return everything, everything
	}
	roles := x.roles.Load()
	grant = roles.GrantOf(o.rights)
	if o.user == nil || o.user.admin.Load() {
		return grant, everything
	}
	return grant, roles.GrantOfHolding(o.user.holding.Load())
}

// usableScopes runs on every request, and most keys may use all their scopes. So the result is cached in
// o.allUsable until something changes that rights depend on.
func (x *Index) usableScopes(o *object) []string {
	now := x.changes.Load() + 1
	if o.allUsable.Load() == now {
		return o.rights.Scopes
	}
	grant, ceiling := x.grantOf(o)
	beyond := func(scope string) bool {
		return !access.May(grant, &ceiling, access.Request{Action: scope, Resource: access.Any})
	}
	if slices.ContainsFunc(o.rights.Scopes, beyond) {
		return slices.DeleteFunc(slices.Clone(o.rights.Scopes), beyond)
	}
	o.allUsable.Store(now)
	return o.rights.Scopes
}
