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

var errUnavailable = errors.New("unavailable")

// env is a store and the statuses of objects.
type env struct {
	mu       sync.Mutex
	storeErr error
	// during is called at the start of a save.
	during func()
	saved  map[string]Use
	saves  int
	// byAddress has the uses by address and day.
	byAddress map[addressKey]AddressUse
	apiErr    error
	statuses  map[string]time.Time
	writes    int
	tries     int
}

func (e *env) SaveUses(_ context.Context, uses []Use) error {
	if e.during != nil {
		e.during()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.storeErr != nil {
		return e.storeErr
	}
	if len(uses) > BatchSize {
		return errors.New("too many at once")
	}
	e.saves++
	seen := map[string]bool{}
	for _, u := range uses {
		if seen[u.UID] {
			return errors.New("one object twice")
		}
		seen[u.UID] = true
		if !u.At.Before(e.saved[u.UID].At) {
			e.saved[u.UID] = u
		}
	}
	return nil
}

func (*env) LastUses(context.Context, []string) (map[string]Use, error) { return nil, nil }

func (e *env) SaveAddressUses(_ context.Context, uses []AddressUse) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.storeErr != nil {
		return e.storeErr
	}
	if len(uses) > BatchSize {
		return errors.New("too many at once")
	}
	for _, u := range uses {
		if stored, found := e.byAddress[u.key()]; found {
			u = u.merge(stored)
		}
		e.byAddress[u.key()] = u
	}
	return nil
}

func (*env) AddressUses(context.Context, string) ([]AddressUse, error) { return nil, nil }

func (e *env) SetLastUsed(_ context.Context, id verify.ID, uid string, at time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tries++
	switch {
	case e.apiErr != nil:
		return e.apiErr
	case id.Name == "odd":
		return errors.New("the status cannot be written")
	case id.Name != "name of "+uid:
		return fmt.Errorf("%+v is not %s", id, uid)
	}
	e.writes++
	e.statuses[id.Name] = at
	return nil
}

func (e *env) lastRecorded(id verify.ID) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.statuses[id.Name]
}

func (e *env) set(store, api error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.storeErr, e.apiErr = store, api
}

// count returns the number of objects with a saved use.
func (e *env) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.saved)
}

// done returns the number of written statuses and of tries.
func (e *env) done() (writes, tries int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.writes, e.tries
}

func (q *queue[K, V]) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.byKey)
}

func newEnv() *env {
	return &env{
		saved: map[string]Use{}, statuses: map[string]time.Time{}, byAddress: map[addressKey]AddressUse{},
	}
}

// record runs a recorder until the test ends or stop is called.
func record(t *testing.T, e *env) (r *Recorder, stop func()) {
	t.Helper()
	r = New(Config{
		Store: e, Status: e, LastRecorded: e.lastRecorded, Log: slog.New(slog.DiscardHandler),
		Registry: prometheus.NewRegistry(),
	})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { r.Run(ctx) })
	stop = func() { cancel(); running.Wait() }
	t.Cleanup(stop)
	return r, stop
}

// pass advances the time and waits until all goroutines are idle again.
func pass(length time.Duration) {
	time.Sleep(length)
	synctest.Wait()
}

func use(uid string) verify.Use {
	id := verify.ID{Kind: "APIKey", Namespace: "n", Name: "name of " + uid}
	return verify.Use{Object: id, UID: uid, KeyID: "key of " + uid, At: time.Now(), From: "192.0.2.1"}
}

func TestRecord_SavesLatestUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv()
		r, _ := record(t, e)
		u := use("a")
		r.Record(u)
		older := u
		older.At, older.From = u.At.Add(-time.Second), "elsewhere"
		r.Record(older) // concurrent requests arrive out of order
		pass(2 * saveEvery)
		if want := (Use{UID: "a", KeyID: "key of a", At: u.At, From: "192.0.2.1"}); e.saved["a"] != want {
			t.Errorf("saved %+v, want %+v", e.saved["a"], want)
		}
		pass(time.Hour)
		if e.saves != 1 {
			t.Errorf("one use was saved %d times", e.saves)
		}
	})
}

func TestRecord_SavesInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv()
		r, _ := record(t, e)
		for i := range 1200 {
			r.Record(use(fmt.Sprint(i)))
			r.Record(use(fmt.Sprint(i)))
		}
		pass(5 * saveEvery)
		if len(e.saved) != 1200 || e.saves != 5 {
			t.Errorf("%d are saved in %d calls", len(e.saved), e.saves)
		}
	})
}

func TestOutage_UsesWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv()
		r, _ := record(t, e)
		e.set(errUnavailable, nil)
		first := use("a")
		r.Record(first)
		r.Record(use("b"))
		pass(time.Minute)
		last := use("a")
		r.Record(last)
		pass(time.Hour)
		e.set(nil, nil)
		pass(maxDelay + saveEvery)
		if !e.saved["a"].At.Equal(last.At) || !e.saved["b"].At.Equal(first.At) || testutil.ToFloat64(r.dropped) != 0 {
			t.Errorf("saved %+v, dropped %v", e.saved, testutil.ToFloat64(r.dropped))
		}
	})
}

