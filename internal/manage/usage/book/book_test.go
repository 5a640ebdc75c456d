package book_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"keywright.dev/keywright/internal/auth/budget"
	"keywright.dev/keywright/internal/manage/usage"
	"keywright.dev/keywright/internal/manage/usage/book"
	"keywright.dev/keywright/test/kit"
)

var (
	errDown = errors.New("the database is down")
	start   = time.Date(2030, 1, 31, 23, 59, 50, 0, time.UTC)
)

// store counts tokens by the key or role, in every period.
type store struct {
	mu     sync.Mutex
	tokens map[string]int64
	err    error
	reads  int
	asked  []usage.CounterID
	// slow is how long a read takes.
	slow time.Duration
	// notReady is the error of the view.
	notReady error
}

func (s *store) Counters(_ context.Context, ids []usage.CounterID) (all []usage.Counter, err error) {
	time.Sleep(s.slow)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	s.asked = ids
	for _, id := range ids {
		// The database returns local times.
		id.Start = id.Start.In(time.FixedZone("local", 3600))
		if tokens := s.tokens[id.KeyUID+id.Role]; tokens > 0 {
			all = append(all, usage.Counter{CounterID: id, Tokens: tokens, Cost: usage.Money(10 * tokens)})
		}
	}
	return all, s.err
}

// Ready returns notReady.
func (s *store) Ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.notReady
}

func (s *store) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *store) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads
}

// accounts are those of key k, with budgets for an hour and a month, and of role r, with one for a day.
type accounts struct{ key, role *budget.Account }

func newAccounts() *accounts {
	tokens := func(p budget.Period) budget.Budget { return budget.Budget{Name: "b", Amount: 1, Period: p} }
	return &accounts{
		&budget.Account{
			Owner: budget.Owner{KeyUID: "k", Key: "n/k"}, Budgets: []budget.Budget{tokens(budget.Month), tokens(budget.Hour)},
		},
		&budget.Account{Owner: budget.Owner{Role: "r"}, Budgets: []budget.Budget{tokens(budget.Day)}},
	}
}

func (a *accounts) Accounts() budget.Accounts { return budget.Accounts{a.key, a.role} }

func (a *accounts) AccountsOf(keyUID string, roles []string) (all budget.Accounts) {
	if keyUID == "k" {
		all = append(all, a.key)
	}
	if len(roles) > 0 {
		all = append(all, a.role)
	}
	return all
}

// env is a running book with a clock that begins ten seconds before the end of a month.
type env struct {
	*book.Book
	*accounts
	store *store
	log   *kit.Log
}

// run runs a test with a book.
func run(t *testing.T, s *store, test func(t *testing.T, e *env)) {
	t.Helper()
	runWith(t, s, newAccounts(), test)
}

// runWith is run with these budgets.
func runWith(t *testing.T, s *store, all *accounts, test func(t *testing.T, e *env)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		e := &env{accounts: all, store: s, log: &kit.Log{}}
		e.Book = book.New(book.Config{
			Store: s, Accounts: e.accounts, Now: func() time.Time { return start.Add(time.Since(begun)) },
			Log: slog.New(slog.NewTextHandler(e.log, nil)), View: s, StoreStarting: func() error { return nil },
		})
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { e.Run(ctx) })
		test(t, e)
		cancel()
		running.Wait()
	})
}

func (*env) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// want expects the counters: -1 is unknown.
func (e *env) want(t *testing.T, hour, month, day int64) {
	t.Helper()
	for _, c := range []struct {
		account *budget.Account
		period  budget.Period
		want    int64
	}{{e.key, budget.Hour, hour}, {e.key, budget.Month, month}, {e.role, budget.Day, day}} {
		used, known := c.account.Used(c.period, e.Now())
		if known != (c.want >= 0) || known && (used.Tokens != c.want || used.NanoDollars != 10*c.want) {
			t.Errorf("%s: %+v, known is %t, want %d", c.period, used, known, c.want)
		}
	}
}

