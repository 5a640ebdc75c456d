package sessions

import (
	"sync"

	"keywright.dev/keywright/internal/key/pepper"
)

// mostEndings bounds what the store has not heard of yet.
const mostEndings = 100_000

// ending ends the session of an id, or all of a user, or all that were begun with a key. Its other fields are zero.
type ending struct {
	id   ID
	user string
	key  pepper.Digest
}

// isIn says that a set has an ending that covers the session.
func (s *Session) isIn(has func(ending) bool) bool {
	return has(ending{id: s.ID}) || has(ending{user: s.Username}) || has(ending{key: s.Key})
}

// endings are those that the store has not heard of yet.
type endings struct {
	mu sync.Mutex
	// waiting has, for each, its number: one that comes again is another.
	waiting map[ending]uint64
	last    uint64
	// added has something to read when there are new ones.
	added chan struct{}
}

// numbered is an ending as it is waiting.
type numbered struct {
	ending
	number uint64
}

func newEndings() *endings {
	return &endings{waiting: map[ending]uint64{}, added: make(chan struct{}, 1)}
}

// add returns them as they are waiting, and how many there was no room for.
func (e *endings) add(all []ending) (waiting []numbered, dropped int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, one := range all {
		if _, found := e.waiting[one]; !found && len(e.waiting) >= mostEndings {
			dropped++
			continue
		}
		e.last++
		e.waiting[one] = e.last
		waiting = append(waiting, numbered{one, e.last})
	}
	return waiting, dropped
}

// addedUnless has something to read when there are new ones, unless nobody wants to know.
func (e *endings) addedUnless(isRetry bool) <-chan struct{} {
	if isRetry {
		return nil
	}
	return e.added
}

// tell does not wait for whoever listens.
func (e *endings) tell() {
	select {
	case e.added <- struct{}{}:
	default:
	}
}

// batch has as many that are waiting as a Store takes at once.
func (e *endings) batch() (all []numbered) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for one, number := range e.waiting {
		if len(all) == BatchOfKeys {
			break
		}
		all = append(all, numbered{one, number})
	}
	return all
}

// of are those that cover a session.
func (e *endings) of(s *Session) (all []numbered) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s.isIn(func(one ending) bool {
		if number, found := e.waiting[one]; found {
			all = append(all, numbered{one, number})
		}
		return false
	})
	return all
}

// cover says that the session has ended, though the store may have it.
func (e *endings) cover(s *Session) bool { return len(e.of(s)) > 0 }

// still are those of them that are waiting yet.
func (e *endings) still(all []numbered) (waiting []numbered) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, one := range all {
		if e.waiting[one.ending] == one.number {
			waiting = append(waiting, one)
		}
	}
	return waiting
}

// done takes out what the store has heard of, but for what has come again since.
func (e *endings) done(all []numbered) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, one := range all {
		if e.waiting[one.ending] == one.number {
			delete(e.waiting, one.ending)
		}
	}
}
