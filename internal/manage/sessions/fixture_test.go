package sessions

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"keywright.dev/keywright/internal/key/pepper"
)

var errUnavailable = errors.New("the database is unavailable")

// shelf is a store in memory that several replicas may share, each through a store of its own.
type sharedStore struct {
	mu       sync.Mutex
	sessions map[ID]Session
	stores   []*store
}

// store is the Store of one replica.
type store struct {
	*sharedStore
	// err is the error of every call, and hangs makes calls block.
	err   error
	hangs bool
	// removals, if set, has to be closed before anything is removed.
	removals chan struct{}
	// gate, if set, has to be passed by Find after it has read.
	gate  chan struct{}
	finds int
	// ended and lost are the callbacks of Watch.
	ended func(ID)
	lost  func(bool)
	quit  chan error
}

func newSharedStore() *sharedStore { return &sharedStore{sessions: map[ID]Session{}} }

func (s *sharedStore) open() *store {
	s.mu.Lock()
	defer s.mu.Unlock()
	opened := &store{sharedStore: s, quit: make(chan error, 1)}
	s.stores = append(s.stores, opened)
	return opened
}

// do runs one operation and notifies the other replicas of removed sessions.
func (s *store) do(ctx context.Context, operation func() (removed []ID)) error {
	s.mu.Lock()
	err, hangs := s.err, s.hangs
	s.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	removed := operation()
	var listeners []func(ID)
	for _, other := range s.stores {
		if other != s && other.ended != nil {
			listeners = append(listeners, other.ended)
		}
	}
	s.mu.Unlock()
	for _, notify := range listeners {
		for _, id := range removed {
			notify(id)
		}
	}
	return nil
}

func (s *store) set(err error, hangs bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err, s.hangs = err, hangs
}

// blockRemovals makes removals wait until unblock is called.
func (s *store) blockRemovals() (unblock func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removals = make(chan struct{})
	return sync.OnceFunc(func() { close(s.removals) })
}

func (s *store) findCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.finds
}

func (s *store) Add(ctx context.Context, session Session) error {
	return s.do(ctx, func() []ID { s.sessions[session.ID] = session; return nil })
}

func (s *store) Find(ctx context.Context, id ID) (found *Session, err error) {
	err = s.do(ctx, func() []ID {
		s.finds++
		if session, ok := s.sessions[id]; ok {
			found = &session
		}
		return nil
	})
	if err != nil {
		s.mu.Lock()
		s.finds++
		s.mu.Unlock()
	}
	if s.gate != nil {
		<-s.gate
	}
	return found, err
}

func (s *store) Oldest(ctx context.Context, keep int, key pepper.Digest) (ids []ID, err error) {
	err = s.do(ctx, func() []ID {
		var all []Session
		for _, session := range s.sessions {
			if session.Key == key {
				all = append(all, session)
			}
		}
		slices.SortFunc(all, func(a, b Session) int { return b.CreatedAt.Compare(a.CreatedAt) })
		for i := keep; i < len(all); i++ {
			ids = append(ids, all[i].ID)
		}
		return nil
	})
	return ids, err
}

func (s *store) Keys(ctx context.Context, now time.Time) (keys []pepper.Digest, err error) {
	err = s.do(ctx, func() []ID {
		for _, session := range s.sessions {
			if now.Before(session.Expires) && !slices.Contains(keys, session.Key) {
				keys = append(keys, session.Key)
			}
		}
		return nil
	})
	return keys, err
}

func (s *store) Renew(ctx context.Context, id ID, expires time.Time) error {
	return s.do(ctx, func() []ID {
		if session, ok := s.sessions[id]; ok {
			session.Expires = expires
			s.sessions[id] = session
		}
		return nil
	})
}

func (s *store) removeWhere(ctx context.Context, is func(*Session) bool) error {
	s.mu.Lock()
	removals := s.removals
	s.mu.Unlock()
	if removals != nil {
		select {
		case <-removals:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return s.do(ctx, func() (removed []ID) {
		for id, session := range s.sessions {
			if is(&session) {
				delete(s.sessions, id)
				removed = append(removed, id)
			}
		}
		return removed
	})
}

func (s *store) Remove(ctx context.Context, id ID) error {
	return s.removeWhere(ctx, func(session *Session) bool { return session.ID == id })
}

func (s *store) RemoveForKeys(ctx context.Context, keys []pepper.Digest) error {
	if len(keys) > MaxBatch {
		return errors.New("too many at once")
	}
	set := map[pepper.Digest]bool{}
	for _, k := range keys {
		set[k] = true
	}
	return s.removeWhere(ctx, func(session *Session) bool { return set[session.Key] })
}

func (s *store) RemoveForUser(ctx context.Context, username string) error {
	return s.removeWhere(ctx, func(session *Session) bool { return session.Username == username })
}

func (s *store) RemoveExpired(ctx context.Context, now time.Time) error {
	return s.removeWhere(ctx, func(session *Session) bool { return !now.Before(session.Expires) })
}

func (s *store) Watch(ctx context.Context, ended func(ID), lost func(bool)) error {
	s.mu.Lock()
	s.ended, s.lost = ended, lost
	s.mu.Unlock()
	lost(false)
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.quit:
		return err
	}
}

// loseNotices makes a store miss the removals of others until resumeNotices.
func (s *store) loseNotices() {
	s.mu.Lock()
	s.ended = nil
	lost := s.lost
	s.mu.Unlock()
	lost(true)
}

func (s *store) resumeNotices(ended func(ID)) {
	s.mu.Lock()
	s.ended = ended
	lost := s.lost
	s.mu.Unlock()
	lost(false)
}

// replica is a server's sessions.
type replica struct {
	*Sessions
	t     *testing.T
	store *store
}

// newReplica returns a replica that runs until the test ends.
func newReplica(t *testing.T, shared *sharedStore) *replica {
	t.Helper()
	r := &replica{t: t, store: shared.open()}
	r.Sessions = New(Config{Store: r.store, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { r.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	return r
}

// newPair returns two replicas that are subscribed to a shared store. It needs synctest.
func newPair(t *testing.T) (shared *sharedStore, a, b *replica) {
	t.Helper()
	shared = newSharedStore()
	a, b = newReplica(t, shared), newReplica(t, shared)
	synctest.Wait()
	return shared, a, b
}

func (r *replica) begin(username string, key pepper.Digest) (cookie string) {
	r.t.Helper()
	cookie, err := r.Begin(r.t.Context(), username, key)
	if err != nil {
		r.t.Fatal(err)
	}
	// A session is never used in the instant it begins.
	pass(time.Millisecond)
	return cookie
}

func (r *replica) isValid(cookie string) bool { return r.Key(cookie, time.Now()) != nil }

func (r *replica) want(cookie string, want bool, when string) {
	r.t.Helper()
	if r.isValid(cookie) != want {
		r.t.Errorf("%s: valid is %t", when, !want)
	}
}

// pass advances the time and waits until all goroutines are idle again.
func pass(length time.Duration) {
	time.Sleep(length)
	synctest.Wait()
}

func digest(i byte) pepper.Digest { return pepper.Digest{PepperID: "01234567", Sum: pepper.Sum{i}} }
