package lastuse

import (
	"sync"
	"sync/atomic"

	"keywright.dev/keywright/internal/auth/verify"
)

const (
	// maxExact bounds the objects whose exact last use waits to be saved. They take up to 20 MB.
	maxExact = 100_000
	// maxAddressUses bounds the uses by address and day that wait to be saved. They take up to 30 MB.
	maxAddressUses = 100_000
	// maxCoarse bounds the objects whose status waits to be written. An object without room waits for its next
	// use.
	maxCoarse = 10_000
)

// queue has one value for each key, the longest waiting first.
type queue[K comparable, V any] struct {
	max   int
	keyOf func(V) K
	// merge returns what two values of one key come to.
	merge func(V, V) V

	mu    sync.Mutex
	byKey map[K]V
	order []K
	// waiting is len(order), readable without mu.
	waiting atomic.Int64
}

// useQueue has the last use of each object, by its uid.
type useQueue = queue[string, verify.Use]

func newUseQueue(most int) *useQueue {
	return newQueue(most, func(u verify.Use) string { return u.UID }, laterUse)
}

// laterUse returns the later of two uses of one object: concurrent requests arrive out of order.
func laterUse(a, b verify.Use) verify.Use {
	if b.At.After(a.At) {
		return b
	}
	return a
}

// addressQueue has the uses of each object by address and day.
type addressQueue = queue[addressKey, AddressUse]

func newAddressQueue(most int) *addressQueue { return newQueue(most, AddressUse.key, AddressUse.merge) }

func newQueue[K comparable, V any](most int, keyOf func(V) K, merge func(V, V) V) *queue[K, V] {
	return &queue[K, V]{max: most, keyOf: keyOf, merge: merge, byKey: map[K]V{}}
}

// add returns how many values it dropped to make room. It drops the longest waiting.
func (q *queue[K, V]) add(v V) (dropped int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	key := q.keyOf(v)
	if waiting, found := q.byKey[key]; found {
		q.byKey[key] = q.merge(waiting, v)
		return 0
	}
	q.byKey[key] = v
	q.order = append(q.order, key)
	return q.shorten()
}

// offer adds a value unless the queue is full.
func (q *queue[K, V]) offer(v V) {
	if q.waiting.Load() < int64(q.max) {
		q.add(v)
	}
}

func (q *queue[K, V]) shorten() (dropped int) {
	for ; len(q.order) > q.max; dropped++ {
		delete(q.byKey, q.order[0])
		q.order = q.order[1:]
	}
	q.waiting.Store(int64(len(q.order)))
	return dropped
}

// take removes and returns up to most values.
func (q *queue[K, V]) take(most int) []V {
	q.mu.Lock()
	defer q.mu.Unlock()
	values := make([]V, min(most, len(q.order)))
	for i, key := range q.order[:len(values)] {
		values[i] = q.byKey[key]
		delete(q.byKey, key)
	}
	q.order = q.order[len(values):]
	q.waiting.Store(int64(len(q.order)))
	return values
}

// putBack returns values to the front of the queue, merged with those that were added since. It returns how many it
// dropped.
func (q *queue[K, V]) putBack(values []V) (dropped int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	order := make([]K, 0, len(values)+len(q.order))
	for _, v := range values {
		key := q.keyOf(v)
		if since, found := q.byKey[key]; found {
			q.byKey[key] = q.merge(v, since)
			continue
		}
		q.byKey[key] = v
		order = append(order, key)
	}
	q.order = append(order, q.order...)
	return q.shorten()
}
