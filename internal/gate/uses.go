package gate

import (
	"time"

	"keywright.dev/keywright/internal/auth/budget"
	"keywright.dev/keywright/internal/auth/verify"
)

// UseRecorder records when and from where keys were last used. Requests wait for it, so it must not block.
type UseRecorder interface {
	Record(verify.Use)
	// Interval returns the shortest time between two reported uses of one object's keys.
	Interval() time.Duration
}

// SeenUserRecorder records callers who have a name but no AdminUser. Requests wait for it, so it must not block.
type SeenUserRecorder interface {
	Record(name, from string, at time.Time)
}

// OverBudgetRecorder records keys whose requests are refused or warned of because a budget is used up. Requests wait
// for it, so it must not block.
type OverBudgetRecorder interface {
	Record(verify.OverBudget)
}

// budgetInterval is the shortest time between two reports of one object's budgets.
const budgetInterval = 5 * time.Second

// recordOverBudget reports a caller whose budgets refuse the request or warn of it. Like recordUse it does so at
// intervals.
func (g *Gate) recordOverBudget(c *Caller, budgets budget.Accounts, now time.Time) {
	if v := &c.verdict; g.OverBudget != nil && v.ShouldReportBudgets(now, budgetInterval) {
		g.OverBudget.Record(verify.OverBudget{Object: v.ID(), UID: v.UID(), Budgets: budgets, At: now})
	}
}

func (g *Gate) useInterval() time.Duration {
	if g.Uses == nil {
		return verify.UseInterval
	}
	return g.Uses.Interval()
}

// recordUse reports an admitted caller to the recorders. Uses of keys are reported at intervals; the check of the
// interval takes no lock, so most requests pay next to nothing.
func (g *Gate) recordUse(c *Caller, now time.Time, from *origin) {
	switch {
	case g.Uses == nil && g.SeenUsers == nil:
	case !c.HasKey():
		g.recordName(c.Username, now, from)
	case c.verdict.Accepted():
		if every := g.useInterval(); c.verdict.ShouldReportUse(now, every) {
			g.recordKey(c, now, every, from)
		}
	}
}

func (g *Gate) recordKey(c *Caller, now time.Time, every time.Duration, from *origin) {
	v := &c.verdict
	if v.UID() == "" {
		return // The bootstrap key: no object records it, and admin is never a seen user.
	}
	address := from.address()
	if g.Uses != nil {
		g.Uses.Record(verify.Use{Object: v.ID(), UID: v.UID(), KeyID: v.KeyID(), At: now, From: address})
	}
	if g.SeenUsers != nil && v.ShouldReportUser(now, every) {
		g.SeenUsers.Record(c.Username, address, now)
	}
}

func (g *Gate) recordName(name string, now time.Time, from *origin) {
	if name != "" && g.SeenUsers != nil && !g.Verifier.HasUser(name) {
		g.SeenUsers.Record(name, from.address(), now)
	}
}
