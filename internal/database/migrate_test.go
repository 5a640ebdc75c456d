package database_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"keywright.dev/keywright/internal/database"
)

// filled returns a SQLite file with rows in every table, made by its columns, so that a new table is copied as well. It
// also returns the rows of each table.
func filled(t *testing.T) (path string, rows map[string]int64) {
	t.Helper()
	path, rows = dialects["SQLite"](t), map[string]int64{}
	d, err := database.OpenPatiently(t.Context(), path, slog.New(slog.DiscardHandler))
	must(t, err, d.Err())
	tables, err := d.Names(t.Context(), "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"+
		" AND name NOT IN ('probe', 'schema_migrations') ORDER BY name")
	must(t, err)
	for i, table := range tables {
		columns, err := d.Names(t.Context(),
			"SELECT name || ' ' || type FROM pragma_table_info('"+table+"') ORDER BY cid")
		must(t, err)
		for row := range int64(i + 1) {
			must(t, d.Do(t.Context(), "INSERT INTO "+table+" VALUES ("+strings.Join(values(columns, row), ", ")+")"))
		}
		rows[table] = int64(i + 1)
	}
	must(t, d.Close())
	return path, rows
}

// values returns the values of a row, as SQL.
func values(columns []string, row int64) (all []string) {
	for i, column := range columns {
		name, kind, _ := strings.Cut(column, " ")
		switch {
		case name == "duration_ms" || name == "settled" || name == "count":
			all = append(all, "1")
		case kind == "BLOB":
			all = append(all, fmt.Sprintf("x'00ff%02x%02x'", i, row))
		case kind == "TEXT":
			all = append(all, fmt.Sprintf("'%s ü %d'", name, row))
		default:
			all = append(all, fmt.Sprint(1000*int64(i+1)+row))
		}
	}
	return all
}

// idle opens a database that removes no row, however old.
func idle(t *testing.T, url string) *database.DB {
	t.Helper()
	d, err := database.OpenPatiently(t.Context(), url, slog.New(slog.DiscardHandler))
	must(t, err, d.Err())
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// dump returns all rows of a table as texts.
func dump(t *testing.T, d *database.DB, table string) []string {
	t.Helper()
	result, err := d.Pool().QueryContext(t.Context(), "SELECT * FROM "+table)
	must(t, err)
	defer func() { _ = result.Close() }()
	columns, err := result.Columns()
	must(t, err)
	var all []string
	for result.Next() {
		row, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		must(t, result.Scan(into...))
		text := ""
		for i, value := range row {
			text += fmt.Sprintf("%s=%v ", columns[i], value)
		}
		all = append(all, text)
	}
	must(t, result.Err())
	slices.Sort(all)
	return all
}

func TestMigrate_CopiesEveryRowOfEveryTable(t *testing.T) {
	path, rows := filled(t)
	url := emptyPostgres(t)
	moved, err := database.Migrate(t.Context(), path, url, slog.New(slog.DiscardHandler))
	must(t, err)
	got := map[string]int64{}
	for _, m := range moved {
		got[m.Table] = m.Rows
	}
	if !maps.Equal(got, rows) {
		t.Errorf("moved %v, want %v", got, rows)
	}
	source, target := idle(t, path), idle(t, url)
	for table := range rows {
		if from, to := dump(t, source, table), dump(t, target, table); !slices.Equal(from, to) {
			t.Errorf("%s:\n%s\nwant\n%s", table, strings.Join(to, "\n"), strings.Join(from, "\n"))
		}
	}
	// New rows get numbers after those of the file.
	for table, column := range map[string]string{"audit": "id", "revoked_keys": "number", "usage_records": "number"} {
		var next, last int64
		must(t, target.Pool().QueryRowContext(t.Context(), "SELECT max("+column+") FROM "+table).Scan(&last))
		must(t, target.Pool().QueryRowContext(t.Context(),
			"SELECT nextval(pg_get_serial_sequence($1, $2))", table, column).Scan(&next))
		if next != last+1 {
			t.Errorf("%s: the next number is %d after %d", table, next, last)
		}
	}
}

// A refused migration changes nothing, and says what to do.
func TestMigrate_Refuses(t *testing.T) {
	path, _ := filled(t)
	empty := emptyPostgres(t)
	for name, c := range map[string]struct {
		from, to func(t *testing.T) string
		says     string
	}{
		"a file in use": {
			from: func(t *testing.T) string {
				t.Helper()
				used, _ := filled(t)
				idle(t, used)
				return used
			},
			says: "another process has the file open: stop the server",
		},
		"a missing file": {
			from: func(t *testing.T) string { t.Helper(); return filepath.Join(t.TempDir(), "none.db") },
			says: "no such file",
		},
		"something else than a file": {from: func(*testing.T) string { return empty }, says: "must be a SQLite file"},
		"no database": {
			from: func(t *testing.T) string {
				t.Helper()
				text := filepath.Join(t.TempDir(), "text")
				must(t, os.WriteFile(text, []byte(strings.Repeat("no database ", 100)), 0o600))
				return text
			},
			says: "file is not a database",
		},
		"a newer file": {
			from: func(t *testing.T) string {
				t.Helper()
				newer, _ := filled(t)
				d := idle(t, newer)
				must(t, d.Do(t.Context(), "INSERT INTO schema_migrations (version_id, is_applied) VALUES (99999, 1)"))
				must(t, d.Close())
				return newer
			},
			says: "newer server",
		},
		"something else than PostgreSQL": {to: func(*testing.T) string { return path }, says: "must be a PostgreSQL"},
		"no server": {
			to:   func(*testing.T) string { return "postgres://u:hunter2@127.0.0.1:1/d" },
			says: "PostgreSQL: connection refused",
		},
		"a target with rows": {
			to: func(t *testing.T) string {
				t.Helper()
				url := emptyPostgres(t)
				addSessions(t, openPatiently(t, url).Sessions(), "alice", 1)
				return url
			},
			says: "table sessions has rows already",
		},
	} {
		t.Run(name, func(t *testing.T) {
			from, to := path, empty
			if c.from != nil {
				from = c.from(t)
			}
			if c.to != nil {
				to = c.to(t)
			}
			_, err := database.Migrate(t.Context(), from, to, slog.New(slog.DiscardHandler))
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got error %v, want %q", err, c.says)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Error("the error has the password")
			}
		})
	}
	if left := dump(t, idle(t, empty), "sessions"); len(left) > 0 {
		t.Errorf("a refused migration left %v", left)
	}
}

// One that is interrupted leaves nothing, and can be repeated.
func TestMigrate_IsAllOrNothing(t *testing.T) {
	path, _ := filled(t)
	url := emptyPostgres(t)
	d := idle(t, url)
	// The last table cannot take its rows.
	must(t, d.Do(t.Context(), "ALTER TABLE usage_tags ADD CONSTRAINT refuses CHECK (calls < 0)"))
	if _, err := database.Migrate(t.Context(), path, url, slog.New(slog.DiscardHandler)); err == nil ||
		!strings.Contains(err.Error(), "table usage_tags") {
		t.Fatal(err)
	}
	if left := dump(t, d, "audit"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := database.Migrate(ended, path, url, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("it goes on although it was interrupted")
	}
	must(t, d.Do(t.Context(), "ALTER TABLE usage_tags DROP CONSTRAINT refuses"))
	_, err := database.Migrate(t.Context(), path, url, slog.New(slog.DiscardHandler))
	must(t, err)
}
