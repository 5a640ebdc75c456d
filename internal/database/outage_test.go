package database_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/lastuse"
	"keywright.dev/keywright/internal/manage/seenusers"
	"keywright.dev/keywright/internal/manage/usage"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/postgres"
)

// terminateAll ends all connections of servers.
const terminateAll = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'keywright'"

// quickly is the documented bound plus an allowance for busy machines.
const quickly = 2*time.Second + 3*time.Second

// operations are all operations of a database.
func operations(ctx context.Context, d *database.DB) map[string]func() error {
	discard := func(_ any, err error) error { return err }
	id := session(1, "alice").ID
	return map[string]func() error{
		"Add":           func() error { return d.Sessions().Add(ctx, session(1, "alice")) },
		"Find":          func() error { return discard(d.Sessions().Find(ctx, id)) },
		"Renew":         func() error { return d.Sessions().Renew(ctx, id, noon) },
		"Remove":        func() error { return d.Sessions().Remove(ctx, id) },
		"RemoveForKeys": func() error { return d.Sessions().RemoveForKeys(ctx, []pepper.Digest{digest(1)}) },
		"RemoveForUser": func() error { return d.Sessions().RemoveForUser(ctx, "alice") },
		"RemoveExpired": func() error { return d.Sessions().RemoveExpired(ctx, noon) },
		"SaveUses":      func() error { return d.LastUses().SaveUses(ctx, []lastuse.Use{{UID: "a", At: noon}}) },
		"LastUses":      func() error { return discard(d.LastUses().LastUses(ctx, []string{"a"})) },
		"SaveAddressUses": func() error {
			return d.LastUses().SaveAddressUses(ctx, []lastuse.AddressUse{addressUse("a", "192.0.2.1", 0)})
		},
		"AddressUses":   func() error { return discard(d.LastUses().AddressUses(ctx, "a")) },
		"Save":          func() error { return d.SeenUsers().Save(ctx, []seenusers.Sighting{sighting("alice", 0)}) },
		"All":           func() error { return discard(d.SeenUsers().All(ctx)) },
		"Find a user":   func() error { return discard(d.SeenUsers().Find(ctx, "alice")) },
		"Remove a user": func() error { return discard(d.SeenUsers().Remove(ctx, "alice")) },
		"Append":        func() error { return d.Audit().Append(ctx, []audit.Entry{{At: noon}}) },
		"List":          func() error { return discard(d.Audit().List(ctx, audit.Filter{})) },
		"Append usage": func() error {
			return discard(d.Usage().Append(ctx, []usage.Record{record("a")}))
		},
		"Report usage":  func() error { return discard(d.Usage().Report(ctx, usage.Query{})) },
		"Report by job": func() error { return discard(d.Usage().Report(ctx, usage.Query{GroupBy: usage.ByJob})) },
		"Top jobs":      func() error { return discard(d.Usage().TopJobs(ctx, noon, 1)) },
		"Job":           func() error { return discard(d.Usage().Job(ctx, "nightly", 1)) },
		"Each record":   func() error { return d.Usage().Each(ctx, usage.Query{}, func(*usage.Record) error { return nil }) },
		"Counters":      func() error { return discard(d.Usage().Counters(ctx, []usage.CounterID{{Period: usage.Day}})) },
		"Turn":          func() error { return d.Turn(ctx, "admins", func(context.Context) error { return nil }) },
	}
}

// expectDown expects every operation to fail in time with a reason.
func expectDown(t *testing.T, d *database.DB) {
	t.Helper()
	for name, operation := range operations(t.Context(), d) {
		begun := time.Now()
		err := operation()
		if took := time.Since(begun); !errors.Is(err, database.ErrDown) || took > quickly {
			t.Errorf("%s: %v after %v", name, err, took)
		}
	}
	if err := d.Err(); err == nil {
		t.Error("the database counts as usable")
	}
}

