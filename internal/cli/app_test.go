package cli_test

import (
	"context"
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

	"github.com/creack/pty"
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
}

func TestInterruptedBulk_SaysWhatWasDone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/apiv1/apikeys/k2":
			refuse(w, http.StatusNotFound, "API key not found")
		case "/apiv1/apikeys/k3":
			cancel()
			<-r.Context().Done()
		default:
			changedKey(w, r)
		}
	})
	f.expect(ctx, t, 1, "Changed API key: x (k1), disabled\n",
		"Error: k2: HTTP 404: API key not found\n"+
			"Error: interrupted: 1 of 5 done, 1 failed. No reply, so done or not: k3. Not done: k4 k5\n",
		"keys", "set", "--disable", "k1", "k2", "k3", "k4", "k5")
	if got := f.asked(); strings.Contains(got, "k4") {
		t.Error(got)
	}
}

func TestInterruptedBulk_BetweenRequests(t *testing.T) {
	for name, c := range map[string]struct {
		last, stderr string
		code         int
	}{
		"before the last one": {"k1", "Error: interrupted: 1 of 2 done. Not done: k2\n", 1},
		"after the last one":  {"k2", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			f := newFixture(t, changedKey)
			f.Stdout = writerFunc(func(text []byte) {
				f.stdout.Write(text)
				if strings.Contains(string(text), c.last) {
					cancel()
				}
			})
			stdout := "Changed API key: x (k1), disabled\n"
			if c.last == "k2" {
				stdout += "Changed API key: x (k2), disabled\n"
			}
			f.expect(ctx, t, c.code, stdout, c.stderr, "keys", "set", "--disable", "k1", "k2")
		})
	}
}

type writerFunc func([]byte)

func (w writerFunc) Write(text []byte) (int, error) {
	w(text)
	return len(text), nil
}

// A long command shows on a terminal how far it is, after a second.
func TestProgress(t *testing.T) {
	bulk := []string{"keys", "set", "--disable", "-o", "name", "k1", "k2", "k3"}
	slow := func(f *fixture, step time.Duration) {
		f.reply = func(w http.ResponseWriter, r *http.Request) {
			f.now = f.now.Add(step)
			changedKey(w, r)
		}
	}
	for name, c := range map[string]struct {
		step time.Duration
		want string
	}{
		"over a second":  {time.Second, "\r\x1b[K1 of 3\r\x1b[K\r\x1b[K2 of 3\r\x1b[K"},
		"under a second": {300 * time.Millisecond, ""},
	} {
		t.Run(name, func(t *testing.T) {
			terminal, tty, err := pty.Open()
			if err != nil {
				t.Fatal(err)
			}
			f := newFixture(t, nil)
			slow(f, c.step)
			f.Stderr = tty
			f.expect(t.Context(), t, 0, "k1\nk2\nk3\n", "", bulk...)
			_ = tty.Close()
			// Reading ends with an error once the other side is closed.
			got, _ := io.ReadAll(terminal)
			_ = terminal.Close()
			if string(got) != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	t.Run("without a terminal", func(t *testing.T) {
		f := newFixture(t, nil)
		slow(f, time.Second)
		f.expect(t.Context(), t, 0, "k1\nk2\nk3\n", "", bulk...)
	})
}

// -o key is refused where no key is printed, before anything is sent.
func TestOutputKey_IsRefusedBeforeAnythingIsSent(t *testing.T) {
	for command, problem := range map[string]string{
		"admin users delete bob --force":   "keywright admin users delete prints no key",
		"admin users list":                 "keywright admin users list prints no key",
		"admin users change-role bob user": "a demotion prints no key",
		"auth whoami":                      "keywright auth whoami prints no key",
		"keys get":                         "keywright keys get prints no key",
		"keys remove k1 --force":           "keywright keys remove prints no key",
		"keys set k1 --disable":            "keywright keys set prints no key",
		"api GET /api/auth/me":             "keywright api prints no key",
	} {
		f := newFixture(t, changedKey)
		f.expect(t.Context(), t, 2, "", "Error: -o key: "+problem+"\n", append(strings.Fields(command), "-o", "key")...)
		if got := f.asked(); got != "" {
			t.Errorf("%s: sent %s", command, got)
		}
	}
	f := newFixture(t, changedKey)
	f.expect(t.Context(), t, 2, "", "Error: -o csv is not for keywright api\n", "api", "DELETE", "/x", "-o", "csv")
	if got := f.asked(); got != "" {
		t.Errorf("sent %s", got)
	}
}

// complete returns what a shell offers for the last word, without descriptions.
func (f *fixture) complete(t *testing.T, words ...string) string {
	t.Helper()
	f.stdout.Reset()
	f.stderr.Reset()
	// A completion is a process of its own, which silences its stderr.
	f.Stderr = &f.stderr
	if code := f.Run(t.Context(), append([]string{"__completeNoDesc"}, words...)); code != 0 {
		t.Errorf("%q: exit code %d", words, code)
	}
	lines := strings.Split(strings.TrimSpace(f.stdout.String()), "\n")
	return strings.Join(lines[:len(lines)-1], " ")
}

var completions = []struct{ words, want string }{
	{"admin users delete ", "alice bob"},
	{"admin users rotate-key a", "alice"},
	{"admin users change-role alice ", "admin user"},
	{"admin users delete alice ", ""},
	{"keys get ", "k1 k2"},
	{"keys remove k1 ", "k1 k2"},
	{"keys rotate k2", "k2"},
	{"keys new x --scope c", "certs.read certs.write"},
	{"keys new x --role ", "deployer"},
	{"keys set k1 --role dep", "deployer"},
	{"--server ", "eu us"},
	{"auth whoami -s u", "us"},
}

func TestCompletion_AsksTheServer(t *testing.T) {
	f := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/admin/users":
			writeJSON(w, users("alice", "bob"))
		case "/apiv1/apikeys":
			writeJSON(w, keyPage("k1", "k2"))
		default:
			_, _ = io.WriteString(w, `{"data":{"scopes":["certs.read","certs.write"],"roles":[{"name":"deployer"}]}}`)
		}
	})
	writeConfig(t, f, "[servers.eu]\nurl = \"https://eu\"\n[servers.us]\nurl = \"https://us\"\n", 0o600)
	for _, c := range completions {
		if got := f.complete(t, strings.Split(c.words, " ")...); got != c.want {
			t.Errorf("%s: %q, want %q", c.words, got, c.want)
		}
	}
}

