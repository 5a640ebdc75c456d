package convert

import (
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
