package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Errors of Migrate, for people.
var (
	errFromSQLite = errors.New("the database to move from must be a SQLite file")
	errToPostgres = errors.New("the database to move to must be a PostgreSQL")
	errNewer      = errors.New("the file was written by a newer server: use its program")
)

// Moved is what was copied of a table.
type Moved struct {
	Table string
	Rows  int64
}

// Migrate copies everything in a SQLite file into an empty PostgreSQL, all or nothing. It holds the file's lock, so
// that no server writes to it, and the tables of the target until the end. Rows are streamed.
func Migrate(ctx context.Context, from, to string, log *slog.Logger) (moved []Moved, err error) {
	source, err := openSource(ctx, from, log)
	if err != nil {
		return nil, fmt.Errorf("--from: %w", err)
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	target, err := openTarget(ctx, to, log)
	if err != nil {
		return nil, fmt.Errorf("--to: %w", err)
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	err = target.dialect.turn(ctx, "move", func(ctx context.Context) error {
		moved, err = copyAll(ctx, source, target.dialect.(*postgresServer))
		return err
	})
	return moved, err
}

// openSource brings the tables of the file to this version.
func openSource(ctx context.Context, url string, log *slog.Logger) (*DB, error) {
	where, err := readURL(url)
	switch {
	case err != nil:
		return nil, err
	case where.file == "":
		return nil, errFromSQLite
	}
	// A missing file would be created.
	if _, err := os.Stat(where.file); err != nil {
		return nil, err
	}
	d, err := usable(ctx, url, log)
	if errors.Is(err, errTaken) {
		err = fmt.Errorf("%w: stop the server that uses it", err)
	}
	if err != nil {
		return nil, err
	}
	if err := d.refuseNewer(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func openTarget(ctx context.Context, url string, log *slog.Logger) (*DB, error) {
	where, err := readURL(url)
	switch {
	case err != nil:
		return nil, err
	case where.postgres == "":
		return nil, errToPostgres
	}
	return usable(ctx, url, log)
}

// usable opens a database once, without waiting for it.
func usable(ctx context.Context, url string, log *slog.Logger) (*DB, error) {
	d, err := New(url, log)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, bringUpTimeout)
	defer cancel()
	if err = d.migrate(ctx); err == nil {
		err = d.probe(ctx)
	}
	if err == nil {
		return d, nil
	}
	// The reason has no password and no place.
	reason := fmt.Errorf("%s: %s", d.dialect.name(), d.dialect.reason(err))
	if errors.Is(err, errTaken) {
		reason = fmt.Errorf("%s: %w", d.dialect.name(), errTaken)
	}
	return nil, errors.Join(reason, d.Close())
}

// refuseNewer fails if the database has migrations that this program does not know, whose tables it would leave out.
func (d *DB) refuseNewer(ctx context.Context) error {
	provider, err := d.migrator()
	if err != nil {
		return err
	}
	version, err := provider.GetDBVersion(ctx)
	if err != nil {
		return err
	}
	if sources := provider.ListSources(); version > sources[len(sources)-1].Version {
		return errNewer
	}
	return nil
}

// moveLockTimeout bounds how long a server with open transactions may hold up the start.
const moveLockTimeout = 10 * time.Second

// lockNotAvailable is the SQLSTATE of a lock that was not granted in time.
const lockNotAvailable = "55P03"

// copyAll copies all tables in one transaction.
func copyAll(ctx context.Context, source *DB, target *postgresServer) (moved []Moved, err error) {
	connection, err := target.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer connection.Release()
	transaction, err := connection.Begin(ctx)
	if err != nil {
		return nil, err
	}
	// After the commit it does nothing.
	defer func() { _ = transaction.Rollback(context.WithoutCancel(ctx)) }()
	if err := claimTables(ctx, transaction); err != nil {
		return nil, err
	}
	for _, table := range growing {
		rows, err := copyTable(ctx, source, transaction, table)
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", table, err)
		}
		moved = append(moved, Moved{table, rows})
	}
	if err := compare(ctx, transaction, moved); err != nil {
		return nil, err
	}
	return moved, transaction.Commit(ctx)
}

// claimTables locks the tables of the target against writers, and refuses one that has rows.
func claimTables(ctx context.Context, target pgx.Tx) error {
	if _, err := target.Exec(ctx, fmt.Sprintf("SET LOCAL lock_timeout = %d", moveLockTimeout.Milliseconds())); err != nil {
		return err
	}
	_, err := target.Exec(ctx, "LOCK TABLE "+strings.Join(growing, ", ")+" IN EXCLUSIVE MODE")
	if reply := (*pgconn.PgError)(nil); errors.As(err, &reply) && reply.Code == lockNotAvailable {
		return errors.New("--to: the tables are in use: stop the servers that use it")
	}
	if err != nil {
		return err
	}
	for _, table := range growing {
		var some bool
		if err := target.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM "+table+")").Scan(&some); err != nil {
			return err
		}
		if some {
			return fmt.Errorf("--to: table %s has rows already: the target must be empty; drop the tables of a server "+
				"that ran there, or use another database", table)
		}
	}
	return nil
}

