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
	"keywright.dev/keywright/test/postgres"
)

// quickly is what the package promises, and what a busy machine may add.
const quickly = 2*time.Second + 3*time.Second

// operations are all there are.
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
		"Saw":           func() error { return d.SeenUsers().Save(ctx, []seenusers.Sighting{sighting("alice", 0)}) },
		"All":           func() error { return discard(d.SeenUsers().All(ctx)) },
		"Find a user":   func() error { return discard(d.SeenUsers().Find(ctx, "alice")) },
		"Forget":        func() error { return discard(d.SeenUsers().Remove(ctx, "alice")) },
		"Append":        func() error { return d.Audit().Append(ctx, []audit.Entry{{At: noon}}) },
		"List":          func() error { return discard(d.Audit().List(ctx, audit.Filter{})) },
		"Turn":          func() error { return d.Turn(ctx, "admins", func(context.Context) error { return nil }) },
	}
}

// expectDown has every operation fail in time and say why.
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
		t.Error("all is well")
	}
}

// expectUp has every operation work, once the database is back.
func expectUp(t *testing.T, d *database.DB) {
	t.Helper()
	eventually(t, "the database is back", func() bool { return d.Err() == nil })
	for name, operation := range operations(t.Context(), d) {
		if err := operation(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPostgresGoesAndComesBack(t *testing.T) {
	server := postgres.Start(t)
	url, err := server.Database(t.Context())
	must(t, err)
	d, said := openLogged(t, url)
	must(t, d.Sessions().Add(t.Context(), session(2, "bob")))
	for how, end := range map[string]func() error{"stopped": server.Stop, "crashed": server.Crash} {
		t.Run(how, func(t *testing.T) {
			expectUp(t, d)
			must(t, end())
			expectDown(t, d)
			if why := d.Err().Error(); !strings.HasPrefix(why, "PostgreSQL: ") || strings.Contains(why, "/tmp") {
				t.Errorf("callers are told %q", why)
			}
			must(t, server.Start())
			expectUp(t, d)
			if got := there(t, d.Sessions()); len(got) == 0 || got[len(got)-1] != 2 {
				t.Error("what was there before: ", got)
			}
		})
	}
	if n := len(said.Lines("The database is unavailable")); n != 2 {
		t.Errorf("an outage is told once; %d times for two: %s", n, said)
	}
	if n := len(said.Lines("available again")); n != 2 {
		t.Errorf("its end is told once; %d times for two: %s", n, said)
	}
	if strings.Contains(said.String(), "hunter2") {
		t.Error("the password is in the log: ", said)
	}
}

func TestPostgresIsAwayWhenTheServerStarts(t *testing.T) {
	server := postgres.Start(t)
	url, err := server.Database(t.Context())
	must(t, err, server.Stop())
	begun := time.Now()
	d, _ := openLogged(t, url)
	if took := time.Since(begun); took > quickly {
		t.Error("opened after ", took)
	}
	expectDown(t, d)
	// It has answered, in its way. Verification does not wait for it.
	must(t, d.Starting(), server.Start())
	expectUp(t, d)
}

func TestStartingEndsWithoutAnAnswer(t *testing.T) {
	d, err := database.New(filepath.Join(t.TempDir(), "db"), slog.New(slog.DiscardHandler))
	must(t, err)
	t.Cleanup(func() { _ = d.Close() })
	d.Wait(10*time.Second - 1)
	if d.Starting() == nil {
		t.Error("it is waited for less than ten seconds")
	}
	d.Wait(10 * time.Second)
	if err := d.Starting(); err != nil || d.Err() == nil {
		t.Errorf("after ten seconds: starting %v, usable %v", err, d.Err())
	}
}

// Connections that end while PostgreSQL goes on, as at a failover or behind a pooler, are nobody's concern.
func TestLostConnectionsAreMadeAnew(t *testing.T) {
	server := postgres.Start(t)
	url, err := server.Database(t.Context())
	must(t, err)
	d, said := openLogged(t, url)
	must(t, d.Err())
	for range 5 {
		for name, operation := range operations(t.Context(), d) {
			must(t, postgres.Do(t.Context(), server.URL(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'keywright'"))
			if err := operation(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if strings.Contains(said.String(), "The database is unavailable") {
		t.Error(said)
	}
}

// Nothing breaks, and nothing is answered: a node that is gone, a firewall that drops.
func TestAPostgresThatSaysNothing(t *testing.T) {
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
		eventually(t, "it is noticed", func() bool { return d.Err() != nil })
		begun = time.Now()
		if err := d.Sessions().RemoveForUser(t.Context(), "alice"); !errors.Is(err, database.ErrDown) || time.Since(begun) > time.Second {
			t.Errorf("once it is known, callers do not wait: %v after %v", err, time.Since(begun))
		}
		line.release()
		expectUp(t, d)
	}
}

// One that can be read and not be written to is of no use, and comes back only when it can be written to.
func TestAReadOnlyPostgres(t *testing.T) {
	server := postgres.Start(t)
	url, err := server.Database(t.Context())
	must(t, err)
	d, said := openLogged(t, url)
	terminate := "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'keywright'"
	must(t, postgres.Do(t.Context(), server.URL(), "ALTER ROLE keywright SET default_transaction_read_only = on"),
		postgres.Do(t.Context(), server.URL(), terminate))
	if err := d.Sessions().Add(t.Context(), session(1, "alice")); !errors.Is(err, database.ErrDown) {
		t.Error(err)
	}
	expectDown(t, d)
	for range 3 {
		d.Look(t.Context())
	}
	if got := said.Lines("available again"); len(got) > 0 {
		t.Error(got)
	}
	if why := d.Err().Error(); !strings.Contains(why, "read-only transaction (SQLSTATE 25006)") {
		t.Error(why)
	}
	must(t, postgres.Do(t.Context(), server.URL()+"&default_transaction_read_only=off", "ALTER ROLE keywright RESET default_transaction_read_only"),
		postgres.Do(t.Context(), server.URL(), terminate))
	expectUp(t, d)
}

// Whoever empties the database gets an empty one that works.
func TestTablesThatAreGoneAreMadeAnew(t *testing.T) {
	server := postgres.Start(t)
	url, err := server.Database(t.Context())
	must(t, err)
	d := open(t, url)
	must(t, postgres.Do(t.Context(), url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public"))
	eventually(t, "it works", func() bool { return d.Sessions().Add(t.Context(), session(1, "alice")) == nil })
	expectUp(t, d)
}

// A turn that PostgreSQL may have given to somebody else is over.
func TestATurnEndsWithItsConnection(t *testing.T) {
	server := postgres.Start(t)
	url, err := server.Database(t.Context())
	must(t, err)
	d := open(t, url)
	err = d.Turn(t.Context(), "admins", func(ctx context.Context) error {
		must(t, postgres.Do(t.Context(), server.URL(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_advisory_lock%' AND pid <> pg_backend_pid()"))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(within):
			return errors.New("it goes on")
		}
	})
	if !errors.Is(err, database.ErrDown) {
		t.Error(err)
	}
	expectUp(t, d)
}

// Somebody who goes away says nothing of the database.
func TestACallerWhoGoesAway(t *testing.T) {
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

func TestWhatHasNeverBeenAskedIsBroughtUpAtOnce(t *testing.T) {
	d, err := database.New(filepath.Join(t.TempDir(), "db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if d.Err() == nil || d.Starting() == nil {
		t.Fatal("nobody has asked it yet")
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
