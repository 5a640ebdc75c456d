package database

import (
	"context"
	"log/slog"
	"time"
)

// OpenWith has pragmas of the test's for each new connection to a SQLite file.
func OpenWith(ctx context.Context, url string, log *slog.Logger, more func() []string) (*DB, error) {
	d, err := New(url, log)
	if err != nil {
		return nil, err
	}
	d.dialect.(*sqliteFile).pragmas = func() []string { return append(usual(), more()...) }
	d.open(ctx)
	return d, nil
}

// OpenPatiently is for what is not about time: with the race detector, on a machine that has much else to do, SQLite is a
// hundred times slower.
func OpenPatiently(ctx context.Context, url string, log *slog.Logger) (*DB, error) {
	d, err := New(url, log)
	if err != nil {
		return nil, err
	}
	d.patience = time.Minute
	d.open(ctx)
	return d, nil
}

// Renew has the next operation begin with a new connection.
func (d *DB) Renew(ctx context.Context) { d.dialect.renew(ctx) }

// Do runs a statement.
func (d *DB) Do(ctx context.Context, statement string) error {
	_, err := d.pool.ExecContext(ctx, statement)
	return err
}

// Purge removes what has ended, as Run does now and then, as if it were that late.
func (d *DB) Purge(ctx context.Context, now time.Time) error {
	d.now = func() time.Time { return now }
	return d.purge(ctx)
}

// Wait makes it so long ago that it was made.
func (d *DB) Wait(long time.Duration) { d.now = func() time.Time { return d.made.Add(long) } }

// Look asks after the database, as Run does now and then.
func (d *DB) Look(ctx context.Context) { d.look(ctx) }
