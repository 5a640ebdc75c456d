package clusterwatch

import (
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
)

// moment is a step of a story about one view. Each is a second after the one before.
type moment struct {
	// Exactly one of these happens.
	listed, readBegins, readEnds, applied, fails string
	// age in seconds afterwards.
	age int
}

// A view is as old as the last proof that it is complete: never newer, whatever arrives meanwhile.
func TestFreshness_AgeCountsFromLastProof(t *testing.T) {
	for name, story := range map[string][]moment{
		"nothing has been listed": {{applied: "1", age: 1}},
		"a list is as old as its request": {
			{listed: "5", age: 1}, {applied: "5", age: 2},
		},
		"a read that the view has reached": {
			{listed: "5", age: 1}, {readBegins: "", age: 2}, {readEnds: "5", age: 1},
		},
		"a read that the view reaches by an event or a bookmark": {
			{listed: "5", age: 1}, {readBegins: "", age: 2}, {readEnds: "7", age: 3}, {applied: "6", age: 4},
			{applied: "7", age: 3},
		},
		"a bookmark with an old version, as of an API server without etcd": {
			{listed: "5", age: 1}, {applied: "5", age: 2}, {applied: "5", age: 3},
		},
		"an event without a read": {{listed: "5", age: 1}, {applied: "9", age: 2}},
		"a read that fails": {
			{listed: "5", age: 1}, {readBegins: "", age: 2}, {fails: "no answer", age: 3}, {applied: "9", age: 4},
		},
		"the latest of several reads counts": {
			{listed: "5", age: 1}, {readBegins: "", age: 2}, {readEnds: "7", age: 3}, {readBegins: "", age: 4},
			{readEnds: "8", age: 5}, {applied: "8", age: 2},
		},
		"an older list replaces the view": {
			{listed: "5", age: 1}, {readBegins: "", age: 2}, {readEnds: "7", age: 3}, {listed: "3", age: 1},
			{readBegins: "", age: 2}, {readEnds: "4", age: 3}, {applied: "4", age: 2},
		},
		"versions in another form prove nothing": {
			{listed: "5", age: 1}, {readBegins: "", age: 2}, {readEnds: "x", age: 3}, {applied: "y", age: 4},
		},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Unix(1_800_000_000, 0)
			f := &freshness{log: slog.New(slog.DiscardHandler), now: func() time.Time { return now }, confirmed: now}
			began, before := now, ""
			for i, m := range story {
				now = now.Add(time.Second)
				switch {
				case m.listed != "":
					f.replaced(now.Add(-time.Second), m.listed, 1)
				case m.readEnds != "":
					f.read(began, before, m.readEnds)
				case m.applied != "":
					f.advance(m.applied)
				case m.fails != "":
					f.fail(errors.New(m.fails))
				default:
					began, before = f.begin()
				}
				if got := f.age(); got != time.Duration(m.age)*time.Second {
					t.Fatalf("moment %d: age %s, want %ds", i, got, m.age)
				}
			}
		})
	}
}

func TestFreshness_ReadThatWentBack(t *testing.T) {
	f := &freshness{log: slog.New(slog.DiscardHandler), now: time.Now}
	f.replaced(time.Now(), "100", 1)
	for version, want := range map[string]bool{"99": false, "100": true, "101": true, "x": true} {
		if got := f.read(time.Now(), "100", version); got != want {
			t.Errorf("%s: %t", version, got)
		}
	}
	for range 2 * maxReads {
		f.read(time.Now(), "100", "1000")
	}
	if len(f.reads) > maxReads {
		t.Errorf("%d reads wait", len(f.reads))
	}
}

// freezes are what may stop answering without an error, for each resource.
var freezes = map[string]struct {
	what frozen
	// cures is true if new requests work, so that the view becomes current by itself.
	cures bool
}{
	"everything":                 {frozen{lists: true, opens: true, watches: true}, false},
	"the watch, but no new one":  {frozen{watches: true}, true},
	"etcd, and no watch":         {frozen{lists: true}, false},
	"all watches, but not reads": {frozen{opens: true, watches: true}, false},
}

// watched are the resources that a server of all namespaces watches.
var watched = []string{"adminusers", "accessroles", "accessrolebindings", "configmaps", "apikeys"}

// Each watch of the server has to notice every freeze by itself, while the others work.
func TestWatcher_NoticesFrozenWatch(t *testing.T) {
	const bound = time.Second
	for name, c := range freezes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			views := map[string]*fixture{}
			for _, resource := range watched {
				views[resource] = viewWithin(t, resource, bound)
			}
			for resource, f := range views {
				f.api.freeze(resource, c.what)
				f.api.put(apiKeyObject("later", ci, alicesKey))
				f.api.put(user("later", bobsKey))
			}
			for resource, f := range views {
				f.eventually(resource+" are too old", func() bool { return f.watcher.Age() > bound })
			}
			for resource, f := range views {
				if !c.cures {
					f.eventually(resource+" stay so", func() bool { return f.watcher.Age() > 2*bound })
					f.api.freeze(resource, frozen{})
				}
			}
			for resource, f := range views {
				f.eventually(resource+" are confirmed again", func() bool { return f.watcher.Age() < bound })
				if alices, bobs := f.verdict(alicesKey), f.verdict(bobsKey); alices != verify.Accepted || bobs != verify.Accepted {
					t.Errorf("%s are said to be current, and keys are %s and %s", resource, alices, bobs)
				}
			}
		})
	}
}

