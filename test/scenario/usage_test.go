package scenario

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// The next acts work with the new configuration, however long the server takes to run it.
func TestConfigure_WaitsUntilServerRunsIt(t *testing.T) {
	var asked atomic.Int32
	p, printed := newTestPlayer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RequestURI() != "/readyz?verbose" {
			t.Errorf("asked %s", r.URL)
		}
		revision := "old"
		if asked.Add(1) > 3 {
			revision = "new"
		}
		_, _ = w.Write([]byte("[+] index: ok, 3 s old\n[+] configuration: ok, revision " + revision + "\nready\n"))
	})
	if err := (configure{"echo patched"}).play(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if asked.Load() != 4 || !strings.Contains(printed.String(), "$ echo patched") {
		t.Errorf("asked %d times, printed %q", asked.Load(), printed)
	}
	if err := (configure{"echo unchanged"}).play(t.Context(), p); err == nil {
		t.Error("a command that patched nothing was taken for one that did")
	}
}

func TestMount_WritesKeyToFileOnly(t *testing.T) {
	p, printed := newTestPlayer(t, refuseAll)
	kubectl := filepath.Join(p.Root, "kubectl")
	if err := os.WriteFile(kubectl, []byte("#!/bin/sh\nprintf 'the-plaintext'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	p.Env = append(p.Env, "PATH="+p.Root+":"+os.Getenv("PATH"))
	if err := (mount{secret: "app-key", to: "app.key"}).play(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(p.Root, "app.key")
	if content, err := os.ReadFile(path); err != nil || string(content) != "the-plaintext" {
		t.Errorf("the file holds %q, %v", content, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if strings.Contains(printed.String(), "the-plaintext") {
		t.Errorf("printed:\n%s", printed)
	}
}

func TestLook_ShowsOneList(t *testing.T) {
	for _, path := range []string{os.Getenv("PATH"), "/nowhere"} {
		p, printed := newTestPlayer(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/api/x" || r.Header.Get("Authorization") != "Bearer key" {
				t.Errorf("asked %s with %q", r.URL, r.Header)
			}
			_, _ = w.Write([]byte(`{"all":{"calls":4},"top":[{"model":"a","calls":2}],"rest":[]}` + "\n"))
		})
		writeHeader(t, p, "key")
		p.Env = append(p.Env, "PATH="+path)
		if path != "/nowhere" && !p.hasCurl() {
			continue
		}
		l := look{header: "key", path: "/api/x", field: "top", checks: []check{contains(`"model":"a"`), lacks("rest")}}
		if err := l.play(t.Context(), p); err != nil {
			t.Error(err)
		}
		if text := printed.String(); !strings.Contains(text, `  "top":[{"model":"a","calls":2}]`+"\n") ||
			strings.Contains(text, "Bearer key") {
			t.Errorf("printed:\n%s", text)
		}
	}
}
