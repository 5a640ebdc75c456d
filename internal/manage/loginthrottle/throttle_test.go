package loginthrottle_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"keywright.dev/keywright/internal/manage/loginthrottle"
)

var start = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// fail tries so often as it may, one try a second, and says how often it was told that the key was wrong.
func fail(th *loginthrottle.Throttle, user, address string, tries int, now time.Time) (let int) {
	for range tries {
		if !isRefused(th, user, address, now) {
			let++
		}
		now = now.Add(time.Second)
	}
	return let
}

// isRefused fails, where it is let.
func isRefused(th *loginthrottle.Throttle, user, address string, now time.Time) bool {
	if _, retryAfter := th.Begin(user, address, now); retryAfter > 0 {
		return true
	}
	return th.Failed(user, address, now) > 0
}

func TestFailuresAreSlowedAndThenRefused(t *testing.T) {
	th := loginthrottle.New()
	now, before := start, time.Duration(0)
	for failures := range 12 {
		delay, retryAfter := th.Begin("alice", "192.0.2.1", now)
		if retryAfter > 0 {
			t.Fatalf("refused after %d failures", failures)
		}
		if slowed := delay > 0; slowed != (failures >= 4) || delay >= time.Second || slowed && delay <= before {
			t.Errorf("after %d failures delayed by %s, before that by %s", failures, delay, before)
		}
		th.Failed("alice", "192.0.2.1", now)
		before, now = delay, now.Add(time.Second)
	}
	last := now.Add(-time.Second)
	if _, retryAfter := th.Begin("alice", "192.0.2.1", now); retryAfter != 59*time.Second {
		t.Errorf("after 12 failures to be tried again in %s", retryAfter)
	}
	if !isRefused(th, "alice", "192.0.2.1", last.Add(time.Minute-1)) {
		t.Error("let a moment before a minute was over")
	}
	if isRefused(th, "alice", "192.0.2.1", last.Add(time.Minute)) {
		t.Error("refused when a minute was over")
	}
	if !isRefused(th, "alice", "192.0.2.1", last.Add(time.Minute+30*time.Second)) {
		t.Error("one minute bought more than one try")
	}
	if delay, retryAfter := th.Begin("alice", "192.0.2.1", last.Add(12*time.Minute)); retryAfter > 0 || delay > 0 {
		t.Errorf("%s and %s when all is forgotten", delay, retryAfter)
	}
}

