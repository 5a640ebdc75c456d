package budget_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/auth/budget"
)

var now = time.Date(2030, 1, 31, 12, 34, 56, 0, time.UTC)

func TestParseDollars(t *testing.T) {
	for text, want := range map[string]int64{
		"1": 1e9, "0": 0, "12.50": 12_500_000_000, "0.000000001": 1, "999999999.999999999": 999_999_999_999_999_999,
	} {
		if got, ok := budget.ParseDollars(text); !ok || got != want {
			t.Errorf("%s: %d, %t, want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"", ".", "1.", ".5", "-1", "+1", "1e3", "1,5", " 1", "1 ", "1.0000000001", "1000000000", "0x1", "١", "NaN", "1.5.5",
		strings.Repeat("9", 100_000),
	} {
		if got, ok := budget.ParseDollars(text); ok {
			t.Errorf("%.20q: %d", text, got)
		}
	}
}

func TestParseDollars_ReadsEveryAmountExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amount := rapid.Int64Range(0, 999_999_999_999_999_999).Draw(t, "amount")
		text := fmt.Sprintf("%d.%09d", amount/1e9, amount%1e9)
		if got, ok := budget.ParseDollars(text); !ok || got != amount {
			t.Fatalf("%s: %d, %t", text, got, ok)
		}
	})
}

func TestLimit_IsTheSameForEqualAmounts(t *testing.T) {
	for want, b := range map[string]budget.Budget{
		"12.5 USD per day":                {Amount: 12_500_000_000, Period: budget.Day},
		"100 USD per month":               {Amount: 100e9, Period: budget.Month},
		"0.000000001 USD per hour":        {Amount: 1, Period: budget.Hour},
		"0 USD per hour":                  {Period: budget.Hour},
		"1000000000000000 tokens per day": {Unit: budget.Tokens, Amount: 1e15, Period: budget.Day},
	} {
		if got := b.Limit(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		amount := rapid.Int64Range(0, 999_999_999_999_999_999).Draw(t, "amount")
		limit := (&budget.Budget{Amount: amount, Period: budget.Month}).Limit()
		text, found := strings.CutSuffix(limit, " USD per month")
		if got, ok := budget.ParseDollars(text); !found || !ok || got != amount || len(limit) > 63 {
			t.Fatalf("%s: %d, %t", limit, got, ok)
		}
	})
}

func TestPeriod_BeginsAndEndsInUTC(t *testing.T) {
	east := time.FixedZone("east", 5*3600+1800)
	for _, c := range []struct {
		period         budget.Period
		at, start, end string
	}{
		{budget.Hour, "2030-01-31T12:34:56Z", "2030-01-31T12:00:00Z", "2030-01-31T13:00:00Z"},
		{budget.Hour, "2030-01-31T23:59:59Z", "2030-01-31T23:00:00Z", "2030-02-01T00:00:00Z"},
		{budget.Day, "2030-01-31T00:00:00Z", "2030-01-31T00:00:00Z", "2030-02-01T00:00:00Z"},
		{budget.Day, "2028-02-29T23:59:59Z", "2028-02-29T00:00:00Z", "2028-03-01T00:00:00Z"},
		{budget.Month, "2030-01-31T12:34:56Z", "2030-01-01T00:00:00Z", "2030-02-01T00:00:00Z"},
		{budget.Month, "2030-12-31T23:59:59Z", "2030-12-01T00:00:00Z", "2031-01-01T00:00:00Z"},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		start, end := c.period.StartOf(at.In(east)), c.period.EndOf(at.In(east))
		if start.Format(time.RFC3339) != c.start || end.Format(time.RFC3339) != c.end {
			t.Errorf("%s at %s: from %s to %s", c.period, c.at, start, end)
		}
	}
}

// A year of instants: periods join without a gap, and a shorter one lies within a longer one.
func TestPeriod_TilesTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "at"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns"))
		for i, p := range budget.Periods() {
			start, end := p.StartOf(at), p.EndOf(at)
			if at.Before(start) || !at.Before(end) || !p.StartOf(end).Equal(end) ||
				!p.EndOf(start.Add(-time.Nanosecond)).Equal(start) {
				t.Fatalf("%s at %s: from %s to %s", p, at, start, end)
			}
			for _, longer := range budget.Periods()[i:] {
				if longer.StartOf(at).After(start) || longer.EndOf(at).Before(end) {
					t.Fatalf("%s is not within %s at %s", p, longer, at)
				}
			}
		}
	})
}

