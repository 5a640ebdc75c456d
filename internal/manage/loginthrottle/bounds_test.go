package loginthrottle

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/auth/username"
)

var start = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func TestThrottle_BoundsMemory(t *testing.T) {
	th, now := New(), start
	for range 20 {
		th.Begin("victim", "192.0.2.1", now)
		th.Failed("victim", "192.0.2.1", now)
	}
	long := strings.Repeat("x", 1<<12)
	for i := range maxCounters * 2 {
		user, address := fmt.Sprint(long, i), fmt.Sprintf("2001:db8:%x:%x::1", i>>8, i&0xff)
		th.Begin(user, address, now)
		th.Failed(user, address, now)
		now = now.Add(time.Millisecond)
	}
	if len(th.users) > maxCounters || len(th.addresses) > maxCounters {
		t.Errorf("%d users and %d addresses are counted", len(th.users), len(th.addresses))
	}
	if th.Failed("victim", "198.51.100.1", now) == 0 {
		t.Error("made-up names have displaced the attacked user")
	}
	for _, c := range th.users {
		if len(c.tries) > maxTries+1 {
			t.Fatalf("%d tries are kept", len(c.tries))
		}
	}
}

// attempt is a failure in the model.
type attempt struct {
	user, address string
	at            time.Time
}

// rules is a model of the documented rules.
type rules struct {
	ofUsers, atAddresses []attempt
}

// fail returns how long the user or the address is locked out. During its lockout the failure does not count.
func (r *rules) fail(a attempt) (retryAfter time.Duration) {
	ofUser, atAddress := lockedFor(r.ofUser(a.user, a.at), a.at), lockedFor(r.atAddress(a.address, a.at), a.at)
	if ofUser == 0 {
		r.ofUsers = append(r.ofUsers, a)
	}
	if atAddress == 0 {
		r.atAddresses = append(r.atAddresses, a)
	}
	return max(ofUser, atAddress)
}

// clear keeps the user's failures at other addresses.
func (r *rules) clear(user, address string) {
	r.ofUsers = slices.DeleteFunc(r.ofUsers, func(a attempt) bool { return a.user == user })
	r.atAddresses = slices.DeleteFunc(r.atAddresses, func(a attempt) bool {
		return a.user == user && a.address == address
	})
}

func times(all []attempt, now time.Time, is func(attempt) bool) (at []time.Time) {
	for _, a := range all {
		if is(a) && now.Sub(a.at) < 10*time.Minute {
			at = append(at, a.at)
		}
	}
	return at
}

func (r *rules) ofUser(user string, now time.Time) []time.Time {
	return times(r.ofUsers, now, func(a attempt) bool { return a.user == user })
}

func (r *rules) atAddress(address string, now time.Time) []time.Time {
	return times(r.atAddresses, now, func(a attempt) bool { return a.address == address })
}

func lockedFor(counted []time.Time, now time.Time) time.Duration {
	n := len(counted)
	if n < 12 {
		return 0
	}
	return max(0, min(counted[n-1].Add(time.Minute).Sub(now), counted[n-12].Add(10*time.Minute).Sub(now)))
}

func (r *rules) delay(user, address string, now time.Time) time.Duration {
	failures := max(len(r.ofUser(user, now)), len(r.atAddress(address, now)))
	return time.Duration(max(0, min(failures, 11)-3)) * 50 * time.Millisecond
}

func TestThrottle_FollowsRules(t *testing.T) {
	refused := 0
	rapid.Check(t, func(t *rapid.T) {
		th, now := New(), start
		var all rules
		for range rapid.IntRange(1, 200).Draw(t, "tries") {
			user := rapid.SampledFrom([]string{"alice", "Alice", "bob"}).Draw(t, "user")
			address := rapid.SampledFrom([]string{"192.0.2.1", "192.0.2.2", "2001:db8::/64"}).Draw(t, "address")
			seconds := rapid.SampledFrom([]int{0, 0, 0, 1, 1, 10, 61, 600}).Draw(t, "seconds later")
			now = now.Add(time.Duration(seconds) * time.Second)
			delay, wantDelay := th.Begin(user, address, now), all.delay(username.Fold(user), address, now)
			if delay != wantDelay || delay >= time.Second {
				t.Fatalf("%s from %s: delay %s, want %s", user, address, delay, wantDelay)
			}
			if rapid.IntRange(0, 30).Draw(t, "succeeds") == 0 {
				th.Succeeded(user, address)
				all.clear(username.Fold(user), address)
				continue
			}
			after, wantAfter := th.Failed(user, address, now), all.fail(attempt{username.Fold(user), address, now})
			if after != wantAfter || after > time.Minute {
				t.Fatalf("%s from %s, afterwards: %s, want %s", user, address, after, wantAfter)
			}
			if after > 0 {
				refused++
			}
		}
	})
	if refused == 0 {
		t.Error("nothing was refused: the test proves nothing")
	}
}
