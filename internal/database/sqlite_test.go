package database_test

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/internal/manage/audit"
)

func TestSQLite_KeepsData(t *testing.T) {
	path := dialects["SQLite"](t)
	t.Run("before", func(t *testing.T) {
		addSessions(t, open(t, path).Sessions(), "alice", 1)
	})
	if got := found(t, open(t, path).Sessions()); len(got) != 1 {
		t.Error(got)
	}
}

// An invalid file is reported, and a new one is created once it is out of the way.
func TestSQLite_RecoversFromInvalidFile(t *testing.T) {
	for name, content := range map[string][]byte{
		"text":      []byte(strings.Repeat("This is not a database.\n", 100)),
		"truncated": []byte("SQLite format 3\x00"),
		"zeros":     make([]byte, 8192),
		"a header": append(
			[]byte("SQLite format 3\x00\x10\x00\x01\x01\x00\x40\x20\x20"), bytes.Repeat([]byte{0xff}, 8192)...),
	} {
		t.Run(name, func(t *testing.T) {
			path := dialects["SQLite"](t)
			must(t, os.WriteFile(path, content, 0o600))
			d, _ := openLogged(t, path)
			expectDown(t, d)
			t.Log(d.Err())
			if why := d.Err().Error(); !strings.HasPrefix(why, "SQLite: ") || strings.Contains(why, path) {
				t.Errorf("the reason is %q", why)
			}
			must(t, os.Rename(path, path+".broken"))
			expectUp(t, d)
		})
	}
}

// checkpoint moves everything from the log into the file.
const checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)"

func TestSQLite_RecoversFromCorruption(t *testing.T) {
	path := dialects["SQLite"](t)
	d := open(t, path)
	must(t, d.Sessions().Add(t.Context(), session(1, "alice")), d.Do(t.Context(), checkpoint))
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	_, err = file.WriteAt(bytes.Repeat([]byte{0x5a}, 16<<10), 4096)
	must(t, err, file.Close(), d.Do(t.Context(), "PRAGMA shrink_memory"))
	eventually(t, "the fault is noticed", func() bool {
		for _, operation := range operations(t.Context(), d) {
			if err := operation(); err != nil && !errors.Is(err, database.ErrDown) {
				t.Fatal(err)
			}
		}
		return d.Err() != nil
	})
	t.Log(d.Err())
	must(t, os.Remove(path))
	expectUp(t, d)
}

func TestSQLite_RecoversFromTruncation(t *testing.T) {
	path := dialects["SQLite"](t)
	d := open(t, path)
	must(t, d.Do(t.Context(), checkpoint), os.Truncate(path, 0))
	for _, beside := range []string{"-wal", "-shm"} {
		if err := os.Truncate(path+beside, 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	}
	must(t, d.Do(t.Context(), "PRAGMA shrink_memory"))
	for _, operation := range operations(t.Context(), d) {
		if err := operation(); err != nil && !errors.Is(err, database.ErrDown) {
			t.Error(err)
		}
	}
	must(t, os.Remove(path))
	eventually(t, "the fault is noticed", func() bool { _, err := os.Stat(path); return err == nil })
	expectUp(t, d)
}

// Truncating a shared memory file would crash the program.
func TestSQLite_UsesNoSharedMemory(t *testing.T) {
	path := dialects["SQLite"](t)
	d := open(t, path)
	addSessions(t, d.Sessions(), "alice", 1)
	if _, err := os.Stat(path + "-wal"); err != nil {
		t.Error("no write-ahead log: ", err)
	}
	if _, err := os.Stat(path + "-shm"); !errors.Is(err, fs.ErrNotExist) {
		t.Error("shared memory: ", err)
	}
}

func TestSQLite_RecreatesRemovedFile(t *testing.T) {
	path := dialects["SQLite"](t)
	d, logged := openLogged(t, path)
	must(t, d.Sessions().Add(t.Context(), session(1, "alice")), os.Remove(path))
	eventually(t, "there is a new one", func() bool { _, err := os.Stat(path); return err == nil })
	expectUp(t, d)
	if len(logged.Lines("the file was removed or replaced")) != 1 {
		t.Error(logged)
	}
}

// A restored backup is the database from then on.
func TestSQLite_FollowsReplacedFile(t *testing.T) {
	path, backup := dialects["SQLite"](t), dialects["SQLite"](t)
	t.Run("backup", func(t *testing.T) { addSessions(t, open(t, backup).Sessions(), "alice", 7) })
	d := open(t, path)
	addSessions(t, d.Sessions(), "alice", 1, 2, 3)
	must(t, os.Rename(backup, path))
	eventually(t, "it has what the backup has", func() bool {
		one, err := d.Sessions().Find(t.Context(), session(7, "").ID)
		return err == nil && one != nil
	})
	if got := found(t, d.Sessions()); !slices.Equal(got, []byte{7}) {
		t.Error("data of the old file is left: ", got)
	}
	expectUp(t, d)
}

func TestSQLite_ReportsImpossiblePath(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600), os.Mkdir(filepath.Join(dir, "folder"), 0o700))
	for path, why := range map[string]string{
		filepath.Join(dir, "file", "keywright.db"): "SQLite: mkdir: not a directory",
		filepath.Join(dir, "folder"):               "SQLite: unable to open database file",
		"/proc/keywright.db":                       "SQLite: open: no such file or directory",
	} {
		d, _ := openLogged(t, path)
		expectDown(t, d)
		if got := d.Err().Error(); !strings.HasPrefix(got, why) {
			t.Errorf("%s: %q, want %q", path, got, why)
		}
	}
}

func TestSQLite_FullOrReadOnly(t *testing.T) {
	for name, c := range map[string]struct{ pragma, why string }{
		"full":      {"max_page_count(1)", "full"},
		"read-only": {"query_only(1)", "readonly"},
	} {
		t.Run(name, func(t *testing.T) {
			var faulty atomic.Bool
			path, log := dialects["SQLite"](t), slog.New(slog.DiscardHandler)
			d, err := database.OpenWith(t.Context(), path, log, func() []string {
				if faulty.Load() {
					return []string{c.pragma}
				}
				return nil
			})
			must(t, err, d.Err())
			use(t, d)
			faulty.Store(true)
			d.Renew(t.Context())
			eventually(t, "the fault is noticed", func() bool {
				err := d.Audit().Append(t.Context(), bigEntries())
				if err != nil && !errors.Is(err, database.ErrDown) {
					t.Fatal(err)
				}
				return err != nil && strings.Contains(err.Error(), c.why)
			})
			faulty.Store(false)
			expectUp(t, d)
		})
	}
}

func bigEntries() (entries []audit.Entry) {
	for range 100 {
		entries = append(entries, audit.Entry{At: noon, Detail: strings.Repeat("x", 500)})
	}
	return entries
}
