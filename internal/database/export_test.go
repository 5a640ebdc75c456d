package database

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"time"
)

// OpenWith adds pragmas to each new connection to a SQLite file.
func OpenWith(ctx context.Context, url string, log *slog.Logger, more func() []string) (*DB, error) {
	d, err := New(url, log)
	if err != nil {
		return nil, err
	}
	d.dialect.(*sqliteFile).pragmas = func() []string { return append(defaultPragmas(), more()...) }
	d.open(ctx)
	return d, nil
}

// OpenPatiently is for tests that do not measure time: with the race detector on a busy machine, SQLite is a
// hundred times slower.
func OpenPatiently(ctx context.Context, url string, log *slog.Logger) (*DB, error) {
	d, err := New(url, log)
	if err != nil {
		return nil, err
	}
	d.timeout = time.Minute
	d.open(ctx)
	return d, nil
}

// OpenOld opens a database as a server of an earlier version does, which has this number of migrations.
func OpenOld(ctx context.Context, url string, version int64) (*DB, error) {
	d, err := New(url, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	provider, err := d.migrator()
	if err != nil {
		return nil, err
	}
	if _, err := provider.UpTo(ctx, version); err != nil {
		return nil, err
	}
	d.up()
	return d, nil
}

// Renew makes the next operation use a new connection.
func (d *DB) Renew(ctx context.Context) { d.dialect.renew(ctx) }

// Do runs a statement.
func (d *DB) Do(ctx context.Context, statement string) error {
	_, err := d.pool.ExecContext(ctx, statement)
	return err
}

// Pool returns the connections, for a floor of what the database can do.
func (d *DB) Pool() *sql.DB { return d.pool }

// MarkOf returns the mark of some texts.
func MarkOf(texts ...string) [16]byte { return markOf(texts...) }

// Purge removes rows beyond the bounds of their table, as Run does regularly, as of the time now.
func (d *DB) Purge(ctx context.Context, now time.Time) error {
	return errors.Join(d.purge(ctx, now), d.purgeUsage(ctx, now))
}

// Bound sets the largest numbers of rows.
func (d *DB) Bound(sessions, uses int) {
	d.bounds = bounds{sessions, uses, uses, uses, uses, uses, uses, uses}
}

// Measure measures the sizes of the tables, as Run does regularly.
func (d *DB) Measure(ctx context.Context) error { return d.measureTables(ctx) }

// Names returns the names in the first column of a query.
func (d *DB) Names(ctx context.Context, statement string) ([]string, error) {
	return query(ctx, d, "list names", readText, statement)
}

// MeasureVolume measures the volume of a SQLite file, as Run does regularly, as if it had this space.
func (d *DB) MeasureVolume(free, size uint64) {
	file := d.dialect.(*sqliteFile)
	file.space = func(string) (Volume, error) { return Volume{Free: free, Size: size}, nil }
	d.measureVolume(file)
}

// Wait sets the time since New.
func (d *DB) Wait(long time.Duration) { d.now = func() time.Time { return d.createdAt.Add(long) } }

// IsSQLite reports whether the database is a SQLite file.
func IsSQLite(d *DB) bool { return d.dialect.name() == "SQLite" }

// Check checks the database, as Run does regularly.
func (d *DB) Check(ctx context.Context) { d.checkOrBringUp(ctx) }
