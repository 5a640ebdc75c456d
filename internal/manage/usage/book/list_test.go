package book_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"keywright.dev/keywright/internal/auth/budget"
	"keywright.dev/keywright/internal/manage/usage/book"
)

func TestList_HasTheMostUsedFirst(t *testing.T) {
	s := &store{tokens: map[string]int64{"k": 5, "r": 80}}
	all := newAccounts()
	all.key.Budgets[0] = budget.Budget{Name: "month", Unit: budget.Tokens, Amount: 5, Period: budget.Month}
	all.key.Budgets[1] = budget.Budget{Name: "hour", Unit: budget.NanoDollars, Amount: 100, Period: budget.Hour}
	all.role.Budgets[0] = budget.Budget{Name: "day", Unit: budget.Tokens, Amount: 100, Period: budget.Day, Warns: true}
	runWith(t, s, all, func(t *testing.T, e *env) {
		e.pass(0)
		var lines []string
		for _, l := range e.List() {
			lines = append(lines, fmt.Sprintf("%s %s %d %s %s", l.OwnerName(), l.Budget.Name, l.Used, l.State,
				l.Resets.Format("2006-01-02T15:04")))
		}
		const want = "APIKey/n/k month 5 used_up 2030-02-01T00:00\n" +
			"AccessRole/r day 80 within 2030-02-01T00:00\n" +
			"APIKey/n/k hour 50 within 2030-02-01T00:00"
		if got := strings.Join(lines, "\n"); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		const metrics = `
# HELP keywright_budget_used_ratio Used part of a budget in its present period: 1 and more is used up. The 100 most used ones.
# TYPE keywright_budget_used_ratio gauge
keywright_budget_used_ratio{budget="day",owner="AccessRole/r"} 0.8
keywright_budget_used_ratio{budget="hour",owner="APIKey/n/k"} 0.5
keywright_budget_used_ratio{budget="month",owner="APIKey/n/k"} 1
# HELP keywright_budgets Budgets in force, by state: within, used_up, unknown.
# TYPE keywright_budgets gauge
keywright_budgets{state="unknown"} 0
keywright_budgets{state="used_up"} 1
keywright_budgets{state="within"} 2
`
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister(book.Metrics{Book: e.Book})
		if err := testutil.GatherAndCompare(registry, strings.NewReader(metrics)); err != nil {
			t.Error(err)
		}
		if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
			t.Error(problems, err)
		}
	})
}

func TestList_ShowsUnknownCounters(t *testing.T) {
	run(t, &store{err: errDown}, func(t *testing.T, e *env) {
		e.pass(0)
		for _, l := range e.List() {
			if l.State != book.Unknown || l.Used != 0 {
				t.Errorf("%+v", l)
			}
		}
	})
}

func TestMetrics_AreBounded(t *testing.T) {
	all := newAccounts()
	all.key.Budgets = nil
	for i := range 300 {
		all.key.Budgets = append(all.key.Budgets, budget.Budget{Name: fmt.Sprint("b", i), Amount: 1, Period: budget.Hour})
	}
	runWith(t, &store{tokens: map[string]int64{}}, all, func(t *testing.T, e *env) {
		e.pass(0)
		if got := testutil.CollectAndCount(book.Metrics{Book: e.Book}, "keywright_budget_used_ratio"); got != 100 {
			t.Errorf("%d series", got)
		}
	})
}
