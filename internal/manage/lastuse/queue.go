package lastuse

import (
	"sync"
	"sync/atomic"

	"keywright.dev/keywright/internal/auth/verify"
)

const (
	// maxExact bounds the objects whose exact last use waits to be saved. They take up to 20 MB.
	maxExact = 100_000
	// maxCoarse bounds the objects whose status waits to be written. An object without room waits for its next
	// use.
	maxCoarse = 10_000
)

// queue has the last use of each object, the longest waiting first.
type queue struct {
	max int

	mu    sync.Mutex
	byUID map[string]verify.Use
	order []string
	// waiting is len(order), readable without mu.
	waiting atomic.Int64
}

func newQueue(most int) *queue { return &queue{max: most, byUID: map[string]verify.Use{}} }

// add returns how many uses it dropped to make room. It drops the longest waiting.
func (q *queue) add(u verify.Use) (dropped int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if waiting, found := q.byUID[u.UID]; found {
		if waiting.At.Before(u.At) {
			q.byUID[u.UID] = u
		}
		return 0
	}
	q.byUID[u.UID] = u
	q.order = append(q.order, u.UID)
	return q.shorten()
}

// offer adds a use unless the queue is full.
func (q *queue) offer(u verify.Use) {
	if q.waiting.Load() < int64(q.max) {
		q.add(u)
	}
}

func (q *queue) shorten() (dropped int) {
	for ; len(q.order) > q.max; dropped++ {
		delete(q.byUID, q.order[0])
		q.order = q.order[1:]
	}
	q.waiting.Store(int64(len(q.order)))
	return dropped
}

// take removes and returns up to most uses.
func (q *queue) take(most int) []verify.Use {
	q.mu.Lock()
	defer q.mu.Unlock()
	uses := make([]verify.Use, min(most, len(q.order)))
	for i, uid := range q.order[:len(uses)] {
		uses[i] = q.byUID[uid]
		delete(q.byUID, uid)
	}
	q.order = q.order[len(uses):]
	q.waiting.Store(int64(len(q.order)))
	return uses
}

// putBack returns uses to the front of the queue, except those of objects that were used again since. It
// returns how many uses it dropped.
func (q *queue) putBack(uses []verify.Use) (dropped int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	order := make([]string, 0, len(uses)+len(q.order))
	for _, u := range uses {
		if _, isOutdated := q.byUID[u.UID]; !isOutdated {
			q.byUID[u.UID] = u
			order = append(order, u.UID)
		}
	}
	q.order = append(order, q.order...)
	return q.shorten()
}
