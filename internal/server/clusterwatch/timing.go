package clusterwatch

import "time"

const (
	// longestPeriod is the time between consistent reads without a bound, and with a long one.
	longestPeriod = 30 * time.Second
	// retryPeriod is that time while requests fail.
	retryPeriod = 2 * time.Second
	// shortestSession is the shortest watch in which the API server sends a bookmark: it does so two seconds before the
	// end, and a watch ends after whole seconds.
	shortestSession = 3 * time.Second
	// sessionGrace is how late the end of a watch may arrive.
	sessionGrace = time.Second
	// shortestPatience and longestPatience bound how long a request may wait for an answer.
	shortestPatience, longestPatience = 3 * time.Second, 10 * time.Second
)

// minBound is the shortest bound that the view of a healthy cluster stays within: the API server sends a bookmark up to
// two and a half seconds after a watch begins, and the consistent read that it confirms began up to a quarter of the
// bound earlier. A slow machine needs the rest. Package config does not allow a shorter STALE_AFTER.
const minBound = 5 * time.Second

// timing is how often the view of a resource is confirmed.
type timing struct {
	// period is the time between consistent reads.
	period time.Duration
	// session is how long a watch lasts.
	session time.Duration
	// patience is how long a request may wait for an answer.
	patience time.Duration
}

// timingFor returns the timing that keeps the age below a bound. 0: no bound.
func timingFor(bound time.Duration, failing bool) timing {
	period := longestPeriod
	if bound > 0 {
		period = min(period, bound/4)
	}
	if failing {
		period = min(period, retryPeriod)
	}
	return timing{
		period: period,
		// Rounded up, since the API server counts whole seconds.
		session:  max(shortestSession, (period + time.Second - 1).Truncate(time.Second)),
		patience: min(max(shortestPatience, period), longestPatience),
	}
}
