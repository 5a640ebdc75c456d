package audit

import (
	"slices"
	"sync"
)

// maxWaiting is how many entries wait for the store.
const maxWaiting = 10_000

// backlog is what could not be written yet, oldest first.
type backlog struct {
	mu      sync.Mutex
	waiting []Entry
	// gone is how many have left, written or not: the number of waiting[0].
	gone int
}

// add returns whom there was no room for: the oldest.
func (b *backlog) add(e Entry) (dropped []Entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = append(b.waiting, e)
	return b.take(max(0, len(b.waiting)-maxWaiting))
}

// take is called with the lock held.
func (b *backlog) take(n int) []Entry {
	taken := slices.Clone(b.waiting[:n])
	clear(b.waiting[:n])
	b.waiting = b.waiting[n:]
	b.gone += n
	return taken
}

func (b *backlog) isEmpty() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiting) == 0
}

// oldest returns up to n entries, which go on waiting, and what to tell written.
func (b *backlog) oldest(n int) (entries []Entry, through int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n = min(n, len(b.waiting))
	return slices.Clone(b.waiting[:n]), b.gone + n
}

// written lets those go that oldest returned. Some may have been dropped meanwhile.
func (b *backlog) written(through int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.take(max(0, through-b.gone))
}

func (b *backlog) empty() []Entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.take(len(b.waiting))
}
