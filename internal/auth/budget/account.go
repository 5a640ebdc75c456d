package budget

import (
	"slices"
	"sync/atomic"
	"time"
)

// Owner is whose budgets an account has: those of an APIKey, or those that all keys of a role share.
type Owner struct {
	// KeyUID is the uid of an APIKey, and Key its <namespace>/<name>. Both are empty for a role.
	KeyUID, Key string
	// Role is the name of an AccessRole. It is empty for a key.
	Role string
}

// Origin returns where the owner's budgets are set: spec.budgets of the APIKey, or AccessRole/<name>.
func (o Owner) Origin() string {
	if o.Role != "" {
		return "AccessRole/" + o.Role
	}
	return "spec.budgets"
}

// Used is what an account has used in a period.
type Used struct {
	Tokens, NanoDollars int64
}

// In returns the amount in a unit.
func (u Used) In(unit Unit) int64 {
	if unit == Tokens {
		return u.Tokens
	}
	return u.NanoDollars
}

// figure is what is known about a period. It is written once.
type figure struct {
	Used
	// start and end are in seconds since 1970.
	start, end int64
	// read is the number of the read that it is from.
	read uint64
}

// Account has the budgets of an owner, and the last known counter of each period. Owner and Budgets must not be
// modified after the account is in use; the counters may be read and set at any time.
type Account struct {
	Owner   Owner
	Budgets []Budget
	figures [3]atomic.Pointer[figure]
}

// Successor returns an account of the same owner with other budgets and the same counters. It returns a itself if the
// budgets are the same. a may be nil.
func (a *Account) Successor(owner Owner, budgets []Budget) *Account {
	if a != nil && a.Owner == owner && slices.Equal(a.Budgets, budgets) {
		return a
	}
	next := &Account{Owner: owner, Budgets: budgets}
	if a != nil {
		for i := range a.figures {
			next.figures[i].Store(a.figures[i].Load())
		}
	}
	return next
}

// Set records what was used in the period that contains at, as a numbered read found it. It changes nothing if a later
// read was recorded before.
func (a *Account) Set(p Period, at time.Time, used Used, read uint64) {
	next := &figure{Used: used, start: p.StartOf(at).Unix(), end: p.EndOf(at).Unix(), read: read}
	for place := &a.figures[p.place()]; ; {
		last := place.Load()
		if last != nil && last.read > read {
			return
		}
		if place.CompareAndSwap(last, next) {
			return
		}
	}
}

// Used returns what was used in the period that contains now, and whether that is known. The counter of an earlier
// period says nothing about this one.
func (a *Account) Used(p Period, now time.Time) (used Used, known bool) {
	f := a.figures[p.place()].Load()
	if f == nil {
		return Used{}, false
	}
	if at := now.Unix(); at < f.start || at >= f.end {
		return Used{}, false
	}
	return f.Used, true
}

// Periods returns the periods of the account's budgets, the shortest first.
func (a *Account) Periods() (all []Period) {
	for _, p := range Periods() {
		if slices.ContainsFunc(a.Budgets, func(b Budget) bool { return b.Period.place() == p.place() }) {
			all = append(all, p)
		}
	}
	return all
}

// isUsedUp reports whether a budget of the account is used up. One whose counter is unknown is not.
func (a *Account) isUsedUp(b *Budget, now time.Time) bool {
	used, known := a.Used(b.Period, now)
	return known && used.In(b.Unit) >= b.Amount
}
