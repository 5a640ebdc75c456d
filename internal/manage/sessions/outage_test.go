package sessions

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"keywright.dev/keywright/internal/key/pepper"
)

func TestOutage_CachedSessionsStayValid(t *testing.T) {
	for name, hangs := range map[string]bool{"fails fast": false, "hangs": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, a, b := newPair(t)
				begun := time.Now()
				known, unknown := a.begin("alice", digest(1)), b.begin("alice", digest(1))
				a.store.set(errUnavailable, hangs)
				a.store.quit <- errUnavailable // revocation notices stop too
				synctest.Wait()

				before, asked := time.Now(), a.store.findCount()
				for range 10_000 {
					a.want(known, true, "known")
					a.want(unknown, false, "unknown")
				}
				if took := time.Since(before); took > 2*requestTimeout {
					t.Errorf("20,000 requests took %s", took)
				}
				// A store that fails fast is tried by every request.
				if n := a.store.findCount() - asked; hangs && n > 3 {
					t.Errorf("the store was asked %d times", n)
				}

				pass(validWithoutStore - 2*requestTimeout - time.Since(before))
				a.want(known, true, "almost a minute later")
				pass(3 * time.Hour)
				a.want(known, false, "hours later")
				a.store.set(nil, false)
				pass(2 * retryDelay)
				a.want(known, true, "cached, when the store is back")
				a.want(unknown, true, "uncached, when the store is back")

				a.store.set(errUnavailable, hangs)
				pass(5*time.Hour - time.Since(begun))
				if a.Touch(t.Context(), known) {
					t.Error("renewed without the store")
				}
				pass(Lifetime - time.Since(begun))
				a.want(known, false, "at its end")
			})
		})
	}
}

func TestOutage_EndedSessionsStayEnded(t *testing.T) {
	for name, end := range map[string]func(r *replica, cookie string) error{
		"by cookie": func(r *replica, cookie string) error { return r.End(r.t.Context(), cookie) },
		"by user":   func(r *replica, _ string) error { return r.EndForUser(r.t.Context(), "alice") },
		"by key": func(r *replica, _ string) error {
			r.EndForKeys([]pepper.Digest{digest(1)})
			return errUnavailable
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				shared, a, b := newPair(t)
				cookie := a.begin("alice", digest(1))
				b.want(cookie, true, "before")
				a.store.set(errUnavailable, false)
				if err := end(a, cookie); !errors.Is(err, errUnavailable) {
					t.Errorf("got %v", err)
				}
				a.want(cookie, false, "at once")
				pass(time.Hour)
				a.want(cookie, false, "later")
				b.want(cookie, true, "on a replica that could not be notified")
				a.store.set(nil, false)
				a.want(cookie, false, "at once when the store is back")
				pass(2 * retryDelay)
				a.want(cookie, false, "when it is back")
				b.want(cookie, false, "on the other replica")
				if len(shared.sessions) > 0 || len(a.pending.waiting) > 0 {
					t.Errorf("%d sessions are stored, %d revocations wait", len(shared.sessions), len(a.pending.waiting))
				}
				again := a.begin("alice", digest(1))
				pass(time.Minute)
				a.want(again, true, "one begun later")
			})
		})
	}
}

func TestOutage_FastFailureIsRetriedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := newPair(t)
		cookie := a.begin("alice", digest(1))
		b.store.set(errUnavailable, false)
		if err := b.Reconcile(t.Context(), (&keyRecords{}).standing); !errors.Is(err, errUnavailable) {
			t.Errorf("got %v", err)
		}
		b.want(cookie, false, "while the store fails")
		b.store.set(nil, false)
		b.want(cookie, true, "when it is back")
	})
}

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

func TestLostNotices_SessionValidForASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := newPair(t)
		ended, other := a.begin("alice", digest(1)), a.begin("bob", digest(2))
		notify := b.store.ended
		b.store.loseNotices()
		b.want(ended, true, "before")
		b.want(other, true, "before")
		if err := a.End(t.Context(), ended); err != nil {
			t.Fatal(err)
		}
		pass(validWithoutNotices)
		b.want(ended, false, "a second later")

		// After a gap in the notices, cached sessions are looked up again.
		if err := a.End(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		b.store.resumeNotices(notify)
		pass(time.Nanosecond)
		b.want(other, false, "when notices resume")

		// From then on the cache suffices.
		cookie := a.begin("alice", digest(1))
		b.want(cookie, true, "begun later")
		asked := b.store.findCount()
		pass(time.Hour)
		b.want(cookie, true, "an hour later")
		if n := b.store.findCount() - asked; n > 0 {
			t.Errorf("the store was asked %d times for a cached session", n)
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

func TestLostNoticesAndStore_SessionValidForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := newPair(t)
		cookie := a.begin("alice", digest(1))
		b.want(cookie, true, "before")
		pass(time.Hour)
		b.store.loseNotices()
		b.store.set(errUnavailable, false)
		if err := a.End(t.Context(), cookie); err != nil {
			t.Fatal(err)
		}
		pass(validWithoutStore - time.Nanosecond)
		b.want(cookie, true, "a moment before")
		// Notices that resume while the store is unavailable confirm nothing.
		b.store.lost(false)
		b.store.lost(true)
		b.store.lost(true)
		pass(time.Nanosecond)
		b.want(cookie, false, "a minute later")
		b.store.lost(false)
		b.want(cookie, false, "with notices and without the store")
		b.store.set(nil, false)
		pass(2 * retryDelay)
		b.want(cookie, false, "with the store")
	})
}

func TestOutage_WithNoticesSessionsStayValid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReplica(t, newSharedStore())
		pass(time.Second)
		cookie := r.begin("alice", digest(1))
		r.store.set(errUnavailable, false)
		pass(Lifetime - time.Minute)
		r.want(cookie, true, "hours later")
	})
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
