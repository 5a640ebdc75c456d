package sessions

import (
	"sync"

	"keywright.dev/keywright/internal/key/pepper"
)

// maxPending bounds the revocations that wait for the store.
const maxPending = 100_000

// revocation ends the session of an id, all sessions of a user, or all sessions of a key. Its other fields are
// zero.
type revocation struct {
	id   ID
	user string
	key  pepper.Digest
}

// matches reports whether a set has a revocation that covers the session.
func (s *Session) matches(has func(revocation) bool) bool {
	return has(revocation{id: s.ID}) || has(revocation{user: s.Username}) || has(revocation{key: s.Key})
}

// pendingRevocations are the revocations that the store has not carried out yet.
type pendingRevocations struct {
	mu sync.Mutex
	// waiting has the number of each revocation. A revocation that is added again gets a new number.
	waiting map[revocation]uint64
	last    uint64
	// added receives a value after an addition.
	added chan struct{}
}

// queued is a revocation with its number.
type queued struct {
	revocation
	number uint64
}

func newPendingRevocations() *pendingRevocations {
	return &pendingRevocations{waiting: map[revocation]uint64{}, added: make(chan struct{}, 1)}
}

// add returns the added revocations, and how many were dropped because too many wait.
func (p *pendingRevocations) add(all []revocation) (added []queued, dropped int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range all {
		if _, found := p.waiting[one]; !found && len(p.waiting) >= maxPending {
			dropped++
			continue
		}
		p.last++
		p.waiting[one] = p.last
		added = append(added, queued{one, p.last})
	}
	return added, dropped
}

// notify wakes the reader of added. It does not block.
func (p *pendingRevocations) notify() {
	select {
	case p.added <- struct{}{}:
	default:
	}
}

// batch returns up to MaxBatch of the pending revocations.
func (p *pendingRevocations) batch() (all []queued) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for one, number := range p.waiting {
		if len(all) == MaxBatch {
			break
		}
		all = append(all, queued{one, number})
	}
	return all
}

// covering returns the pending revocations that end a session.
func (p *pendingRevocations) covering(s *Session) (all []queued) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.matches(func(one revocation) bool {
		if number, found := p.waiting[one]; found {
			all = append(all, queued{one, number})
		}
		return false
	})
	return all
}

// covers reports whether the session has ended, although the store may still have it.
func (p *pendingRevocations) covers(s *Session) bool { return len(p.covering(s)) > 0 }

// filter returns those that are still pending and were not added again.
func (p *pendingRevocations) filter(all []queued) (waiting []queued) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range all {
		if p.waiting[one.revocation] == one.number {
			waiting = append(waiting, one)
		}
	}
	return waiting
}

// complete removes revocations that the store has carried out, unless they were added again since.
func (p *pendingRevocations) complete(all []queued) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range all {
		if p.waiting[one.revocation] == one.number {
			delete(p.waiting, one.revocation)
		}
	}
}

func revocations(all []queued) []revocation {
	plain := make([]revocation, len(all))
	for i := range all {
		plain[i] = all[i].revocation
	}
	return plain
}