func TestAccount_KnowsAPeriodUntilItsEnd(t *testing.T) {
	a := &budget.Account{}
	if _, known := a.Used(budget.Hour, now); known {
		t.Error("known before it was set")
	}
	a.Set(budget.Hour, now, budget.Used{Tokens: 7, NanoDollars: 8}, 0)
	for at, want := range map[string]bool{
		"2030-01-31T11:59:59Z": false, "2030-01-31T12:00:00Z": true, "2030-01-31T12:59:59Z": true,
		"2030-01-31T13:00:00Z": false, "2031-01-31T12:34:56Z": false,
	} {
		instant, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if used, known := a.Used(budget.Hour, instant); known != want || known && used.Tokens != 7 {
			t.Errorf("%s: %v, %t", at, used, known)
		}
	}
	if _, known := a.Used(budget.Day, now); known {
		t.Error("an hour says nothing about its day")
	}
}

// A read that began earlier may end later.
func TestAccount_KeepsTheLaterRead(t *testing.T) {
	a := &budget.Account{}
	for _, read := range []uint64{1, 3, 2} {
		a.Set(budget.Hour, now, budget.Used{Tokens: int64(read)}, read)
	}
	if used, _ := a.Used(budget.Hour, now); used.Tokens != 3 {
		t.Error(used)
	}
}

func TestAccount_SuccessorKeepsCounters(t *testing.T) {
	owner := budget.Owner{Role: "team"}
	one, other := []budget.Budget{{Name: "a", Amount: 1}}, []budget.Budget{{Name: "a", Amount: 2}}
	first := (*budget.Account)(nil).Successor(owner, one)
	first.Set(budget.Day, now, budget.Used{Tokens: 5}, 0)
	if first.Successor(owner, []budget.Budget{{Name: "a", Amount: 1}}) != first {
		t.Error("equal budgets make another account")
	}
	next := first.Successor(owner, other)
	if used, known := next.Used(budget.Day, now); next == first || !known || used.Tokens != 5 {
		t.Errorf("%v, %t", used, known)
	}
	if first.Budgets[0].Amount != 1 || next.Budgets[0].Amount != 2 {
		t.Error("the budgets were changed in place")
	}
}

func TestAccount_ListsPeriodsOnce(t *testing.T) {
	a := &budget.Account{Budgets: []budget.Budget{
		{Period: budget.Month}, {Period: budget.Hour}, {Period: budget.Month, Unit: budget.Tokens},
	}}
	if got := fmt.Sprint(a.Periods()); got != "[Hour Month]" {
		t.Error(got)
	}
}

// account returns an account whose counters are 100 tokens and 100 nano-dollars in every period.
func account(role string, budgets ...budget.Budget) *budget.Account {
	a := &budget.Account{Owner: budget.Owner{Role: role}, Budgets: budgets}
	for _, p := range budget.Periods() {
		a.Set(p, now, budget.Used{Tokens: 100, NanoDollars: 100}, 0)
	}
	return a
}

func deny(name string, amount int64, period budget.Period) budget.Budget {
	return budget.Budget{Name: name, Unit: budget.Tokens, Amount: amount, Period: period}
}

func warn(name string, amount int64, period budget.Period) budget.Budget {
	b := deny(name, amount, period)
	b.Warns = true
	return b
}

func inNanos(b budget.Budget) budget.Budget {
	b.Unit = budget.NanoDollars
	return b
}

