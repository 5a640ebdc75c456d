package verify

import (
	"slices"

	"keywright.dev/keywright/internal/access"
)

// May says whether the bearer of a key may do what is asked. It goes by the roles and by the user as they are now,
// not as they were when the key was verified. Whoever was refused may do nothing.
func (v *Verifier) May(verdict Verdict, r access.Request) bool {
	if !verdict.Accepted() {
		return false
	}
	grant, ceiling := v.index.rights(verdict.entry.owner)
	return access.May(grant, ceiling, r)
}

// Scopes are those that the key was given and may use on every resource.
func (v *Verifier) Scopes(verdict Verdict) []string {
	given := verdict.Given()
	if given == nil || len(given.Scopes) == 0 {
		return nil
	}
	grant, ceiling := v.index.rights(verdict.entry.owner)
	return slices.DeleteFunc(slices.Clone(given.Scopes), func(scope string) bool {
		return !access.May(grant, ceiling, access.Request{Action: scope, Resource: access.Any})
	})
}

// rights are what a key was given, and what its user holds when that limits it.
func (x *Index) rights(o *object) (grant access.Grant, ceiling *access.Grant) {
	if o.given == nil {
		return access.Grant{Everything: true}, nil
	}
	roles := x.roles.Load()
	grant = roles.GrantOf(o.given)
	if o.user == nil || o.user.admin.Load() {
		return grant, nil
	}
	held := roles.HeldBy(o.identity.Username)
	return grant, &held
}
