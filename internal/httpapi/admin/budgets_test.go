package admin_test

import (
	"net/http"
	"testing"
	"time"

	"keywright.dev/keywright/internal/auth/budget"
	"keywright.dev/keywright/internal/manage/usage/book"
)

// twoBudgets are those in force.
type twoBudgets struct{}

func (twoBudgets) List() []book.Line {
	return []book.Line{
		{
			Owner:  budget.Owner{KeyUID: "u", Key: "team/ci"},
			Budget: budget.Budget{Name: "daily", Unit: budget.NanoDollars, Amount: 12_500_000_000, Period: budget.Day},
			State:  book.UsedUp, Used: 12_500_000_001, Resets: begin.Add(12 * time.Hour),
		},
		{
			Owner:  budget.Owner{Role: "team"},
			Budget: budget.Budget{Name: "monthly", Unit: budget.Tokens, Amount: 7, Period: budget.Month, Warns: true},
			State:  book.Unknown, Resets: begin.AddDate(0, 1, 0),
		},
	}
}

const (
	firstBudget = `{"owner":"APIKey/team/ci","name":"daily","period":"Day","action":"Deny","unit":"usd","amount":12.5,` +
		`"used":12.500000001,"state":"used_up","resets_at":"2030-01-02T00:00:00Z"}`
	secondBudget = `{"owner":"AccessRole/team","name":"monthly","period":"Month","action":"Warn","unit":"tokens",` +
		`"amount":7,"used":null,"state":"unknown","resets_at":"2030-02-01T12:00:00Z"}`
)

func TestBudgets_List(t *testing.T) {
	env := newEnv(t)
	for query, want := range map[string]string{
		"":           `{"budgets":[` + firstBudget + `,` + secondBudget + `],"total":2}`,
		"?limit=":    `{"budgets":[` + firstBudget + `,` + secondBudget + `],"total":2}`,
		"?limit=1":   `{"budgets":[` + firstBudget + `],"total":2}`,
		"?limit=999": `{"budgets":[` + firstBudget + `,` + secondBudget + `],"total":2}`,
	} {
		if r := env.ask("GET", "/api/admin/budgets"+query, aliceKey, ""); r.Code != 200 || r.Body.String() != want+"\n" {
			t.Errorf("%s: %d %s", query, r.Code, r.Body)
		}
	}
}

func TestBudgets_RefuseABadQuery(t *testing.T) {
	env := newEnv(t)
	for query, want := range map[string]string{
		"limit=0":         "limit must be a whole number over 0",
		"limit=-1":        "limit must be a whole number over 0",
		"limit=many":      "limit must be a whole number over 0",
		"limit=1001":      "limit must be at most 1000",
		"limit=1&limit=2": "limit is given twice",
		"offset=1":        `\"offset\" is not a parameter`,
		"%zz":             "The query can't be read",
	} {
		r := env.ask("GET", "/api/admin/budgets?"+query, aliceKey, "")
		if r.Code != http.StatusBadRequest || r.Body.String() != `{"detail":"`+want+`"}`+"\n" {
			t.Errorf("%s: %d %s", query, r.Code, r.Body)
		}
	}
}

func TestBudgets_NeedUsageRead(t *testing.T) {
	env := newEnv(t)
	for _, key := range []string{"", plainKey, readerKey, "unknown"} {
		r := env.ask("GET", "/api/admin/budgets?limit=0", key, "")
		if r.Code != http.StatusForbidden || r.Body.String() != `{"detail":"Admin access required"}`+"\n" {
			t.Errorf("%q: %d %s", key, r.Code, r.Body)
		}
	}
}
