package convert_test

import (
	"slices"
	"testing"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/budget"
	"keywright.dev/keywright/internal/kube/convert"
)

var (
	writtenBudgets = []v1alpha1.Budget{
		{Name: "a", USD: "12.50", Period: v1alpha1.BudgetDay, Action: v1alpha1.BudgetDeny},
		{Name: "b", Tokens: 7, Period: v1alpha1.BudgetHour, Action: v1alpha1.BudgetWarn},
		{Name: "c", Tokens: 8, Period: v1alpha1.BudgetMonth},
		{Name: "d", USD: "much", Period: v1alpha1.BudgetMonth},
	}
	readBudgets = []budget.Budget{
		{Name: "a", Unit: budget.NanoDollars, Amount: 12_500_000_000, Period: budget.Day},
		{Name: "b", Unit: budget.Tokens, Amount: 7, Period: budget.Hour, Warns: true},
		{Name: "c", Unit: budget.Tokens, Amount: 8, Period: budget.Month},
		{Name: "d", Unit: budget.NanoDollars, Amount: 0, Period: budget.Month},
	}
)

func TestBudgets_OfAKeyAndOfARole(t *testing.T) {
	key := &v1alpha1.APIKey{Spec: v1alpha1.APIKeySpec{Budgets: writtenBudgets}}
	if object, _ := convert.KeyObject(key); !slices.Equal(object.Budgets, readBudgets) {
		t.Errorf("%+v", object.Budgets)
	}
	role := &v1alpha1.AccessRole{Spec: v1alpha1.AccessRoleSpec{Limits: &v1alpha1.Limits{Budgets: writtenBudgets}}}
	if got := convert.Role(role); !slices.Equal(got.Budgets, readBudgets) || got.MaxTTL != 0 {
		t.Errorf("%+v", got)
	}
	if got := convert.Role(&v1alpha1.AccessRole{}); got.Budgets != nil {
		t.Errorf("%+v", got)
	}
}

// The CRD's enumerations and the periods are the same words.
func TestBudgets_PeriodsAreThoseOfTheAPI(t *testing.T) {
	written := []v1alpha1.BudgetPeriod{v1alpha1.BudgetHour, v1alpha1.BudgetDay, v1alpha1.BudgetMonth}
	for i, p := range budget.Periods() {
		if string(p) != string(written[i]) {
			t.Errorf("%s, %s", p, written[i])
		}
	}
}
