package verify

import (
	"maps"
	"slices"
	"strings"
	"time"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/budget"
)

// accounts are the budgets of all keys and roles. Index.mu guards them. An account outlives a change of its owner's
// other fields, so that its counters stay known.
type accounts struct {
	// byUID has the accounts of the objects with budgets of their own, by their uids.
	byUID map[string]*budget.Account
	// byRole has the accounts of the roles with budgets.
	byRole map[string]*budget.Account
}

// setKey records the budgets of an object in place of those of prev, which may be nil or an earlier object of the same
// name.
func (a *accounts) setKey(prev, next *object, budgets []budget.Budget) {
	if prev != nil && prev.uid != next.uid {
		a.removeKey(prev)
	}
	if len(budgets) == 0 {
		a.removeKey(next)
		return
	}
	if a.byUID == nil {
		a.byUID = map[string]*budget.Account{}
	}
	owner := budget.Owner{KeyUID: next.uid, Key: next.id.Namespace + "/" + next.id.Name}
	a.byUID[next.uid] = a.byUID[next.uid].Successor(owner, budgets)
}

// removeKey removes the budgets of an object, which may be nil.
func (a *accounts) removeKey(o *object) {
	if o != nil {
		delete(a.byUID, o.uid)
	}
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

// of returns the accounts whose budgets apply to a key with this uid and these roles.
func (a *accounts) of(uid string, roles []string) (all budget.Accounts) {
	if own := a.byUID[uid]; own != nil {
		all = append(all, own)
	}
	if len(a.byRole) == 0 {
		return all
	}
	for _, role := range roles {
		if shared := a.byRole[role]; shared != nil {
			all = append(all, shared)
		}
	}
	return all
}

// limits are the budgets of an object that has any.
type limits struct {
	accounts budget.Accounts
	// reported is when budgets that are used up were last reported.
	reported reportTime
}

// limit sets the budgets of an object. Changed budgets may be reported at once.
func (x *Index) limit(o *object) {
	var roles []string
	if o.rights != nil {
		roles = o.rights.Roles
	}
	all := x.accounts.of(o.uid, roles)
	switch now := o.limits.Load(); {
	case all == nil:
		o.limits.Store(nil)
	case now == nil || !slices.Equal(now.accounts, all):
		o.limits.Store(&limits{accounts: all})
	}
}

// Accounts returns the budgets of all keys, sorted by <namespace>/<name>, and then those of all roles, sorted by name.
func (v *Verifier) Accounts() budget.Accounts {
	x := v.index
	x.mu.Lock()
	all := make(budget.Accounts, 0, len(x.accounts.byUID)+len(x.accounts.byRole))
	all = slices.AppendSeq(all, maps.Values(x.accounts.byUID))
	all = slices.AppendSeq(all, maps.Values(x.accounts.byRole))
	x.mu.Unlock()
	slices.SortFunc(all, compareOwners)
	return all
}

// AccountsOf returns the budgets of the APIKey with this uid, and those of roles.
func (v *Verifier) AccountsOf(keyUID string, roles []string) (all budget.Accounts) {
	x := v.index
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.accounts.of(keyUID, roles)
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
	if l := v.entry.owner.limits.Load(); l != nil {
		return l.accounts
	}
	return nil
}

// ShouldReportBudgets is ShouldReportUse for a request that budgets refuse or warn of. The interval begins again when
// the budgets of the key change.
func (v Verdict) ShouldReportBudgets(now time.Time, interval time.Duration) bool {
	l := v.entry.owner.limits.Load()
	return l != nil && l.reported.due(now, interval)
}
