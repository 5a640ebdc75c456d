package objects

import (
	"context"
	"slices"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/budget"
	"keywright.dev/keywright/internal/kube/convert"
)

// maxUsedUp is how many budgets that are used up a status has room for: all that a key may have.
const maxUsedUp = 36

// ReportBudgets records in the status of an APIKey which budgets were used up when a request came at an instant, with
// an event for each that was not recorded in this period. Of several servers that report the same budgets, one writes.
// It does not touch a later object of the same name.
func (s *Store) ReportBudgets(
	ctx context.Context, id ID, uid string, reached []budget.Reached, at time.Time,
) error {
	return s.observe(ctx, id, uid, func(o Object) error {
		merged, added := mergeUsedUp(o.HolderStatus().Usage.Budgets, reached, at)
		if len(added) == 0 {
			return nil
		}
		if err := s.writeUsage(ctx, o, map[string]any{"budgets": merged}); err != nil {
			return err
		}
		for i := range added {
			s.warnOfBudget(o, &added[i])
		}
		return nil
	})
}

func (s *Store) warnOfBudget(o Object, u *v1alpha1.UsedUpBudget) {
	reason := v1alpha1.ReasonBudgetWarning
	if u.Action == v1alpha1.BudgetDeny {
		reason = v1alpha1.ReasonBudgetExceeded
	}
	s.Warn(o, reason, convert.UsedUpMessage(u))
}

// mergeUsedUp returns the list with these budgets, and those of them that it did not have. Entries of periods that have
// ended leave the list.
func mergeUsedUp(
	list []v1alpha1.UsedUpBudget, reached []budget.Reached, at time.Time,
) (merged, added []v1alpha1.UsedUpBudget) {
	merged = slices.DeleteFunc(slices.Clone(list), func(u v1alpha1.UsedUpBudget) bool {
		return !at.Before(u.ResetsAt.Time)
	})
	for i := range reached {
		next := convert.UsedUp(&reached[i], at)
		place := slices.IndexFunc(merged, func(u v1alpha1.UsedUpBudget) bool {
			return u.Name == next.Name && u.From == next.From
		})
		switch {
		case place < 0:
			merged = append(merged, next)
		case isSame(&merged[place], &next):
			continue
		default:
			merged[place] = next
		}
		added = append(added, next)
	}
	return merged[max(0, len(merged)-maxUsedUp):], added
}

// isSame reports whether a recorded budget, whose period has not ended, needs no update. With the same limit it is of
// this period, or of a later one if the clock of another server is ahead.
func isSame(recorded, next *v1alpha1.UsedUpBudget) bool {
	return recorded.Limit == next.Limit && recorded.Action == next.Action
}
