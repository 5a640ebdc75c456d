package sessions

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"keywright.dev/keywright/internal/key/pepper"
)

func TestASessionIsItsKeyForEightHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReplica(t, newSharedStore())
		synctest.Wait()
		begun := time.Now()
		cookie := r.begin("alice", digest(1))
		if got := r.Key(cookie, time.Now()); got == nil || *got != digest(1) {
			t.Fatalf("got %v", got)
		}
		pass(Lifetime - time.Since(begun) - 1)
		r.want(cookie, true, "a moment before its end")
		pass(time.Nanosecond)
		r.want(cookie, false, "at its end")
		if r.Touch(t.Context(), cookie) {
			t.Error("and it is renewed then")
		}
	})
}

// What is stored of a session lets nobody in.
func TestTheSecretIsInTheCookieAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReplica(t, newSharedStore())
		secret := bytes.Repeat([]byte{7}, 32)
		r.Random = bytes.NewReader(secret)
		cookie := r.begin("alice", digest(1))
		if cookie != base64.RawURLEncoding.EncodeToString(secret) {
			t.Fatal("it is not what the source of chance gave")
		}
		for id, session := range r.store.sessions {
			if id != sha256.Sum256([]byte(cookie)) || session.ID != id {
				t.Error("it is not known by the SHA-256")
			}
			if all := fmt.Sprintf("%v %s %x", session, session.ID, session); strings.Contains(all, cookie) || strings.Contains(all, fmt.Sprintf("%x", secret)) {
				t.Error("the secret is stored")
			}
		}
		if _, err := r.Begin(t.Context(), "alice", digest(1)); err == nil {
			t.Error("a session was begun without chance")
		}
	})
}

func TestASessionSlides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := newPair(t)
		begun := time.Now()
		cookie := a.begin("alice", digest(1))
		b.want(cookie, true, "through another replica")
		pass(4*time.Hour - time.Since(begun))
		if a.Touch(t.Context(), cookie) {
			t.Error("renewed with 4 hours left")
		}
		pass(time.Nanosecond)
		if !a.Touch(t.Context(), cookie) {
			t.Error("not renewed with less than 4 hours left")
		}
		if a.Touch(t.Context(), cookie) {
			t.Error("renewed again at once")
		}
		pass(Lifetime - 1)
		a.want(cookie, true, "a moment before its new end")
		b.want(cookie, true, "and where it was not renewed")
		pass(time.Nanosecond)
		a.want(cookie, false, "at its new end")
		b.want(cookie, false, "and where it was not renewed")
	})
}

func TestWhatEndsASession(t *testing.T) {
	for name, c := range map[string]struct {
		end func(r *replica, cookie string) error
		// others are whether a session of the same user, and one of the same key, go on.
		ofUser, ofKey bool
	}{
		"its own end":  {func(r *replica, cookie string) error { return r.End(r.t.Context(), cookie) }, true, true},
		"its user's":   {func(r *replica, _ string) error { return r.EndForUser(r.t.Context(), "alice") }, false, true},
		"its key's":    {func(r *replica, _ string) error { r.EndForKeys([]pepper.Digest{digest(9), digest(1)}); return nil }, true, false},
		"nobody's end": {func(r *replica, _ string) error { return r.EndForUser(r.t.Context(), "") }, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				on, a, b := newPair(t)
				cookie, ofUser, ofKey := a.begin("alice", digest(1)), a.begin("alice", digest(2)), a.begin("bob", digest(1))
				for _, one := range []string{cookie, ofUser, ofKey} {
					b.want(one, true, "before")
				}
				if err := c.end(a, cookie); err != nil {
					t.Error(err)
				}
				goesOn := name == "nobody's end"
				a.want(cookie, goesOn, "at once")
				synctest.Wait()
				for where, r := range map[string]*replica{"here": a, "through the other replica": b, "through a new one": newReplica(t, on)} {
					r.want(cookie, goesOn, where)
					r.want(ofUser, c.ofUser, where+", of the same user")
					r.want(ofKey, c.ofKey, where+", of the same key")
				}
			})
		})
	}
}

func TestAMadeUpCookieCostsTheStoreLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReplica(t, newSharedStore())
		for _, cookie := range []string{"", "x", strings.Repeat("a", 42), strings.Repeat("a", 44), strings.Repeat("a", 1<<20)} {
			r.want(cookie, false, "what can't be a secret")
			if err := r.End(t.Context(), cookie); err != nil {
				t.Error(err)
			}
		}
		if n := r.store.asked(); n > 0 {
			t.Errorf("the store was asked %d times for what can't be one", n)
		}
		for range 1000 {
			r.want(strings.Repeat("a", 43), false, "made up")
			pass(10 * time.Millisecond)
		}
		if n := r.store.asked(); n != 1 {
			t.Errorf("the store was asked %d times", n)
		}
	})
}

func TestASessionIsKnownEverywhereAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := newPair(t)
		for range 100 {
			b.want(a.begin("alice", digest(1)), true, "through the other replica")
		}
	})
}

func TestWhatIsKnownIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReplica(t, newSharedStore())
		synctest.Wait()
		var cookies []string
		for i := range maxCached + 500 {
			key := digest(byte(i))
			key.Sum[1] = byte(i >> 8)
			cookies = append(cookies, r.begin("alice", key))
		}
		for i := range maxNegative + 500 {
			r.want(fmt.Sprintf("%043d", i), false, "made up")
		}
		if len(r.cache.sessions) > maxCached || len(r.cache.negative) > maxNegative {
			t.Errorf("%d sessions and %d others are known", len(r.cache.sessions), len(r.cache.negative))
		}
		for _, cookie := range cookies {
			if !r.knows(cookie) {
				t.Fatal("a session was lost that is in the store")
			}
		}
	})
}

func TestErrorsSayThatItIsTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReplica(t, newSharedStore())
		cookie := r.begin("alice", digest(1))
		r.store.set(errAway, false)
		_, err := r.Begin(t.Context(), "alice", digest(1))
		for what, err := range map[string]error{"begin": err, "end": r.End(t.Context(), cookie), "end of user": r.EndForUser(t.Context(), "bob")} {
			if !errors.Is(err, ErrStore) || !errors.Is(err, errAway) {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}

func TestTheOldestSessionsOfAKeyMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on, a, b := newPair(t)
		other := a.begin("bob", digest(2))
		var cookies []string
		for i := range maxPerKey + 3 {
			cookie := []*replica{a, b}[i%2].begin("alice", digest(1))
			a.want(cookie, true, "begun")
			b.want(cookie, true, "begun")
			cookies = append(cookies, cookie)
		}
		pass(retryDelay)
		for i, cookie := range cookies {
			a.want(cookie, i >= 3, fmt.Sprint("number ", i))
			b.want(cookie, i >= 3, fmt.Sprint("number ", i, " elsewhere"))
		}
		a.want(other, true, "another's")
		if n := len(on.sessions); n != maxPerKey+1 {
			t.Errorf("%d are stored", n)
		}
	})
}
