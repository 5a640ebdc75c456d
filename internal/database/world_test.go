package database_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/postgres"
)

// shared is the PostgreSQL of all tests but those that stop it. It starts with the first that needs it.
var shared = sync.OnceValues(func() (server *postgres.Server, err error) {
	server, err = postgres.New()
	running = server
	return server, err
})

var running *postgres.Server

func TestMain(m *testing.M) {
	if postgres.Installed() == "" {
		fmt.Println("internal/database: " + postgres.Missing)
	}
	code := m.Run()
	if running != nil {
		_ = running.Close()
	}
	os.Exit(code)
}

// dialects make the URL of an empty database.
var dialects = map[string]func(t *testing.T) string{
	"SQLite":     func(t *testing.T) string { t.Helper(); return filepath.Join(t.TempDir(), "keywright.db") },
	"PostgreSQL": emptyPostgres,
}

func emptyPostgres(t *testing.T) string {
	t.Helper()
	if postgres.Installed() == "" {
		if os.Getenv("CI") != "" {
			t.Fatal(postgres.Missing)
		}
		t.Skip(postgres.Missing)
	}
	server, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	url, err := server.Database(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return url
}

// onBoth runs a test on a database of each kind, which is empty.
func onBoth(t *testing.T, test func(t *testing.T, d *database.DB)) {
	t.Helper()
	for name, empty := range dialects {
		t.Run(name, func(t *testing.T) {
			test(t, patiently(t, empty(t)))
		})
	}
}

func patiently(t *testing.T, url string) *database.DB {
	t.Helper()
	d, err := database.OpenPatiently(t.Context(), url, slog.New(slog.DiscardHandler))
	must(t, err, d.Err())
	use(t, d)
	return d
}

// open has it run until the test ends.
func open(t *testing.T, url string) *database.DB {
	t.Helper()
	d, _ := openLogged(t, url)
	if err := d.Err(); err != nil {
		t.Fatal(err)
	}
	return d
}

func openLogged(t *testing.T, url string) (*database.DB, *kit.Log) {
	t.Helper()
	said := &kit.Log{}
	d, err := database.Open(t.Context(), url, slog.New(slog.NewJSONHandler(said, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	use(t, d)
	return d, said
}

// use has it run until the test ends.
func use(t *testing.T, d *database.DB) {
	t.Helper()
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	run(t, d.Run)
}

// run has something go on until the test ends.
func run(t *testing.T, what func(context.Context)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); what(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
}

// within is how long things may take on a machine that has much else to do.
const within = 30 * time.Second

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for limit := time.After(within); !is(); {
		select {
		case <-ticker.C:
		case <-limit:
			t.Fatal("not within ", within, ": ", what)
		}
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// noon is an instant that both databases can hold exactly, and so late that nothing of it has ended yet.
var noon = time.Date(2126, 11, 21, 12, 0, 0, 123456000, time.UTC)
