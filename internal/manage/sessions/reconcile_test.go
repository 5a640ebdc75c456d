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
