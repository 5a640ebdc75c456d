package issuer

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Delays before a failed run is retried. Each is twice as long as the one before.
const (
	firstDelay = 100 * time.Millisecond
	maxDelay   = time.Minute
)

// backoff delays the next run of an object whose last run failed. The work queue's backoff is not enough: a
// failing run writes to status, and each such write is an event that triggers the next run at once. The zero
// value is ready. It is safe for concurrent use.
type backoff struct {
	mu       sync.Mutex
	failures map[string]failure
}

// failure is the last failure of one object.
type failure struct {
	attempt attempt
	count   int
	// until is when the object may be tried again.
	until time.Time
}

// attempt is what the object asked for when the run failed. A different one is tried at once: it may be the fix.
type attempt struct {
	uid           types.UID
	generation    int64
	rotateRequest string
}

func attemptOf(t *Target) attempt {
	return attempt{t.Object.GetUID(), t.Object.GetGeneration(), t.Spec.RotateRequest}
}

// remaining returns how long to wait before the next run. 0: run now.
func (b *backoff) remaining(t *Target, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	last, found := b.failures[t.id()]
	if !found || last.attempt != attemptOf(t) {
		return 0
	}
	return max(0, last.until.Sub(now))
}

// record stores the outcome of a run.
func (b *backoff) record(t *Target, err error, now time.Time) {
	if err == nil {
		b.reset(t.id())
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	last := b.failures[t.id()]
	if current := attemptOf(t); last.attempt != current {
		last = failure{attempt: current}
	}
	// A shift by 16 is far beyond maxDelay already.
	last.until = now.Add(min(maxDelay, firstDelay<<min(last.count, 16)))
	last.count++
	if b.failures == nil {
		b.failures = map[string]failure{}
	}
	b.failures[t.id()] = last
}

func (b *backoff) reset(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.failures, id)
}
