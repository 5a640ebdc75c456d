package verify

import (
	"time"

	"keywright.dev/keywright/internal/auth/access"
)

// MayGive says whether the bearer of a key may hand out rights to a key that speaks for a user, or for none: "". Whoever
// was refused may hand out nothing, not even a key that may do nothing.
func (v *Verifier) MayGive(verdict Verdict, given *access.Given, to string) bool {
	if !verdict.Accepted() {
		return false
	}
	held, ceiling := v.index.rights(verdict.entry.owner)
	roles := v.index.roles.Load()
	return access.Covers(held, &ceiling, roles.GrantOf(given), v.limit(roles, to))
}

// UserMayGive is MayGive for somebody who presented no key, but whose name is known. They may have a key that can do
// whatever they may, now and later.
func (v *Verifier) UserMayGive(name string, given *access.Given, to string) bool {
	roles := v.index.roles.Load()
	ceiling := roles.HeldBy(name)
	return access.Covers(access.Grant{Everything: true}, &ceiling, roles.GrantOf(given), v.limit(roles, to))
}

// limit is what limits the keys of a user, and nil for none. Somebody who is an admin may be none later.
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

// MayOwnKeys is false for a user whom only roles list that deny it.
func (v *Verifier) MayOwnKeys(username string) bool { return v.index.roles.Load().MayOwnKeys(username) }

// MaxTTL is how long after its issue a key ends at the latest that uses these roles. 0: no role says so.
func (v *Verifier) MaxTTL(roles []string) time.Duration { return v.index.roles.Load().MaxTTL(roles) }
