// Package repeats bounds what anyone can make a program write by repeating a request. What is of one kind passes at
// first; what follows within a minute is counted, and passes as one. The audit trail, events and the log use it.
package repeats

import (
	"context"
	"sync"
	"time"
)

// Every is the least time between two counts of one kind.
const Every = time.Minute

// checkEvery is how often Run looks for counts that are due.
const checkEvery = 10 * time.Second

// Result is what to do with an occurrence.
type Result uint8

const (
	// Passes: write it now.
	Passes Result = iota
	// Counted: it is a part of the next count of its kind.
	Counted
	// Full: there is no room for another kind.
	Full
)

// Count stands for several occurrences of one kind.
type Count[V any] struct {
	// Last is the last one.
	Last V
	// N is how many there were.
	N int
}

// Counter counts occurrences by kind. It is safe for concurrent use.
type Counter[K comparable, V any] struct {
	most, pass int

	mu    sync.Mutex
	kinds map[K]*kind[V]
}

// kind is one kind of occurrences since its first one or its last count.
type kind[V any] struct {
	since  time.Time
	passed int
	count  Count[V]
}

// New returns a counter for at most that many kinds at a time. The first occurrences of each kind pass, as many as pass
// says.
func New[K comparable, V any](most, pass int) *Counter[K, V] {
	return &Counter[K, V]{most: most, pass: pass, kinds: map[K]*kind[V]{}}
}

// Add takes an occurrence that stands for n. The zero kind always has room: callers use it for the kinds that have
// none.
func (c *Counter[K, V]) Add(k K, v V, n int, now time.Time) Result {
	c.mu.Lock()
	defer c.mu.Unlock()
	one := c.kinds[k]
	if one == nil {
		var zero K
		if k != zero && len(c.kinds) >= c.most {
			return Full
		}
		one = &kind[V]{since: now}
		c.kinds[k] = one
	}
	if one.passed < c.pass {
		one.passed++
		return Passes
	}
	one.count.Last, one.count.N = v, one.count.N+n
	return Counted
}

// Due returns the counts that are a minute old, and removes the kinds that have not occurred since.
func (c *Counter[K, V]) Due(now time.Time) (due []Count[V]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, one := range c.kinds {
		switch {
		case now.Sub(one.since) < Every:
		case one.count.N == 0:
			delete(c.kinds, k)
		default:
			due = append(due, one.count)
			one.since, one.passed, one.count = now, c.pass, Count[V]{}
		}
	}
	return due
}

// All returns every count, due or not.
func (c *Counter[K, V]) All() (all []Count[V]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.kinds {
		if one.count.N > 0 {
			all = append(all, one.count)
			one.count = Count[V]{}
		}
	}
	return all
}

// Run calls write with the counts that are due, until ctx ends, and then with all that are left.
func (c *Counter[K, V]) Run(ctx context.Context, now func() time.Time, write func([]Count[V])) {
	ticker := time.NewTicker(checkEvery)
	defer ticker.Stop()
	for {
		var counts []Count[V]
		select {
		case <-ctx.Done():
			if counts = c.All(); len(counts) > 0 {
				write(counts)
			}
			return
		case <-ticker.C:
			counts = c.Due(now())
		}
		if len(counts) > 0 {
			write(counts)
		}
	}
}
