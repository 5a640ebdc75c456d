package usage

import (
	"context"
	"errors"
	"time"
)

// ErrNoRoom is wrapped by the error of Append while the volume of the database is almost full.
var ErrNoRoom = errors.New("token usage is not stored")

// Store holds records, their roll-ups for each quarter of an hour and each day in UTC, and the counters of budgets. The
// roll-ups and counters change in the transaction that stores a record, so that a report is the same whether its
// records are still stored or not.
type Store interface {
	// Append stores all records or none. It omits those whose ID is stored for their subject, and returns the new
	// ones, in any order. For each new record it adds to the counters, of all periods, of its key and its roles, at the
	// record's time.
	Append(ctx context.Context, records []Record) (added []*Record, err error)
	// Report returns totals and lines from the roll-ups, or from the stored records with ByJob.
	Report(ctx context.Context, q Query) (*Report, error)
	// TopJobs returns the jobs with the highest cost since the beginning of a day in UTC, the highest
	// first.
	TopJobs(ctx context.Context, since time.Time, limit int) ([]Line, error)
	// Job returns the stored records of a job, the oldest first, at most limit.
	Job(ctx context.Context, job string, limit int) ([]Record, error)
	// Oldest returns when the oldest stored record was received: earlier ones may have been removed. It is zero without a
	// record.
	Oldest(ctx context.Context) (time.Time, error)
	// Each calls yield with each stored record that matches, the oldest first, in pages, until yield returns an error.
	Each(ctx context.Context, q Query, yield func(*Record) error) error
	// Reprice calls cost with each stored record since an instant whose cost was computed or is unknown, and stores the
	// cost and price that cost leaves in the record, with roll-ups and counters. It returns how many records changed.
	// With dryRun nothing is stored.
	Reprice(ctx context.Context, since time.Time, dryRun bool, cost func(*Record)) (Repriced, error)
	// Counters returns the counters with these ids. Those without a record are absent.
	Counters(ctx context.Context, ids []CounterID) ([]Counter, error)
}

// Limits bound what a Store keeps. The oldest is removed first.
type Limits struct {
	// Retention is how long a record stays, by its receipt, and the sums for TopJobs. Zero: as long as there are no more
	// than Most.
	Retention time.Duration
	Most      int
	// RollupRetention is how long roll-ups stay. Zero: for good.
	RollupRetention time.Duration
}

// Repriced is the result of Reprice: how many of the records changed, and what all of them cost before and after.
type Repriced struct {
	Records, Changed int64
	Before, After    Money
}

// Pricer computes costs. It is safe for concurrent use.
type Pricer interface {
	// Price sets Cost and Price of a record without a cost, from the price in effect when the call was made. It leaves
	// Cost nil if the price of the model is unknown.
	Price(r *Record)
}
