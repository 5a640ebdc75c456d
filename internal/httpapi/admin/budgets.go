package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"keywright.dev/keywright/internal/auth/budget"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/tokenusage"
	"keywright.dev/keywright/internal/manage/usage"
	"keywright.dev/keywright/internal/manage/usage/book"
)

// Budgets lists the budgets in force, the most used ones first. In the server it is a *book.Book.
type Budgets interface {
	List() []book.Line
}

type budgetRoutes struct {
	budgets Budgets
}

// BudgetsOf serves /api/admin/budgets.
func BudgetsOf(b Budgets) httpapi.Group {
	h := &budgetRoutes{b}
	return httpapi.Group{API: API, Routes: []httpapi.Route{
		{Method: http.MethodGet, Path: "admin/budgets", Identification: httpapi.Lenient, Serve: h.list},
	}}
}

// Limits of a list of budgets.
const defaultBudgets, maxBudgets = 100, 1000

// shownBudget is a budget of GET /api/admin/budgets. Amount and Used are in Unit; Used is null if it is unknown.
type shownBudget struct {
	Owner    string          `json:"owner"`
	Name     string          `json:"name"`
	Period   string          `json:"period"`
	Action   string          `json:"action"`
	Unit     string          `json:"unit"`
	Amount   json.RawMessage `json:"amount"`
	Used     json.RawMessage `json:"used"`
	State    string          `json:"state"`
	ResetsAt string          `json:"resets_at"`
}

// shownBudgets are the most used ones. Total counts all.
type shownBudgets struct {
	Budgets []shownBudget `json:"budgets"`
	Total   int           `json:"total"`
}

func (h *budgetRoutes) list(c *httpapi.Call) {
	if !c.May(tokenusage.ActionRead) {
		c.Refuse(http.StatusForbidden, adminOnly)
		return
	}
	limit, err := budgetLimit(c.R.URL.RawQuery)
	if err != nil {
		fail(c, err)
		return
	}
	all := h.budgets.List()
	shown := shownBudgets{Budgets: []shownBudget{}, Total: len(all)}
	for i := range all[:min(limit, len(all))] {
		shown.Budgets = append(shown.Budgets, showBudget(&all[i]))
	}
	reply(c, shown)
}

func showBudget(line *book.Line) shownBudget {
	b := &line.Budget
	shown := shownBudget{
		Owner: line.OwnerName(), Name: b.Name, Period: string(b.Period), Action: "Deny", Unit: "usd",
		Amount: amountOf(b.Unit, b.Amount), Used: json.RawMessage("null"), State: string(line.State),
		ResetsAt: line.Resets.Format(time.RFC3339),
	}
	if b.Warns {
		shown.Action = "Warn"
	}
	if b.Unit == budget.Tokens {
		shown.Unit = "tokens"
	}
	if line.State != book.Unknown {
		shown.Used = amountOf(b.Unit, line.Used)
	}
	return shown
}

// amountOf returns a number of tokens, or of dollars with up to 9 decimals.
func amountOf(unit budget.Unit, amount int64) json.RawMessage {
	if unit == budget.Tokens {
		return json.RawMessage(fmt.Sprint(amount))
	}
	return json.RawMessage(usage.Money(amount).String())
}

// budgetLimit reads the query. An unknown parameter is refused.
func budgetLimit(raw string) (int, error) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return 0, manage.Errorf(manage.Invalid, "The query can't be read")
	}
	for name := range query {
		if name != "limit" {
			return 0, manage.Errorf(manage.Invalid, "%.50q is not a parameter", name)
		}
	}
	values := query["limit"]
	switch {
	case len(values) > 1:
		return 0, manage.Errorf(manage.Invalid, "limit is given twice")
	case len(values) == 0 || values[0] == "":
		return defaultBudgets, nil
	}
	limit, err := positive(values[0])
	if err == nil && limit > maxBudgets {
		err = fmt.Errorf("must be at most %d", maxBudgets)
	}
	if err != nil {
		return 0, manage.Errorf(manage.Invalid, "limit %s", err.Error())
	}
	return int(limit), nil
}
