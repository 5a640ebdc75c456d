package database

import (
	"context"
	"database/sql"
	"log/slog"
	"sync"
	"time"

	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/lastuse"
	"keywright.dev/keywright/internal/manage/seenusers"
	"keywright.dev/keywright/internal/manage/sessions"
	"keywright.dev/keywright/internal/manage/usage"
)

// openTimeout bounds how long Open waits for a database, and how long the database counts as starting.
const openTimeout = 10 * time.Second

// dialect is the difference between SQLite and PostgreSQL.
type dialect interface {
	// name returns the name of the product, for messages.
	name() string
	// migrations returns the statements that create the tables.
	migrations() migrations
	// endSessions returns a statement that removes the sessions that meet a condition, and notifies watchers.
	endSessions(condition string) string
	// renew makes the next operation use fresh connections.
	renew(ctx context.Context)
	// check reports whether the database responds.
	check(ctx context.Context) error
	// isTransient reports whether the same operation may succeed at once if it is repeated.
	isTransient(err error) bool
	// isRefusal reports whether the values of the operation caused the error, and not the database.
	isRefusal(err error) bool
	// reason describes an error in a few words, without the location of the database.
	reason(err error) string
	// turn runs do while no other server on the database has the turn of that name.
	turn(ctx context.Context, name string, do func(context.Context) error) error
	// sizeOf returns a query for the size of a table of so many rows, which is its parameter, in bytes.
	sizeOf(rows int64) string
	// watch implements sessions.Store.
	watch(ctx context.Context, ended func(sessions.ID), lost func(bool)) error
	close()
}

// DB is a database that may be unavailable. It is safe for concurrent use.
type DB struct {
	dialect dialect
	pool    *sql.DB
	log     *slog.Logger
	now     func() time.Time
	// createdAt is when New was called.
	createdAt time.Time
	// timeout bounds an operation.
	timeout time.Duration
	health  health
	turns   turns
	tables  tables
	volume  volume
	bounds  bounds
	// auditLimits returns the bounds of the audit trail, and whether they are known. It may be nil.
	auditLimits func() (audit.Limits, bool)
	// usageLimits returns the bounds of token usage, and whether they are known. It may be nil.
	usageLimits func() (usage.Limits, bool)
}

// Open is New, but it also waits up to ten seconds for the database to be usable.
func Open(ctx context.Context, url string, log *slog.Logger) (*DB, error) {
	d, err := New(url, log)
	if err != nil {
		return nil, err
	}
	d.open(ctx)
	return d, nil
}

// New takes a PostgreSQL URL, or a path or URL of a SQLite file (DefaultPath if it is empty). It returns an
// error only for an invalid URL, and does not contact the database: Run does that, and Err reports whether the
// database can be used.
func New(url string, log *slog.Logger) (*DB, error) {
	where, err := readURL(url)
	if err != nil {
		return nil, err
	}
	d := &DB{
		log: log, now: time.Now, createdAt: time.Now(), timeout: operationTimeout, health: newHealth(),
		bounds: defaultBounds,
	}
	if where.file != "" {
		d.dialect, d.pool = openSQLite(where.file, log)
		return d, nil
	}
	d.dialect, d.pool, err = openPostgres(where.postgres)
	if err != nil {
		return nil, err
	}
	return d, nil
}

func (d *DB) open(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	d.bringUp(ctx)
}

// Product returns the name of the database's product: SQLite or PostgreSQL.
func (d *DB) Product() string { return d.dialect.name() }

// Sessions returns the store of sessions.
func (d *DB) Sessions() sessions.Store { return sessionStore{d} }

// LastUses returns the store of last uses.
func (d *DB) LastUses() lastuse.Store { return useStore{d} }

// Audit returns the store of the audit trail.
func (d *DB) Audit() audit.Store { return auditStore{d} }

// SeenUsers returns the store of seen users.
func (d *DB) SeenUsers() seenusers.Store { return seenStore{d} }

// Run monitors the database and its volume, brings the database up when it is back, and removes rows beyond the bounds
// of their table, until ctx ends.
func (d *DB) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, work := range []func(context.Context){d.monitor, d.purgeRegularly, d.watchVolume} {
		all.Go(func() { work(ctx) })
	}
	all.Wait()
}

// Close waits for operations in progress and closes all connections.
func (d *DB) Close() error {
	err := d.pool.Close()
	d.dialect.close()
	return err
}
