package main

import (
	"context"
	"time"

	"keywright.dev/keywright/internal/key/pepper"
)

// catchUpInterval is how often the server checks whether it can decide on sessions from before its start.
const catchUpInterval = 500 * time.Millisecond

// sessionCatchUp ends the sessions of keys that ended while no server ran.
type sessionCatchUp struct {
	// viewIsCurrent reports whether the view of the cluster is complete and up to date.
	viewIsCurrent func() bool
	canHold       func(key *pepper.Digest) (canHold, recorded bool)
	reconcile     func(ctx context.Context, valid func(*pepper.Digest) (canHold, recorded bool)) error
}

func (s *service) sessionCatchUp() sessionCatchUp {
	return sessionCatchUp{
		viewIsCurrent: func() bool { return s.gate.Ready() == nil && s.config.Ready() == nil && s.watch.Failing() == nil },
		canHold:       s.verifier.CanHoldSession,
		reconcile:     s.database.sessions.Reconcile,
	}
}

// run reconciles the sessions once. It waits until the view is current and the database answers: while either
// is away, no session ends for it.
func (c sessionCatchUp) run(ctx context.Context) {
	ticker := time.NewTicker(catchUpInterval)
	defer ticker.Stop()
	for !c.viewIsCurrent() || c.reconcile(ctx, c.validity) != nil {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// validity treats a key that is not recorded as valid until the view is current: it may have been recorded since.
func (c sessionCatchUp) validity(key *pepper.Digest) (canHold, recorded bool) {
	canHold, recorded = c.canHold(key)
	return canHold || !recorded && !c.viewIsCurrent(), recorded
}
