package loginthrottle

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// mostCounters bounds the users that are counted, and the addresses. Each map takes 7 MB at most.
const mostCounters = 10_000

// counters are by a hash of whom they are of.
type counters map[uint64]*counter

// at is the counter of somebody, and a new one where there is none.
func (all counters) at(of uint64, now time.Time) *counter {
	c := all[of]
	if c == nil {
		all.makeRoom(now)
		c = &counter{}
		all[of] = c
	}
	return c
}

func (all counters) forgive(of uint64, who user) {
	c := all[of]
	if c == nil {
		return
	}
	c.forgive(who)
	if len(c.tries) == 0 {
		delete(all, of)
	}
}

// makeRoom takes out those that count nothing any more, where there is no room for one more, and then a tenth: those with
// the fewest failures, and of these the oldest. So made-up names push out each other, and nobody who is being guessed at.
func (all counters) makeRoom(now time.Time) {
	if len(all) < mostCounters {
		return
	}
	for of, c := range all {
		c.drop(now)
		if len(c.tries) == 0 {
			delete(all, of)
		}
	}
	if len(all) < mostCounters/10*9 {
		return
	}
	least := slices.SortedFunc(maps.Keys(all), func(a, b uint64) int {
		return cmp.Or(cmp.Compare(len(all[a].tries), len(all[b].tries)), cmp.Compare(all[a].last(), all[b].last()))
	})
	for _, of := range least[:mostCounters/10] {
		delete(all, of)
	}
}
