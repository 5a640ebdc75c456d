package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"keywright.dev/keywright/internal/database"
)

const (
	// databaseWaitInterval is how often a new server checks whether its database has answered.
	databaseWaitInterval = 5 * time.Second
	// databaseGrace is how long a database may take without a warning, and databaseLogInterval how often the log repeats
	// it.
	databaseGrace, databaseLogInterval = 10 * time.Second, 30 * time.Second
)

// databaseWait keeps a new replica from being ready until its database has answered once: a rollout with a database
// that cannot be used stops there. It waits for limit, and longer while another replica runs whose database has
// answered: that one verifies keys. Without any other, it becomes ready after limit, because keys are verified without
// a database.
type databaseWait struct {
	// limit is 0 if the replica does not wait at all.
	limit    time.Duration
	answered func() bool
	// failure returns why the database cannot be used, or nil.
	failure func() error
	// others reports whether another replica runs whose database has answered.
	others func(context.Context) (bool, error)
	warn   func(text string)
	log    *slog.Logger

	// over is true once the replica is ready without a database.
	over atomic.Bool
	// served is the last known result of others.
	served bool
	// warnedAt and loggedAt are when the last warning was emitted and logged.
	warnedAt, loggedAt time.Time
}

func newDatabaseWait(
	limit time.Duration, db *database.DB, others func(context.Context) (bool, error), warn func(text string),
	log *slog.Logger,
) *databaseWait {
	w := &databaseWait{
		limit: limit, answered: db.Answered, failure: db.Err, others: others, warn: warn, log: log,
	}
	w.over.Store(limit == 0)
	return w
}

// err is nil once the database has answered or the wait is over.
func (w *databaseWait) err() error {
	if w.answered() || w.over.Load() {
		return nil
	}
	return w.failure()
}

// run waits until the database has answered or ctx ends.
func (w *databaseWait) run(ctx context.Context) {
	ticker := time.NewTicker(databaseWaitInterval)
	defer ticker.Stop()
	for began := time.Now(); !w.answered(); {
		w.step(ctx, began, time.Now())
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
	if !w.loggedAt.IsZero() {
		w.log.Info("The database has answered for the first time")
	}
}

// step ends the wait if it is time, and reports while the database does not answer.
func (w *databaseWait) step(ctx context.Context, began, now time.Time) {
	waited := now.Sub(began)
	if waited >= w.limit && !w.over.Load() && !w.servedByOthers(ctx) {
		w.over.Store(true)
		// The state has changed: report it at once.
		w.warnedAt, w.loggedAt = time.Time{}, time.Time{}
	}
	failure := w.failure()
	if failure == nil || waited < databaseGrace {
		return
	}
	ready := w.over.Load()
	if w.loggedAt.IsZero() || now.Sub(w.loggedAt) >= databaseLogInterval {
		w.loggedAt = now
		w.log.Warn("The database has not answered since the start", "error", failure.Error(), "ready", ready,
			"waited", waited.Round(time.Second).String())
	}
	if w.warnedAt.IsZero() || now.Sub(w.warnedAt) >= warnAgainAfter {
		w.warnedAt = now
		w.warn(describeWait(failure, ready))
	}
}

// servedByOthers keeps the last result while the API server does not answer.
func (w *databaseWait) servedByOthers(ctx context.Context) bool {
	if served, err := w.others(ctx); err == nil {
		w.served = served
	}
	return w.served
}

func describeWait(failure error, ready bool) string {
	state := "This replica is not ready until it answers, for --database-wait at most if no other replica has a database."
	if ready {
		state = "This replica is ready without it: keys are verified, and management and logins are refused."
	}
	return fmt.Sprintf("The database has not answered since the start: %v. %s", failure, state)
}
