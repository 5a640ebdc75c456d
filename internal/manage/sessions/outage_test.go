package sessions

import (
	"errors"
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
