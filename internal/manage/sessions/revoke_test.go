package sessions

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"keywright.dev/keywright/internal/key/pepper"
)

// The store carries out the earlier revocations late.
func TestBegin_SurvivesEarlierRevocations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReplica(t, newSharedStore())
		synctest.Wait()
		before := r.begin("alice", digest(1))
		r.store.set(errUnavailable, false)
		r.EndForKeys([]pepper.Digest{digest(1)})
		if err := r.EndForUser(t.Context(), "alice"); err == nil {
			t.Fatal("the store is available")
		}
		r.store.set(nil, false)
		after := r.begin("alice", digest(1)) // before the next retry
		r.want(before, false, "begun before")
		r.want(after, true, "begun after")
		pass(time.Hour)
		r.want(before, false, "begun before, later")
		r.want(after, true, "begun after, later")
	})
}

func TestRun_RemovesPendingAtShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := newSharedStore()
		r := &replica{t: t, store: shared.open()}
		r.Sessions = New(Config{Store: r.store, Now: time.Now})
		r.begin("alice", digest(1))
		r.EndForKeys([]pepper.Digest{digest(1)})
		ctx, stop := context.WithCancel(t.Context())
		stop()
		r.Run(ctx)
		if len(shared.sessions) > 0 {
			t.Error("an ended session is still stored")
		}
	})
}

func TestRun_RestartsFailedWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := newPair(t)
		b.store.quit <- errUnavailable
		synctest.Wait()
		b.cache.mu.Lock()
		lost := b.cache.noticesLost
		b.cache.mu.Unlock()
		if !lost {
			t.Error("lost notices are not recorded")
		}
		pass(2 * retryDelay)
		cookie := a.begin("alice", digest(1))
		b.want(cookie, true, "before")
		a.EndForKeys([]pepper.Digest{digest(1)})
		synctest.Wait()
		b.want(cookie, false, "after")
	})
}

func TestKey_PendingRevocationOverridesStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared, other, r := newPair(t)
		ofKey, ofUser := other.begin("alice", digest(1)), other.begin("bob", digest(2))
		defer r.store.blockRemovals()()
		r.EndForKeys([]pepper.Digest{digest(1)})
		go func() { _ = r.EndForUser(t.Context(), "bob") }()
		synctest.Wait()
		r.want(ofKey, false, "of a key")
		r.want(ofUser, false, "of a user")
		if len(shared.sessions) != 2 {
			t.Error("the store has removed them: the test proves nothing")
		}
	})
}

func TestRemove_SkipsCompletedRevocations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := newSharedStore()
		r := newReplica(t, shared)
		synctest.Wait()
		r.store.set(errUnavailable, false)
		r.EndForKeys([]pepper.Digest{digest(1)})
		inProgress := r.pending.batch()
		r.store.set(nil, false)
		cookie := r.begin("alice", digest(1)) // which carries out the revocation first
		if err := r.remove(t.Context(), inProgress); err != nil {
			t.Fatal(err)
		}
		r.want(cookie, true, "here")
		newReplica(t, shared).want(cookie, true, "elsewhere")
	})
}

func TestPendingRevocations_AreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReplica(t, newSharedStore())
		cookie := r.begin("alice", digest(1))
		r.store.set(errUnavailable, false)
		synctest.Wait()
		many := make([]pepper.Digest, maxPending+100)
		for i := range many {
			many[i].Sum = pepper.Sum{9, byte(i), byte(i >> 8), byte(i >> 16)}
		}
		many = append(many, digest(1))
		r.EndForKeys(many)
		if n := len(r.pending.waiting); n != maxPending {
			t.Errorf("%d wait", n)
		}
		r.want(cookie, false, "the last key")
		r.store.set(nil, false)
		pass(2 * retryDelay)
		if n := len(r.pending.waiting); n > 0 {
			t.Errorf("%d wait when the store is back", n)
		}
	})
}

// keyRecords are the recorded keys, and whether each may hold a session.
type keyRecords struct {
	mu    sync.Mutex
	holds map[pepper.Digest]bool
}

func (r *keyRecords) set(key pepper.Digest, holds bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holds[key] = holds
}

func (r *keyRecords) standing(key *pepper.Digest) (holdsSession, isRecorded bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	holdsSession, isRecorded = r.holds[*key]
	return holdsSession, isRecorded
}

func TestReconcile_EndsSessionsOfEndedKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := newSharedStore()
		before := newReplica(t, shared)
		synctest.Wait()
		good, refused := before.begin("alice", digest(1)), before.begin("bob", digest(2))
		gone, late := before.begin("carol", digest(3)), before.begin("dan", digest(4))
		keys := &keyRecords{holds: map[pepper.Digest]bool{digest(1): true, digest(2): false}}
		r := newReplica(t, shared)
		synctest.Wait()
		r.want(refused, true, "before")
		ended := make(chan error, 1)
		go func() { ended <- r.Reconcile(t.Context(), keys.standing) }()
		synctest.Wait()
		r.want(refused, false, "of a refused key, at once")
		r.want(gone, true, "of a key that may still arrive")
		keys.set(digest(4), true)
		pass(keyArrival)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		keys.set(digest(2), true) // ended sessions stay ended
		pass(2 * retryDelay)
		for _, replica := range []*replica{before, r} {
			replica.want(good, true, "of a good key")
			replica.want(refused, false, "of a refused key")
			replica.want(gone, false, "of a key that never arrived")
			replica.want(late, true, "of a key that arrived late")
		}
	})
}

func TestReconcile_FailingStoreEndsNothing(t *testing.T) {
	for name, hangs := range map[string]bool{"fails fast": false, "hangs": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newReplica(t, newSharedStore())
				synctest.Wait()
				cookie := r.begin("alice", digest(1))
				r.store.set(errUnavailable, hangs)
				refused := &keyRecords{holds: map[pepper.Digest]bool{digest(1): false}}
				if err := r.Reconcile(t.Context(), refused.standing); !errors.Is(err, ErrStore) {
					t.Errorf("got %v", err)
				}
				r.store.set(nil, false)
				pass(2 * retryDelay)
				r.want(cookie, true, "when the store is back")
			})
		})
	}
}

func TestReconcile_CanceledEndsNothingUnrecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReplica(t, newSharedStore())
		synctest.Wait()
		cookie := r.begin("alice", digest(1))
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if err := r.Reconcile(ctx, (&keyRecords{}).standing); err == nil {
			t.Error("a canceled Reconcile succeeded")
		}
		r.want(cookie, true, "afterwards")
	})
}