func TestUsersAndAddressesAreCountedApart(t *testing.T) {
	for name, c := range map[string]struct {
		user, address string
		refused       bool
	}{
		"the same":                      {"alice", "2001:db8:1:2::1", true},
		"the user elsewhere":            {"alice", "198.51.100.1", true},
		"the user in other letters":     {"ALICE", "198.51.100.1", true},
		"another user there":            {"bob", "2001:db8:1:2::1", true},
		"in the same network":           {"bob", "2001:db8:1:2:ffff::1", true},
		"written otherwise":             {"bob", "2001:DB8:1:2:0::9", true},
		"in another network":            {"bob", "2001:db8:1:3::1", false},
		"neither":                       {"bob", "198.51.100.1", false},
		"nothing is known":              {"", "", false},
		"a user of a name that is like": {"alice ", "198.51.100.1", false},
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

// Whoever tries on fills no trail, be it with many names or from many places.
func TestALockoutIsToldOnceAMinute(t *testing.T) {
	for name, next := range map[string]func(i int) (user, address string){
		"there":         func(int) (string, string) { return "alice", "192.0.2.1" },
		"by many names": func(i int) (string, string) { return fmt.Sprint("user-", i), "192.0.2.1" },
		"elsewhere":     func(i int) (string, string) { return "alice", fmt.Sprint("198.51.100.", i) },
	} {
		th, told := loginthrottle.New(), 0
		if th.ShouldAudit("alice", "192.0.2.1", start) {
			t.Error(name, "told of nothing")
		}
		fail(th, "alice", "192.0.2.1", 12, start)
		for i := range 40 {
			if user, address := next(i); th.ShouldAudit(user, address, start.Add(time.Duration(12+i)*time.Second)) {
				told++
			}
		}
		if told != 1 {
			t.Errorf("%s: told %d times", name, told)
		}
		fail(th, "alice", "192.0.2.1", 12, start.Add(10*time.Minute))
		if user, address := next(1); !th.ShouldAudit(user, address, start.Add(10*time.Minute+12*time.Second)) {
			t.Errorf("%s: not told of another", name)
		}
	}
}

func TestIPv4AddressesAreCountedEach(t *testing.T) {
	th := loginthrottle.New()
	fail(th, "alice", "192.0.2.1", 12, start)
	if isRefused(th, "bob", "192.0.2.2", start.Add(30*time.Second)) {
		t.Error("a neighbour is refused")
	}
	if !isRefused(th, "bob", "::ffff:192.0.2.1", start.Add(30*time.Second)) {
		t.Error("the same, as IPv6 writes it, is not")
	}
}

func TestASuccessForgivesWhatWasTheUsersOwn(t *testing.T) {
	th := loginthrottle.New()
	fail(th, "bob", "192.0.2.1", 7, start)
	fail(th, "alice", "192.0.2.1", 4, start)
	now := start.Add(20 * time.Second)
	th.Begin("alice", "192.0.2.1", now)
	th.Succeeded("alice", "192.0.2.1")
	if delay, _ := th.Begin("alice", "198.51.100.1", now); delay > 0 {
		t.Error("the user is slowed after a success")
	}
	if n := fail(th, "carol", "192.0.2.1", 20, now); n != 5 {
		t.Errorf("the address had %d tries left besides the 7 failures of another", n)
	}
}

// Whoever has a key of their own must not be able to try for another all day.
func TestSuccessesBuyNoFailuresOfAnother(t *testing.T) {
	th, let, now := loginthrottle.New(), 0, start
	for range 100 {
		let += fail(th, "alice", "192.0.2.1", 1, now)
		if _, retryAfter := th.Begin("mallory", "192.0.2.1", now); retryAfter == 0 {
			th.Succeeded("mallory", "192.0.2.1")
		}
		now = now.Add(time.Second)
	}
	if let > 14 {
		t.Errorf("%d tries in 100 s", let)
	}
}

// A name is anybody's to fail with, and its owner gets in all the same.
func TestTheRightKeyOfANameThatIsTriedPasses(t *testing.T) {
	th := loginthrottle.New()
	for i := range 100 {
		fail(th, "alice", fmt.Sprint("192.0.2.", i), 1, start)
	}
	if !isRefused(th, "alice", "198.51.100.1", start) {
		t.Error("a wrong key is told of")
	}
	delay, retryAfter := th.Begin("alice", "198.51.100.1", start)
	if retryAfter > 0 || delay == 0 || delay >= time.Second {
		t.Errorf("the try is delayed by %s, or to be made again in %s", delay, retryAfter)
	}
	th.Succeeded("alice", "198.51.100.1")
	if isRefused(th, "alice", "198.51.100.1", start) {
		t.Error("a success has forgiven nothing")
	}
}

// Else whoever tries for a name that others try for could do so without end.
func TestFailuresWithANameThatHasTooManyCountAtTheAddress(t *testing.T) {
	th, let := loginthrottle.New(), 0
	fail(th, "alice", "192.0.2.1", 12, start)
	for range 100 {
		if _, retryAfter := th.Begin("alice", "198.51.100.1", start.Add(20*time.Second)); retryAfter == 0 {
			let++
			if th.Failed("alice", "198.51.100.1", start.Add(20*time.Second)) == 0 {
				t.Error("a wrong key is told of")
			}
		}
	}
	if let != 12 {
		t.Errorf("%d tries were made", let)
	}
	// And they don't make it longer.
	if isRefused(th, "alice", "203.0.113.1", start.Add(11*time.Second+time.Minute)) {
		t.Error("refused when a minute was over")
	}
}

func TestToTryManyAtOnceGainsNothing(t *testing.T) {
	th, let, told := loginthrottle.New(), 0, 0
	for i := range 1000 {
		if _, retryAfter := th.Begin(fmt.Sprint("user-", i), "192.0.2.1", start); retryAfter == 0 {
			let++
		}
	}
	for i := range 1000 {
		th.Begin("alice", fmt.Sprint("198.51.100.", i%250), start)
	}
	for i := range 1000 {
		if th.Failed("alice", fmt.Sprint("198.51.100.", i%250), start) == 0 {
			told++
		}
	}
	if let != 12 || told != 12 {
		t.Errorf("%d are under way at once from an address, and %d were told of for a user", let, told)
	}
	// What became of the first nobody tells.
	if isRefused(th, "bob", "192.0.2.1", start.Add(10*time.Second)) {
		t.Error("tries that came to nothing count")
	}
}

func TestAClockThatIsSetBack(t *testing.T) {
	th := loginthrottle.New()
	fail(th, "alice", "192.0.2.1", 12, start)
	if _, retryAfter := th.Begin("alice", "192.0.2.1", start.Add(-24*time.Hour)); retryAfter > time.Minute {
		t.Errorf("to be tried again in %s", retryAfter)
	}
}

func TestConcurrentTries(*testing.T) {
	th := loginthrottle.New()
	var trying sync.WaitGroup
	for i := range 8 {
		trying.Go(func() {
			for n := range 500 {
				user, address := fmt.Sprint("user-", n%7), fmt.Sprintf("192.0.2.%d", i%3)
				now := start.Add(time.Duration(n) * time.Second)
				if _, retryAfter := th.Begin(user, address, now); retryAfter > 0 {
					continue
				}
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
