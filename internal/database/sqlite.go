package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"keywright.dev/keywright/internal/manage/sessions"
)

// sqliteFile is a database in a file, which one process has for itself. So SQLite needs no shared memory beside it: memory
// that somebody truncates would end the program.
type sqliteFile struct {
	path string
	pool *sql.DB
	// pragmas are for every new connection.
	pragmas func() []string
	// opened is what the connection has open.
	opened atomic.Pointer[files]
	// locked is held from the first connection on.
	locked *os.File
}

// files are a database and its write-ahead log, which is nil while there is none. A path may lead to others later.
type files struct{ database, log os.FileInfo }

// openSQLite opens nothing yet.
func openSQLite(path string) (dialect, *sql.DB) {
	f := &sqliteFile{path: path, pragmas: usual}
	f.pool = sql.OpenDB(f)
	f.pool.SetMaxOpenConns(1)
	f.pool.SetMaxIdleConns(1)
	return f, f.pool
}

func (*sqliteFile) name() string { return "SQLite" }

func (*sqliteFile) migrations() migrations {
	return migrations{goose.DialectSQLite3, "migrations/sqlite"}
}

// usual pragmas are set in this order: locking before the journal, for it decides whether there is shared memory.
func usual() []string {
	return []string{"locking_mode(EXCLUSIVE)", "journal_mode(WAL)", "synchronous(NORMAL)", "foreign_keys(1)", "trusted_schema(0)"}
}

// Connect makes the file, if it is not there, for its owner only: it has names and addresses in it.
func (f *sqliteFile) Connect(ctx context.Context) (driver.Conn, error) {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return nil, err
	}
	if err := f.lock(); err != nil {
		return nil, err
	}
	if err := f.create(); err != nil {
		return nil, err
	}
	if err := f.removeOldLog(); err != nil {
		return nil, err
	}
	connector, err := sqlite.NewConnector(f.source())
	if err != nil {
		return nil, err
	}
	connection, err := connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	now, err := f.look()
	if err != nil {
		return nil, errors.Join(err, connection.Close())
	}
	f.opened.Store(now)
	return connection, nil
}

func (f *sqliteFile) source() string {
	options := url.Values{"_pragma": f.pragmas(), "_busy_timeout": {"1000"}, "_txlock": {"immediate"}, "_error_rc": {"1"}, "_defensive": {"1"}}
	source := url.URL{Scheme: "file", Path: f.path, RawQuery: options.Encode()}
	return source.String()
}

// look sees what is at the path now.
func (f *sqliteFile) look() (*files, error) {
	database, err := os.Stat(f.path)
	if err != nil {
		return nil, err
	}
	log, err := os.Stat(f.logPath())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return &files{database, log}, nil
}

func (f *sqliteFile) logPath() string { return f.path + "-wal" }

// removeOldLog is for a database in the place of one that was open: SQLite leaves the log of that one where it is, and
// would take it for the new one's and spoil it. A log that came together with the new one stays.
func (f *sqliteFile) removeOldLog() error {
	opened := f.opened.Load()
	now, err := f.look()
	if err != nil || opened == nil || os.SameFile(now.database, opened.database) || now.log == nil {
		return err
	}
	if opened.log != nil && !os.SameFile(now.log, opened.log) {
		return nil
	}
	return os.Remove(f.logPath())
}

// Driver is asked for by database/sql.
func (*sqliteFile) Driver() driver.Driver { return &sqlite.Driver{} }

// create does not open a file that is there: to close it would drop the lock that this process has on it.
func (f *sqliteFile) create() error {
	file, err := os.OpenFile(f.path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return file.Close()
}

func (*sqliteFile) endSessions(condition string) string {
	return "DELETE FROM sessions WHERE " + condition
}

// renew opens the file anew: the one that is open may be gone from its folder, or its disk may have failed.
func (f *sqliteFile) renew(ctx context.Context) {
	if f.opened.Load() == nil {
		return
	}
	connection, err := f.pool.Conn(ctx)
	if err != nil {
		return
	}
	// A connection that is called bad is closed.
	_ = connection.Raw(func(any) error { return driver.ErrBadConn })
	_ = connection.Close()
}

var errGone = errors.New("the file is gone, or another has taken its place")

// check looks whether the file is the one that is open, and whether it can be read.
func (f *sqliteFile) check(ctx context.Context) error {
	opened := f.opened.Load()
	now, err := f.look()
	if err != nil || opened == nil || !os.SameFile(now.database, opened.database) {
		return errors.Join(errGone, err)
	}
	f.opened.Store(now)
	var at int64
	return f.pool.QueryRowContext(ctx, "SELECT at FROM probe").Scan(&at)
}

func (*sqliteFile) isTransient(error) bool { return false }

func (*sqliteFile) isRefusal(err error) bool {
	switch code(err) {
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_RANGE:
		return true
	}
	return false
}

// code is SQLite's primary one; 0: the error is none of its own.
func code(err error) int {
	const primary = 0xff
	var of *sqlite.Error
	if errors.As(err, &of) {
		return of.Code() & primary
	}
	return 0
}

func (*sqliteFile) reason(err error) string {
	var path *fs.PathError
	switch {
	case errors.Is(err, errGone):
		return errGone.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return slow
	case errors.Is(err, errTaken), code(err) == sqlite3.SQLITE_BUSY:
		return errTaken.Error()
	case errors.As(err, &path):
		// Without the path.
		return fmt.Sprintf("%s: %s", path.Op, path.Err)
	}
	return brief(err)
}

// turn needs no more than that nobody else in this process has it.
func (*sqliteFile) turn(ctx context.Context, _ string, do func(context.Context) error) error {
	return do(ctx)
}

// watch has nothing to tell: there is no other server.
func (*sqliteFile) watch(ctx context.Context, _ func(sessions.ID), lost func(bool)) error {
	lost(false)
	<-ctx.Done()
	return nil
}

func (f *sqliteFile) close() { f.unlock() }