func TestOutage_UseDuringSaveIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv()
		r, _ := record(t, e)
		e.set(errUnavailable, nil)
		var last verify.Use
		e.during = func() {
			if last.UID == "" {
				last = use("a")
				r.Record(last)
			}
		}
		r.Record(use("a"))
		pass(saveEvery)
		e.set(nil, nil)
		pass(maxDelay)
		if !e.saved["a"].At.Equal(last.At) || len(r.exact.order) > 0 {
			t.Errorf("saved %s, want %s; %d wait", e.saved["a"].At, last.At, len(r.exact.order))
		}
	})
}

func TestQueues_AreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv()
		r, _ := record(t, e)
		e.set(errUnavailable, errUnavailable)
		for i := range maxExact + 300 {
			r.Record(use(fmt.Sprint(i)))
		}
		pass(time.Minute + statusEvery/2)
		for i := range 300 {
			r.Record(use(fmt.Sprint("later ", i)))
		}
		if n := testutil.ToFloat64(r.dropped); n != 600 {
			t.Errorf("%v are counted as dropped, want 600", n)
		}
		if exact, coarse := r.exact.length(), r.coarse.length(); exact != maxExact || coarse != maxCoarse {
			t.Errorf("%d and %d wait", exact, coarse)
		}
		e.set(nil, errUnavailable)
		pass(maxDelay + maxExact/maxSave*saveEvery)
		if _, found := e.saved["599"]; found || len(e.saved) != maxExact {
			t.Errorf("%d are saved, one of the oldest among them: %t", len(e.saved), found)
		}
	})
}

func TestShutdown_SavesWaitingUses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv()
		r, stop := record(t, e)
		r.Record(use("a"))
		stop()
		if len(e.saved) != 1 {
			t.Error("a use was lost")
		}
	})
}

func TestStatus_WrittenOnceAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv()
		r, _ := record(t, e)
		pass(statusEvery / 3)
		other, _ := record(t, e) // another replica, started at another time
		first := time.Now()
		for time.Since(first) < 3*time.Hour-30*time.Second {
			r.Record(use("a"))
			if time.Since(first) > 0 {
				other.Record(use("a"))
			}
			pass(30 * time.Second)
		}
		before, _ := e.done()
		if before != 3 {
			t.Errorf("written %d times in 3 hours", before)
		}
		if since := time.Since(e.lastRecorded(use("a").Object)); since > coarseness+time.Minute {
			t.Errorf("the status is %s old", since)
		}
		pass(24 * time.Hour)
		if writes, _ := e.done(); writes != before {
			t.Error("it is written without a use")
		}
	})
}

// When all keys are used at once, requests have priority over saving.
func TestRecord_BoundsEachSave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv()
		r, stop := record(t, e)
		for i := range 3 * maxSave {
			r.Record(use(fmt.Sprint(i)))
		}
		for rounds := 1; rounds <= 2; rounds++ {
			pass(saveEvery)
			if n := e.count(); n != rounds*maxSave {
				t.Errorf("%d are saved after %d rounds", n, rounds)
			}
		}
		stop()
		if len(e.saved) != 3*maxSave {
			t.Errorf("%d are saved at the end", len(e.saved))
		}
	})
}

func TestInterval_LongerWhileManyWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := record(t, newEnv())
		want := func(when string, every time.Duration) {
			t.Helper()
			if got := r.Interval(); got != every {
				t.Errorf("%s: every %s, want %s", when, got, every)
			}
		}
		for i := range busyQueue {
			r.Record(use(fmt.Sprint(i)))
		}
		want("at first", usualInterval)
		r.Record(use("one more"))
		want("when many wait", busyInterval)
		pass(saveEvery)
		want("when some are saved", usualInterval)
		pass(time.Hour)
		want("when all are", usualInterval)
	})
}

func TestStatus_BoundsEachRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv()
		r, _ := record(t, e)
		for i := range 1000 {
			r.Record(use(fmt.Sprint(i)))
		}
		for rounds := 1; rounds <= 5; rounds++ {
			pass(statusEvery)
			if writes, _ := e.done(); writes != rounds*maxStatuses {
				t.Errorf("%d are written after %d rounds", writes, rounds)
			}
		}
	})
}

func TestStatus_FailureDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv()
		r, _ := record(t, e)
		odd := use("odd")
		odd.Object.Name = "odd"
		r.Record(odd)
		for i := range 10 {
			r.Record(use(fmt.Sprint(i)))
		}
		pass(statusEvery)
		if writes, tries := e.done(); writes != 10 || tries != 11 {
			t.Errorf("%d of 10 are written, in %d tries", writes, tries)
		}

		e.set(nil, errUnavailable)
		pass(2*time.Hour + statusEvery/2)
		_, before := e.done()
		for i := range 10 {
			r.Record(use(fmt.Sprint(i)))
		}
		pass(statusEvery)
		if _, tries := e.done(); tries-before != maxFailures {
			t.Errorf("while the API server is unavailable there are %d tries a round", tries-before)
		}
		e.set(nil, nil)
		pass(statusEvery)
		if writes, _ := e.done(); writes != 18 {
			t.Errorf("afterwards %d of 8 are written", writes-10)
		}
	})
}

func TestRecord_Concurrent(t *testing.T) {
	e := newEnv()
	r, stop := record(t, e)
	var noting sync.WaitGroup
	for i := range 8 {
		noting.Go(func() {
			for n := range 2000 {
				r.Record(use(fmt.Sprint((i + n) % 50)))
			}
		})
	}
	noting.Wait()
	stop()
	if len(e.saved) != 50 {
		t.Errorf("%d of 50 are saved", len(e.saved))
	}
}
