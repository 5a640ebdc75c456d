package budget

import "time"

// Accounts are those whose budgets apply to a key: its own and those of its roles.
type Accounts []*Account

// Reached is a budget that is used up.
type Reached struct {
	Owner  Owner
	Budget Budget
	// Resets is when the period ends.
	Resets time.Time
}

// Judgement is what the budgets of a key mean for a request.
type Judgement struct {
	// Refused is nil if no budget refuses the request. Of several that do, it is the one that resets last, so that the
	// request is not refused again at once.
	Refused *Reached
	// Warned is true if the request is accepted and a budget warns.
	Warned bool
}

// Judge decides on a request at an instant.
func (all Accounts) Judge(now time.Time) (j Judgement) {
	var refusing *Budget
	var owner *Owner
	for _, a := range all {
		for i := range a.Budgets {
			switch b := &a.Budgets[i]; {
			case !a.isUsedUp(b, now):
			case b.Warns:
				j.Warned = true
			case refusing == nil || b.Period.place() > refusing.Period.place():
				refusing, owner = b, &a.Owner
			}
		}
	}
	if refusing != nil {
		return Judgement{Refused: &Reached{Owner: *owner, Budget: *refusing, Resets: refusing.Period.EndOf(now)}}
	}
	return j
}

// UsedUp returns every budget that is used up at an instant.
func (all Accounts) UsedUp(now time.Time) (reached []Reached) {
	for _, a := range all {
		for i := range a.Budgets {
			if b := &a.Budgets[i]; a.isUsedUp(b, now) {
				reached = append(reached, Reached{Owner: a.Owner, Budget: *b, Resets: b.Period.EndOf(now)})
			}
		}
	}
	return reached
}

// Remaining returns how much of a unit a request may use before a budget refuses the next one, and whether any
// budget of that unit refuses requests. A budget whose counter is unknown counts as unused.
func (all Accounts) Remaining(unit Unit, now time.Time) (remaining int64, limited bool) {
	for _, a := range all {
		for i := range a.Budgets {
			b := &a.Budgets[i]
			if b.Warns || b.Unit != unit {
				continue
			}
			used, _ := a.Used(b.Period, now)
			left := max(0, b.Amount-used.In(unit))
			if !limited || left < remaining {
				remaining, limited = left, true
			}
		}
	}
	return remaining, limited
}
