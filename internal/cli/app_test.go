package cli_test

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const header = "USERNAME  ROLE   CREATED               LAST SEEN\n"

// --watch prints the list, and then what is new or different, until the user ends it, with exit code 0.
func TestWatch_PrintsWhatChanges(t *testing.T) {
	lists := [][]string{{"alice"}, {"alice"}, {"bob", "alice"}}
	look := 0
	f := newFixture(t, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, users(lists[look]...)) })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f.Wait = func(ctx context.Context, _ time.Duration) error {
		look++
		if look == len(lists) {
			cancel()
		}
		return ctx.Err()
	}
	const row = "  admin  2030-01-01T00:00:00Z  -\n"
	f.expect(ctx, t, 0, header+"alice   "+row+"bob     "+row, "", "admin", "users", "list", "--watch")
}

func TestWatch_EndsDuringARequest(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	looks := 0
	f := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
		looks++
		if looks == 1 {
			writeJSON(w, keyPage("k1"))
			return
		}
		cancel()
		<-r.Context().Done()
	})
	f.expect(ctx, t, 0, "k1\n", "", "keys", "get", "--watch", "-o", "name")
}

// The server may be busy. The request is repeated once, with a message.
func TestBusyServer_IsAskedOnceMore(t *testing.T) {
	const note = "The server is busy (HTTP %). Trying once more in 7s.\n"
	for status, name := range map[int]string{429: "429", 503: "503"} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			f := newFixture(t, func(w http.ResponseWriter, _ *http.Request) {
				calls++
				if calls != 2 {
					w.Header().Set("Retry-After", "7")
					refuse(w, status, "later")
					return
				}
				writeJSON(w, users("alice"))
			})
			said := strings.Replace(note, "%", name, 1)
			f.expect(t.Context(), t, 0, "alice\n", said, "admin", "users", "list", "-o", "name")
			f.reply = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "7")
				refuse(w, status, "later")
			}
			f.expect(t.Context(), t, 1, "", said+"Error: HTTP "+name+": later\n", "admin", "users", "list")
		})
	}
}

func TestLostServer_IsNamed(t *testing.T) {
	f := newFixture(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	if code := f.Run(t.Context(), []string{"auth", "whoami", "--timeout", "20ms"}); code != 1 {
		t.Error(code)
	}
	got := f.stderr.String()
	if !strings.HasPrefix(got, "Error: no reply from "+f.url+" after ") || !strings.HasSuffix(got, "s: timed out\n") {
		t.Errorf("%q", got)
	}
}

func TestUntrustedCertificate_HasAHint(t *testing.T) {
	f := newFixture(t, nil)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, users("alice"))
	}))
	// The server logs that the client ended the handshake.
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	f.env["KEYWRIGHT_SERVER"] = server.URL
	if code := f.Run(t.Context(), []string{"admin", "users", "list"}); code != 1 {
		t.Error(code)
	}
	got := f.stderr.String()
	if !strings.Contains(got, ": x509: certificate signed by unknown authority\nHint: name the authority of the ") {
		t.Errorf("%q", got)
	}
	f.expect(t.Context(), t, 0, "alice\n", "", "admin", "users", "list", "-o", "name", "--no-verify-ssl")
	checkAuthorities(t, f, server.Certificate().Raw)
}

// checkAuthorities lists users with a file that names the authority of the server.
func checkAuthorities(t *testing.T, f *fixture, certificate []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.crt")
	list := []string{"admin", "users", "list", "-o", "name"}
	encoded := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	if err := os.WriteFile(path, encoded, 0o600); err != nil {
		t.Fatal(err)
	}
	f.expect(t.Context(), t, 0, "alice\n", "", append(list, "--ca-file="+path)...)
	f.env["KEYWRIGHT_CA_FILE"] = path
	f.expect(t.Context(), t, 0, "alice\n", "", list...)
	f.env["KEYWRIGHT_CA_FILE"] = path + ".gone"
	if code := f.Run(t.Context(), list); code != 2 || !strings.Contains(f.stderr.String(), "ca.crt.gone: no such file") {
		t.Errorf("a missing file: %d, %s", code, f.stderr.String())
	}
	if err := os.WriteFile(path, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code := f.Run(t.Context(), append(list, "--ca-file="+path)); code != 2 ||
		!strings.Contains(f.stderr.String(), path+" has no certificate in PEM") {
		t.Errorf("no certificate: %d, %s", code, f.stderr.String())
	}
}

// A refusal comes with what the user can do about it.
func TestRefusal_HasTheHintThatFits(t *testing.T) {
	const (
		notAllowed = "User not allowed. Contact an administrator to be added to the allow list."
		needsKey   = "Hint: give a key: --api-key -, $KEYWRIGHT_API_KEY or a profile (keywright auth status)\n"
		needsAdmin = "Hint: this needs admin access, or a key with the right for it (keywright auth whoami)\n"
	)
	for name, c := range map[string]struct {
		status       int
		detail, hint string
	}{
		"no key":              {401, "Not authenticated", needsKey},
		"the allow list":      {403, notAllowed, "Hint: ask an admin to add you to ALLOWED_USERS\n"},
		"no admin":            {403, "Admin access required", needsAdmin},
		"no right":            {403, "API key lacks required permission", needsAdmin},
		"something else":      {404, "Not found", ""},
		"a server in trouble": {500, "Internal error", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, c.status, c.detail) })
			want := fmt.Sprintf("Error: HTTP %d: %s\n%s", c.status, c.detail, c.hint)
			f.expect(t.Context(), t, 1, "", want, "keys", "get")
		})
	}
}