// copyTable streams the rows of a table, and continues the numbers that its rows get.
func copyTable(ctx context.Context, source *DB, target pgx.Tx, table string) (int64, error) {
	columns, err := columnNames(ctx, source, table)
	if err != nil {
		return 0, err
	}
	// The file has one connection, which the rows hold until the end.
	//nolint:gosec // the names of columns are those of the migrations
	rows, err := source.pool.QueryContext(ctx, "SELECT "+strings.Join(columns, ", ")+" FROM "+table)
	if err != nil {
		return 0, err
	}
	copied, err := target.CopyFrom(ctx, pgx.Identifier{table}, columns, &stream{Rows: rows, width: len(columns)})
	if err := errors.Join(err, rows.Close()); err != nil {
		return 0, err
	}
	return copied, errors.Join(sameCount(ctx, source, table, copied), continueNumbers(ctx, source, target, table))
}

func columnNames(ctx context.Context, source *DB, table string) ([]string, error) {
	rows, err := source.pool.QueryContext(ctx, "SELECT name FROM pragma_table_info($1) ORDER BY cid", table)
	if err != nil {
		return nil, err
	}
	return collect(rows, readText)
}

func sameCount(ctx context.Context, source *DB, table string, copied int64) error {
	var stored int64
	if err := source.pool.QueryRowContext(ctx, "SELECT count(*) FROM "+table).Scan(&stored); err != nil {
		return err
	}
	return equalCounts(stored, copied)
}

func equalCounts(stored, copied int64) error {
	if stored != copied {
		return fmt.Errorf("%d rows were copied, and there are %d", copied, stored)
	}
	return nil
}

// continueNumbers lets the numbers of new rows begin after all that the source has given, also to removed rows.
func continueNumbers(ctx context.Context, source *DB, target pgx.Tx, table string) error {
	var last int64
	err := source.pool.QueryRowContext(ctx, "SELECT seq FROM sqlite_sequence WHERE name = $1", table).Scan(&last)
	if errors.Is(err, sql.ErrNoRows) || err == nil && last == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	var column string
	err = source.pool.QueryRowContext(ctx, "SELECT name FROM pragma_table_info($1) WHERE pk = 1", table).Scan(&column)
	if err != nil {
		return err
	}
	_, err = target.Exec(ctx, "SELECT setval(pg_get_serial_sequence($1, $2), $3)", table, column, last)
	return err
}

// compare counts the rows in the target.
func compare(ctx context.Context, target pgx.Tx, moved []Moved) error {
	for _, m := range moved {
		var stored int64
		if err := target.QueryRow(ctx, "SELECT count(*) FROM "+m.Table).Scan(&stored); err != nil {
			return err
		}
		if err := equalCounts(m.Rows, stored); err != nil {
			return fmt.Errorf("table %s: %w", m.Table, err)
		}
	}
	return nil
}

// stream is pgx.CopyFromSource of rows.
type stream struct {
	*sql.Rows
	width int
}

// Values is part of pgx.CopyFromSource.
func (s *stream) Values() ([]any, error) {
	values, into := make([]any, s.width), make([]any, s.width)
	for i := range values {
		into[i] = &values[i]
	}
	return values, s.Scan(into...)
}
