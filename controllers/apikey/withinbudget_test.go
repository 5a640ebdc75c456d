package apikey

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/budget"
	"keywright.dev/keywright/internal/kube/convert"
)

func TestWithinBudget(t *testing.T) {
	tokens := func(name string, amount int64, period budget.Period, warns bool) budget.Budget {
		return budget.Budget{Name: name, Unit: budget.Tokens, Amount: amount, Period: period, Warns: warns}
	}
	daily, hourly := tokens("a", 7, budget.Day, false), tokens("a", 8, budget.Hour, true)
	key := &v1alpha1.APIKey{Spec: v1alpha1.APIKeySpec{
		Roles:   []v1alpha1.RoleName{"team", "free", "missing"},
		Budgets: []v1alpha1.Budget{{Name: "a", Tokens: 7, Period: v1alpha1.BudgetDay, Action: v1alpha1.BudgetDeny}},
	}}
	inForce := budgetsOf(key, access.NewRoles(map[string]access.Role{
		"team": {Budgets: []budget.Budget{hourly}}, "free": {}, "other": {Budgets: []budget.Budget{daily}},
	}, nil))
	of := func(role string, b budget.Budget) v1alpha1.UsedUpBudget {
		reached := budget.Reached{Owner: budget.Owner{Role: role}, Budget: b, Resets: b.Period.EndOf(noon)}
		return convert.UsedUp(&reached, noon)
	}
	const (
		held   = "WithinBudget: No request was refused or warned of because of a budget in its present period."
		denies = `Budget "a" of spec.budgets (7 tokens per day) is used up until 2030-01-02T00:00:00Z: requests are refused.`
		warns  = `Budget "a" of AccessRole/team (8 tokens per hour) is used up until 2030-01-01T13:00:00Z: ` +
			`requests are accepted.`
	)
	hourEnds, dayEnds := noon.Add(time.Hour), noon.Add(12*time.Hour)
	hostile := of("", daily)
	hostile.ResetsAt = metav1.Time{}
	list := func(all ...v1alpha1.UsedUpBudget) []v1alpha1.UsedUpBudget { return all }
	own, shared := of("", daily), of("team", hourly)
	for name, c := range map[string]struct {
		reported []v1alpha1.UsedUpBudget
		now      time.Time
		holds    bool
		want     string
		until    time.Time
	}{
		"no report":           {nil, noon, true, held, time.Time{}},
		"refused":             {list(own), noon, false, "BudgetExceeded: " + denies, dayEnds},
		"warned of":           {list(shared), noon, false, "BudgetWarning: " + warns, hourEnds},
		"both":                {list(own, shared), noon, false, "BudgetExceeded: " + denies + " " + warns, hourEnds},
		"both, another order": {list(shared, own), noon, false, "BudgetExceeded: " + warns + " " + denies, hourEnds},
		"one has ended":       {list(own, shared), hourEnds, false, "BudgetExceeded: " + denies, dayEnds},
		"just before the end": {list(own), dayEnds.Add(-1), false, "BudgetExceeded: " + denies, dayEnds},
		"at the end":          {list(own), dayEnds, true, held, time.Time{}},
		"raised since":        {list(of("", tokens("a", 6, budget.Day, false))), noon, true, held, time.Time{}},
		"removed since":       {list(of("", tokens("b", 7, budget.Day, false))), noon, true, held, time.Time{}},
		"of another role":     {list(of("other", daily)), noon, true, held, time.Time{}},
		"without an end":      {list(hostile), noon, true, held, time.Time{}},
	} {
		got := withinBudget(c.reported, inForce, c.now)
		if text := got.Reason + ": " + got.Message; got.Holds != c.holds || text != c.want || !got.Until.Equal(c.until) {
			t.Errorf("%s: %t, %s, until %s", name, got.Holds, text, got.Until)
		}
	}
	if got := withinBudget([]v1alpha1.UsedUpBudget{of("", daily)}, nil, noon); got != nil {
		t.Errorf("without budgets: %+v", got)
	}
}
