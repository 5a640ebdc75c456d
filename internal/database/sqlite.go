package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"keywright.dev/keywright/internal/manage/sessions"
)

// sqliteFile is a database in a file that only one process uses. SQLite then needs no shared memory file, whose
// truncation would crash the program.
type sqliteFile struct {
	path string
	pool *sql.DB
	// pragmas apply to every new connection.
	pragmas func() []string
	// opened are the files of the current connection.
	opened atomic.Pointer[files]
	// locked is the lock file, held from the first connection on.
	locked *os.File
	log    *slog.Logger
	// space measures the volume of a folder.
	space   func(folder string) (Volume, error)
	reserve reserve
}

// files are a database and its write-ahead log, which may be nil. Other files may later be at the same paths.
type files struct{ database, log os.FileInfo }

// openSQLite does not open the file yet.
func openSQLite(path string, log *slog.Logger) (dialect, *sql.DB) {
	f := &sqliteFile{
		path: path, pragmas: defaultPragmas, log: log, space: statfs, reserve: reserve{path: path + ".reserve"},
	}
	f.pool = sql.OpenDB(f)
	f.pool.SetMaxOpenConns(1)
	f.pool.SetMaxIdleConns(1)
	return f, f.pool
}

func (*sqliteFile) name() string { return "SQLite" }

func (*sqliteFile) migrations() migrations {
	return migrations{goose.DialectSQLite3, "migrations/sqlite"}
}

// defaultPragmas sets the locking mode first, because it decides whether the journal uses shared memory.
func defaultPragmas() []string {
	return []string{
		"locking_mode(EXCLUSIVE)", "journal_mode(WAL)", "synchronous(NORMAL)", "foreign_keys(1)", "trusted_schema(0)",
	}
}

// Connect creates a missing file for its owner only, because it contains names and addresses.
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
	now, err := f.stat()
	if err != nil {
		return nil, errors.Join(err, connection.Close())
	}
	f.opened.Store(now)
	return connection, nil
}

func (f *sqliteFile) source() string {
	options := url.Values{
		"_pragma": f.pragmas(), "_busy_timeout": {"1000"}, "_txlock": {"immediate"}, "_error_rc": {"1"}, "_defensive": {"1"},
	}
	source := url.URL{Scheme: "file", Path: f.path, RawQuery: options.Encode()}
	return source.String()
}

// stat returns the files that are at the paths now.
func (f *sqliteFile) stat() (*files, error) {
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

// removeOldLog is for a database that replaced an open one: SQLite leaves the log of the old database in place,
// and would apply it to the new one and corrupt it. A log that came with the new database stays.
func (f *sqliteFile) removeOldLog() error {
	opened := f.opened.Load()
	now, err := f.stat()
	if err != nil || opened == nil || os.SameFile(now.database, opened.database) || now.log == nil {
		return err
	}
	if opened.log != nil && !os.SameFile(now.log, opened.log) {
		return nil
	}
	return os.Remove(f.logPath())
}

// Driver is part of driver.Connector.
func (*sqliteFile) Driver() driver.Driver { return &sqlite.Driver{} }

// create does not open an existing file: closing it would release the locks that this process has on it.
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

// renew reopens the file: the open one may have been removed, or its disk may have failed.
func (f *sqliteFile) renew(ctx context.Context) {
	if f.opened.Load() == nil {
		return
	}
	connection, err := f.pool.Conn(ctx)
	if err != nil {
		return
	}
	// The pool closes a bad connection.
	_ = connection.Raw(func(any) error { return driver.ErrBadConn })
	_ = connection.Close()
}

var errGone = errors.New("the file was removed or replaced")

// check reports whether the open file is still at the path and can be read.
func (f *sqliteFile) check(ctx context.Context) error {
	opened := f.opened.Load()
	now, err := f.stat()
	if err != nil || opened == nil || !os.SameFile(now.database, opened.database) {
		return errors.Join(errGone, err)
	}
	f.opened.Store(now)
	var at int64
	return f.pool.QueryRowContext(ctx, "SELECT at FROM probe").Scan(&at)
}

// isTransient makes room on a full volume, once.
func (f *sqliteFile) isTransient(err error) bool {
	if !isFull(err) || !f.reserve.release() {
		return false
	}
	f.log.Error("The volume of the database is full: the reserved space is in use now", "file", f.path)
	return true
}

// sampledPages is how many pages of a table or index are read for its size: 8 MiB.
const sampledPages = 2000

// sizeOf counts the pages of a table and its indexes. Of a large one it reads some, and concludes from their rows to
// all: to read gigabytes would hold up everything else.
func (*sqliteFile) sizeOf(rows int64) string {
	return fmt.Sprintf("SELECT coalesce(sum(size), 0) FROM (SELECT (SELECT CASE WHEN count(*) < %[1]d OR sum(cells) = 0"+
		" THEN sum(pgsize) ELSE sum(pgsize) * %[2]d / sum(cells) END FROM (SELECT pgsize,"+
		" CASE WHEN pagetype = 'leaf' THEN ncell ELSE 0 END AS cells FROM dbstat WHERE name = tree.name LIMIT %[1]d))"+
		" AS size FROM sqlite_schema AS tree WHERE tbl_name = $1)", sampledPages, max(rows, 0))
}

func (*sqliteFile) isRefusal(err error) bool {
	switch code(err) {
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_RANGE:
		return true
	}
	return false
}

// code returns SQLite's primary error code, or 0 for other errors.
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
		return noResponse
	case errors.Is(err, errTaken), code(err) == sqlite3.SQLITE_BUSY:
		return errTaken.Error()
	case errors.As(err, &path):
		// The text of the error contains the path.
		return fmt.Sprintf("%s: %s", path.Op, path.Err)
	}
	return brief(err)
}

// turn needs no lock of its own: only this process uses the file, and DB.Turn excludes other goroutines.
func (*sqliteFile) turn(ctx context.Context, _ string, do func(context.Context) error) error {
	return do(ctx)
}

// watch never calls ended: there is no other server.
func (*sqliteFile) watch(ctx context.Context, _ func(sessions.ID), lost func(bool)) error {
	lost(false)
	<-ctx.Done()
	return nil
}

func (f *sqliteFile) close() { f.unlock() }

var errTaken = errors.New("another process has the file open")

// lock makes this process the only one that opens the database. SQLite's own locks do not suffice: two processes
// that start together may each get a lock that the other needs, again and again.
func (f *sqliteFile) lock() error {
	if f.isLocked() {
		return nil
	}
	f.unlock()
	file, err := os.OpenFile(f.lockPath(), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	// The system releases the lock however the process ends.
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = errTaken
		}
		return errors.Join(err, file.Close())
	}
	f.locked = file
	return nil
}

func (f *sqliteFile) lockPath() string { return f.path + ".lock" }

// isLocked reports whether this process holds the lock, and on the file that another process would find.
func (f *sqliteFile) isLocked() bool {
	if f.locked == nil {
		return false
	}
	ours, err := f.locked.Stat()
	if err != nil {
		return false
	}
	found, err := os.Stat(f.lockPath())
	return err == nil && os.SameFile(ours, found)
}

// unlock keeps the file, because another process may have it open and wait for it.
func (f *sqliteFile) unlock() {
	if f.locked != nil {
		_ = f.locked.Close()
		f.locked = nil
	}
}
