package verify

import (
	"sync/atomic"
	"time"
)

// told is when something was told of last, in microseconds since 1970. 0: never.
type told struct{ at atomic.Int64 }

// again says whether to tell of it at the time now, when it is told of once in a while.
func (t *told) again(now time.Time, every time.Duration) bool {
	last, at := t.at.Load(), now.UnixMicro()
	// A clock may have been set back.
	if since := at - last; since < every.Microseconds() && -since < every.Microseconds() {
		return false
	}
	return t.at.CompareAndSwap(last, at)
}
