package loginthrottle_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"keywright.dev/keywright/internal/manage/loginthrottle"
)

var start = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// fail makes one failing try a second, and returns how many were not refused.
func fail(th *loginthrottle.Throttle, user, address string, tries int, now time.Time) (allowed int) {
	for range tries {
		if !isRefused(th, user, address, now) {
			allowed++
		}
		now = now.Add(time.Second)
	}
	return allowed
}

// isRefused makes a failing try, and reports whether it is refused because of others.
func isRefused(th *loginthrottle.Throttle, user, address string, now time.Time) bool {
	th.Begin(user, address, now)
	return th.Failed(user, address, now) > 0
}

func TestFailures_DelayThenRefuse(t *testing.T) {
	th := loginthrottle.New()
	now, before := start, time.Duration(0)
	for failures := range 12 {
		delay := th.Begin("alice", "192.0.2.1", now)
		if slowed := delay > 0; slowed != (failures >= 4) || delay >= time.Second || slowed && delay <= before {
			t.Errorf("after %d failures delayed by %s, before that by %s", failures, delay, before)
		}
		if th.Failed("alice", "192.0.2.1", now) > 0 {
			t.Fatalf("refused after %d failures", failures)
		}
		before, now = delay, now.Add(time.Second)
	}
	last := now.Add(-time.Second)
	if delay := th.Begin("alice", "192.0.2.1", now); delay != before {
		t.Errorf("after 12 failures delayed by %s, before that by %s", delay, before)
	}
	if retryAfter := th.Failed("alice", "192.0.2.1", now); retryAfter != 59*time.Second {
		t.Errorf("after 12 failures to be tried again in %s", retryAfter)
	}
	if !isRefused(th, "alice", "192.0.2.1", last.Add(time.Minute-1)) {
		t.Error("allowed a moment before the minute was over")
	}
	if isRefused(th, "alice", "192.0.2.1", last.Add(time.Minute)) {
		t.Error("refused when the minute was over")
	}
	if !isRefused(th, "alice", "192.0.2.1", last.Add(time.Minute+30*time.Second)) {
		t.Error("a minute allowed more than one try")
	}
	if delay := th.Begin("alice", "192.0.2.1", last.Add(12*time.Minute)); delay > 0 {
		t.Errorf("%s after all failures have expired", delay)
	}
}

func TestFailures_CountedByUserAndByAddress(t *testing.T) {
	for name, c := range map[string]struct {
		user, address string
		refused       bool
	}{
		"the same":                     {"alice", "2001:db8:1:2::1", true},
		"the user elsewhere":           {"alice", "198.51.100.1", true},
		"the user in upper case":       {"ALICE", "198.51.100.1", true},
		"another user there":           {"bob", "2001:db8:1:2::1", true},
		"in the same network":          {"bob", "2001:db8:1:2:ffff::1", true},
		"same network, other notation": {"bob", "2001:DB8:1:2:0::9", true},
		"in another network":           {"bob", "2001:db8:1:3::1", false},
		"neither":                      {"bob", "198.51.100.1", false},
		"unknown":                      {"", "", false},
		"a similar name":               {"alice ", "198.51.100.1", false},
	} {
		t.Run(name, func(t *testing.T) {
			th := loginthrottle.New()
			fail(th, "alice", "2001:db8:1:2::1", 12, start)
			if got := isRefused(th, c.user, c.address, start.Add(30*time.Second)); got != c.refused {
				t.Errorf("refused: %t", got)
			}
		})
	}
}

func TestFailures_IPv4AddressesAreSeparate(t *testing.T) {
	th := loginthrottle.New()
	fail(th, "alice", "192.0.2.1", 12, start)
	if isRefused(th, "bob", "192.0.2.2", start.Add(30*time.Second)) {
		t.Error("a neighbour is refused")
	}
	if !isRefused(th, "bob", "::ffff:192.0.2.1", start.Add(30*time.Second)) {
		t.Error("the same address in IPv6 notation is not refused")
	}
}

func TestSucceeded_ClearsOwnFailures(t *testing.T) {
	th := loginthrottle.New()
	fail(th, "bob", "192.0.2.1", 7, start)
	fail(th, "alice", "192.0.2.1", 4, start)
	now := start.Add(20 * time.Second)
	th.Begin("alice", "192.0.2.1", now)
	th.Succeeded("alice", "192.0.2.1")
	if delay := th.Begin("alice", "198.51.100.1", now); delay > 0 {
		t.Error("the user is delayed after a success")
	}
	if n := fail(th, "carol", "192.0.2.1", 20, now); n != 5 {
		t.Errorf("the address had %d tries left besides the 7 failures of another", n)
	}
}

