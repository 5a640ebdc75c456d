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

// shared is the PostgreSQL server of all tests except those that stop it. It starts on first use.
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

// dialects return the URL of a new, empty database.
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

// onBoth runs a test on an empty database of each dialect.
func onBoth(t *testing.T, test func(t *testing.T, d *database.DB)) {
	t.Helper()
	for name, empty := range dialects {
		t.Run(name, func(t *testing.T) {
			test(t, openPatiently(t, empty(t)))
		})
	}
}

func openPatiently(t *testing.T, url string) *database.DB {
	t.Helper()
	d, err := database.OpenPatiently(t.Context(), url, slog.New(slog.DiscardHandler))
	must(t, err, d.Err())
	use(t, d)
	return d
}

// open returns a database that runs until the test ends.
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
	logged := &kit.Log{}
	handler := slog.NewJSONHandler(logged, &slog.HandlerOptions{Level: slog.LevelDebug})
	d, err := database.Open(t.Context(), url, slog.New(handler))
	if err != nil {
		t.Fatal(err)
	}
	use(t, d)
	return d, logged
}

// use runs a database until the test ends.
func use(t *testing.T, d *database.DB) {
	t.Helper()
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	run(t, d.Run)
}

// run runs work in the background until the test ends.
func run(t *testing.T, work func(context.Context)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); work(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
}

// within is generous, for busy machines.
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

// noon is an instant that both dialects store exactly, and late enough that nothing has expired.
var noon = time.Date(2126, 11, 21, 12, 0, 0, 123456000, time.UTC)
