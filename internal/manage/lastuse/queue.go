package lastuse

import (
	"sync"
	"sync/atomic"

	"keywright.dev/keywright/internal/auth/verify"
)

// The objects whose last use may wait to be written: exactly, in memory of 20 MB at the most, and coarsely. Of those there is
// always another when they are used again.
const (
	mostExact  = 100_000
	mostCoarse = 10_000
)

// queue has the last use of each object, those that wait longest first, and so many at the most.
type queue struct {
	most int

	mu    sync.Mutex
	byUID map[string]verify.Use
	order []string
	// waiting is how many there are, to be read without mu.
	waiting atomic.Int64
}

func newQueue(most int) *queue { return &queue{most: most, byUID: map[string]verify.Use{}} }

// add returns how many it has dropped to make room: those that wait longest.
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

// offer is add where there is room, and else nothing.
func (q *queue) offer(u verify.Use) {
	if q.waiting.Load() < int64(q.most) {
		q.add(u)
	}
}

func (q *queue) shorten() (dropped int) {
	for ; len(q.order) > q.most; dropped++ {
		delete(q.byUID, q.order[0])
		q.order = q.order[1:]
	}
	q.waiting.Store(int64(len(q.order)))
	return dropped
}

// take removes up to so many.
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

// giveBack puts what was taken where it was, but for what is outdated. It returns what add does.
func (q *queue) giveBack(uses []verify.Use) (dropped int) {
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