// expectUp expects every operation to work once the database is back.
func expectUp(t *testing.T, d *database.DB) {
	t.Helper()
	eventually(t, "the database is back", func() bool { return d.Err() == nil })
	for name, operation := range operations(t.Context(), d) {
		if err := operation(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPostgres_RecoversFromOutage(t *testing.T) {
	server := postgres.Start(t)
	url, err := server.Database(t.Context())
	must(t, err)
	d, logged := openLogged(t, url)
	must(t, d.Sessions().Add(t.Context(), session(2, "bob")))
	for how, end := range map[string]func() error{"stopped": server.Stop, "crashed": server.Crash} {
		t.Run(how, func(t *testing.T) {
			expectUp(t, d)
			must(t, end())
			expectDown(t, d)
			if why := d.Err().Error(); !strings.HasPrefix(why, "PostgreSQL: ") || strings.Contains(why, "/tmp") {
				t.Errorf("the reason is %q", why)
			}
			must(t, server.Start())
			expectUp(t, d)
			if got := found(t, d.Sessions()); len(got) == 0 || got[len(got)-1] != 2 {
				t.Error("what was there before: ", got)
			}
		})
	}
	if n := len(logged.Lines("The database is unavailable")); n != 2 {
		t.Errorf("an outage is logged once; %d times for two: %s", n, logged)
	}
	if n := len(logged.Lines("available again")); n != 2 {
		t.Errorf("its end is logged once; %d times for two: %s", n, logged)
	}
	if strings.Contains(logged.String(), "hunter2") {
		t.Error("the password is in the log: ", logged)
	}
}

func TestPostgres_UnavailableAtStart(t *testing.T) {
	server := postgres.Start(t)
	url, err := server.Database(t.Context())
	must(t, err, server.Stop())
	begun := time.Now()
	d, _ := openLogged(t, url)
	if took := time.Since(begun); took > quickly {
		t.Error("opened after ", took)
	}
	expectDown(t, d)
	// The first check has ended. Verification does not wait for the database.
	must(t, d.Starting(), server.Start())
	expectUp(t, d)
}

func TestStarting_EndsAfterTenSeconds(t *testing.T) {
	d, err := database.New(filepath.Join(t.TempDir(), "db"), slog.New(slog.DiscardHandler))
	must(t, err)
	t.Cleanup(func() { _ = d.Close() })
	d.Wait(10*time.Second - 1)
	if d.Starting() == nil {
		t.Error("starting ended before ten seconds")
	}
	d.Wait(10 * time.Second)
	if err := d.Starting(); err != nil || d.Err() == nil {
		t.Errorf("after ten seconds: starting %v, usable %v", err, d.Err())
	}
}

// Connections may end while PostgreSQL goes on, as in a failover or behind a pooler. Callers do not notice. The
// database does not run: an operation in the background could lose one connection after the other.
func TestPostgres_ReplacesLostConnections(t *testing.T) {
	server := postgres.Start(t)
	url, err := server.Database(t.Context())
	must(t, err)
	logged := &kit.Log{}
	d, err := database.Open(t.Context(), url, slog.New(slog.NewJSONHandler(logged, nil)))
	must(t, err, d.Err())
	t.Cleanup(func() { must(t, d.Close()) })
	for range 5 {
		for name, operation := range operations(t.Context(), d) {
			must(t, postgres.Do(t.Context(), server.URL(), terminateAll))
			if err := operation(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if strings.Contains(logged.String(), "The database is unavailable") {
		t.Error(logged)
	}
}

// Connections stay open without any reply: a node that is gone, a firewall that drops packets.
func TestPostgres_Unresponsive(t *testing.T) {
	server := postgres.Start(t)
	line := relay(t, server)
	d := open(t, line.url)
	for _, name := range []string{"Find", "Append", "Turn"} {
		line.hold()
		begun := time.Now()
		err := operations(t.Context(), d)[name]()
		if took := time.Since(begun); !errors.Is(err, database.ErrDown) || took > quickly {
			t.Errorf("%s: %v after %v", name, err, took)
		}
		eventually(t, "the outage is noticed", func() bool { return d.Err() != nil })
		begun = time.Now()
		err = d.Sessions().RemoveForUser(t.Context(), "alice")
		if !errors.Is(err, database.ErrDown) || time.Since(begun) > time.Second {
			t.Errorf("callers wait during a known outage: %v after %v", err, time.Since(begun))
		}
		line.release()
		expectUp(t, d)
	}
}

// A database that cannot be written counts as unavailable until it can.
func TestPostgres_ReadOnly(t *testing.T) {
	server := postgres.Start(t)
	url, err := server.Database(t.Context())
	must(t, err)
	d, logged := openLogged(t, url)
	must(t, postgres.Do(t.Context(), server.URL(), "ALTER ROLE keywright SET default_transaction_read_only = on"),
		postgres.Do(t.Context(), server.URL(), terminateAll))
	if err := d.Sessions().Add(t.Context(), session(1, "alice")); !errors.Is(err, database.ErrDown) {
		t.Error(err)
	}
	expectDown(t, d)
	for range 3 {
		d.Check(t.Context())
	}
	if got := logged.Lines("available again"); len(got) > 0 {
		t.Error(got)
	}
	if why := d.Err().Error(); !strings.Contains(why, "read-only transaction (SQLSTATE 25006)") {
		t.Error(why)
	}
	writable := server.URL() + "&default_transaction_read_only=off"
	must(t, postgres.Do(t.Context(), writable, "ALTER ROLE keywright RESET default_transaction_read_only"),
		postgres.Do(t.Context(), server.URL(), terminateAll))
	expectUp(t, d)
}

// A database that was emptied works again, without data.
func TestPostgres_RecreatesDroppedTables(t *testing.T) {
	server := postgres.Start(t)
	url, err := server.Database(t.Context())
	must(t, err)
	d := open(t, url)
	must(t, postgres.Do(t.Context(), url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public"))
	eventually(t, "it works", func() bool { return d.Sessions().Add(t.Context(), session(1, "alice")) == nil })
	expectUp(t, d)
}

// The turn ends, because PostgreSQL may give it to another server.
func TestTurn_EndsWithItsConnection(t *testing.T) {
	server := postgres.Start(t)
	url, err := server.Database(t.Context())
	must(t, err)
	d := open(t, url)
	err = d.Turn(t.Context(), "admins", func(ctx context.Context) error {
		must(t, postgres.Do(t.Context(), server.URL(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"+
			" WHERE query LIKE '%pg_advisory_lock%' AND pid <> pg_backend_pid()"))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(within):
			return errors.New("the turn did not end")
		}
	})
	if !errors.Is(err, database.ErrDown) {
		t.Error(err)
	}
	expectUp(t, d)
}

func TestOperations_CanceledCallerIsNoOutage(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database.DB) {
		gone := errors.New("the caller has gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(gone)
		for name, operation := range operations(ctx, d) {
			if err := operation(); !errors.Is(err, gone) || errors.Is(err, database.ErrDown) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := d.Err(); err != nil {
			t.Error(err)
		}
	})
}

func TestRun_BringsUpUncheckedDatabaseAtOnce(t *testing.T) {
	d, err := database.New(filepath.Join(t.TempDir(), "db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if d.Err() == nil || d.Starting() == nil {
		t.Fatal("a new database was checked already")
	}
	ctx, cancel := context.WithCancel(t.Context())
	running := make(chan struct{})
	go func() { defer close(running); d.Run(ctx) }()
	for d.Err() != nil {
		runtime.Gosched()
	}
	must(t, d.Starting())
	cancel()
	<-running
}
