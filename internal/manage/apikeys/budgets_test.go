package apikeys_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
)

func TestBudgets_AreCreatedAndReplaced(t *testing.T) {
	env := newEnv(t)
	daily := v1alpha1.Budget{Name: "daily", USD: "12.50", Period: v1alpha1.BudgetDay}
	burst := v1alpha1.Budget{Name: "burst", Tokens: 5, Period: v1alpha1.BudgetHour, Action: v1alpha1.BudgetWarn}
	issued := env.create(t, ci, apikeys.Wanted{Budgets: []v1alpha1.Budget{daily, burst}})
	daily.Action = v1alpha1.BudgetDeny
	if !slices.Equal(issued.Budgets, []v1alpha1.Budget{daily, burst}) {
		t.Errorf("%+v", issued.Budgets)
	}
	for name, c := range map[string]struct {
		change apikeys.Change
		want   []v1alpha1.Budget
	}{
		"not named": {apikeys.Change{Name: ptr("x")}, []v1alpha1.Budget{daily, burst}},
		"replaced":  {apikeys.Change{Budgets: &[]v1alpha1.Budget{burst}}, []v1alpha1.Budget{burst}},
		"removed":   {apikeys.Change{Budgets: &[]v1alpha1.Budget{}}, []v1alpha1.Budget{}},
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			id := env.create(t, ci, apikeys.Wanted{Budgets: []v1alpha1.Budget{daily, burst}}).ID
			k, err := env.Change(ctx, env.admin(), ci, id, given(c.change))
			if err != nil || k.Budgets == nil || !slices.Equal(k.Budgets, c.want) {
				t.Errorf("%+v %v", k, err)
			}
		})
	}
}

// To remove a budget widens the key: that takes what creating the key would take.
func TestBudgets_ChangeIsLimitedToOwnRights(t *testing.T) {
	env := newEnv(t)
	budgets := []v1alpha1.Budget{{Name: "daily", USD: "1", Period: v1alpha1.BudgetDay}}
	id := env.create(t, bob, apikeys.Wanted{Scopes: []string{"certs.write"}, Budgets: budgets}).ID
	_, err := env.Change(ctx, env.by(bobKey), bob, id, given(apikeys.Change{Budgets: &[]v1alpha1.Budget{}}))
	want(t, err, manage.Forbidden, "API key lacks required permission: a caller can only give what it holds")
	const ends = "a-key-of-bob-that-ends-in-an-hour"
	end := metav1.NewTime(env.Time().Add(time.Hour))
	env.PutKey("bob-ends", bob, ends, func(k *v1alpha1.APIKey) {
		k.Spec.Scopes, k.Spec.ExpiresAt = []v1alpha1.Scope{"apikeys.read", "apikeys.write"}, &end
	})
	endless := env.create(t, bob, apikeys.Wanted{Budgets: budgets}).ID
	if _, err = env.Change(ctx, env.by(ends), bob, endless, given(apikeys.Change{Budgets: &budgets})); err == nil {
		t.Error("a key without an end was changed by one with an end")
	}
}

// The rules are those of the CRD (TestAPI in api/v1alpha1 has the same table).
func TestBudgets_Refuses(t *testing.T) {
	usd := func(amount v1alpha1.Dollars) []v1alpha1.Budget {
		return []v1alpha1.Budget{{Name: "b", USD: amount, Period: v1alpha1.BudgetDay}}
	}
	tokens := func(n int64) []v1alpha1.Budget {
		return []v1alpha1.Budget{{Name: "b", Tokens: n, Period: v1alpha1.BudgetDay}}
	}
	named := func(names ...string) (all []v1alpha1.Budget) {
		for _, name := range names {
			all = append(all, v1alpha1.Budget{Name: name, Tokens: 1, Period: v1alpha1.BudgetDay})
		}
		return all
	}
	const (
		usdText = "budgets[0].usd: must be an amount above 0 such as 50 or 0.25, " +
			"with up to 9 digits before the point and 9 after it"
		nameText  = "budgets[0].name: must be up to 63 lower case letters, digits and '-', a letter or digit first and last"
		unitText  = "budgets[0]: must have either usd or tokens"
		tokenText = "budgets[0].tokens: must be from 1 to 1000000000000000"
	)
	cases := map[string][][]v1alpha1.Budget{
		nameText: {
			named(""), named("Daily"), named("daily-"), named("a.b"), named(strings.Repeat("a", 64)), named("a\n"),
		},
		unitText: {tokens(0), {{Name: "b", USD: "1", Tokens: 1, Period: v1alpha1.BudgetDay}}},
		tokenText: {
			tokens(-1), tokens(1_000_000_000_000_001),
		},
		"budgets[0].period: must be Hour, Day or Month": {
			{{Name: "b", USD: "1"}}, {{Name: "b", USD: "1", Period: "Week"}}, {{Name: "b", USD: "1", Period: "day"}},
		},
		"budgets[0].action: must be Deny or Warn": {
			{{Name: "b", USD: "1", Period: v1alpha1.BudgetDay, Action: "deny"}},
		},
		"budgets[1].name: is given twice":    {named("a", "a")},
		"budgets: must have at most 4 items": {named("a", "b", "c", "d", "e")},
	}
	for _, amount := range []v1alpha1.Dollars{
		"0", "0.000000000", "-1", "+1", "1.0000000001", "1000000000", "01", "00.5", ".5", "5.", "1e3", "1k", "$5", "1,5",
		"NaN", " 1", "\u0661",
	} {
		cases[usdText] = append(cases[usdText], usd(amount))
	}
	env := newEnv(t)
	for text, all := range cases {
		for _, budgets := range all {
			_, err := env.Create(ctx, env.admin(), ci, given(apikeys.Wanted{Name: "a", Budgets: budgets}))
			want(t, err, manage.Invalid, text)
			_, err = env.Change(ctx, env.admin(), ci, "none", given(apikeys.Change{Budgets: &budgets}))
			want(t, err, manage.Invalid, text)
		}
	}
	if len(env.Writes()) != 0 {
		t.Error(env.Writes())
	}
	for _, budgets := range [][]v1alpha1.Budget{
		usd("0.000000001"), usd("999999999.999999999"), usd("10"), usd("12.50"), tokens(1), tokens(1_000_000_000_000_000),
		named("a", "0", "a-b", strings.Repeat("a", 63)),
	} {
		if _, err := env.Create(ctx, env.admin(), ci, given(apikeys.Wanted{Name: "a", Budgets: budgets})); err != nil {
			t.Error(err)
		}
	}
}
