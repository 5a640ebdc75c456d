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

// record says how keys stand.
type record struct {
	mu      sync.Mutex
	carries map[pepper.Digest]bool
}

func (r *record) set(key pepper.Digest, carries bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.carries[key] = carries
}

func (r *record) standing(key *pepper.Digest) (carries, onRecord bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	carries, onRecord = r.carries[*key]
	return carries, onRecord
}

func TestSessionsOfKeysThatEndedUnseenEndForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := newSharedStore()
		before := newReplica(t, on)
		synctest.Wait()
		good, refused, gone, late := before.begin("alice", digest(1)), before.begin("bob", digest(2)), before.begin("carol", digest(3)), before.begin("dan", digest(4))
		keys := &record{carries: map[pepper.Digest]bool{digest(1): true, digest(2): false}}
		r := newReplica(t, on)
		synctest.Wait()
		r.want(refused, true, "before")
		ended := make(chan error, 1)
		go func() { ended <- r.Reconcile(t.Context(), keys.standing) }()
		synctest.Wait()
		r.want(refused, false, "of a refused key, at once")
		r.want(gone, true, "of a key that may come yet")
		keys.set(digest(4), true)
		pass(keyArrival)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		keys.set(digest(2), true) // which brings nothing back
		pass(2 * retryDelay)
		for _, replica := range []*replica{before, r} {
			replica.want(good, true, "of a good key")
			replica.want(refused, false, "of a refused key")
			replica.want(gone, false, "of a key that is gone")
			replica.want(late, true, "of a key that came late")
		}
	})
}

func TestAnUnreadableStoreEndsNoSession(t *testing.T) {
	for name, hangs := range map[string]bool{"it refuses": false, "it does not answer": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newReplica(t, newSharedStore())
				synctest.Wait()
				cookie := r.begin("alice", digest(1))
				r.store.set(errAway, hangs)
				if err := r.Reconcile(t.Context(), (&record{carries: map[pepper.Digest]bool{digest(1): false}}).standing); !errors.Is(err, ErrStore) {
					t.Errorf("it went by unseen: %v", err)
				}
				r.store.set(nil, false)
				pass(2 * retryDelay)
				r.want(cookie, true, "when it is back")
			})
		})
	}
}

func TestAServerThatStopsEndsNoSessionOfAKeyThatMayComeYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReplica(t, newSharedStore())
		synctest.Wait()
		cookie := r.begin("alice", digest(1))
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if err := r.Reconcile(ctx, (&record{}).standing); err == nil {
			t.Error("it is done")
		}
		r.want(cookie, true, "afterwards")
	})
}
