package apikey

import (
	"strings"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/budget"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/operator/issuer"
)

// budgetsOf returns the budgets that apply to a key: its own and those of its roles, as the server finds them.
func budgetsOf(key *v1alpha1.APIKey, roles *access.Roles) (all budget.Accounts) {
	if own := convert.Budgets(key.Spec.Budgets); len(own) > 0 {
		all = append(all, &budget.Account{Owner: budget.Owner{KeyUID: string(key.UID)}, Budgets: own})
	}
	for _, name := range convert.Plain(key.Spec.Roles) {
		if shared := roles.Budgets(name); len(shared) > 0 {
			all = append(all, &budget.Account{Owner: budget.Owner{Role: name}, Budgets: shared})
		}
	}
	return all
}

// withinBudget translates the server's report of budgets that are used up, or returns nil if none is in force. What was
// reported of an earlier period, or of a budget that was changed or removed since, does not count.
func withinBudget(
	reported []v1alpha1.UsedUpBudget, inForce budget.Accounts, now time.Time,
) *issuer.WithinBudget {
	if len(inForce) == 0 {
		return nil
	}
	within := &issuer.WithinBudget{Holds: true, Finding: issuer.Finding{
		Reason:  v1alpha1.ReasonWithinBudget,
		Message: "No request was refused or warned of because of a budget in its present period.",
	}}
	var messages []string
	for i := range reported {
		u := &reported[i]
		if !now.Before(u.ResetsAt.Time) || !convert.Concerns(u, inForce) {
			continue
		}
		messages = append(messages, convert.UsedUpMessage(u))
		if within.Holds {
			within.Holds, within.Reason = false, v1alpha1.ReasonBudgetWarning
		}
		if u.Action == v1alpha1.BudgetDeny {
			within.Reason = v1alpha1.ReasonBudgetExceeded
		}
		if within.Until.IsZero() || u.ResetsAt.Time.Before(within.Until) {
			within.Until = u.ResetsAt.Time
		}
	}
	if !within.Holds {
		within.Message = strings.Join(messages, " ")
	}
	return within
}
