package verify

import (
	"maps"
	"slices"
	"strings"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/budget"
)

// accounts are the budgets of all keys and roles. Index.mu guards them. An account outlives a change of its owner's
// other fields, so that its counters stay known.
type accounts struct {
	// byKey has the accounts of the objects with budgets of their own.
	byKey map[ID]*budget.Account
	// byRole has the accounts of the roles with budgets.
	byRole map[string]*budget.Account
}

// setKey records the budgets of an object in place of those of prev, which may be nil or an earlier object of the same
// name.
func (a *accounts) setKey(prev, next *object, budgets []budget.Budget) {
	if len(budgets) == 0 {
		delete(a.byKey, next.id)
		return
	}
	if a.byKey == nil {
		a.byKey = map[ID]*budget.Account{}
	}
	var before *budget.Account
	if prev != nil && prev.uid == next.uid {
		before = a.byKey[next.id]
	}
	owner := budget.Owner{KeyUID: next.uid, Key: next.id.Namespace + "/" + next.id.Name}
	a.byKey[next.id] = before.Successor(owner, budgets)
}

// setRoles records the budgets of all roles. It reports whether any account changed.
func (a *accounts) setRoles(byName map[string]access.Role) (changed bool) {
	next := map[string]*budget.Account{}
	for name := range byName {
		if budgets := byName[name].Budgets; len(budgets) > 0 {
			next[name] = a.byRole[name].Successor(budget.Owner{Role: name}, budgets)
		}
	}
	changed = !maps.Equal(next, a.byRole)
	a.byRole = next
	return changed
}

// of returns the accounts whose budgets apply to an object, and nil if there are none.
func (a *accounts) of(o *object) *budget.Accounts {
	var all budget.Accounts
	if own := a.byKey[o.id]; own != nil {
		all = append(all, own)
	}
	if o.rights != nil && len(a.byRole) > 0 {
		for _, role := range o.rights.Roles {
			if shared := a.byRole[role]; shared != nil {
				all = append(all, shared)
			}
		}
	}
	if all == nil {
		return nil
	}
	return &all
}

// limit sets the accounts of an object.
func (x *Index) limit(o *object) { o.accounts.Store(x.accounts.of(o)) }

// Accounts returns the budgets of all keys, sorted by <namespace>/<name>, and then those of all roles, sorted by name.
func (v *Verifier) Accounts() budget.Accounts {
	x := v.index
	x.mu.Lock()
	all := make(budget.Accounts, 0, len(x.accounts.byKey)+len(x.accounts.byRole))
	all = slices.AppendSeq(all, maps.Values(x.accounts.byKey))
	all = slices.AppendSeq(all, maps.Values(x.accounts.byRole))
	x.mu.Unlock()
	slices.SortFunc(all, compareOwners)
	return all
}

func compareOwners(a, b *budget.Account) int {
	if a.Owner.Role != b.Owner.Role {
		return strings.Compare(a.Owner.Role, b.Owner.Role)
	}
	return strings.Compare(a.Owner.Key, b.Owner.Key)
}

// Budgets returns the accounts whose budgets apply to an accepted key. It is nil for most keys, and then costs next to
// nothing.
func (v Verdict) Budgets() budget.Accounts {
	if !v.Accepted() {
		return nil
	}
	if all := v.entry.owner.accounts.Load(); all != nil {
		return *all
	}
	return nil
}