func TestJudge(t *testing.T) {
	unknown := &budget.Account{Budgets: []budget.Budget{deny("unknown", 1, budget.Hour)}}
	for name, c := range map[string]struct {
		accounts budget.Accounts
		refused  string
		warned   bool
	}{
		"none":               {nil, "", false},
		"under it":           {budget.Accounts{account("", deny("a", 101, budget.Day))}, "", false},
		"at it":              {budget.Accounts{account("", deny("a", 100, budget.Day))}, "a", false},
		"over it":            {budget.Accounts{account("", deny("a", 1, budget.Day))}, "a", false},
		"over it in dollars": {budget.Accounts{account("", inNanos(deny("a", 100, budget.Day)))}, "a", false},
		"of an unreadable amount, which is 0": {
			budget.Accounts{account("", deny("a", 0, budget.Day))}, "a", false,
		},
		"unknown":         {budget.Accounts{unknown}, "", false},
		"warns":           {budget.Accounts{account("", warn("a", 100, budget.Day))}, "", true},
		"warns, under it": {budget.Accounts{account("", warn("a", 101, budget.Day))}, "", false},
		"one of two accounts": {
			budget.Accounts{account("", deny("a", 101, budget.Day)), account("team", deny("b", 100, budget.Day))}, "b", false,
		},
		"unknown and used up": {budget.Accounts{unknown, account("", deny("a", 1, budget.Hour))}, "a", false},
		"the one that resets last": {
			budget.Accounts{account(
				"", deny("hour", 1, budget.Hour), deny("month", 1, budget.Month), deny("day", 1, budget.Day),
			)},
			"month", false,
		},
		"refused rather than warned": {
			budget.Accounts{account("", warn("a", 1, budget.Month), deny("b", 1, budget.Hour))}, "b", false,
		},
	} {
		got := c.accounts.Judge(now)
		refused := ""
		if got.Refused != nil {
			refused = got.Refused.Budget.Name
			if want := got.Refused.Budget.Period.EndOf(now); !got.Refused.Resets.Equal(want) {
				t.Errorf("%s: resets at %s, want %s", name, got.Refused.Resets, want)
			}
		}
		if refused != c.refused || got.Warned != c.warned {
			t.Errorf("%s: %q, %t, want %q, %t", name, refused, got.Warned, c.refused, c.warned)
		}
	}
}

func TestJudge_BeginsAgainWithThePeriod(t *testing.T) {
	all := budget.Accounts{account("", deny("a", 1, budget.Hour))}
	end := budget.Hour.EndOf(now)
	if all.Judge(end.Add(-time.Nanosecond)).Refused == nil || all.Judge(end).Refused != nil {
		t.Error("a budget lasts until the end of its period, and no longer")
	}
}

func TestRemaining_IsThatOfTheStrictestBudget(t *testing.T) {
	unknown := &budget.Account{Budgets: []budget.Budget{deny("unknown", 20, budget.Hour)}}
	for name, c := range map[string]struct {
		accounts  budget.Accounts
		remaining int64
		limited   bool
	}{
		"none":        {nil, 0, false},
		"a warning":   {budget.Accounts{account("", warn("a", 500, budget.Day))}, 0, false},
		"other units": {budget.Accounts{account("", inNanos(deny("a", 500, budget.Day)))}, 0, false},
		"one":         {budget.Accounts{account("", deny("a", 500, budget.Day))}, 400, true},
		"two": {
			budget.Accounts{account("", deny("a", 500, budget.Day)), account("team", deny("b", 110, budget.Month))}, 10, true,
		},
		"unknown": {budget.Accounts{unknown}, 20, true},
		"over it": {budget.Accounts{account("", deny("a", 50, budget.Day))}, 0, true},
		"as much as fits": {
			budget.Accounts{account("", deny("a", math.MaxInt64, budget.Day))}, math.MaxInt64 - 100, true,
		},
	} {
		if got, limited := c.accounts.Remaining(budget.Tokens, now); got != c.remaining || limited != c.limited {
			t.Errorf("%s: %d, %t", name, got, limited)
		}
	}
}

func TestUsedUp_ListsAllThatRefuseOrWarn(t *testing.T) {
	all := budget.Accounts{
		account("", deny("a", 100, budget.Day), deny("b", 101, budget.Day), warn("c", 1, budget.Month)),
		account("team", inNanos(deny("a", 1, budget.Hour))),
		{Budgets: []budget.Budget{deny("unknown", 0, budget.Hour)}},
	}
	var got []string
	for _, r := range all.UsedUp(now) {
		got = append(got, r.Owner.Origin()+" "+r.Budget.Name+" "+r.Resets.Format(time.RFC3339))
	}
	want := "spec.budgets a 2030-02-01T00:00:00Z, spec.budgets c 2030-02-01T00:00:00Z, " +
		"AccessRole/team a 2030-01-31T13:00:00Z"
	if text := strings.Join(got, ", "); text != want {
		t.Errorf("got %s, want %s", text, want)
	}
	if got := all.UsedUp(budget.Month.EndOf(now)); got != nil {
		t.Errorf("after the end of every period: %v", got)
	}
}
