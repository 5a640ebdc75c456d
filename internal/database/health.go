package database

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/pressly/goose/v3"
)

const (
	// checkEvery is how often a usable database is checked, and retryEvery an unavailable one.
	checkEvery = time.Second
	retryEvery = 500 * time.Millisecond
	// bringUpTimeout bounds migrations, and the wait for another server's migrations.
	bringUpTimeout = 10 * time.Minute
)

// ErrDown is wrapped by the errors of operations that failed because the database is unreachable, full or broken.
var ErrDown = errors.New("the database is unavailable")

// errUnchecked is the state before the first check.
var errUnchecked = errors.New("not checked yet")

// health is the state of the database as of the last check or operation.
type health struct {
	mu sync.Mutex
	// err is nil while the database can be used.
	err   error
	since time.Time
	// answered is true from the first check that succeeded.
	answered bool
	// failed receives a value after a failed operation.
	failed chan struct{}
}

func newHealth() health { return health{err: errUnchecked, failed: make(chan struct{}, 1)} }

// Err returns nil while the database can be used. Its error is a reason for people, without the words of ErrDown.
func (d *DB) Err() error {
	d.health.mu.Lock()
	defer d.health.mu.Unlock()
	return d.health.err
}

// Answered reports whether the database could be used at any time since New.
func (d *DB) Answered() bool {
	d.health.mu.Lock()
	defer d.health.mu.Unlock()
	return d.health.answered
}

// Starting returns an error until the first check has ended, for ten seconds at the most.
func (d *DB) Starting() error {
	if err := d.Err(); errors.Is(err, errUnchecked) && d.now().Sub(d.createdAt) < openTimeout {
		return err
	}
	return nil
}

// down records that the database cannot be used, and returns the error for the caller of the failed operation.
func (d *DB) down(operation string, cause error) error {
	err := fmt.Errorf("%s: %s", d.dialect.name(), d.dialect.reason(cause))
	d.health.mu.Lock()
	defer d.health.mu.Unlock()
	if d.health.err == nil || d.health.since.IsZero() {
		d.health.since = d.now()
		d.log.Error("The database is unavailable", "operation", operation, "error", cause)
	}
	d.health.err = err
	select {
	case d.health.failed <- struct{}{}:
	default:
	}
	return unavailable(err)
}

func (d *DB) up() {
	d.health.mu.Lock()
	defer d.health.mu.Unlock()
	if !d.health.since.IsZero() {
		outage := d.now().Sub(d.health.since).Round(time.Millisecond)
		d.log.Info("The database is available again", "after", outage)
	}
	d.health.err, d.health.since, d.health.answered = nil, time.Time{}, true
}

func unavailable(err error) error { return fmt.Errorf("%w: %w", ErrDown, err) }

// monitor checks the database regularly, and at once after a failed operation or if it was never checked.
func (d *DB) monitor(ctx context.Context) {
	timer := time.NewTimer(checkEvery)
	if d.Err() != nil {
		timer.Reset(0)
	}
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.health.failed:
		case <-timer.C:
		}
		timer.Reset(d.checkOrBringUp(ctx))
	}
}

// checkOrBringUp returns when to check again.
func (d *DB) checkOrBringUp(ctx context.Context) time.Duration {
	if d.Err() == nil {
		d.check(ctx)
	}
	if d.Err() == nil {
		return checkEvery
	}
	ctx, cancel := context.WithTimeout(ctx, bringUpTimeout)
	defer cancel()
	d.bringUp(ctx)
	// Discard failures that were reported before this attempt.
	select {
	case <-d.health.failed:
	default:
	}
	if d.Err() == nil {
		return checkEvery
	}
	return retryEvery
}

func (d *DB) check(ctx context.Context) {
	bounded, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	if err := d.try(bounded, d.dialect.check); err != nil && ctx.Err() == nil {
		_ = d.down("check", err)
	}
}

// bringUp migrates and probes the database. The probe writes, because a database that can be read may still
// refuse writes.
func (d *DB) bringUp(ctx context.Context) {
	d.dialect.renew(ctx)
	err := d.migrate(ctx)
	if err == nil {
		err = d.probe(ctx)
	}
	switch {
	case err == nil:
		d.up()
	case !errors.Is(ctx.Err(), context.Canceled):
		_ = d.down("bring up", err)
	}
}

func (d *DB) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	return d.try(ctx, func(ctx context.Context) error {
		_, err := d.pool.ExecContext(ctx, "UPDATE probe SET at = $1 WHERE id = 1", d.now().UnixMicro())
		return err
	})
}

//go:embed migrations
var embedded embed.FS

// migrations are the statements of one dialect.
type migrations struct {
	dialect goose.Dialect
	folder  string
}

// versionTable belongs to goose.
const versionTable = "schema_migrations"

// migrate brings the tables to this version. Servers that start together take turns. Migrations are never
// reverted: an older server works with newer tables.
func (d *DB) migrate(ctx context.Context) error {
	return d.dialect.turn(ctx, "migrations", func(ctx context.Context) error {
		provider, err := d.migrator()
		if err != nil {
			return fmt.Errorf("migrations: %w", err)
		}
		_, err = provider.Up(ctx)
		return err
	})
}

func (d *DB) migrator() (*goose.Provider, error) {
	of := d.dialect.migrations()
	files, err := fs.Sub(embedded, of.folder)
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(of.dialect, d.pool, files,
		goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
}
