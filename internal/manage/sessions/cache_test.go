package sessions

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"keywright.dev/keywright/internal/key/pepper"
)

// The reply of a Find that began before the end arrives after it.
func TestKey_SessionEndedDuringFind(t *testing.T) {
	for name, end := range map[string]func(r *replica, cookie string){
		"by cookie":       func(r *replica, cookie string) { _ = r.End(r.t.Context(), cookie) },
		"by user":         func(r *replica, _ string) { _ = r.EndForUser(r.t.Context(), "alice") },
		"by key":          func(r *replica, _ string) { r.EndForKeys([]pepper.Digest{digest(1)}) },
		"another replica": func(r *replica, cookie string) { id, _ := idOf(cookie); r.store.ended(id) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, other, r := newPair(t)
				cookie := other.begin("alice", digest(1))
				r.store.gate = make(chan struct{})
				answered := make(chan struct{})
				go func() { defer close(answered); r.isValid(cookie) }()
				synctest.Wait()
				end(r, cookie)
				synctest.Wait()
				if name == "another replica" {
					_ = other.End(t.Context(), cookie)
				}
				close(r.store.gate)
				<-answered
				r.store.set(errUnavailable, false)
				r.want(cookie, false, "afterwards, while the store is unavailable")
				r.store.set(nil, false)
				pass(2 * retryDelay)
				r.want(cookie, false, "afterwards")
			})
		})
	}
}

// The store still has the session when it is asked, and removes it before the reply arrives.
func TestKey_SessionRemovedDuringFind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, other, r := newPair(t)
		cookie := other.begin("alice", digest(1))
		unblock := r.store.blockRemovals()
		r.EndForKeys([]pepper.Digest{digest(1)})
		r.store.gate = make(chan struct{})
		answered := make(chan struct{})
		go func() { defer close(answered); r.isValid(cookie) }()
		synctest.Wait()
		unblock()
		synctest.Wait()
		close(r.store.gate)
		<-answered
		r.want(cookie, false, "afterwards")
	})
}

func TestPendingRevocations_ReaddedStaysPending(t *testing.T) {
	e, one := newPendingRevocations(), []revocation{{key: digest(1)}}
	first, _ := e.add(one)
	second, _ := e.add(one)
	e.complete(first)
	if len(e.batch()) != 1 {
		t.Error("the second revocation is not pending")
	}
	e.complete(second)
	if len(e.batch()) != 0 {
		t.Error("the revocation is still pending")
	}
}

func TestCache_IgnoresOutdatedAnswer(t *testing.T) {
	k, asked := newCache(), time.Unix(1, 0)
	s := &Session{ID: ID{1}, Expires: asked.Add(Lifetime)}
	k.putNegative(s.ID, asked.Add(1))
	if k.put(s, asked, k.currentGeneration()) != nil {
		t.Error("an older positive answer counts")
	}
	if k.put(s, asked.Add(2), k.currentGeneration()) != s {
		t.Error("a newer positive answer does not count")
	}
}

func TestKey_BoundsConcurrentFinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReplica(t, newSharedStore())
		cookie := r.begin("alice", digest(1))
		synctest.Wait()
		r.want(cookie, true, "before")
		r.store.gate = make(chan struct{})
		for i := range 100 {
			go r.isValid(strings.Repeat("a", 40) + string([]byte{'a' + byte(i/26), 'a' + byte(i%26), 'a'}))
		}
		synctest.Wait()
		if n := r.store.findCount(); n > maxConcurrent+1 {
			t.Errorf("%d concurrent calls of the store", n)
		}
		r.want(cookie, true, "meanwhile")
		close(r.store.gate)
		synctest.Wait()
	})
}

func TestSessions_Concurrent(t *testing.T) {
	r := newReplica(t, newSharedStore())
	var using sync.WaitGroup
	for i := range byte(8) {
		using.Go(func() {
			for n := range 100 {
				cookie, err := r.Begin(t.Context(), string('a'+i), digest(i))
				if err != nil || !r.isValid(cookie) {
					t.Errorf("not begun: %v", err)
					return
				}
				r.Touch(t.Context(), cookie)
				switch n % 3 {
				case 0:
					_ = r.End(t.Context(), cookie)
				case 1:
					_ = r.EndForUser(t.Context(), string('a'+i))
				case 2:
					r.EndForKeys([]pepper.Digest{digest(i)})
				}
				if r.isValid(cookie) {
					t.Error("valid after its end")
				}
			}
		})
	}
	using.Wait()
}

func TestCache_RenewalKeepsLastConfirmed(t *testing.T) {
	k, asked := newCache(), time.Unix(1, 0)
	k.setNotices(false, asked)
	s := &Session{ID: ID{1}, Expires: asked.Add(Lifetime)}
	k.put(s, asked.Add(1), k.currentGeneration())
	k.setNotices(true, asked.Add(time.Hour))
	k.renew(s, asked.Add(2*Lifetime))
	if got, _ := k.get(s.ID, asked.Add(time.Hour+validWithoutStore-1)); got == nil {
		t.Error("invalid before the minute is over")
	}
	if got, _ := k.get(s.ID, asked.Add(time.Hour+validWithoutStore)); got != nil {
		t.Error("valid after the minute")
	}
}
