package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"keywright.dev/keywright/internal/apiclient"
	"keywright.dev/keywright/internal/cli"
	"keywright.dev/keywright/internal/cli/console"
)

// fixture is the program with a stub of the server. Its fields may be changed before run.
type fixture struct {
	*cli.App
	mu       sync.Mutex
	requests []string
	// reply writes the reply to a request.
	reply http.HandlerFunc

	url    string
	env    map[string]string
	now    time.Time
	stdout bytes.Buffer
	stderr bytes.Buffer
}

// newFixture returns a program whose waits take no time.
func newFixture(t *testing.T, reply http.HandlerFunc) *fixture {
	t.Helper()
	f := &fixture{reply: reply, now: time.Date(2030, 1, 31, 12, 0, 0, 0, time.UTC)}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	f.url = server.URL
	f.env = map[string]string{
		"HOME": t.TempDir(), "KEYWRIGHT_SERVER": server.URL, "KEYWRIGHT_API_KEY": "the-key-of-an-admin",
	}
	f.App = &cli.App{
		Console: console.Console{
			Stdin: strings.NewReader(""), Stdout: &f.stdout, Stderr: &f.stderr,
			Getenv: func(name string) string { return f.env[name] }, Now: func() time.Time { return f.now },
		},
		Wait: func(context.Context, time.Duration) error { return nil },
	}
	return f
}

func (f *fixture) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.requests = append(f.requests, r.Method+" "+r.URL.Path)
	f.mu.Unlock()
	// The end of a connection is noticed only after the body was read.
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/json")
	f.reply(w, r)
}

// asked returns the requests so far.
func (f *fixture) asked() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.requests, ", ")
}

// expect runs a command line and compares its exit code and what it prints.
func (f *fixture) expect(ctx context.Context, t *testing.T, code int, stdout, stderr string, args ...string) {
	t.Helper()
	f.stdout.Reset()
	f.stderr.Reset()
	if got := f.Run(ctx, args); got != code {
		t.Errorf("%q: exit code %d, want %d", args, got, code)
	}
	if got := f.stdout.String(); got != stdout {
		t.Errorf("%q: stdout %q, want %q", args, got, stdout)
	}
	if got := f.stderr.String(); got != stderr {
		t.Errorf("%q: stderr %q, want %q", args, got, stderr)
	}
}

// writeJSON writes a reply.
func writeJSON(w io.Writer, value any) { _ = json.NewEncoder(w).Encode(value) }

// users replies with a list of admins.
func users(names ...string) map[string]any {
	list := []apiclient.User{}
	for _, name := range names {
		list = append(list, apiclient.User{Username: name, Role: "admin", CreatedAt: "2030-01-01T00:00:00Z", Enabled: true})
	}
	return map[string]any{"users": list}
}

// keyPage replies with a page of keys, named after their ids.
func keyPage(ids ...string) map[string]any {
	list := []apiclient.Key{}
	for _, id := range ids {
		list = append(list, apiclient.Key{ID: id, Name: "name of " + id, Subject: "Account/ci", Active: true})
	}
	return map[string]any{"data": map[string]any{"items": list, "total": len(list)}}
}

// changedKey replies to a change of the key that a request names.
func changedKey(w http.ResponseWriter, r *http.Request) {
	id := strings.TrimPrefix(r.URL.Path, "/apiv1/apikeys/")
	writeJSON(w, map[string]any{"data": apiclient.Key{ID: id, Name: "x", Reason: "disabled"}})
}

// refuse replies with a status.
func refuse(w http.ResponseWriter, status int, detail string) {
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"detail":%q}`, detail)
}