// viewWithin returns a server's view whose watch of a resource has begun under a bound.
func viewWithin(t *testing.T, resource string, bound time.Duration) *fixture {
	t.Helper()
	f := newFixture(t)
	f.run()
	f.ready()
	f.watcher.KeepWithin(bound)
	f.eventually("the bound is in force", func() bool { return f.watchesWithin(resource, bound) })
	f.eventually("the view is confirmed", func() bool { return f.watcher.Age() < bound })
	return f
}

// watchesWithin reports whether the watch under way has begun under a bound.
func (f *fixture) watchesWithin(resource string, bound time.Duration) bool {
	for _, w := range f.watcher.watches {
		if w.resource != resource {
			continue
		}
		w.mu.Lock()
		current := w.current
		w.mu.Unlock()
		return current != nil && !current.listing && current.patience == timingFor(bound, false).session+sessionGrace
	}
	return false
}

func TestWatcher_EveryWatchIsInTheTestOfFreezes(t *testing.T) {
	var all []string
	for _, w := range newFixture(t).watcher.watches {
		all = append(all, w.resource)
	}
	if !slices.Equal(all, watched) {
		t.Errorf("watches %q, and the test of freezes has %q", all, watched)
	}
}

// After a restore of etcd, the old versions would otherwise never be seen: a watch delivers only newer ones.
func TestWatcher_FollowsRestoredData(t *testing.T) {
	f := newFixture(t)
	f.api.put(user("bob", bobsKey))
	f.api.put(user("alice"))
	f.api.put(user("alice"))
	f.run()
	f.ready()
	f.becomes(bobsKey, verify.Accepted)
	f.watcher.KeepWithin(time.Second)
	f.api.restore(1, user("alice", alicesKey))
	f.becomes(bobsKey, verify.Unknown)
	f.becomes(alicesKey, verify.Accepted)
	f.eventually("it is counted and logged", func() bool {
		return f.watcher.Restores() > 0 && len(f.log.Lines("older data than before")) > 0
	})
	f.eventually("the view is confirmed", func() bool { return f.watcher.Age() < time.Second })
}

// A bound that comes into force does not refuse requests before the view can be kept within it.
func TestBounded_CountsFromBound(t *testing.T) {
	f := newFixture(t)
	for _, w := range f.watcher.watches {
		w.confirmed = time.Now().Add(-time.Hour)
	}
	bounded := Bounded{f.watcher}
	if bounded.Age() < time.Hour {
		t.Error("without a change the age differs")
	}
	f.watcher.KeepWithin(time.Minute)
	if got := bounded.Age(); got > time.Minute || f.watcher.Age() < time.Hour {
		t.Errorf("the age is %s, and %s for the gate", f.watcher.Age(), got)
	}
	f.watcher.boundSince = time.Now().Add(-2 * time.Hour)
	f.watcher.KeepWithin(time.Minute)
	if bounded.Age() < time.Hour {
		t.Error("the same bound counts again")
	}
}

// versioned returns an AdminUser, or a bookmark that ends a list.
func versioned(version string) *v1alpha1.AdminUser {
	return &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Name: "alice", ResourceVersion: version}}
}

func TestSession_ObjectNeverGoesBack(t *testing.T) {
	for name, c := range map[string]struct {
		options metav1.ListOptions
		want    []string
	}{
		"watch": {metav1.ListOptions{ResourceVersion: "10"}, []string{"11", "13", "13", "20"}},
		"watch that begins with a list": {
			metav1.ListOptions{SendInitialEvents: new(true)}, []string{"11", "13", "9", "12", "13", "20", "20"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			source := watch.NewFakeWithChanSize(10, false)
			for _, version := range []string{"11", "13", "9", "12", "13"} {
				source.Modify(versioned(version))
			}
			source.Action(watch.Bookmark, versioned("20"))
			s := newSession(source, func() {}, &c.options, timingFor(minBound, false))
			go s.run()
			var got []string
			for event := range s.ResultChan() {
				got = append(got, event.Object.(metav1.Object).GetResourceVersion())
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("passed %v, want %v", got, c.want)
			}
		})
	}
}

func TestTiming_LeavesTimeForProof(t *testing.T) {
	for _, bound := range []time.Duration{0, minBound, 6 * time.Second, 10 * time.Second, time.Minute, time.Hour} {
		timing := timingFor(bound, false)
		// A bookmark comes two seconds before the end of a watch, give or take a second and a quarter, and proves a read
		// that began at most a period before it.
		oldest := timing.session - 2*time.Second + 1250*time.Millisecond + timing.period
		if bound > 0 && oldest > bound*3/4 {
			t.Errorf("%s: a healthy view is up to %s old", bound, oldest)
		}
		if timing.period > longestPeriod || timing.session%time.Second != 0 || timing.session < shortestSession {
			t.Errorf("%s: %+v", bound, timing)
		}
	}
}
