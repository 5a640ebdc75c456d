package database

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"sync"
	"time"

	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/lastuse"
	"keywright.dev/keywright/internal/manage/seenusers"
	"keywright.dev/keywright/internal/manage/sessions"
	"keywright.dev/keywright/internal/program"
)

const (
	// openTimeout is how long Open waits for a database before it leaves the rest to Run, and for how long it is starting.
	openTimeout = 10 * time.Second
	// purgeEvery is how often what has ended is removed.
	purgeEvery = 10 * time.Minute
	// keepUses is how long the last use of an object is kept: the object may long be gone.
	keepUses = 400 * 24 * time.Hour
)

// dialect is in what SQLite and PostgreSQL differ.
type dialect interface {
	// name is for people.
	name() string
	// migrations are the statements that make the tables, by goose.
	migrations() migrations
	// endSessions removes the sessions that a condition chooses, and tells those who watch.
	endSessions(condition string) string
	// renew has the next operation begin with fresh connections.
	renew(ctx context.Context)
	// check asks whether the database is there.
	check(ctx context.Context) error
	// isTransient is true for an error after which the same may work at once.
	isTransient(err error) bool
	// isRefusal is true for an error that is about the values of the operation, and not about the database.
	isRefusal(err error) bool
	// reason says in a few words what an error is about, and not where the database is.
	reason(err error) string
	// turn runs do while nobody else on the database has the turn of that name.
	turn(ctx context.Context, name string, do func(context.Context) error) error
	// watch is that of sessions.Store.
	watch(ctx context.Context, ended func(sessions.ID), lost func(bool)) error
	close()
}

// DB is a database that may be away. It is safe for concurrent use.
type DB struct {
	dialect dialect
	pool    *sql.DB
	log     *slog.Logger
	now     func() time.Time
	// made is when New was called.
	made time.Time
	// patience is how long an operation may take.
	patience time.Duration
	health   health
	turns    turns
}

// Open is New, but that the database can be used already where that takes no longer than ten seconds.
func Open(ctx context.Context, url string, log *slog.Logger) (*DB, error) {
	d, err := New(url, log)
	if err != nil {
		return nil, err
	}
	d.open(ctx)
	return d, nil
}

// New takes a PostgreSQL URL, or a path or URL of a SQLite file (DefaultPath when it is empty). Its only errors are of what
// is none of these, and it talks to nobody: to bring the database up is for Run, and Err says why it can't be used.
func New(url string, log *slog.Logger) (*DB, error) {
	where, err := readURL(url)
	if err != nil {
		return nil, err
	}
	d := &DB{log: log, now: time.Now, made: time.Now(), patience: operationTimeout, health: newHealth()}
	if where.file != "" {
		d.dialect, d.pool = openSQLite(where.file)
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

// Sessions keeps sessions.
func (d *DB) Sessions() sessions.Store { return sessionStore{d} }

// LastUses keeps last uses.
func (d *DB) LastUses() lastuse.Store { return useStore{d} }

// Audit keeps the audit trail.
func (d *DB) Audit() audit.Store { return auditStore{d} }

// SeenUsers returns the store of seen users.
func (d *DB) SeenUsers() seenusers.Store { return seenStore{d} }

// Run keeps Err current, brings the database up when it is back, and removes what has ended, until ctx ends.
func (d *DB) Run(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { d.keepWell(ctx) })
	both.Go(func() { d.keepSmall(ctx) })
	both.Wait()
}

func (d *DB) keepSmall(ctx context.Context) {
	for {
		if err := d.purge(ctx); err != nil && ctx.Err() == nil {
			d.log.Debug("What has ended could not be removed from the database", "err", err)
		}
		if !program.Pause(ctx, purgeEvery) {
			return
		}
	}
}

func (d *DB) purge(ctx context.Context) error {
	return errors.Join(
		d.Sessions().RemoveExpired(ctx, d.now()),
		d.exec(ctx, "remove old uses", "DELETE FROM last_uses WHERE used_at < $1", d.now().Add(-keepUses).UnixMicro()),
	)
}

// Close ends all connections. Operations that are under way end first.
func (d *DB) Close() error {
	err := d.pool.Close()
	d.dialect.close()
	return err
}