func TestBook_ReadsEverySecond(t *testing.T) {
	s := &store{tokens: map[string]int64{"k": 5}}
	run(t, s, func(t *testing.T, e *env) {
		e.pass(0)
		e.want(t, 5, 5, 0)
		s.set(func() { s.tokens["k"], s.tokens["r"] = 6, 7 })
		e.pass(time.Second)
		e.want(t, 6, 6, 7)
		if len(s.asked) != 3 {
			t.Errorf("asked for %v: only the periods of budgets are read", s.asked)
		}
	})
}

// A replica that has just started must not let requests through because it knows no budget yet.
func TestBook_IsStartingUntilTheCountersWereRead(t *testing.T) {
	s := &store{tokens: map[string]int64{"k": 5}, notReady: errDown}
	run(t, s, func(t *testing.T, e *env) {
		e.pass(3 * time.Second)
		if e.Starting() == nil || s.count() > 0 {
			t.Error("ready without a view")
		}
		s.set(func() { s.notReady = nil })
		e.pass(50 * time.Millisecond)
		e.want(t, 5, 5, 0)
		if err := e.Starting(); err != nil {
			t.Error(err)
		}
	})
}

func TestBook_IsReadyWithoutTheStore(t *testing.T) {
	s := &store{err: errDown}
	run(t, s, func(t *testing.T, e *env) {
		e.pass(0)
		e.want(t, -1, -1, -1)
		if err := e.Starting(); err != nil {
			t.Error(err)
		}
	})
}

func TestBook_BeginsAgainWithThePeriod(t *testing.T) {
	s := &store{tokens: map[string]int64{"k": 5, "r": 5}}
	run(t, s, func(t *testing.T, e *env) {
		e.pass(9500 * time.Millisecond)
		s.set(func() { clear(s.tokens) })
		e.pass(400 * time.Millisecond)
		e.want(t, 5, 5, 5)
		e.pass(100 * time.Millisecond)
		e.want(t, 0, 0, 0)
	})
}

func TestBook_KeepsTheLastCountersWhileTheStoreFails(t *testing.T) {
	s := &store{tokens: map[string]int64{"k": 5, "r": 5}}
	run(t, s, func(t *testing.T, e *env) {
		e.pass(0)
		s.set(func() { s.err = errDown; s.tokens["k"] = 6 })
		e.pass(3 * time.Second)
		e.Recorded(t.Context(), &usage.Reporter{KeyUID: "k"})
		e.want(t, 5, 5, 5)
		if log := e.log.Take(); strings.Count(log, "can't be read") != 1 {
			t.Error(log)
		}
		e.pass(7 * time.Second)
		e.want(t, -1, -1, -1)
		s.set(func() { s.err = nil })
		e.pass(time.Second)
		e.want(t, 6, 6, 5)
		if log := e.log.Take(); strings.Count(log, "are read again") != 1 {
			t.Error(log)
		}
	})
}

func TestBook_LearnsOfALocalReportAtOnce(t *testing.T) {
	s := &store{tokens: map[string]int64{}}
	run(t, s, func(t *testing.T, e *env) {
		e.pass(500 * time.Millisecond)
		s.set(func() { s.tokens["k"], s.tokens["r"] = 8, 9 })
		reads := s.count()
		e.Recorded(t.Context(), &usage.Reporter{KeyUID: "other"})
		if s.count() != reads {
			t.Error("a reporter without budgets costs a read")
		}
		e.Recorded(t.Context(), &usage.Reporter{KeyUID: "k"})
		e.want(t, 8, 8, 0)
		e.Recorded(t.Context(), &usage.Reporter{Roles: []string{"r"}})
		e.want(t, 8, 8, 9)
	})
}

// A read of many budgets takes at most a twentieth of the time.
func TestBook_ReadsLessOftenIfReadsAreSlow(t *testing.T) {
	s := &store{slow: time.Second}
	run(t, s, func(t *testing.T, e *env) {
		e.pass(41 * time.Second)
		if got := s.count(); got != 2 {
			t.Errorf("%d reads", got)
		}
	})
}
