package database_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/lastuse"
	"keywright.dev/keywright/internal/manage/sessions"
)

func TestPurge_RemovesExpiredRows(t *testing.T) {
	for name, empty := range dialects {
		t.Run(name, func(t *testing.T) {
			// Run does not run.
			d, err := database.Open(t.Context(), empty(t), slog.New(slog.DiscardHandler))
			must(t, err, d.Err())
			t.Cleanup(func() { must(t, d.Close()) })
			ctx := t.Context()
			ends := func(n byte, after time.Duration) sessions.Session {
				one := session(n, "alice")
				one.Expires = noon.Add(after)
				return one
			}
			const kept = 400 * 24 * time.Hour
			must(t, d.Sessions().Add(ctx, ends(1, kept)), d.Sessions().Add(ctx, ends(2, kept+1000)))
			must(t, d.LastUses().SaveUses(ctx, []lastuse.Use{{UID: "old", At: noon.Add(-1000)}, {UID: "recent", At: noon}}))
			must(t, d.Audit().Append(ctx, []audit.Entry{{At: noon.AddDate(-10, 0, 0), Detail: "old"}}))
			must(t, d.Purge(ctx, noon.Add(kept)))
			if got := found(t, d.Sessions()); len(got) != 1 || got[0] != 2 {
				t.Error(got)
			}
			uses, err := d.LastUses().LastUses(ctx, []string{"old", "recent"})
			if _, recent := uses["recent"]; err != nil || len(uses) != 1 || !recent {
				t.Error(uses, err)
			}
			if got := list(t, d.Audit(), audit.Filter{}); len(got) != 1 {
				t.Error("the audit trail stays: ", got)
			}
		})
	}
}

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
