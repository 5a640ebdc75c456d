package scenario

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// newTestPlayer returns a Player against service that prints into the buffer.
func newTestPlayer(t *testing.T, service http.HandlerFunc) (*Player, *bytes.Buffer) {
	t.Helper()
	server := httptest.NewServer(service)
	t.Cleanup(server.Close)
	printed := &bytes.Buffer{}
	return &Player{
		Root:      t.TempDir(),
		Dir:       ".",
		Env:       []string{"PATH=" + os.Getenv("PATH"), "KEYWRIGHT_URL=" + server.URL},
		ServerURL: server.URL,
		Out:       NewPrinter(printed, false),
	}, printed
}

func refuseAll(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("WWW-Authenticate", "Bearer")
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = w.Write([]byte(`{"error":{"code":401,"what":"invalid token"}}`))
}

func TestPlay_PrintsCommandsAndOutput(t *testing.T) {
	p, printed := newTestPlayer(t, refuseAll)
	err := p.Play(t.Context(), []Step{
		{Title: "One", Proves: "one is shown",
			acts: []act{shell{`echo "$((6 * 7))"; echo err >&2; printf 'a\r\nb'`, []check{contains("42"), contains("err")}}}},
		{Title: "Two", Proves: "two is silent", acts: []act{shell{"true \\\n  && true", nil}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	const want = `
1/2  One

  $ echo "$((6 * 7))"; echo err >&2; printf 'a\r\nb'
  42
  err
  a
  b
  ✓ one is shown

2/2  Two

  $ true \
    && true
  ✓ two is silent
`
	if printed.String() != want {
		t.Errorf("got\n%s\nwant\n%s", printed, want)
	}
}

func TestPlay_StopsAtMismatch(t *testing.T) {
	tests := map[string]struct {
		act       act
		want, got string
	}{
		"missing text":  {shell{"echo here", []check{contains("here"), contains("there")}}, `"there"`, "what is printed above"},
		"no output":     {shell{"true", []check{contains("there")}}, `"there"`, "no output"},
		"unwanted text": {shell{"echo here", []check{lacks("here")}}, `no "here"`, "what is printed above"},
		"other row": {shell{"echo alice False", []check{row("alice", "True")}}, "the row alice True",
			"the row alice False"},
		"missing row": {shell{"echo bob True", []check{row("alice", "True")}}, "the row alice True", "no row alice"},
		"exit status": {shell{"exit 3", nil}, "the command to succeed", "exit status 3"},
		"wrong status": {ask{request{header: "key"}, []check{status(http.StatusOK)}}, "HTTP status 200",
			"HTTP/1.1 401 Unauthorized"},
		"no reply": {shell{"echo HTTP", []check{status(http.StatusOK)}}, "HTTP status 200", "no reply"},
		"wrong header": {ask{request{header: "key"}, []check{header("WWW-Authenticate", "Basic")}},
			"the header WWW-Authenticate: Basic", "Www-Authenticate: Bearer"},
		"missing header": {ask{request{header: "key"}, []check{header("X-Auth-User", "alice")}},
			"the header X-Auth-User: alice", "no such header"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p, printed := newTestPlayer(t, refuseAll)
			writeHeader(t, p, "key")
			err := p.Play(t.Context(), []Step{
				{Title: "First", Proves: "it failed", acts: []act{test.act, shell{"echo after", nil}}},
				{Title: "Second"},
			})
			if want := "step 1 (First): expected " + test.want + ", got " + test.got; err == nil || err.Error() != want {
				t.Errorf("error %q, want %q", err, want)
			}
			if want := "  ✗ expected " + test.want + "\n  ✗ got " + test.got + "\n"; !strings.HasSuffix(printed.String(), want) {
				t.Errorf("printed\n%swant at its end\n%s", printed, want)
			}
		})
	}
}

func TestTake_WritesKeyToFileOnly(t *testing.T) {
	p, printed := newTestPlayer(t, refuseAll)
	bin := filepath.Join(p.Root, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	kubectl := "#!/bin/sh\nprintf 'Authorization: Bearer of %s' \"$3\"\n"
	if err := os.WriteFile(filepath.Join(bin, "kubectl"), []byte(kubectl), 0o700); err != nil {
		t.Fatal(err)
	}
	p.Env = append(p.Env, "PATH="+bin+":"+os.Getenv("PATH"))
	if err := (take{secret: "alice-admin-key", to: "alice"}).play(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(p.Root, "alice.header")
	if content, err := os.ReadFile(path); err != nil || string(content) != "Authorization: Bearer of alice-admin-key" {
		t.Errorf("the file holds %q, %v", content, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if strings.Contains(printed.String(), "Bearer of") {
		t.Errorf("printed:\n%s", printed)
	}
}

func TestUntil_WaitsForEffect(t *testing.T) {
	var asked atomic.Int32
	p, printed := newTestPlayer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer key" || r.URL.Path != "/auth" {
			t.Errorf("asked %s with %q", r.URL, r.Header)
		}
		if asked.Add(1) == 4 {
			refuseAll(w, r)
		}
	})
	writeHeader(t, p, "key")
	if err := refused("key").play(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if asked.Load() != 4 || !strings.Contains(printed.String(), "The key was refused ") {
		t.Errorf("asked %d times, printed %q", asked.Load(), printed)
	}
}

func TestUntil_EndsWithContext(t *testing.T) {
	p, _ := newTestPlayer(t, refuseAll)
	writeHeader(t, p, "key")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := accepted("key").play(ctx, p); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestAsk_WithoutCurl(t *testing.T) {
	p, printed := newTestPlayer(t, refuseAll)
	writeHeader(t, p, "key")
	p.Env = append(p.Env, "PATH=/nowhere")
	for range 2 {
		err := ask{request{header: "key"}, []check{status(http.StatusUnauthorized), header("www-authenticate", "Bearer"),
			contains("invalid token")}}.play(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
	}
	text := printed.String()
	if strings.Count(text, "curl is not installed") != 1 || strings.Count(text, "> GET /auth") != 2 ||
		strings.Contains(text, "Bearer key") {
		t.Errorf("printed:\n%s", text)
	}
}

func TestShell_EndsWithContext(t *testing.T) {
	p, _ := newTestPlayer(t, refuseAll)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (shell{"sleep 1000", nil}).play(ctx, p); err == nil {
		t.Error("no error")
	}
}

func TestPrinter_Colours(t *testing.T) {
	var out bytes.Buffer
	NewPrinter(&out, true).good("fine\nindeed")
	if want := "  \x1b[32m✓ fine\x1b[0m\n  \x1b[32mindeed\x1b[0m\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestSteps_FitTerminal(t *testing.T) {
	for _, step := range Steps() {
		lines := []string{step.Title, step.Proves}
		for _, a := range step.acts {
			if s, ok := a.(shell); ok {
				lines = append(lines, strings.Split(s.line, "\n")...)
			}
		}
		for _, line := range lines {
			if len(line) > 95 {
				t.Errorf("too wide: %s", line)
			}
		}
		if step.Title == "" || step.Proves == "" {
			t.Errorf("a step without text: %+v", step)
		}
	}
}

func writeHeader(t *testing.T, p *Player, name string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.Root, name+".header"), []byte("Authorization: Bearer "+name),
		0o600); err != nil {
		t.Fatal(err)
	}
}

func TestManage_HidesKeyInReply(t *testing.T) {
	for _, path := range []string{os.Getenv("PATH"), "/nowhere"} {
		p, printed := newTestPlayer(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if r.Method != http.MethodPut || r.URL.Path != "/api/x" || r.Header.Get("Authorization") != "Bearer key" ||
				string(body) != `{"a":1}` {
				t.Errorf("%s %s %s", r.Method, r.URL, body)
			}
			_, _ = w.Write([]byte(`{"username":"dana","api_key":"the-plaintext"}` + "\n"))
		})
		writeHeader(t, p, "key")
		p.Env = append(p.Env, "PATH="+path)
		m := manage{header: "key", method: http.MethodPut, path: "/api/x", body: `{"a":1}`, keyTo: "dana", field: "api_key"}
		if path != "/nowhere" && !p.hasCurl() {
			continue
		}
		if err := m.play(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(filepath.Join(p.Root, "dana.header"))
		if err != nil || strings.TrimSpace(string(content)) != "Authorization: Bearer the-plaintext" {
			t.Errorf("the file holds %q, %v", content, err)
		}
		if strings.Contains(printed.String(), "the-plaintext") {
			t.Error("the key is shown")
		}
		m.keyTo, m.checks = "", []check{contains("username")}
		if err := m.play(t.Context(), p); err != nil {
			t.Error(err)
		}
	}
}