// The owner of one key must not be able to guess another all day.
func TestSucceeded_KeepsFailuresOfOthers(t *testing.T) {
	th, allowed, now := loginthrottle.New(), 0, start
	for range 100 {
		allowed += fail(th, "alice", "192.0.2.1", 1, now)
		th.Begin("mallory", "192.0.2.1", now)
		th.Succeeded("mallory", "192.0.2.1")
		now = now.Add(time.Second)
	}
	if allowed > 14 {
		t.Errorf("%d tries in 100 s", allowed)
	}
}

// Anyone can fail with a name, or from an address that many share. The holder of the right key can log in nevertheless,
// with a delay.
func TestBegin_RightKeyIsDelayedAtMost(t *testing.T) {
	for name, attack := range map[string]func(i int) (user, address string){
		"an attacked user":    func(i int) (string, string) { return "alice", fmt.Sprint("192.0.2.", i) },
		"an attacked address": func(i int) (string, string) { return fmt.Sprint("user-", i), "198.51.100.1" },
		"both":                func(int) (string, string) { return "alice", "198.51.100.1" },
	} {
		th := loginthrottle.New()
		for i := range 100 {
			user, address := attack(i)
			fail(th, user, address, 1, start)
		}
		if !isRefused(th, "alice", "198.51.100.1", start) {
			t.Errorf("%s: a wrong key gets the usual reply", name)
		}
		if delay := th.Begin("alice", "198.51.100.1", start); delay == 0 || delay >= time.Second {
			t.Errorf("%s: delay %s", name, delay)
		}
		th.Succeeded("alice", "198.51.100.1")
		if got := isRefused(th, "alice", "198.51.100.1", start); got != (name == "an attacked address") {
			t.Errorf("%s: refused after a success: %t", name, got)
		}
	}
}

// Otherwise an attacker could try a name that others attack without end.
func TestFailed_LockedUserCountsAtAddress(t *testing.T) {
	th, later := loginthrottle.New(), start.Add(20*time.Second)
	fail(th, "alice", "192.0.2.1", 12, start)
	for range 12 {
		th.Begin("alice", "198.51.100.1", later)
		if th.Failed("alice", "198.51.100.1", later) == 0 {
			t.Error("a locked user gets the usual reply")
		}
	}
	if !isRefused(th, "bob", "198.51.100.1", later) {
		t.Error("the failures do not count at the address")
	}
	// These failures do not extend the lockout of the user.
	if isRefused(th, "alice", "203.0.113.1", start.Add(11*time.Second+time.Minute)) {
		t.Error("refused when the minute was over")
	}
}

func TestBegin_ConcurrentTriesCount(t *testing.T) {
	th, allowed, revealed := loginthrottle.New(), 0, 0
	for i := range 1000 {
		th.Begin(fmt.Sprint("user-", i), "192.0.2.1", start)
	}
	for i := range 1000 {
		if th.Failed(fmt.Sprint("user-", i), "192.0.2.1", start) == 0 {
			allowed++
		}
		th.Begin(fmt.Sprint("another-", i), "203.0.113.1", start)
	}
	for i := range 1000 {
		th.Begin("alice", fmt.Sprint("198.51.100.", i%250), start)
	}
	for i := range 1000 {
		if th.Failed("alice", fmt.Sprint("198.51.100.", i%250), start) == 0 {
			revealed++
		}
	}
	if allowed != 12 || revealed != 12 {
		t.Errorf("%d usual replies to concurrent tries of an address, %d to those of a user", allowed, revealed)
	}
	// The tries from 203.0.113.1 have no result.
	if !isRefused(th, "bob", "203.0.113.1", start) {
		t.Error("tries in progress do not count")
	}
	if isRefused(th, "bob", "203.0.113.1", start.Add(10*time.Second)) {
		t.Error("abandoned tries count")
	}
}

func TestBegin_ClockSetBack(t *testing.T) {
	th := loginthrottle.New()
	fail(th, "alice", "192.0.2.1", 12, start)
	before := start.Add(-24 * time.Hour)
	th.Begin("alice", "192.0.2.1", before)
	if retryAfter := th.Failed("alice", "192.0.2.1", before); retryAfter > time.Minute {
		t.Errorf("to be tried again in %s", retryAfter)
	}
}

func TestThrottle_Concurrent(*testing.T) {
	th := loginthrottle.New()
	var trying sync.WaitGroup
	for i := range 8 {
		trying.Go(func() {
			for n := range 500 {
				user, address := fmt.Sprint("user-", n%7), fmt.Sprintf("192.0.2.%d", i%3)
				now := start.Add(time.Duration(n) * time.Second)
				th.Begin(user, address, now)
				if n%5 == 0 {
					th.Succeeded(user, address)
				} else {
					th.Failed(user, address, now)
				}
			}
		})
	}
	trying.Wait()
}
