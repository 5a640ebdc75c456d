package peppersecret

import (
	"sync/atomic"
	"time"

	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/operator/keysource"
)

// Source is the keyring as it stands, for everybody who issues keys. Its zero value has none yet.
type Source struct {
	state atomic.Pointer[state]
}

type state struct {
	ring *pepper.Keyring
	// err says why nothing may be issued. Nil: ring is good.
	err error
}

// again is when to look at the pepper once more though nobody touched it. 0: not at all.
func (s state) again() time.Duration {
	if s.err != nil {
		return recheck
	}
	return 0
}

// Keyring is the present keyring; see keysource.Peppers.
func (s *Source) Keyring() (*pepper.Keyring, error) {
	current := s.state.Load()
	if current == nil {
		return nil, keysource.ErrPepperPending
	}
	return current.ring, current.err
}

// set says whether the news is worth telling: a keyring that was read again may be the same.
func (s *Source) set(next state) (changed bool) {
	before := s.state.Swap(&next)
	return before == nil || !same(*before, next)
}

func same(a, b state) bool {
	if a.err != nil || b.err != nil {
		return a.err != nil && b.err != nil && a.err.Error() == b.err.Error()
	}
	if a.ring.Len() != b.ring.Len() {
		return false
	}
	for i := range a.ring.Len() {
		if a.ring.ID(i) != b.ring.ID(i) {
			return false
		}
	}
	return true
}
