package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// operationTimeout leaves callers a part of the 2 seconds in the package comment.
const operationTimeout = 1500 * time.Millisecond

// do runs an operation in bounded time. It fails at once while the database is known to be unavailable, and
// runs the operation a second time after a transient error, so operations must be idempotent.
func (d *DB) do(ctx context.Context, what string, operation func(context.Context) error) error {
	if err := d.Err(); err != nil {
		return fmt.Errorf("%s: %w", what, unavailable(err))
	}
	bounded, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	err := d.try(bounded, operation)
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, d.classify(ctx, what, err))
}

// try retries with fresh connections: if one in the pool broke, others may be broken too.
func (d *DB) try(ctx context.Context, operation func(context.Context) error) error {
	err := operation(ctx)
	if err == nil || ctx.Err() != nil || !d.dialect.isTransient(err) {
		return err
	}
	d.dialect.renew(ctx)
	return operation(ctx)
}

// classify distinguishes failures of the database from those of the caller and of the values.
func (d *DB) classify(ctx context.Context, what string, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return context.Cause(ctx)
	case ctx.Err() != nil:
		// The caller's deadline was shorter than ours.
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

// transact runs statements in one transaction.
func (d *DB) transact(ctx context.Context, what string, statements func(context.Context, *sql.Tx) error) error {
	return d.do(ctx, what, func(ctx context.Context) error {
		transaction, err := d.pool.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = transaction.Rollback() }()
		if err := statements(ctx, transaction); err != nil {
			return err
		}
		return transaction.Commit()
	})
}

// row is implemented by *sql.Row and *sql.Rows.
type row interface{ Scan(into ...any) error }

// query returns all rows of a result.
func query[T any](
	ctx context.Context, d *DB, what string, read func(row) (T, error), statement string, parameters ...any,
) (all []T, err error) {
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

const (
	// noResponse is the reason of a timeout.
	noResponse = "no response in time"
	// maxReason bounds the text of a driver or a server, in bytes.
	maxReason = 200
)

// brief returns the innermost text of an error in one line. The outer texts contain the location of the
// database, which belongs in the log only.
func brief(err error) string {
	text := strings.Join(strings.Fields(innermost(err).Error()), " ")
	if len(text) <= maxReason {
		return text
	}
	cut := maxReason
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}

// innermost follows the first of several errors.
func innermost(err error) error {
	for {
		inner := errors.Unwrap(err)
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			inner = many.Unwrap()[0]
		}
		if inner == nil {
			return err
		}
		err = inner
	}
}
