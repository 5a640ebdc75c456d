package loginthrottle

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

const (
	// window is how long a failure counts.
	window = 10 * time.Minute
	// maxFailures is how many failures get the usual reply, and lockout the time from the last of them to the next such.
	// Replicas count separately: five of them allow 60 tries.
	maxFailures, lockout = 12, time.Minute
	// maxTries is how many tries of a counter are kept. No more count at a time: maxFailures, and one for each further
	// lockout of the window.
	maxTries = maxFailures + int(window/lockout)
	// The first failures, as many as free, cause no delay. Each further one adds delayStep to the delay of a
	// try, which is 0.4 s at most.
	free, delayStep = 3, 50 * time.Millisecond
	// abandoned is the age at which a try without a result stops counting.
	abandoned = 10 * time.Second
	// maxCounters bounds the counted users, and the counted addresses. Each map takes up to 10 MB.
	maxCounters = 10_000
)

// counters maps the hash of a user or an address to its counter.
type counters map[uint64]*counter

// at returns the counter of a hash and creates it if necessary.
func (all counters) at(hash uint64, now time.Time) *counter {
	c := all[hash]
	if c == nil {
		all.makeRoom(now)
		c = &counter{}
		all[hash] = c
	}
	return c
}

func (all counters) clear(hash uint64, who user) {
	c := all[hash]
	if c == nil {
		return
	}
	c.clear(who)
	if len(c.tries) == 0 {
		delete(all, hash)
	}
}

// makeRoom removes empty counters from a full map, and then a tenth of the rest: those with the fewest
// failures, the oldest first. Made-up names displace each other, but never a user whose key is being guessed.
func (all counters) makeRoom(now time.Time) {
	if len(all) < maxCounters {
		return
	}
	for hash, c := range all {
		c.drop(now)
		if len(c.tries) == 0 {
			delete(all, hash)
		}
	}
	if len(all) < maxCounters/10*9 {
		return
	}
	least := slices.SortedFunc(maps.Keys(all), func(a, b uint64) int {
		byTries := cmp.Compare(len(all[a].tries), len(all[b].tries))
		return cmp.Or(byTries, cmp.Compare(all[a].last(), all[b].last()))
	})
	for _, hash := range least[:maxCounters/10] {
		delete(all, hash)
	}
}

// counter has the recent failures of a user or an address, and the tries in progress, the latest last.
type counter struct {
	tries []try
}

// try is a failed try or one in progress.
type try struct {
	// at is in nanoseconds since 1970.
	at           int64
	user         user
	isInProgress bool
}

// user distinguishes the few users of one counter. It is a part of the hash of the name.
type user uint32

func (c *counter) drop(now time.Time) {
	c.tries = slices.DeleteFunc(c.tries, func(t try) bool {
		age := now.UnixNano() - t.at
		return age >= int64(window) || t.isInProgress && age >= int64(abandoned)
	})
}

// wait returns the delay of the next try, and how long until a try is allowed at all. A nil counter has no failures.
func (c *counter) wait(now time.Time) (delay, retryAfter time.Duration) {
	if c == nil {
		return 0, 0
	}
	c.drop(now)
	n := len(c.tries)
	if n >= maxFailures {
		ofLast := c.tries[n-1].at + int64(lockout) - now.UnixNano()
		ofOldest := c.tries[n-maxFailures].at + int64(window) - now.UnixNano()
		// The bound is for a clock that was set back.
		retryAfter = min(time.Duration(min(ofLast, ofOldest)), lockout)
	}
	return time.Duration(max(0, min(n, maxFailures-1)-free)) * delayStep, max(0, retryAfter)
}

func (c *counter) begin(who user, now time.Time) { c.add(try{now.UnixNano(), who, true}) }

// add removes the oldest try if the counter is full.
func (c *counter) add(t try) {
	if len(c.tries) > maxTries {
		c.tries = slices.Delete(c.tries, 0, 1)
	}
	c.tries = append(c.tries, t)
}

// fail turns the user's latest try in progress into a failure. Without one it counts a new failure, unless the
// counter is full.
func (c *counter) fail(who user, now time.Time) (retryAfter time.Duration) {
	if !c.stop(who) {
		if _, retryAfter = c.wait(now); retryAfter > 0 {
			return retryAfter
		}
	}
	c.add(try{now.UnixNano(), who, false})
	return 0
}

// stop removes the user's latest try in progress, and reports whether there was one.
func (c *counter) stop(who user) bool {
	for i := len(c.tries) - 1; i >= 0; i-- {
		if t := c.tries[i]; t.isInProgress && t.user == who {
			c.tries = slices.Delete(c.tries, i, i+1)
			return true
		}
	}
	return false
}

func (c *counter) clear(who user) {
	c.tries = slices.DeleteFunc(c.tries, func(t try) bool { return t.user == who })
}

// last returns the time of the newest try, or 0.
func (c *counter) last() int64 {
	if len(c.tries) == 0 {
		return 0
	}
	return c.tries[len(c.tries)-1].at
}
