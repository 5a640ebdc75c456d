package gate

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"keywright.dev/keywright/internal/auth/budget"
)

// checkBudgets refuses a permitted request whose key has a budget that is used up. It is the last check: only a caller
// who may do what the request asks for learns about budgets.
func (g *Gate) checkBudgets(d *Decision, now time.Time) {
	budgets := d.Caller.budgets()
	if budgets == nil {
		return
	}
	judgement := budgets.Judge(now)
	if reached := judgement.Refused; reached != nil {
		d.Outcome, d.overBudget = OverBudget, overBudget(reached, now)
	}
	if judgement.Refused != nil || judgement.Warned {
		g.recordOverBudget(&d.Caller, budgets, now)
	}
}

// budgets returns the budgets of the caller's key.
func (c *Caller) budgets() budget.Accounts {
	if !c.HasKey() {
		return nil
	}
	return c.verdict.Budgets()
}

// Remaining returns how much of a unit an admitted caller may still use before a budget refuses the next request, and
// whether there is such a budget.
func (g *Gate) Remaining(d *Decision, unit budget.Unit) (remaining int64, limited bool) {
	budgets := d.Caller.budgets()
	if budgets == nil {
		return 0, false
	}
	return budgets.Remaining(unit, g.Now())
}

// overBudget returns the refusal for a budget that is used up.
func overBudget(r *budget.Reached, now time.Time) *Refusal {
	what, resets := UsedUp(r), r.Resets.Format(time.RFC3339)
	body, err := json.Marshal(map[string]any{"error": overBudgetError{codeOverBudget, what, r.Budget.Name, resets}})
	if err != nil {
		panic("marshalling text and numbers failed: " + err.Error())
	}
	wait := strconv.FormatInt(secondsUntil(r.Resets, now), 10)
	refusal := newRefusal(http.StatusTooManyRequests, what, string(body), nil)
	refusal.Header.Set("Retry-After", wait)
	return refusal
}

// UsedUp returns what a refusal says of a budget that is used up.
func UsedUp(r *budget.Reached) string {
	what := "Budget " + strconv.Quote(r.Budget.Name)
	if r.Owner.Role != "" {
		what += " of role " + strconv.Quote(r.Owner.Role)
	}
	return what + " is used up until " + r.Resets.Format(time.RFC3339)
}

// overBudgetError is the error of a refusal that names a budget.
type overBudgetError struct {
	Code     int    `json:"code"`
	What     string `json:"what"`
	Budget   string `json:"budget"`
	ResetsAt string `json:"resets_at"`
}

// secondsUntil rounds up, so that a client that waits so long does not come too early.
func secondsUntil(at, now time.Time) int64 {
	return max(1, int64((at.Sub(now)+time.Second-1)/time.Second))
}
