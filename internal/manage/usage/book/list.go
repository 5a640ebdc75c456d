package book

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"keywright.dev/keywright/internal/auth/budget"
)

// State is how far a budget is used.
type State string

// States of budgets.
const (
	// Within: a part of the budget remains.
	Within State = "within"
	// UsedUp: nothing remains.
	UsedUp State = "used_up"
	// Unknown: the counter has not been read in this period, so the budget lets requests through.
	Unknown State = "unknown"
)

// Line is a budget with what was used of it in its present period.
type Line struct {
	Owner  budget.Owner
	Budget budget.Budget
	State  State
	// Used is in the unit of the budget. It is 0 if State is Unknown.
	Used int64
	// Resets is when the period ends.
	Resets time.Time
}

// OwnerName returns APIKey/<namespace>/<name> or AccessRole/<name>.
func (l *Line) OwnerName() string {
	if l.Owner.Role != "" {
		return "AccessRole/" + l.Owner.Role
	}
	return "APIKey/" + l.Owner.Key
}

// Ratio returns the used part of the budget: 1 and more if it is used up.
func (l *Line) Ratio() float64 {
	if l.Budget.Amount == 0 {
		return 1
	}
	return float64(l.Used) / float64(l.Budget.Amount)
}

// List returns every budget in force, as the gate of this replica decides with it: the most used ones first.
func (b *Book) List() []Line { return Lines(b.Accounts.Accounts(), b.Now()) }

// Lines returns the budgets of accounts, the most used ones first.
func Lines(accounts budget.Accounts, now time.Time) (all []Line) {
	for _, account := range accounts {
		for i := range account.Budgets {
			one := account.Budgets[i]
			used, known := account.Used(one.Period, now)
			line := Line{Owner: account.Owner, Budget: one, State: Unknown, Resets: one.Period.EndOf(now)}
			if known {
				line.Used, line.State = used.In(one.Unit), Within
				if line.Used >= one.Amount {
					line.State = UsedUp
				}
			}
			all = append(all, line)
		}
	}
	slices.SortStableFunc(all, compareLines)
	return all
}

func compareLines(a, b Line) int {
	return cmp.Or(
		-cmp.Compare(a.Ratio(), b.Ratio()),
		strings.Compare(a.Owner.Role, b.Owner.Role),
		strings.Compare(a.Owner.Key, b.Owner.Key),
		strings.Compare(a.Budget.Name, b.Budget.Name),
	)
}
