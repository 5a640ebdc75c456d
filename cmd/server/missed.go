package main

import (
	"context"
	"time"

	"keywright.dev/keywright/internal/key/pepper"
)

// lookAgain is how often is looked whether everything is there that sessions from before can be judged by.
const lookAgain = 500 * time.Millisecond

// missed ends the sessions of keys that ended while no server saw it.
type missed struct {
	// seesAll says that the view of the cluster is whole, and as it is now.
	seesAll   func() bool
	carries   func(key *pepper.Digest) (carries, onRecord bool)
	reconcile func(ctx context.Context, standing func(*pepper.Digest) (carries, onRecord bool)) error
}

func (s *service) missed() missed {
	return missed{
		seesAll:   func() bool { return s.gate.Ready() == nil && s.config.Ready() == nil && s.feed.Age() == 0 },
		carries:   s.verifier.CanHoldSession,
		reconcile: s.memory.sessions.Reconcile,
	}
}

// end does so once. It waits for the view, and for the database, as long as it takes: neither's being away ends a session.
func (m missed) end(ctx context.Context) {
	ticker := time.NewTicker(lookAgain)
	defer ticker.Stop()
	for !m.seesAll() || m.reconcile(ctx, m.standing) != nil {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// standing takes a key for a good one that may be on record by now and can't be seen.
func (m missed) standing(key *pepper.Digest) (carries, onRecord bool) {
	carries, onRecord = m.carries(key)
	return carries || !onRecord && !m.seesAll(), onRecord
}
