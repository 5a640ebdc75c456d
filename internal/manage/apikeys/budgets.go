package apikeys

import (
	"regexp"
	"slices"
	"strconv"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/budget"
	"keywright.dev/keywright/internal/manage"
)

// Bounds of budgets, as the CRD has them.
const (
	maxBudgets    = 4
	maxBudgetName = 63
	maxTokens     = 1_000_000_000_000_000
)

var budgetName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)

// checkBudgets applies the rules of the CRD, so that a manifest that is only shown is a valid one.
func checkBudgets(budgets []v1alpha1.Budget) error {
	if len(budgets) > maxBudgets {
		return manage.InvalidField(FieldBudgets, "must have at most 4 items")
	}
	for i := range budgets {
		field := FieldBudgets + "[" + strconv.Itoa(i) + "]"
		isSame := func(other v1alpha1.Budget) bool { return other.Name == budgets[i].Name }
		if slices.ContainsFunc(budgets[:i], isSame) {
			return manage.InvalidField(field+".name", "is given twice")
		}
		if err := checkBudget(field, &budgets[i]); err != nil {
			return err
		}
	}
	return nil
}

func checkBudget(field string, b *v1alpha1.Budget) error {
	nanos, isAmount := budget.ParseDollars(string(b.USD))
	leads := len(b.USD) > 1 && b.USD[0] == '0' && b.USD[1] != '.'
	switch {
	case len(b.Name) > maxBudgetName || !budgetName.MatchString(b.Name):
		return manage.InvalidField(field+".name",
			"must be up to 63 lower case letters, digits and '-', a letter or digit first and last")
	case (b.USD == "") == (b.Tokens == 0):
		return manage.InvalidField(field, "must have either usd or tokens")
	case b.USD != "" && (!isAmount || nanos == 0 || leads):
		return manage.InvalidField(field+".usd",
			"must be an amount above 0 such as 50 or 0.25, with up to 9 digits before the point and 9 after it")
	case b.USD == "" && (b.Tokens < 1 || b.Tokens > maxTokens):
		return manage.InvalidField(field+".tokens", "must be from 1 to "+strconv.Itoa(maxTokens))
	case !slices.Contains(budget.Periods(), budget.Period(b.Period)):
		return manage.InvalidField(field+".period", "must be Hour, Day or Month")
	case !slices.Contains([]v1alpha1.BudgetAction{"", v1alpha1.BudgetDeny, v1alpha1.BudgetWarn}, b.Action):
		return manage.InvalidField(field+".action", "must be Deny or Warn")
	}
	return nil
}

// budgetsOf returns the budgets of a spec, with the default of the CRD.
func budgetsOf(budgets []v1alpha1.Budget) []v1alpha1.Budget {
	if len(budgets) == 0 {
		return nil
	}
	all := slices.Clone(budgets)
	for i := range all {
		if all[i].Action == "" {
			all[i].Action = v1alpha1.BudgetDeny
		}
	}
	return all
}
