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

func TestWhileTheStoreIsAwayWhatIsKnownGoesOn(t *testing.T) {
	for name, hangs := range map[string]bool{"it refuses": false, "it does not answer": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, a, b := newPair(t)
				begun := time.Now()
				known, unknown := a.begin("alice", digest(1)), b.begin("alice", digest(1))
				a.store.set(errAway, hangs)
				a.store.quit <- errAway // and so does what it tells of
				synctest.Wait()

				before, asked := time.Now(), a.store.asked()
				for range 10_000 {
					a.want(known, true, "known")
					a.want(unknown, false, "unknown")
				}
				if took := time.Since(before); took > 2*requestTimeout {
					t.Errorf("20,000 requests waited %s for it", took)
				}
				// Of what fails at once everybody may find out that it is back.
				if n := a.store.asked() - asked; hangs && n > 3 {
					t.Errorf("it was asked %d times", n)
				}

				pass(validWithoutStore - 2*requestTimeout - time.Since(before))
				a.want(known, true, "most of a minute later")
				pass(3 * time.Hour)
				a.want(known, false, "hours later")
				a.store.set(nil, false)
				pass(2 * retryDelay)
				a.want(known, true, "known, when it is back")
				a.want(unknown, true, "unknown, when it is back")

				a.store.set(errAway, hangs)
				pass(5*time.Hour - time.Since(begun))
				if a.Touch(t.Context(), known) {
					t.Error("renewed where nobody else learns of it")
				}
				pass(Lifetime - time.Since(begun))
				a.want(known, false, "at its end")
			})
		})
	}
}

func TestWhatEndsWhileTheStoreIsAwayDoesNotComeBack(t *testing.T) {
	for name, end := range map[string]func(r *replica, cookie string) error{
		"its own end": func(r *replica, cookie string) error { return r.End(r.t.Context(), cookie) },
		"its user's":  func(r *replica, _ string) error { return r.EndForUser(r.t.Context(), "alice") },
		"its key's": func(r *replica, _ string) error {
			r.EndForKeys([]pepper.Digest{digest(1)})
			return errAway
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				on, a, b := newPair(t)
				cookie := a.begin("alice", digest(1))
				b.want(cookie, true, "before")
				a.store.set(errAway, false)
				if err := end(a, cookie); !errors.Is(err, errAway) {
					t.Errorf("it went by unseen: %v", err)
				}
				a.want(cookie, false, "at once")
				pass(time.Hour)
				a.want(cookie, false, "later")
				b.want(cookie, true, "through a replica that could not hear of it")
				a.store.set(nil, false)
				a.want(cookie, false, "at once when it is back")
				pass(2 * retryDelay)
				a.want(cookie, false, "when it is back")
				b.want(cookie, false, "through the other replica")
				if len(on.sessions) > 0 || len(a.pending.waiting) > 0 {
					t.Errorf("%d sessions are stored, and %d ends wait", len(on.sessions), len(a.pending.waiting))
				}
				again := a.begin("alice", digest(1))
				pass(time.Minute)
				a.want(again, true, "one begun later")
			})
		})
	}
}

func TestAStoreThatRefusedIsAskedAtOnceWhenItIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := newPair(t)
		cookie := a.begin("alice", digest(1))
		b.store.set(errAway, false)
		if err := b.Reconcile(t.Context(), (&record{}).standing); !errors.Is(err, errAway) {
			t.Errorf("got %v", err)
		}
		b.want(cookie, false, "while it refuses")
		b.store.set(nil, false)
		b.want(cookie, true, "the moment after")
	})
}

// The store hears late of what has ended before.
func TestALateEndDoesNotEndWhatWasBegunAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReplica(t, newSharedStore())
		synctest.Wait()
		before := r.begin("alice", digest(1))
		r.store.set(errAway, false)
		r.EndForKeys([]pepper.Digest{digest(1)})
		if err := r.EndForUser(t.Context(), "alice"); err == nil {
			t.Fatal("the store has heard of it")
		}
		r.store.set(nil, false)
		after := r.begin("alice", digest(1)) // before it is tried again
		r.want(before, false, "begun before")
		r.want(after, true, "begun after")
		pass(time.Hour)
		r.want(before, false, "begun before, later")
		r.want(after, true, "begun after, later")
	})
}

func TestWhatAServerStillHasToTellItTellsAtItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := newSharedStore()
		r := &replica{t: t, store: on.open()}
		r.Sessions = New(Config{Store: r.store, Now: time.Now})
		r.begin("alice", digest(1))
		r.EndForKeys([]pepper.Digest{digest(1)})
		ctx, stop := context.WithCancel(t.Context())
		stop()
		r.Run(ctx)
		if len(on.sessions) > 0 {
			t.Error("a session stays in the store that had ended")
		}
	})
}

