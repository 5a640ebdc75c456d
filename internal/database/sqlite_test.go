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

func TestASQLiteFileKeepsWhatItHas(t *testing.T) {
	path := dialects["SQLite"](t)
	t.Run("before", func(t *testing.T) {
		addSessions(t, open(t, path).Sessions(), "alice", 1)
	})
	if got := there(t, open(t, path).Sessions()); len(got) != 1 {
		t.Error(got)
	}
}

// Files that are no database, or not any more, are told; and when they are away, all is well again.
func TestASQLiteFileThatIsNone(t *testing.T) {
	for name, content := range map[string][]byte{
		"text":      []byte(strings.Repeat("This is no database.\n", 100)),
		"truncated": []byte("SQLite format 3\x00"),
		"zeros":     make([]byte, 8192),
		"a header":  append([]byte("SQLite format 3\x00\x10\x00\x01\x01\x00\x40\x20\x20"), bytes.Repeat([]byte{0xff}, 8192)...),
	} {
		t.Run(name, func(t *testing.T) {
			path := dialects["SQLite"](t)
			must(t, os.WriteFile(path, content, 0o600))
			d, _ := openLogged(t, path)
			expectDown(t, d)
			t.Log(d.Err())
			if why := d.Err().Error(); !strings.HasPrefix(why, "SQLite: ") || strings.Contains(why, path) {
				t.Errorf("callers are told %q", why)
			}
			must(t, os.Rename(path, path+".broken"))
			expectUp(t, d)
		})
	}
}

// checkpoint has everything in the file itself.
const checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)"

func TestASQLiteFileThatBreaks(t *testing.T) {
	path := dialects["SQLite"](t)
	d := open(t, path)
	must(t, d.Sessions().Add(t.Context(), session(1, "alice")), d.Do(t.Context(), checkpoint))
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	_, err = file.WriteAt(bytes.Repeat([]byte{0x5a}, 16<<10), 4096)
	must(t, err, file.Close(), d.Do(t.Context(), "PRAGMA shrink_memory"))
	eventually(t, "it is noticed", func() bool {
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

func TestASQLiteFileThatIsTruncated(t *testing.T) {
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
	eventually(t, "it is noticed", func() bool { _, err := os.Stat(path); return err == nil })
	expectUp(t, d)
}

// There is no memory that somebody could truncate under us, and end the program with it.
func TestSQLiteSharesNoMemory(t *testing.T) {
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

func TestASQLiteFileThatVanishes(t *testing.T) {
	path := dialects["SQLite"](t)
	d, said := openLogged(t, path)
	must(t, d.Sessions().Add(t.Context(), session(1, "alice")), os.Remove(path))
	eventually(t, "there is a new one", func() bool { _, err := os.Stat(path); return err == nil })
	expectUp(t, d)
	if len(said.Lines("the file is gone, or another has taken its place")) != 1 {
		t.Error(said)
	}
}

// Another file that takes its place is the database from then on: a backup.
func TestASQLiteFileIsReplaced(t *testing.T) {
	path, backup := dialects["SQLite"](t), dialects["SQLite"](t)
	t.Run("backup", func(t *testing.T) { addSessions(t, open(t, backup).Sessions(), "alice", 7) })
	d := open(t, path)
	addSessions(t, d.Sessions(), "alice", 1, 2, 3)
	must(t, os.Rename(backup, path))
	eventually(t, "it has what the backup has", func() bool {
		one, err := d.Sessions().Find(t.Context(), session(7, "").ID)
		return err == nil && one != nil
	})
	if got := there(t, d.Sessions()); !slices.Equal(got, []byte{7}) {
		t.Error("and nothing of what was there before: ", got)
	}
	expectUp(t, d)
}

func TestASQLiteFileThatCantBe(t *testing.T) {
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

func TestASQLiteFileThatIsFullOrReadOnly(t *testing.T) {
	for name, c := range map[string]struct{ pragma, why string }{
		"full":      {"max_page_count(1)", "full"},
		"read-only": {"query_only(1)", "readonly"},
	} {
		t.Run(name, func(t *testing.T) {
			var afflicted atomic.Bool
			d, err := database.OpenWith(t.Context(), dialects["SQLite"](t), slog.New(slog.DiscardHandler), func() []string {
				if afflicted.Load() {
					return []string{c.pragma}
				}
				return nil
			})
			must(t, err, d.Err())
			use(t, d)
			afflicted.Store(true)
			d.Renew(t.Context())
			eventually(t, "it is noticed", func() bool {
				err := d.Audit().Append(t.Context(), bigEntries())
				if err != nil && !errors.Is(err, database.ErrDown) {
					t.Fatal(err)
				}
				return err != nil && strings.Contains(err.Error(), c.why)
			})
			afflicted.Store(false)
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
