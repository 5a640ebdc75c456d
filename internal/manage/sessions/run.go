package sessions

import (
	"context"
	"sync"
	"time"

	"keywright.dev/keywright/internal/program"
)

// shutdownTimeout bounds the last removal from the store when the program stops.
const shutdownTimeout = 2 * time.Second

// Run removes revoked sessions from the store and follows the revocations of other replicas, until ctx ends.
func (s *Sessions) Run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { s.removePending(ctx) })
	running.Go(func() { s.watch(ctx) })
	running.Wait()
}

// removePending retries until the store has carried out every revocation.
func (s *Sessions) removePending(ctx context.Context) {
	for {
		// Additions do not shorten the delay after a failure.
		var retry <-chan time.Time
		added := s.pending.added
		if s.removeAll(ctx) != nil {
			retry, added = time.After(retryDelay), nil
		}
		select {
		case <-ctx.Done():
			s.removeLast(context.WithoutCancel(ctx))
			return
		case <-retry:
		case <-added:
		}
	}
}

func (s *Sessions) removeLast(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, shutdownTimeout)
	defer cancel()
	_ = s.removeAll(ctx)
}

func (s *Sessions) removeAll(ctx context.Context) error {
	for {
		all := s.pending.batch()
		if len(all) == 0 {
			return nil
		}
		if err := s.remove(ctx, all); err != nil {
			return err
		}
	}
}

// watch subscribes to the store again whenever the subscription ends.
func (s *Sessions) watch(ctx context.Context) {
	for ctx.Err() == nil {
		err := s.Store.Watch(ctx, func(id ID) { s.cache.evict(id, s.Now()) }, s.setNotices)
		s.setNotices(true)
		if err != nil && ctx.Err() == nil {
			s.Log.Debug("Revocation notices from other replicas are no longer received", "error", err.Error())
		}
		program.Pause(ctx, retryDelay)
	}
}

func (s *Sessions) setNotices(lost bool) { s.cache.setNotices(lost, s.Now()) }
