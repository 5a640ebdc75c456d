package verify

import (
	"strings"

	"keywright.dev/keywright/internal/auth/access"
)

// Answer is whether the caller of a verdict may do something, and why.
type Answer struct {
	Allowed bool
	// Why is one sentence for each rule or fact that decides.
	Why []string
}

// Answer returns what May returns, and the facts and rules that decide, in the words of every surface.
func (v *Verifier) Answer(verdict Verdict, r access.Request) Answer {
	a := Answer{Allowed: v.May(verdict, r)}
	if !verdict.Accepted() {
		a.Why = append(a.Why, "the key is refused: "+verdict.Reason.String())
		if verdict.Reason == UnknownRole {
			missing := v.index.roles.Load().Missing(verdict.entry.owner.rights.Roles)
			a.Why = append(a.Why, "a role that it names does not exist: "+strings.Join(missing, ", "))
		}
		return a
	}
	key, owner := v.Explain(verdict, r)
	a.add("the key", key)
	if owner != nil {
		a.add("its owner "+verdict.Identity().Username, *owner)
	}
	return a
}

// add adds what the rules of a holder decide.
func (a *Answer) add(holder string, e access.Explanation) {
	for _, rule := range e.Rules {
		verb := map[access.Effect]string{access.Allow: "allows it", access.Deny: "denies it"}[rule.Effect]
		a.Why = append(a.Why, holder+": "+rule.Source+" "+verb)
	}
	if len(e.Rules) == 0 {
		a.Why = append(a.Why, holder+": nothing allows it")
	}
}

// Held returns the permissions of rights, and the roles that do not exist.
func (v *Verifier) Held(rights *access.Rights) (all []access.Held, missing []string) {
	return access.List(v.index.roles.Load().GrantOf(rights))
}

// HeldByUser returns the permissions that limit the APIKeys of a user.
func (v *Verifier) HeldByUser(name string) []access.Held {
	all, _ := access.List(*v.limit(v.index.roles.Load(), name))
	return all
}
