package sessions

import (
	"context"
	"sync"
	"time"
)

// lastTry is how long the store is waited for when everything ends.
const lastTry = 2 * time.Second

// Run tells the store what has ended, and hears from it what other replicas have, until ctx ends.
func (s *Sessions) Run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { s.tellStore(ctx) })
	running.Go(func() { s.listen(ctx) })
	running.Wait()
}

// tellStore tries again until the store has heard of everything.
func (s *Sessions) tellStore(ctx context.Context) {
	for {
		var again <-chan time.Time
		if s.removeAll(ctx) != nil {
			again = time.After(pause)
		}
		select {
		case <-ctx.Done():
			s.removeLast(context.WithoutCancel(ctx))
			return
		case <-again:
		case <-s.endings.addedUnless(again != nil):
		}
	}
}

func (s *Sessions) removeLast(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lastTry)
	defer cancel()
	_ = s.removeAll(ctx)
}

func (s *Sessions) removeAll(ctx context.Context) error {
	for {
		all := s.endings.batch()
		if len(all) == 0 {
			return nil
		}
		if err := s.remove(ctx, all); err != nil {
			return err
		}
	}
}

// listen begins anew when the store has stopped to tell.
func (s *Sessions) listen(ctx context.Context) {
	for ctx.Err() == nil {
		err := s.Store.Watch(ctx, func(id ID) { s.known.endOne(id, s.Now()) }, s.lost)
		s.lost(true)
		if err != nil && ctx.Err() == nil {
			s.Log.Debug("The store tells of no more ends of sessions", "error", err.Error())
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

func (s *Sessions) lost(isDeaf bool) { s.known.hear(isDeaf, s.Now()) }
