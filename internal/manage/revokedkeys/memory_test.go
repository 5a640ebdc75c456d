package revokedkeys_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/manage/revokedkeys"
)

func key(n byte) pepper.Digest { return pepper.Digest{PepperID: "0123abcd", Sum: pepper.Sum{n}} }

var errDown = errors.New("the database is down")

// store is a Store in memory, which several replicas share.
type store struct {
	mu   sync.Mutex
	rows []revokedkeys.Row
	// starting and down are the errors of Starting and of everything else.
	starting, down error
}

func (s *store) Starting() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.starting
}

func (s *store) Add(_ context.Context, keys []pepper.Digest, _ time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range keys {
		if s.down == nil && !slices.ContainsFunc(s.rows, func(r revokedkeys.Row) bool { return r.Key == k }) {
			s.rows = append(s.rows, revokedkeys.Row{Number: int64(len(s.rows) + 1), Key: k})
		}
	}
	return s.down
}

// After returns one row at a time.
func (s *store) After(_ context.Context, number int64) ([]revokedkeys.Row, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down != nil || int(number) >= len(s.rows) {
		return nil, s.down
	}
	return s.rows[number : number+1], nil
}

func (s *store) set(starting, down error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.starting, s.down = starting, down
}

func (s *store) has(k pepper.Digest) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.rows, func(r revokedkeys.Row) bool { return r.Key == k })
}

// ended keeps the keys that were published as ended.
type ended struct {
	mu  sync.Mutex
	all []pepper.Digest
}

func (e *ended) Publish(keys []pepper.Digest) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, keys...)
}

func (e *ended) keys() []pepper.Digest {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.all)
}

// replica is one server.
type replica struct {
	*revokedkeys.Memory
	index *verify.Index
	ended *ended
	// stop ends Run and waits.
	stop func()
}

func start(t *testing.T, s *store) *replica {
	t.Helper()
	r := &replica{index: &verify.Index{}, ended: &ended{}}
	r.Memory = revokedkeys.New(revokedkeys.Config{
		Store: s, Index: r.index, Ended: r.ended, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx) }()
	r.stop = func() { cancel(); <-done }
	return r
}

func (r *replica) refuses(k pepper.Digest) bool { return r.index.IsRevoked(&k) }

func TestMemory_IsSharedAndSurvivesRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		here, there := start(t, s), start(t, s)
		here.index.Put(verify.ID{Kind: "AdminUser", Name: "a"}, verify.KeyObject{
			Standing: verify.Accepted, Keys: []verify.Key{{Digest: key(1)}},
		})
		if err := here.Revoke(t.Context(), []pepper.Digest{key(1)}); err != nil {
			t.Fatal(err)
		}
		there.Note([]pepper.Digest{key(2), key(1)})
		if !here.refuses(key(1)) || !there.refuses(key(2)) || !slices.Equal(here.ended.keys(), []pepper.Digest{key(1)}) {
			t.Error("not refused at once by the replica itself, or not published: ", here.ended.keys())
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		for _, r := range []*replica{here, there, start(t, s)} {
			synctest.Wait()
			if !r.refuses(key(1)) || !r.refuses(key(2)) || r.refuses(key(3)) || r.Waiting() != 0 || !r.Loaded() {
				t.Error("a replica does not know exactly the two keys")
			}
			r.stop()
		}
	})
}

func TestMemory_WaitsForTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		if err := s.Add(t.Context(), []pepper.Digest{key(1)}, time.Now()); err != nil {
			t.Fatal(err)
		}
		s.set(nil, errDown)
		r := start(t, s)
		synctest.Wait()
		if r.Starting() != nil || r.Loaded() || r.refuses(key(1)) {
			t.Error("a server that starts without the database serves, and knows that it has read nothing")
		}
		if err := r.Revoke(t.Context(), []pepper.Digest{key(2)}); !errors.Is(err, errDown) || r.refuses(key(2)) {
			t.Errorf("got %v; refused: %t", err, r.refuses(key(2)))
		}
		r.Note([]pepper.Digest{key(3)})
		r.Note([]pepper.Digest{key(3)})
		time.Sleep(time.Minute)
		if !r.refuses(key(3)) || r.Waiting() != 1 {
			t.Errorf("%d wait", r.Waiting())
		}
		s.set(nil, nil)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !r.Loaded() || !r.refuses(key(1)) || !s.has(key(3)) || r.Waiting() != 0 {
			t.Error("not everything was read and written once the database was back")
		}
		r.Note([]pepper.Digest{key(4)})
		s.set(nil, errDown)
		time.Sleep(time.Minute)
		if !r.refuses(key(1)) || !r.refuses(key(4)) {
			t.Error("the keys are accepted again without the database")
		}
		r.stop()
	})
}

func TestMemory_WritesBeforeItStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		r := start(t, s)
		synctest.Wait()
		r.Note([]pepper.Digest{key(1)})
		r.stop()
		if !s.has(key(1)) {
			t.Error("the key was not written")
		}
	})
}

func TestMemory_StartsWithTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{starting: errDown}
		r := start(t, s)
		time.Sleep(5 * time.Second)
		if r.Starting() == nil {
			t.Error("ready before the database was tried")
		}
		s.set(nil, nil)
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if r.Starting() != nil || !r.Loaded() {
			t.Error("not ready although the keys could be read")
		}
		r.stop()
	})
}

// Another database in place of the first has numbers of its own.
func TestMemory_ReadsEverythingAfterAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		if err := s.Add(t.Context(), []pepper.Digest{key(1), key(2)}, time.Now()); err != nil {
			t.Fatal(err)
		}
		r := start(t, s)
		time.Sleep(2 * time.Second)
		s.set(nil, errDown)
		time.Sleep(2 * time.Second)
		s.mu.Lock()
		s.rows, s.down = []revokedkeys.Row{{Number: 1, Key: key(3)}}, nil
		s.mu.Unlock()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !r.refuses(key(3)) {
			t.Error("a row of the other database was not read")
		}
		r.stop()
	})
}
