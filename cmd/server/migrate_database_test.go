package main

import (
	"io"
	"path/filepath"
	"strings"
	"testing"

	"keywright.dev/keywright/internal/program"
	"keywright.dev/keywright/test/kit"
)

// What is copied is tested in internal/database.
func TestMigrateDatabase_Refuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "none.db")
	for name, c := range map[string]struct {
		args []string
		url  string
		code int
		says string
	}{
		"no target":       {args: []string{"--from=" + file}, code: 2, says: "--to or $KEYWRIGHT_DATABASE_URL is needed"},
		"a blank target":  {args: []string{"--from=" + file}, url: "\n", code: 2, says: "$KEYWRIGHT_DATABASE_URL is blank"},
		"a blank source":  {args: []string{"--from=\n", "--to=postgres://h/d"}, code: 2, says: "--from is blank"},
		"an unknown flag": {args: []string{"--form=" + file}, code: 2, says: "unknown flag: --form"},
		"an argument":     {args: []string{file}, code: 2, says: "unexpected argument"},
		"a missing file": {
			args: []string{"--from=" + file}, url: "postgres://u:hunter2@h/d\n", code: 1, says: "no such file",
		},
		"a file as target": {
			args: []string{"--from=" + write(t, "db", ""), "--to=" + file}, code: 1, says: "must be a PostgreSQL",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(databaseVariable, c.url)
			var stderr kit.Log
			args := append([]string{migrateCommand}, c.args...)
			code := program.ExitCode(programName, run(t.Context(), args, io.Discard, &stderr), &stderr)
			if said := stderr.String(); code != c.code || !strings.Contains(said, c.says) || strings.Contains(said, "hunter2") {
				t.Errorf("exit code %d, want %d; stderr %q, want %q in it", code, c.code, said, c.says)
			}
		})
	}
}
