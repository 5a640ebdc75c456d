package database

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// checkEvery is how often a database that was there is asked whether it still is, and retryEvery one that was not.
	checkEvery = time.Second
	retryEvery = 500 * time.Millisecond
	// bringUpTimeout bounds migrations, and waiting for another server that migrates.
	bringUpTimeout = 10 * time.Minute
)

// ErrDown is wrapped by every operation that the database could not do, for it is away, full or broken.
var ErrDown = errors.New("the database is unavailable")

// errNotYet is what there is to say until the database was asked.
var errNotYet = errors.New("it has not been asked yet")

// health is whether the database can be used, and why not.
type health struct {
	mu    sync.Mutex
	why   error
	since time.Time
	// failed has something to read when an operation did.
	failed chan struct{}
}

func newHealth() health { return health{why: errNotYet, failed: make(chan struct{}, 1)} }

// Err is nil while the database can be used, and else says why not, without ErrDown's words: for people.
func (d *DB) Err() error {
	d.health.mu.Lock()
	defer d.health.mu.Unlock()
	return d.health.why
}

// Starting is an error until it is known whether the database can be used, for ten seconds at the most.
func (d *DB) Starting() error {
	if why := d.Err(); errors.Is(why, errNotYet) && d.now().Sub(d.made) < openTimeout {
		return why
	}
	return nil
}

// down notes that the database can't be used, and returns the error of whoever found out.
func (d *DB) down(what string, err error) error {
	why := fmt.Errorf("%s: %s", d.dialect.name(), d.dialect.reason(err))
	d.health.mu.Lock()
	defer d.health.mu.Unlock()
	if d.health.why == nil || d.health.since.IsZero() {
		d.health.since = d.now()
		d.log.Error("The database is unavailable", "operation", what, "err", err)
	}
	d.health.why = why
	select {
	case d.health.failed <- struct{}{}:
	default:
	}
	return unavailable(why)
}

func (d *DB) up() {
	d.health.mu.Lock()
	defer d.health.mu.Unlock()
	if !d.health.since.IsZero() {
		d.log.Info("The database is available again", "after", d.now().Sub(d.health.since).Round(time.Millisecond))
	}
	d.health.why, d.health.since = nil, time.Time{}
}

func unavailable(why error) error { return fmt.Errorf("%w: %w", ErrDown, why) }

// keepWell asks after the database, at once when an operation failed or it has never been asked.
func (d *DB) keepWell(ctx context.Context) {
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
		timer.Reset(d.look(ctx))
	}
}

// look returns when to look again.
func (d *DB) look(ctx context.Context) time.Duration {
	if d.Err() == nil {
		d.check(ctx)
	}
	if d.Err() == nil {
		return checkEvery
	}
	ctx, cancel := context.WithTimeout(ctx, bringUpTimeout)
	defer cancel()
	d.bringUp(ctx)
	// It was looked after.
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
	asking, cancel := context.WithTimeout(ctx, d.patience)
	defer cancel()
	if err := d.try(asking, d.dialect.check); err != nil && ctx.Err() == nil {
		_ = d.down("check", err)
	}
}

// bringUp makes a database usable, and finds out whether it is: one that answers may still refuse to be written to.
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
	ctx, cancel := context.WithTimeout(ctx, d.patience)
	defer cancel()
	_, err := d.pool.ExecContext(ctx, "UPDATE probe SET at = $1 WHERE id = 1", d.now().UnixMicro())
	return err
}
