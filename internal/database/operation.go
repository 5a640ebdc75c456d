package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// operationTimeout leaves room in the 2 seconds for what callers do besides.
const operationTimeout = 1500 * time.Millisecond

// do is how every operation is done: bounded in time, once more after an error that may have been of the moment, and not
// at all while the database is known to be away. What it does may so be done twice.
func (d *DB) do(ctx context.Context, what string, operation func(context.Context) error) error {
	if why := d.Err(); why != nil {
		return fmt.Errorf("%s: %w", what, unavailable(why))
	}
	bounded, cancel := context.WithTimeout(ctx, d.patience)
	defer cancel()
	err := d.try(bounded, operation)
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, d.judge(ctx, what, err))
}

// try does it once more with fresh connections when it broke: of those in the pool, others may be broken too.
func (d *DB) try(ctx context.Context, operation func(context.Context) error) error {
	err := operation(ctx)
	if err == nil || ctx.Err() != nil || !d.dialect.isTransient(err) {
		return err
	}
	d.dialect.renew(ctx)
	return operation(ctx)
}

// judge tells whether it was the database that failed.
func (d *DB) judge(ctx context.Context, what string, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return context.Cause(ctx)
	case ctx.Err() != nil:
		// The caller gave it less time than we do.
		return unavailable(context.Cause(ctx))
	case d.dialect.isRefusal(err):
		return err
	}
	return d.down(what, err)
}

func (d *DB) exec(ctx context.Context, what, statement string, parameters ...any) error {
	return d.do(ctx, what, func(ctx context.Context) error {
		_, err := d.pool.ExecContext(ctx, statement, parameters...)
		return err
	})
}

// transact does all of it or nothing.
func (d *DB) transact(ctx context.Context, what string, all func(context.Context, *sql.Tx) error) error {
	return d.do(ctx, what, func(ctx context.Context) error {
		transaction, err := d.pool.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = transaction.Rollback() }()
		if err := all(ctx, transaction); err != nil {
			return err
		}
		return transaction.Commit()
	})
}

// row is what a result is read from.
type row interface{ Scan(into ...any) error }

// query returns all rows of a result.
func query[T any](ctx context.Context, d *DB, what string, read func(row) (T, error), statement string, parameters ...any) (all []T, err error) {
	err = d.do(ctx, what, func(ctx context.Context) error {
		all = nil
		rows, err := d.pool.QueryContext(ctx, statement, parameters...)
		if err != nil {
			return err
		}
		all, err = collect(rows, read)
		return err
	})
	return all, err
}

func collect[T any](rows *sql.Rows, read func(row) (T, error)) (all []T, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		one, err := read(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}
