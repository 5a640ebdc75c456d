package loginthrottle

import (
	"slices"
	"time"
)

const (
	// window is for how long a failure counts.
	window = 10 * time.Minute
	// most is how many failures are too many, and lockout how long after the last of them the next try may be made. Each
	// replica counts for itself: five of them let 60 tries pass.
	most, lockout = 12, time.Minute
	// free is how many failures cost nothing, and step how much each one more delays a try. The longest delay is 0.4 s.
	free, step = 3, 50 * time.Millisecond
	// lost is how long after its beginning a try is forgotten of which nobody tells what became.
	lost = 10 * time.Second
)

// counter has the failures of a user or an address that count, and the tries under way, the latest last. Beyond the lockout
// one more may be under way than are too many.
type counter struct {
	tries []try
	// told is when it was last told of that they are too many, in nanoseconds since 1970.
	told int64
}

// try is one that failed, or that is under way.
type try struct {
	// at is in nanoseconds since 1970.
	at int64
	// user is whom it was for.
	user       user
	isUnderWay bool
}

// user tells users apart, a few of them: a part of the hash does.
type user uint32

func (c *counter) drop(now time.Time) {
	c.tries = slices.DeleteFunc(c.tries, func(t try) bool {
		age := now.UnixNano() - t.at
		return age >= int64(window) || t.isUnderWay && age >= int64(lost)
	})
}

// wait takes a nil counter for one without failures.
func (c *counter) wait(now time.Time) (delay, retryAfter time.Duration) {
	if c == nil {
		return 0, 0
	}
	c.drop(now)
	n := len(c.tries)
	if n >= most {
		ofLast := c.tries[n-1].at + int64(lockout) - now.UnixNano()
		ofOldest := c.tries[n-most].at + int64(window) - now.UnixNano()
		// A clock that was set back must not make it longer.
		retryAfter = min(time.Duration(min(ofLast, ofOldest)), lockout)
	}
	return time.Duration(max(0, min(n, most-1)-free)) * step, max(0, retryAfter)
}

// tells says that nobody was told for as long as the lockout lasts that the failures are too many, and that somebody is now.
func (c *counter) tells(now time.Time) bool {
	if _, retryAfter := c.wait(now); retryAfter <= 0 {
		return false
	}
	// A clock may have been set back.
	if since := now.UnixNano() - c.told; since < int64(lockout) && -since < int64(lockout) {
		return false
	}
	c.told = now.UnixNano()
	return true
}

func (c *counter) begin(who user, now time.Time) { c.add(try{now.UnixNano(), who, true}) }

// add keeps as many as count.
func (c *counter) add(t try) {
	if len(c.tries) > most {
		c.tries = slices.Delete(c.tries, 0, 1)
	}
	c.tries = append(c.tries, t)
}

// fail makes a failure of a user's latest try under way, or counts one that nobody has asked about; unless there was no room
// for that.
func (c *counter) fail(who user, now time.Time) (retryAfter time.Duration) {
	if !c.stop(who) {
		if _, retryAfter = c.wait(now); retryAfter > 0 {
			return retryAfter
		}
	}
	c.add(try{now.UnixNano(), who, false})
	return 0
}

// stop says whether there was one under way.
func (c *counter) stop(who user) bool {
	for i := len(c.tries) - 1; i >= 0; i-- {
		if t := c.tries[i]; t.isUnderWay && t.user == who {
			c.tries = slices.Delete(c.tries, i, i+1)
			return true
		}
	}
	return false
}

func (c *counter) forgive(who user) {
	c.tries = slices.DeleteFunc(c.tries, func(t try) bool { return t.user == who })
}

// last is when the newest try was.
func (c *counter) last() int64 {
	if len(c.tries) == 0 {
		return 0
	}
	return c.tries[len(c.tries)-1].at
}
