package usage

import (
	"slices"
	"testing"
)

func TestSum_EndsAtItsLimit(t *testing.T) {
	for _, c := range []struct{ a, b, want int64 }{
		{1, 2, 3}, {MaxSum, 0, MaxSum}, {MaxSum, 1, MaxSum}, {MaxSum - 1, 1, MaxSum}, {MaxSum, MaxSum, MaxSum}, {5, -7, -2},
		{MaxSum, -1, MaxSum - 1},
	} {
		if got := Sum(c.a, c.b); got != c.want {
			t.Errorf("%d and %d: %d, want %d", c.a, c.b, got, c.want)
		}
	}
	tokens := Tokens{Input: MaxSum, Output: 1, CacheRead: MaxSum, CacheWrite: 1, Reasoning: 1}
	if got := tokens.All(); got != MaxSum {
		t.Error(got)
	}
	tokens = Tokens{Input: 1, Output: 2, CacheRead: 4, CacheWrite: 8, Reasoning: 2}
	if got := tokens.All(); got != 15 {
		t.Error("reasoning tokens count twice: ", got)
	}
}

// The cost of several calls is unknown only if that of each is.
func TestTotals_AddKnownAndUnknownCosts(t *testing.T) {
	one, took := Dollar, int64(5)
	priced, unpriced := Record{Cost: &one, DurationMS: &took}, Record{}
	for _, c := range []struct {
		records        []*Record
		cost           *Money
		unpriced, took int64
	}{
		{nil, nil, 0, 0}, {[]*Record{&unpriced, &unpriced}, nil, 2, 0},
		{[]*Record{&unpriced, &priced, &priced}, new(2 * Dollar), 1, 10}, {[]*Record{&priced, &unpriced}, &one, 1, 5},
	} {
		var sum Totals
		for _, r := range c.records {
			totals := TotalsOf(r)
			sum.Add(&totals)
		}
		if (sum.Cost == nil) != (c.cost == nil) || sum.Cost != nil && *sum.Cost != *c.cost || sum.Unpriced != c.unpriced ||
			sum.Calls != int64(len(c.records)) || sum.DurationMS != c.took || sum.Timed != sum.Calls-sum.Unpriced {
			t.Errorf("%+v: %+v", c, sum)
		}
	}
	if one != Dollar {
		t.Error("the cost of a record has changed")
	}
}

func TestSortLines(t *testing.T) {
	cost := func(m Money) Totals { return Totals{Cost: &m} }
	lines := []Line{
		{"z", Totals{}}, {"free", cost(0)}, {"b", cost(2)}, {"dear", cost(3)}, {"a", Totals{}}, {"a", cost(2)},
	}
	SortLines(lines)
	var got []string
	for _, line := range lines {
		got = append(got, line.Key)
	}
	if want := []string{"dear", "a", "b", "free", "a", "z"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
