package cli_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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
