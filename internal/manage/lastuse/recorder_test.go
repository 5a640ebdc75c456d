package lastuse

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"keywright.dev/keywright/internal/auth/verify"
)

var errAway = errors.New("away")

// world is a store, the statuses of objects, and what is seen of them.
type world struct {
	mu       sync.Mutex
	away     error
	during   func()
	saved    map[string]Use
	saves    int
	apiAway  error
	statuses map[string]time.Time
	writes   int
	tries    int
}

func (w *world) SaveUses(_ context.Context, uses []Use) error {
	if w.during != nil {
		w.during()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.away != nil {
		return w.away
	}
	if len(uses) > BatchSize {
		return errors.New("too many at once")
	}
	w.saves++
	seen := map[string]bool{}
	for _, u := range uses {
		if seen[u.UID] {
			return errors.New("one object twice")
		}
		seen[u.UID] = true
		if !u.At.Before(w.saved[u.UID].At) {
			w.saved[u.UID] = u
		}
	}
	return nil
}

func (*world) LastUses(context.Context, []string) (map[string]Use, error) { return nil, nil }

func (w *world) SetLastUsed(_ context.Context, id verify.ID, uid string, at time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tries++
	switch {
	case w.apiAway != nil:
		return w.apiAway
	case id.Name == "odd":
		return errors.New("it can't be written")
	case id.Name != "name of "+uid:
		return fmt.Errorf("%+v is not %s", id, uid)
	}
	w.writes++
	w.statuses[id.Name] = at
	return nil
}

func (w *world) told(id verify.ID) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.statuses[id.Name]
}

func (w *world) set(store, api error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.away, w.apiAway = store, api
}

// count is of how many objects a use is saved.
func (w *world) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.saved)
}

// done are the statuses written, and the tries.
func (w *world) done() (writes, tries int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.writes, w.tries
}

func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.byUID)
}

func newWorld() *world { return &world{saved: map[string]Use{}, statuses: map[string]time.Time{}} }

// record runs a recorder until the test ends, or the function that is returned is called.
func record(t *testing.T, w *world) (r *Recorder, stop func()) {
	t.Helper()
	r = New(Config{Store: w, Status: w, Told: w.told, Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { r.Run(ctx) })
	stop = func() { cancel(); running.Wait() }
	t.Cleanup(stop)
	return r, stop
}

// pass lets time go by, and whoever waited for it do what they have to.
func pass(length time.Duration) {
	time.Sleep(length)
	synctest.Wait()
}

func use(uid string) verify.Use {
	return verify.Use{Object: verify.ID{Kind: "APIKey", Namespace: "n", Name: "name of " + uid}, UID: uid, KeyID: "key of " + uid, At: time.Now(), From: "192.0.2.1"}
}

func TestAUseIsSavedSoonAndExactly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		r, _ := record(t, w)
		u := use("a")
		r.Note(u)
		older := u
		older.At, older.From = u.At.Add(-time.Second), "elsewhere"
		r.Note(older) // they overtake each other
		pass(2 * saveEvery)
		if want := (Use{UID: "a", KeyID: "key of a", At: u.At, From: "192.0.2.1"}); w.saved["a"] != want {
			t.Errorf("saved %+v, want %+v", w.saved["a"], want)
		}
		pass(time.Hour)
		if w.saves != 1 {
			t.Errorf("one use was saved %d times", w.saves)
		}
	})
}

func TestManyUsesAreSavedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		r, _ := record(t, w)
		for i := range 1200 {
			r.Note(use(fmt.Sprint(i)))
			r.Note(use(fmt.Sprint(i)))
		}
		pass(5 * saveEvery)
		if len(w.saved) != 1200 || w.saves != 5 {
			t.Errorf("%d are saved in %d goes", len(w.saved), w.saves)
		}
	})
}

func TestUsesWaitForAStoreThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		r, _ := record(t, w)
		w.set(errAway, nil)
		first := use("a")
		r.Note(first)
		r.Note(use("b"))
		pass(time.Minute)
		last := use("a")
		r.Note(last)
		pass(time.Hour)
		w.set(nil, nil)
		pass(longestPause + saveEvery)
		if !w.saved["a"].At.Equal(last.At) || !w.saved["b"].At.Equal(first.At) || testutil.ToFloat64(r.dropped) != 0 {
			t.Errorf("saved %+v, dropped %v", w.saved, testutil.ToFloat64(r.dropped))
		}
	})
}

func TestAUseWhileOthersAreSavedIsTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		r, _ := record(t, w)
		w.set(errAway, nil)
		var last verify.Use
		w.during = func() {
			if last.UID == "" {
				last = use("a")
				r.Note(last)
			}
		}
		r.Note(use("a"))
		pass(saveEvery)
		w.set(nil, nil)
		pass(longestPause)
		if !w.saved["a"].At.Equal(last.At) || len(r.exact.order) > 0 {
			t.Errorf("saved %s, want %s; %d wait", w.saved["a"].At, last.At, len(r.exact.order))
		}
	})
}

func TestWhatWaitsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		r, _ := record(t, w)
		w.set(errAway, errAway)
		for i := range mostExact + 300 {
			r.Note(use(fmt.Sprint(i)))
		}
		pass(time.Minute + statusEvery/2)
		for i := range 300 {
			r.Note(use(fmt.Sprint("later ", i)))
		}
		if n := testutil.ToFloat64(r.dropped); n != 600 {
			t.Errorf("%v are counted as dropped, not 600", n)
		}
		if exact, coarse := r.exact.length(), r.coarse.length(); exact != mostExact || coarse != mostCoarse {
			t.Errorf("%d and %d wait", exact, coarse)
		}
		w.set(nil, errAway)
		pass(longestPause + mostExact/saveAtOnce*saveEvery)
		if _, found := w.saved["599"]; found || len(w.saved) != mostExact {
			t.Errorf("%d are saved, one of the oldest among them: %t", len(w.saved), found)
		}
	})
}

func TestWhatIsLeftIsSavedAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		r, stop := record(t, w)
		r.Note(use("a"))
		stop()
		if len(w.saved) != 1 {
			t.Error("a use was lost")
		}
	})
}

func TestAStatusIsWrittenOnceAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		r, _ := record(t, w)
		pass(statusEvery / 3)
		other, _ := record(t, w) // another replica, begun at another time
		first := time.Now()
		for time.Since(first) < 3*time.Hour-30*time.Second {
			r.Note(use("a"))
			if time.Since(first) > 0 {
				other.Note(use("a"))
			}
			pass(30 * time.Second)
		}
		before, _ := w.done()
		if before != 3 {
			t.Errorf("written %d times in 3 hours", before)
		}
		if since := time.Since(w.told(use("a").Object)); since > coarseness+time.Minute {
			t.Errorf("it tells of a use %s ago", since)
		}
		pass(24 * time.Hour)
		if writes, _ := w.done(); writes != before {
			t.Error("it is written though nobody uses it")
		}
	})
}

// When all keys there are come into use at once, requests come first.
func TestUsesAreSavedALittleAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		r, stop := record(t, w)
		for i := range 3 * saveAtOnce {
			r.Note(use(fmt.Sprint(i)))
		}
		for rounds := 1; rounds <= 2; rounds++ {
			pass(saveEvery)
			if n := w.count(); n != rounds*saveAtOnce {
				t.Errorf("%d are saved after %d rounds", n, rounds)
			}
		}
		stop()
		if len(w.saved) != 3*saveAtOnce {
			t.Errorf("%d are saved at the end", len(w.saved))
		}
	})
}

// Of keys that were told of a moment ago others would have to wait for.
func TestWhileManyWaitUsesAreWantedMoreSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := record(t, newWorld())
		want := func(when string, every time.Duration) {
			t.Helper()
			if got := r.Every(); got != every {
				t.Errorf("%s: every %s, want %s", when, got, every)
			}
		}
		for i := range many {
			r.Note(use(fmt.Sprint(i)))
		}
		want("at first", often)
		r.Note(use("one more"))
		want("when many wait", seldom)
		pass(saveEvery)
		want("when some are saved", often)
		pass(time.Hour)
		want("when all are", often)
	})
}

func TestStatusesAreWrittenALittleAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		r, _ := record(t, w)
		for i := range 1000 {
			r.Note(use(fmt.Sprint(i)))
		}
		for rounds := 1; rounds <= 5; rounds++ {
			pass(statusEvery)
			if writes, _ := w.done(); writes != rounds*mostStatuses {
				t.Errorf("%d are written after %d rounds", writes, rounds)
			}
		}
	})
}

func TestAStatusThatCannotBeWrittenHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		r, _ := record(t, w)
		odd := use("odd")
		odd.Object.Name = "odd"
		r.Note(odd)
		for i := range 10 {
			r.Note(use(fmt.Sprint(i)))
		}
		pass(statusEvery)
		if writes, tries := w.done(); writes != 10 || tries != 11 {
			t.Errorf("%d of 10 are written, in %d tries", writes, tries)
		}

		w.set(nil, errAway)
		pass(2*time.Hour + statusEvery/2)
		_, before := w.done()
		for i := range 10 {
			r.Note(use(fmt.Sprint(i)))
		}
		pass(statusEvery)
		if _, tries := w.done(); tries-before != tooMany {
			t.Errorf("while the API server is away it is tried %d times a round", tries-before)
		}
		w.set(nil, nil)
		pass(statusEvery)
		if writes, _ := w.done(); writes != 18 {
			t.Errorf("when it is back %d of 8 are written", writes-10)
		}
	})
}

func TestConcurrentNotes(t *testing.T) {
	w := newWorld()
	r, stop := record(t, w)
	var noting sync.WaitGroup
	for i := range 8 {
		noting.Go(func() {
			for n := range 2000 {
				r.Note(use(fmt.Sprint((i + n) % 50)))
			}
		})
	}
	noting.Wait()
	stop()
	if len(w.saved) != 50 {
		t.Errorf("%d of 50 are saved", len(w.saved))
	}
}
