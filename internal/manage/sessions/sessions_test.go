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

func TestKey_ValidForEightHours(t *testing.T) {
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
			t.Error("it is renewed at its end")
		}
	})
}

// The stored session does not reveal the cookie.
func TestBegin_StoresOnlyTheHash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReplica(t, newSharedStore())
		secret := bytes.Repeat([]byte{7}, 32)
		r.Random = bytes.NewReader(secret)
		cookie := r.begin("alice", digest(1))
		if cookie != base64.RawURLEncoding.EncodeToString(secret) {
			t.Fatal("the cookie is not the random secret")
		}
		for id, session := range r.store.sessions {
			if id != sha256.Sum256([]byte(cookie)) || session.ID != id {
				t.Error("the id is not the SHA-256 of the cookie")
			}
			all := fmt.Sprintf("%v %s %x", session, session.ID, session)
			if strings.Contains(all, cookie) || strings.Contains(all, fmt.Sprintf("%x", secret)) {
				t.Error("the secret is stored")
			}
		}
		if _, err := r.Begin(t.Context(), "alice", digest(1)); err == nil {
			t.Error("a session was begun without randomness")
		}
	})
}

func TestTouch_RenewsBelowFourHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := newPair(t)
		begun := time.Now()
		cookie := a.begin("alice", digest(1))
		b.want(cookie, true, "on another replica")
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
		b.want(cookie, true, "on the replica that did not renew it")
		pass(time.Nanosecond)
		a.want(cookie, false, "at its new end")
		b.want(cookie, false, "on the replica that did not renew it")
	})
}

func TestEnd_CoversSessionUserOrKey(t *testing.T) {
	for name, c := range map[string]struct {
		end func(r *replica, cookie string) error
		// sameUser and sameKey are whether other sessions survive.
		sameUser, sameKey bool
	}{
		"by cookie": {func(r *replica, cookie string) error { return r.End(r.t.Context(), cookie) }, true, true},
		"by user":   {func(r *replica, _ string) error { return r.EndForUser(r.t.Context(), "alice") }, false, true},
		"by key": {func(r *replica, _ string) error {
			r.EndForKeys([]pepper.Digest{digest(9), digest(1)})
			return nil
		}, true, false},
		"no user": {func(r *replica, _ string) error { return r.EndForUser(r.t.Context(), "") }, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				shared, a, b := newPair(t)
				cookie := a.begin("alice", digest(1))
				ofUser, ofKey := a.begin("alice", digest(2)), a.begin("bob", digest(1))
				for _, one := range []string{cookie, ofUser, ofKey} {
					b.want(one, true, "before")
				}
				if err := c.end(a, cookie); err != nil {
					t.Error(err)
				}
				survives := name == "no user"
				a.want(cookie, survives, "at once")
				synctest.Wait()
				for where, r := range map[string]*replica{"here": a, "other replica": b, "new replica": newReplica(t, shared)} {
					r.want(cookie, survives, where)
					r.want(ofUser, c.sameUser, where+", of the same user")
					r.want(ofKey, c.sameKey, where+", of the same key")
				}
			})
		})
	}
}

func TestKey_CachesUnknownCookies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReplica(t, newSharedStore())
		for _, length := range []int{0, 1, 42, 44, 1 << 20} {
			cookie := strings.Repeat("a", length)
			r.want(cookie, false, "not a secret")
			if err := r.End(t.Context(), cookie); err != nil {
				t.Error(err)
			}
		}
		if n := r.store.findCount(); n > 0 {
			t.Errorf("the store was asked %d times for impossible cookies", n)
		}
		for range 1000 {
			r.want(strings.Repeat("a", 43), false, "made up")
			pass(10 * time.Millisecond)
		}
		if n := r.store.findCount(); n != 1 {
			t.Errorf("the store was asked %d times", n)
		}
	})
}

func TestBegin_ValidOnOtherReplicasAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := newPair(t)
		for range 100 {
			b.want(a.begin("alice", digest(1)), true, "on the other replica")
		}
	})
}

func TestCache_IsBounded(t *testing.T) {
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
			t.Errorf("%d sessions and %d unknown ids are cached", len(r.cache.sessions), len(r.cache.negative))
		}
		for _, cookie := range cookies {
			if !r.isValid(cookie) {
				t.Fatal("a stored session is not valid")
			}
		}
	})
}

func TestErrors_WrapErrStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReplica(t, newSharedStore())
		cookie := r.begin("alice", digest(1))
		r.store.set(errUnavailable, false)
		_, err := r.Begin(t.Context(), "alice", digest(1))
		for what, err := range map[string]error{
			"begin": err, "end": r.End(t.Context(), cookie), "end for user": r.EndForUser(t.Context(), "bob"),
		} {
			if !errors.Is(err, ErrStore) || !errors.Is(err, errUnavailable) {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}

func TestBegin_EndsOldestSessionsOfKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared, a, b := newPair(t)
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
		a.want(other, true, "of another user")
		if n := len(shared.sessions); n != maxPerKey+1 {
			t.Errorf("%d are stored", n)
		}
	})
}
