package book

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"keywright.dev/keywright/internal/auth/budget"
	"keywright.dev/keywright/internal/manage/usage"
	"keywright.dev/keywright/internal/program"
)

const (
	// readEvery is the shortest time between two reads of all counters. A read that takes longer than a twentieth of it is
	// made less often, so that budgets never cost the database more than a twentieth of its time.
	readEvery = time.Second
	share     = 20
	// startEvery is how often a read is tried until the budgets in force are known.
	startEvery = 50 * time.Millisecond
	// readTimeout bounds one read.
	readTimeout = 10 * time.Second
)

// View is the server's copy of the cluster's objects, and with them of the budgets in force.
type View interface {
	// Ready returns an error until every object has been received once.
	Ready() error
}

// Store has the counters. In the server it is the store of package usage.
type Store interface {
	// Counters returns the counters with these ids. Those without a record are absent.
	Counters(ctx context.Context, ids []usage.CounterID) ([]usage.Counter, error)
}

// Accounts are the budgets in force. In the server they are those of a *verify.Verifier.
type Accounts interface {
	// Accounts returns all of them.
	Accounts() budget.Accounts
	// AccountsOf returns those that apply to an APIKey and to these roles.
	AccountsOf(keyUID string, roles []string) budget.Accounts
}

// Config has the dependencies of a Book.
type Config struct {
	Store    Store
	Accounts Accounts
	View     View
	// StoreStarting returns an error until it is known whether the store can be used.
	StoreStarting func() error
	Now           func() time.Time
	Log           *slog.Logger
}

// Book brings counters to the budgets in force. It is safe for concurrent use. Run must run beside it.
type Book struct {
	Config
	// reads numbers the reads. A later one knows every record that an earlier one knows.
	reads   atomic.Uint64
	failing atomic.Bool
	// tried is true once the counters of all budgets have been read, or could not be.
	tried atomic.Bool
}

// New returns a Book that knows no counter yet.
func New(c Config) *Book { return &Book{Config: c} }

var errLoading = errors.New("the counters of budgets have not been read from the database yet")

// Starting returns an error until the counters of all budgets have been read, or could not be.
func (b *Book) Starting() error {
	if b.tried.Load() {
		return nil
	}
	return errLoading
}

// Run reads the counters of all budgets until ctx ends.
func (b *Book) Run(ctx context.Context) {
	for b.StoreStarting() != nil || b.View.Ready() != nil {
		if !program.Pause(ctx, startEvery) {
			return
		}
	}
	for {
		begun := time.Now()
		b.note(ctx, b.read(ctx, b.Accounts.Accounts()))
		b.tried.Store(true)
		if !program.Pause(ctx, max(readEvery, share*time.Since(begun))) {
			return
		}
	}
}

// note logs the beginning and the end of an outage.
func (b *Book) note(ctx context.Context, err error) {
	switch failed := err != nil; {
	case ctx.Err() != nil:
	case failed && !b.failing.Swap(true):
		b.Log.WarnContext(ctx, "The counters of budgets can't be read: the last known ones stay in force",
			"error", err.Error())
	case !failed && b.failing.Swap(false):
		b.Log.InfoContext(ctx, "The counters of budgets are read again")
	}
}

// Recorded brings the counters of a reporter into force, after its records were stored. It returns at once if no budget
// applies to the reporter. A failure is the next read's to repair.
func (b *Book) Recorded(ctx context.Context, reporter *usage.Reporter) {
	if all := b.Accounts.AccountsOf(reporter.KeyUID, reporter.Roles); len(all) > 0 {
		_ = b.read(ctx, all)
	}
}

// read sets the counters of accounts. If it fails, it changes nothing.
func (b *Book) read(ctx context.Context, all budget.Accounts) error {
	now, number := b.Now(), b.reads.Add(1)
	ids := idsOf(all, now)
	if len(ids) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	counters, err := b.Store.Counters(ctx, ids)
	if err != nil {
		return err
	}
	used := make(map[counter]budget.Used, len(counters))
	for i := range counters {
		c := &counters[i]
		used[counterOf(&c.CounterID)] = budget.Used{Tokens: c.Tokens, NanoDollars: int64(c.Cost)}
	}
	i := 0
	for _, account := range all {
		for _, p := range account.Periods() {
			// A counter without a record is zero.
			account.Set(p, now, used[counterOf(&ids[i])], number)
			i++
		}
	}
	return nil
}

// idsOf returns the present counters of accounts, in their order.
func idsOf(all budget.Accounts, now time.Time) (ids []usage.CounterID) {
	for _, account := range all {
		for _, p := range account.Periods() {
			ids = append(ids, usage.CounterID{
				KeyUID: account.Owner.KeyUID, Role: account.Owner.Role, Period: p, Start: p.StartOf(now),
			})
		}
	}
	return ids
}

// counter identifies a counter. Equal instants may differ as values of time.Time.
type counter struct {
	keyUID, role string
	period       usage.Period
	start        int64
}

func counterOf(id *usage.CounterID) counter {
	return counter{id.KeyUID, id.Role, id.Period, id.Start.Unix()}
}