func TestWhileNobodyTellsASessionIsBelievedForASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := newPair(t)
		ended, other := a.begin("alice", digest(1)), a.begin("bob", digest(2))
		heard := b.store.ended
		b.store.deafen()
		b.want(ended, true, "before")
		b.want(other, true, "before")
		if err := a.End(t.Context(), ended); err != nil {
			t.Fatal(err)
		}
		pass(validWithoutNotifications)
		b.want(ended, false, "a second later")

		// What it has missed it asks for when it hears again.
		if err := a.End(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		b.store.listen(heard)
		pass(time.Nanosecond)
		b.want(other, false, "when it hears again")

		// And then it asks no more.
		cookie := a.begin("alice", digest(1))
		b.want(cookie, true, "begun later")
		asked := b.store.asked()
		pass(time.Hour)
		b.want(cookie, true, "an hour later")
		if n := b.store.asked() - asked; n > 0 {
			t.Errorf("it was asked %d times for what is known", n)
		}
	})
}

func TestAWatchThatFailsIsTakenUpAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := newPair(t)
		b.store.quit <- errAway
		synctest.Wait()
		b.cache.mu.Lock()
		lost := b.cache.notificationsLost
		b.cache.mu.Unlock()
		if !lost {
			t.Error("nobody tells, and it is not known")
		}
		pass(2 * retryDelay)
		cookie := a.begin("alice", digest(1))
		b.want(cookie, true, "before")
		a.EndForKeys([]pepper.Digest{digest(1)})
		synctest.Wait()
		b.want(cookie, false, "after")
	})
}

// The answer to a question that was asked before the session ended comes after it.
func TestWhatEndsWhileItIsAskedForIsOver(t *testing.T) {
	for name, end := range map[string]func(r *replica, cookie string){
		"its own end":     func(r *replica, cookie string) { _ = r.End(r.t.Context(), cookie) },
		"its user's":      func(r *replica, _ string) { _ = r.EndForUser(r.t.Context(), "alice") },
		"its key's":       func(r *replica, _ string) { r.EndForKeys([]pepper.Digest{digest(1)}) },
		"another replica": func(r *replica, cookie string) { id, _ := idOf(cookie); r.store.ended(id) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, other, r := newPair(t)
				cookie := other.begin("alice", digest(1))
				r.store.gate = make(chan struct{})
				answered := make(chan struct{})
				go func() { defer close(answered); r.knows(cookie) }()
				synctest.Wait()
				end(r, cookie)
				synctest.Wait()
				if name == "another replica" {
					_ = other.End(t.Context(), cookie)
				}
				close(r.store.gate)
				<-answered
				r.store.set(errAway, false)
				r.want(cookie, false, "afterwards, when it can't be looked at again")
				r.store.set(nil, false)
				pass(2 * retryDelay)
				r.want(cookie, false, "afterwards")
			})
		})
	}
}

// The store has the session still when it is asked, and hears of its end before the answer comes.
func TestWhatIsRemovedWhileItIsAskedForIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, other, r := newPair(t)
		cookie := other.begin("alice", digest(1))
		letGo := r.store.keep()
		r.EndForKeys([]pepper.Digest{digest(1)})
		r.store.gate = make(chan struct{})
		answered := make(chan struct{})
		go func() { defer close(answered); r.knows(cookie) }()
		synctest.Wait()
		letGo()
		synctest.Wait()
		close(r.store.gate)
		<-answered
		r.want(cookie, false, "afterwards")
	})
}

func TestWhatTheStoreStillHasIsOverAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on, other, r := newPair(t)
		ofKey, ofUser := other.begin("alice", digest(1)), other.begin("bob", digest(2))
		defer r.store.keep()()
		r.EndForKeys([]pepper.Digest{digest(1)})
		go func() { _ = r.EndForUser(t.Context(), "bob") }()
		synctest.Wait()
		r.want(ofKey, false, "of a key")
		r.want(ofUser, false, "of a user")
		if len(on.sessions) != 2 {
			t.Error("the store has them no more: the test is blind")
		}
	})
}

func TestWhatEndsAgainWhileItIsToldOfIsToldOfAgain(t *testing.T) {
	e, one := newPendingRevocations(), []revocation{{key: digest(1)}}
	first, _ := e.add(one)
	second, _ := e.add(one)
	e.complete(first)
	if len(e.batch()) != 1 {
		t.Error("it was told of before it ended again")
	}
	e.complete(second)
	if len(e.batch()) != 0 {
		t.Error("it is told of without end")
	}
}

func TestAnEndIsToldOfOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := newSharedStore()
		r := newReplica(t, on)
		synctest.Wait()
		r.store.set(errAway, false)
		r.EndForKeys([]pepper.Digest{digest(1)})
		underWay := r.pending.batch()
		r.store.set(nil, false)
		cookie := r.begin("alice", digest(1)) // which has to tell of it first
		if err := r.remove(t.Context(), underWay); err != nil {
			t.Fatal(err)
		}
		r.want(cookie, true, "here")
		newReplica(t, on).want(cookie, true, "elsewhere")
	})
}

func TestAnOldAnswerDoesNotCountAgainstANewOne(t *testing.T) {
	k, asked := newCache(), time.Unix(1, 0)
	s := &Session{ID: ID{1}, Expires: asked.Add(Lifetime)}
	k.putNegative(s.ID, asked.Add(1))
	if k.put(s, asked, k.currentGeneration()) != nil {
		t.Error("it is there, as it was before")
	}
	if k.put(s, asked.Add(2), k.currentGeneration()) != s {
		t.Error("it is not there, as it was before")
	}
}

func TestManyMadeUpCookiesWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReplica(t, newSharedStore())
		cookie := r.begin("alice", digest(1))
		synctest.Wait()
		r.want(cookie, true, "before")
		r.store.gate = make(chan struct{})
		for i := range 100 {
			go r.knows(strings.Repeat("a", 40) + string([]byte{'a' + byte(i/26), 'a' + byte(i%26), 'a'}))
		}
		synctest.Wait()
		if n := r.store.asked(); n > maxConcurrent+1 {
			t.Errorf("the store is asked by %d at once", n)
		}
		r.want(cookie, true, "meanwhile")
		close(r.store.gate)
		synctest.Wait()
	})
}

func TestEndsThatWaitAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReplica(t, newSharedStore())
		cookie := r.begin("alice", digest(1))
		r.store.set(errAway, false)
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
		r.want(cookie, false, "the last of them")
		r.store.set(nil, false)
		pass(2 * retryDelay)
		if n := len(r.pending.waiting); n > 0 {
			t.Errorf("%d wait when the store is back", n)
		}
	})
}

func TestConcurrentSessions(t *testing.T) {
	r := newReplica(t, newSharedStore())
	var using sync.WaitGroup
	for i := range byte(8) {
		using.Go(func() {
			for n := range 100 {
				cookie, err := r.Begin(t.Context(), string('a'+i), digest(i))
				if err != nil || !r.knows(cookie) {
					t.Errorf("it was not begun: %v", err)
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
				if r.knows(cookie) {
					t.Error("it goes on after its end")
				}
			}
		})
	}
	using.Wait()
}

func TestWhereNobodyHearsASessionIsBelievedForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := newPair(t)
		cookie := a.begin("alice", digest(1))
		b.want(cookie, true, "before")
		pass(time.Hour)
		b.store.deafen()
		b.store.set(errAway, false)
		if err := a.End(t.Context(), cookie); err != nil {
			t.Fatal(err)
		}
		pass(validWithoutStore - time.Nanosecond)
		b.want(cookie, true, "a moment before")
		// To hear again and not to be able to ask makes it no surer, and nor does to lose that.
		b.store.lost(false)
		b.store.lost(true)
		b.store.lost(true)
		pass(time.Nanosecond)
		b.want(cookie, false, "a minute later")
		b.store.lost(false)
		b.want(cookie, false, "when it hears again, and can't ask")
		b.store.set(nil, false)
		pass(2 * retryDelay)
		b.want(cookie, false, "when it can ask")
	})
}

// A server that is told of every end needs no word of the store.
func TestWhereEndsAreHeardOfASessionNeedsNoStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReplica(t, newSharedStore())
		pass(time.Second)
		cookie := r.begin("alice", digest(1))
		r.store.set(errAway, false)
		pass(Lifetime - time.Minute)
		r.want(cookie, true, "hours later")
	})
}

// What is renewed is not surer by that.
func TestARenewalKeepsWhenASessionWasSure(t *testing.T) {
	k, asked := newCache(), time.Unix(1, 0)
	k.setNotifications(false, asked)
	s := &Session{ID: ID{1}, Expires: asked.Add(Lifetime)}
	k.put(s, asked.Add(1), k.currentGeneration())
	k.setNotifications(true, asked.Add(time.Hour))
	k.renew(s, asked.Add(2*Lifetime))
	if got, _ := k.get(s.ID, asked.Add(time.Hour+validWithoutStore-1)); got == nil {
		t.Error("it is believed no more, before its minute is over")
	}
	if got, _ := k.get(s.ID, asked.Add(time.Hour+validWithoutStore)); got != nil {
		t.Error("it is believed after that")
	}
}
