package objects

import (
	"strconv"
	"testing"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/budget"
)

func TestMergeUsedUp(t *testing.T) {
	at := time.Date(2030, 1, 31, 12, 30, 0, 0, time.UTC)
	team := budget.Owner{Role: "team"}
	reach := func(owner budget.Owner, name string, amount int64, period budget.Period) budget.Reached {
		b := budget.Budget{Name: name, Unit: budget.Tokens, Amount: amount, Period: period}
		return budget.Reached{Owner: owner, Budget: b, Resets: period.EndOf(at)}
	}
	hourly, daily := reach(budget.Owner{}, "a", 1, budget.Hour), reach(team, "a", 1, budget.Day)
	raised := reach(team, "a", 2, budget.Day)
	warns := daily
	warns.Budget.Warns = true
	list := func(reached ...budget.Reached) []v1alpha1.UsedUpBudget {
		merged, _ := mergeUsedUp(nil, reached, at)
		return merged
	}
	var many []budget.Reached
	for i := range maxUsedUp {
		many = append(many, reach(team, strconv.Itoa(i), 1, budget.Day))
	}
	for name, c := range map[string]struct {
		list          []v1alpha1.UsedUpBudget
		reached       []budget.Reached
		later         time.Duration
		merged, added int
	}{
		"the first":                        {nil, []budget.Reached{hourly}, 0, 1, 1},
		"two of one name":                  {nil, []budget.Reached{hourly, daily}, 0, 2, 2},
		"the same again":                   {list(hourly, daily), []budget.Reached{daily}, time.Minute, 2, 0},
		"one more":                         {list(hourly), []budget.Reached{hourly, daily}, time.Minute, 2, 1},
		"with another amount":              {list(daily), []budget.Reached{raised}, 0, 1, 1},
		"with another action":              {list(daily), []budget.Reached{warns}, 0, 1, 1},
		"when another has ended":           {list(hourly), []budget.Reached{daily}, 30 * time.Minute, 1, 1},
		"nothing":                          {list(hourly), nil, time.Hour, 0, 0},
		"more than there is room for":      {list(many...), []budget.Reached{hourly}, 0, maxUsedUp, 1},
		"as much as there is room for":     {list(many[1:]...), []budget.Reached{hourly}, 0, maxUsedUp, 1},
		"all of a key with many, at first": {nil, many, 0, maxUsedUp, maxUsedUp},
	} {
		merged, added := mergeUsedUp(c.list, c.reached, at.Add(c.later))
		if len(merged) != c.merged || len(added) != c.added {
			t.Errorf("%s: %d with %d new ones, want %d and %d", name, len(merged), len(added), c.merged, c.added)
		}
		for i := range c.reached {
			found := false
			for j := range merged {
				found = found || merged[j].Limit == c.reached[i].Budget.Limit() && merged[j].From == c.reached[i].Owner.Origin()
			}
			if !found {
				t.Errorf("%s: %+v is missing", name, c.reached[i])
			}
		}
	}
	if again, _ := mergeUsedUp(list(daily), []budget.Reached{daily}, at.Add(time.Hour)); !again[0].Since.Time.Equal(at) {
		t.Error("the entry has another first request: ", again[0].Since)
	}
}

func TestMergeUsedUp_KeepsALaterPeriod(t *testing.T) {
	at := time.Date(2030, 1, 31, 13, 0, 0, 0, time.UTC)
	of := func(at time.Time) []budget.Reached {
		b := budget.Budget{Name: "a", Period: budget.Hour}
		return []budget.Reached{{Budget: b, Resets: b.Period.EndOf(at)}}
	}
	ahead, _ := mergeUsedUp(nil, of(at), at)
	late := at.Add(-time.Second)
	if merged, added := mergeUsedUp(ahead, of(late), late); len(added) > 0 || merged[0] != ahead[0] {
		t.Errorf("a server whose clock is behind replaced it: %+v", merged)
	}
}
