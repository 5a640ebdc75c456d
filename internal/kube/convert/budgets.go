package convert

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/budget"
)

// Budgets returns the budgets of an APIKey or of an AccessRole. One whose amount cannot be read, which the CRD refuses,
// has amount 0 and is used up from the beginning.
func Budgets(written []v1alpha1.Budget) []budget.Budget {
	if len(written) == 0 {
		return nil
	}
	read := make([]budget.Budget, 0, len(written))
	for i := range written {
		w := &written[i]
		b := budget.Budget{
			Name: w.Name, Unit: budget.Tokens, Amount: w.Tokens, Period: budget.Period(w.Period),
			Warns: w.Action == v1alpha1.BudgetWarn,
		}
		if w.USD != "" {
			b.Unit = budget.NanoDollars
			b.Amount, _ = budget.ParseDollars(string(w.USD))
		}
		read = append(read, b)
	}
	return read
}

// UsedUp returns how status records a budget that is used up, and that a request came at an instant.
func UsedUp(reached *budget.Reached, at time.Time) v1alpha1.UsedUpBudget {
	b := &reached.Budget
	return v1alpha1.UsedUpBudget{
		Name: b.Name, From: reached.Owner.Origin(), Limit: b.Limit(), Action: actionOf(b),
		Since: metav1.NewTime(at.UTC().Truncate(time.Second)), ResetsAt: metav1.NewTime(reached.Resets),
	}
}

// Concerns reports whether a recorded budget is one of those in force, as it is now.
func Concerns(recorded *v1alpha1.UsedUpBudget, inForce budget.Accounts) bool {
	for _, account := range inForce {
		if account.Owner.Origin() != recorded.From {
			continue
		}
		for i := range account.Budgets {
			b := &account.Budgets[i]
			if b.Name == recorded.Name && b.Limit() == recorded.Limit && actionOf(b) == recorded.Action {
				return true
			}
		}
	}
	return false
}

// UsedUpMessage describes a budget that is used up, for conditions and events.
func UsedUpMessage(u *v1alpha1.UsedUpBudget) string {
	what := "accepted"
	if u.Action == v1alpha1.BudgetDeny {
		what = "refused"
	}
	return fmt.Sprintf("Budget %q of %s (%s) is used up until %s: requests are %s.",
		u.Name, u.From, u.Limit, u.ResetsAt.UTC().Format(time.RFC3339), what)
}

func actionOf(b *budget.Budget) v1alpha1.BudgetAction {
	if b.Warns {
		return v1alpha1.BudgetWarn
	}
	return v1alpha1.BudgetDeny
}
