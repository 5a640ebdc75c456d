package database_test

import (
	"strings"
	"testing"
)

func TestPostgres_UsesSearchPath(t *testing.T) {
	url := emptyPostgres(t)
	other := open(t, url)
	must(t, other.Do(t.Context(), "CREATE SCHEMA own"))
	d := open(t, url+"&search_path=own")
	expectUp(t, d)
	addSessions(t, d.Sessions(), "alice", 3)
	if got := found(t, other.Sessions()); len(got) != 0 {
		t.Error(got)
	}
	must(t, d.Do(t.Context(), "SELECT 1 FROM own.sessions"))
}

// An older server works with the tables of a newer one.
func TestOpen_AcceptsNewerTables(t *testing.T) {
	for name, empty := range dialects {
		t.Run(name, func(t *testing.T) {
			url := empty(t)
			t.Run("newer", func(t *testing.T) {
				d := open(t, url)
				yes := map[string]string{"SQLite": "1", "PostgreSQL": "true"}[name]
				must(t, d.Do(t.Context(), "ALTER TABLE sessions ADD COLUMN device TEXT"),
					d.Do(t.Context(), "INSERT INTO schema_migrations (version_id, is_applied) VALUES (99, "+yes+")"))
			})
			d, logged := openLogged(t, url)
			expectUp(t, d)
			if strings.Contains(logged.String(), "ERROR") {
				t.Error(logged)
			}
		})
	}
}
