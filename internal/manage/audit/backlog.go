package audit

import (
	"slices"
	"sync"
)

// maxWaiting bounds the entries that wait for the store.
const maxWaiting = 10_000

// backlog has the entries that are not written yet, oldest first.
type backlog struct {
	mu      sync.Mutex
	waiting []Entry
	// removed counts all entries that have left the backlog. It is the number of waiting[0].
	removed int
}

// add adds an entry, and returns the oldest entries if it dropped any to make room.
func (b *backlog) add(e Entry) (dropped []Entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = append(b.waiting, e)
	return b.take(max(0, len(b.waiting)-maxWaiting))
}

// take removes and returns the n oldest entries. The caller must hold the lock.
func (b *backlog) take(n int) []Entry {
	taken := slices.Clone(b.waiting[:n])
	clear(b.waiting[:n])
	b.waiting = b.waiting[n:]
	b.removed += n
	return taken
}

func (b *backlog) isEmpty() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiting) == 0
}

// oldest returns up to n entries without removing them, and the argument for removeThrough once they are written.
func (b *backlog) oldest(n int) (entries []Entry, through int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n = min(n, len(b.waiting))
	return slices.Clone(b.waiting[:n]), b.removed + n
}

// removeThrough removes the entries that oldest returned. Some may have been dropped meanwhile.
func (b *backlog) removeThrough(through int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.take(max(0, through-b.removed))
}

func (b *backlog) takeAll() []Entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.take(len(b.waiting))
}