func writeConfig(t *testing.T, f *fixture, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(f.env["HOME"], ".config", "keywright", "config.toml")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// Without an answer there is nothing to offer, and nothing to say: a message would garble the command line.
func TestCompletion_IsSilentWithoutServer(t *testing.T) {
	exposed := "[servers.eu]\nurl = \"http://127.0.0.1:1\"\napi_key = \"k\"\n"
	for name, c := range map[string]struct {
		config, server string
		reply          http.HandlerFunc
	}{
		"nothing listens":     {"", "http://127.0.0.1:1", nil},
		"no server is named":  {"", "", nil},
		"an unknown profile":  {exposed, "us", nil},
		"a broken file":       {"[servers", "eu", nil},
		"a file others read":  {exposed, "eu", nil},
		"an address of FTP":   {"", "ftp://x", nil},
		"the key is refused":  {"", "stub", func(w http.ResponseWriter, _ *http.Request) { refuse(w, 403, "no") }},
		"another server":      {"", "stub", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "<html>") }},
		"the server is busy":  {"", "stub", busy},
		"a key with a blank":  {"[servers.eu]\nurl = \"http://127.0.0.1:1\"\napi_key = \"k k\"\n", "eu", nil},
		"a command that says": {"[servers.eu]\nurl = \"http://127.0.0.1:1\"\napi_key_cmd = [\"false\"]\n", "eu", nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, c.reply)
			f.env["KEYWRIGHT_API_KEY"] = ""
			if f.env["KEYWRIGHT_SERVER"] = c.server; c.server == "stub" {
				f.env["KEYWRIGHT_SERVER"] = f.url
			}
			if c.config != "" {
				writeConfig(t, f, c.config, 0o644)
			}
			for _, words := range completions {
				if strings.Contains(words.want, "eu us") || words.want == "us" || words.want == "admin user" {
					continue
				}
				got := f.complete(t, strings.Split(words.words, " ")...)
				said := f.stderr.String()
				if got != "" || !strings.HasPrefix(said, "Completion ended with directive:") || strings.Count(said, "\n") != 1 {
					t.Errorf("%s: %q, said %q", words.words, got, said)
				}
			}
			if got := f.asked(); strings.Count(got, ",") >= len(completions) {
				t.Errorf("asked more than once: %s", got)
			}
		})
	}
}

func busy(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Retry-After", "60")
	refuse(w, http.StatusServiceUnavailable, "later")
}
