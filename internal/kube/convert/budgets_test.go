package convert_test

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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

func TestUsedUp_IsRecordedAndFoundAgain(t *testing.T) {
	at := time.Date(2030, 1, 31, 12, 0, 0, 5, time.UTC)
	of := func(owner budget.Owner, b budget.Budget) *budget.Reached {
		return &budget.Reached{Owner: owner, Budget: b, Resets: b.Period.EndOf(at)}
	}
	key, team := budget.Owner{KeyUID: "u", Key: "n/k"}, budget.Owner{Role: "team"}
	for name, c := range map[string]struct {
		reached *budget.Reached
		message string
	}{
		"of a key": {of(key, readBudgets[0]),
			`Budget "a" of spec.budgets (12.5 USD per day) is used up until 2030-02-01T00:00:00Z: requests are refused.`},
		"of a role, with a warning": {of(team, readBudgets[1]),
			`Budget "b" of AccessRole/team (7 tokens per hour) is used up until 2030-01-31T13:00:00Z: requests are accepted.`},
	} {
		recorded := convert.UsedUp(c.reached, at)
		if got := convert.UsedUpMessage(&recorded); got != c.message {
			t.Errorf("%s: %s", name, got)
		}
		if !recorded.Since.Equal(&metav1.Time{Time: at.Truncate(time.Second)}) {
			t.Errorf("%s: since %s", name, recorded.Since)
		}
		for what, change := range map[string]func(*budget.Account){
			"":               func(*budget.Account) {},
			"another name":   func(a *budget.Account) { a.Budgets[0].Name = "z" },
			"another amount": func(a *budget.Account) { a.Budgets[0].Amount++ },
			"another unit":   func(a *budget.Account) { a.Budgets[0].Unit = 1 - a.Budgets[0].Unit },
			"another period": func(a *budget.Account) { a.Budgets[0].Period = budget.Month },
			"another action": func(a *budget.Account) { a.Budgets[0].Warns = !a.Budgets[0].Warns },
			"another owner":  func(a *budget.Account) { a.Owner = budget.Owner{Role: "other"} },
			"none":           func(a *budget.Account) { a.Budgets = nil },
		} {
			account := &budget.Account{Owner: c.reached.Owner, Budgets: []budget.Budget{c.reached.Budget, readBudgets[2]}}
			change(account)
			if got := convert.Concerns(&recorded, budget.Accounts{account}); got != (what == "") {
				t.Errorf("%s: concerns %q: %t", name, what, got)
			}
		}
	}
}
