package usage

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// MaxSum is where every sum ends: it means at least so much. In dollars it is 9,223,372,036.854775807.
const MaxSum = math.MaxInt64

// TotalsOf returns the totals of one record.
func TotalsOf(r *Record) Totals {
	t := Totals{Tokens: r.Tokens, Cost: r.Cost, Calls: 1}
	if r.Cost == nil {
		t.Unpriced = 1
	}
	if r.DurationMS != nil {
		t.DurationMS, t.Timed = *r.DurationMS, 1
	}
	return t
}

// Add adds other to t. Sums end at MaxSum.
func (t *Totals) Add(other *Totals) {
	t.Input = Sum(t.Input, other.Input)
	t.Output = Sum(t.Output, other.Output)
	t.CacheRead = Sum(t.CacheRead, other.CacheRead)
	t.CacheWrite = Sum(t.CacheWrite, other.CacheWrite)
	t.Reasoning = Sum(t.Reasoning, other.Reasoning)
	t.Calls += other.Calls
	t.Unpriced += other.Unpriced
	t.DurationMS = Sum(t.DurationMS, other.DurationMS)
	t.Timed += other.Timed
	if other.Cost != nil {
		sum := *other.Cost
		if t.Cost != nil {
			sum = Sum(*t.Cost, sum)
		}
		t.Cost = &sum
	}
}

// Sum returns a + b, or MaxSum if that is greater.
func Sum[N ~int64](a, b N) N {
	if b > 0 && a > MaxSum-b {
		return MaxSum
	}
	return a + b
}

// All returns the sum of the four disjoint counts.
func (t *Tokens) All() int64 { return Sum(Sum(t.Input, t.Output), Sum(t.CacheRead, t.CacheWrite)) }

// Total returns total_tokens of records and reports: input and output, without cached tokens.
func (t *Tokens) Total() int64 { return Sum(t.Input, t.Output) }

// Cached returns the tokens that were read from a cache or written to one.
func (t *Tokens) Cached() int64 { return Sum(t.CacheRead, t.CacheWrite) }

// SortLines sorts as Report documents.
func SortLines(lines []Line) {
	slices.SortFunc(lines, func(a, b Line) int {
		return cmp.Or(compareCosts(b.Cost, a.Cost), strings.Compare(a.Key, b.Key))
	})
}

// compareCosts takes an unknown cost for the lowest.
func compareCosts(a, b *Money) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	return cmp.Compare(*a, *b)
}
