package book_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"keywright.dev/keywright/internal/auth/budget"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/manage/usage/book"
	"keywright.dev/keywright/test/kit"
)

// statuses keeps what was reported, as <object> <budget>….
type statuses struct {
	mu    sync.Mutex
	all   []string
	tries int
	// fails has the objects that cannot be written. "*" stands for all.
	fails string
}

func (s *statuses) ReportBudgets(
	_ context.Context, id verify.ID, _ string, reached []budget.Reached, _ time.Time,
) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries++
	if s.fails == "*" || s.fails == id.Name {
		return errDown
	}
	text := id.Name
	for i := range reached {
		text += " " + reached[i].Budget.Name
	}
	s.all = append(s.all, text)
	return nil
}

func (s *statuses) fail(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails = name
}

// take returns what was reported since the last call, sorted, and how often that was tried.
func (s *statuses) take() (all []string, tries int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, tries = s.all, s.tries
	s.all, s.tries = nil, 0
	slices.Sort(all)
	return all, tries
}

// reporting is a running reporter.
type reporting struct {
	*book.Reporter
	*statuses
	log   *kit.Log
	begun time.Time
}

func (r *reporting) now() time.Time { return start.Add(time.Since(r.begun)) }

// request records a request with a key of these budgets, each of 10 tokens.
func (r *reporting) request(name string, account *budget.Account) {
	r.Record(verify.OverBudget{
		Object: verify.ID{Kind: "APIKey", Name: name}, UID: name, Budgets: budget.Accounts{account}, At: r.now(),
	})
}

// want waits for two rounds and compares what was reported.
func (r *reporting) want(t *testing.T, what string, want ...string) {
	t.Helper()
	time.Sleep(2 * time.Second)
	synctest.Wait()
	if got, _ := r.take(); !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func runReporter(t *testing.T, test func(t *testing.T, r *reporting)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &reporting{statuses: &statuses{}, log: &kit.Log{}, begun: time.Now()}
		r.Reporter = book.NewReporter(r.statuses, r.now, slog.New(slog.NewTextHandler(r.log, nil)))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); r.Run(ctx) }()
		test(t, r)
		cancel()
		<-done
	})
}

// spent returns an account with budgets of 10 tokens that has used this many.
func spent(at time.Time, period budget.Period, tokens int64, names ...string) *budget.Account {
	a := &budget.Account{Owner: budget.Owner{KeyUID: "k"}}
	for _, name := range names {
		a.Budgets = append(a.Budgets, budget.Budget{Name: name, Unit: budget.Tokens, Amount: 10, Period: period})
	}
	a.Set(period, at, budget.Used{Tokens: tokens}, 1)
	return a
}

func TestReporter_ReportsOncePerKeyBudgetAndPeriod(t *testing.T) {
	runReporter(t, func(t *testing.T, r *reporting) {
		account := spent(start, budget.Hour, 10, "a")
		for range 100 {
			r.request("one", account)
			r.request("two", account)
		}
		r.request("below", spent(start, budget.Hour, 9, "a"))
		r.want(t, "the first requests", "one a", "two a")
		r.request("one", account)
		r.want(t, "the same again")
		more := spent(start, budget.Hour, 10, "a", "b")
		r.request("one", more)
		r.want(t, "one more budget", "one a b")
		// The hour ends ten seconds after start.
		time.Sleep(10 * time.Second)
		r.request("one", more)
		r.want(t, "the next period, whose counter is unknown")
		more.Set(budget.Hour, r.now(), budget.Used{Tokens: 10}, 2)
		r.request("one", more)
		r.want(t, "the next period", "one a b")
	})
}

func TestReporter_TriesAgain(t *testing.T) {
	runReporter(t, func(t *testing.T, r *reporting) {
		r.fail("*")
		account := spent(start, budget.Month, 10, "a")
		later := spent(start, budget.Day, 10, "a")
		for i := range 10 {
			r.request(fmt.Sprint("key", i), account)
		}
		time.Sleep(3500 * time.Millisecond)
		synctest.Wait()
		if reported, tries := r.take(); len(reported) > 0 || tries != 9 {
			t.Errorf("%q in %d tries, want three in each second", reported, tries)
		}
		if n := len(r.log.Lines("can't be reported yet")); n != 1 {
			t.Errorf("%d warnings", n)
		}
		r.request("key0", later)
		r.fail("key1")
		r.want(t, "all but the one that always fails",
			"key0 a", "key2 a", "key3 a", "key4 a", "key5 a", "key6 a", "key7 a", "key8 a", "key9 a")
		// The day and the month end ten seconds after start.
		time.Sleep(10 * time.Second)
		r.take()
		r.fail("")
		r.want(t, "a period that has ended meanwhile")
	})
}

// However many keys are over budget, they wait for each other and not for ever.
func TestReporter_ReportsManyKeysBitByBit(t *testing.T) {
	runReporter(t, func(t *testing.T, r *reporting) {
		account := spent(start.AddDate(0, 0, 1), budget.Month, 10, "a")
		r.begun = r.begun.AddDate(0, 0, -1)
		for i := range 11_000 {
			r.request(fmt.Sprint(i), account)
		}
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		if reported, _ := r.take(); len(reported) != 20 {
			t.Errorf("%d in a round", len(reported))
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if reported, _ := r.take(); len(reported) != 10_000-20 {
			t.Errorf("%d more", len(reported))
		}
	})
}
