package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/internal/program"
	"keywright.dev/keywright/test/kit"
)

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func goodPepper(t *testing.T) string {
	t.Helper()
	return filepath.Dir(write(t, "active", strings.Repeat("p", 32)))
}

// kubeconfigFor writes a kubeconfig for the API server at this address.
func kubeconfigFor(t *testing.T, server string) string {
	t.Helper()
	return write(t, "kubeconfig", `{"apiVersion":"v1","kind":"Config","current-context":"c",
"clusters":[{"name":"c","cluster":{"server":"`+server+`"}}],"users":[{"name":"u","user":{}}],
"contexts":[{"name":"c","context":{"cluster":"c","user":"u"}}]}`)
}

// closedPort returns a local address without a listener.
func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

func TestRun_StartErrorIsOneLine(t *testing.T) {
	t.Setenv("KUBECONFIG", "")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	pepper, kubeconfig := goodPepper(t), kubeconfigFor(t, "http://"+closedPort(t))
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"unknown flag":        {[]string{"--peper-dir=/x"}, 2, "unknown flag: --peper-dir"},
		"no number":           {[]string{"--shutdown-timeout=soon"}, 2, "--shutdown-timeout"},
		"negative":            {[]string{"--shutdown-timeout=-1s"}, 2, "--shutdown-timeout must not be negative"},
		"negative wait":       {[]string{"--database-wait=-1s"}, 2, "--database-wait must not be negative"},
		"argument":            {[]string{"serve"}, 2, `unexpected argument "serve"`},
		"key namespace":       {[]string{"--namespaces=team-a,Not/One"}, 2, `--namespaces "Not/One"`},
		"key namespace twice": {[]string{"--namespaces=a,b,a"}, 2, `--namespaces names "a" twice`},
		"no key namespace":    {[]string{"--namespaces="}, 2, `--namespaces ""`},
		"key namespace empty": {[]string{"--namespaces=a,,b"}, 2, `--namespaces ""`},
		"log level":           {[]string{"--log-level=loud"}, 2, "debug, info, warn, error"},
		"namespace":           {[]string{"--namespace=Not/One"}, 2, "--namespace"},
		"no pepper":           {[]string{"--pepper-dir=/nonexistent"}, 1, "folder /nonexistent does not exist"},
		"empty pepper":        {[]string{"--pepper-dir=" + t.TempDir()}, 1, "is empty"},
		"short pepper":        {[]string{"--pepper-dir=" + filepath.Dir(write(t, "active", "short"))}, 1, `"active" has 5 bytes`},
		"pepper, none active": {[]string{"--pepper-dir=" + filepath.Dir(write(t, "old", strings.Repeat("p", 32)))}, 1, `no entry "active"`},
		"no kubeconfig":       {[]string{"--pepper-dir=" + pepper}, 1, "--kubeconfig"},
		"kubeconfig missing":  {[]string{"--pepper-dir=" + pepper, "--kubeconfig=/nonexistent"}, 1, "/nonexistent"},
		"kubeconfig malformed": {
			[]string{"--pepper-dir=" + pepper, "--kubeconfig=" + write(t, "k", "a: [\nb: {\n\t- c")}, 1,
			"kubeconfig",
		},
		"kubeconfig empty": {[]string{"--pepper-dir=" + pepper, "--kubeconfig=" + write(t, "k", "")}, 1, "/k is empty"},
		"kubeconfig without certificate": {[]string{"--pepper-dir=" + pepper, "--kubeconfig=" + write(t, "k",
			`{"apiVersion":"v1","kind":"Config","current-context":"c","clusters":[{"name":"c","cluster":{"server":"https://x","certificate-authority":"/nonexistent/ca"}}],"contexts":[{"name":"c","context":{"cluster":"c"}}]}`)}, 1, "/nonexistent/ca"},
		"port in use": {
			[]string{"--pepper-dir=" + pepper, "--kubeconfig=" + kubeconfig, "--listen=" + taken.Addr().String()},
			1, "--listen " + taken.Addr().String(),
		},
		"metrics port in use": {
			[]string{
				"--pepper-dir=" + pepper, "--kubeconfig=" + kubeconfig, "--listen=127.0.0.1:0",
				"--metrics-listen=" + taken.Addr().String(),
			},
			1, "--metrics-listen",
		},
		"no database": {
			[]string{"--pepper-dir=" + pepper, "--kubeconfig=" + kubeconfig, "--database=mysql://u:secret@h/d"}, 2,
			"--database: the database must be a postgres:// URL",
		},
		"certificate without key": {[]string{"--tls-cert-file=c"}, 2, "--tls-cert-file and --tls-key-file need each other"},
		"key without certificate": {[]string{"--tls-key-file=k"}, 2, "--tls-cert-file and --tls-key-file need each other"},
		"client CA alone":         {[]string{"--client-ca-file=a"}, 2, "--client-ca-file needs --tls-cert-file"},
		"blank certificate":       {[]string{"--tls-cert-file=", "--tls-key-file="}, 2, "is blank"},
		"blank client CA": {
			[]string{"--tls-cert-file=c", "--tls-key-file=k", "--client-ca-file= "}, 2, "--client-ca-file is blank",
		},
		"certificate missing": {
			[]string{
				"--pepper-dir=" + pepper, "--kubeconfig=" + kubeconfig, "--tls-cert-file=/nonexistent/c", "--tls-key-file=/k",
			},
			1, "TLS: /nonexistent/c does not exist",
		},
		"no address": {
			[]string{"--pepper-dir=" + pepper, "--kubeconfig=" + kubeconfig, "--listen=here"}, 1, "--listen here",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var stderr kit.Log
			args := append([]string{"--database=" + filepath.Join(t.TempDir(), "db")}, c.args...)
			code := program.ExitCode(programName, run(t.Context(), args, io.Discard, &stderr), &stderr)
			said := stderr.String()
			if code != c.code || !strings.Contains(said, c.says) {
				t.Errorf("exit code %d, want %d; stderr %q, want %q in it", code, c.code, said, c.says)
			}
			if !strings.HasPrefix(said, "keywright-server: ") || strings.Count(said, "\n") != 1 ||
				!strings.HasSuffix(said, "\n") {
				t.Errorf("not one line: %q", said)
			}
		})
	}
}

func TestRun_HelpAndVersion(t *testing.T) {
	for flag, says := range map[string]string{"--help": "--pepper-dir", "--version": "keywright-server " + version} {
		var stdout, stderr kit.Log
		code := program.ExitCode(programName, run(t.Context(), []string{flag}, &stdout, &stderr), &stderr)
		if code != 0 || !strings.Contains(stdout.String(), says) || stderr.String() != "" {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", flag, code, stdout.String(), stderr.String())
		}
	}
}

// started is a server that runs until stop is called.
type started struct {
	url    string
	stderr *kit.Log
	stop   func() error
}

func start(t *testing.T, args ...string) *started {
	t.Helper()
	s := &started{stderr: &kit.Log{}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- run(
			ctx,
			append([]string{
				"--listen=127.0.0.1:0", "--ext-authz-listen=0",
				"--database=" + filepath.Join(t.TempDir(), "db"),
			}, args...),
			io.Discard, s.stderr,
		)
	}()
	s.stop = func() error { cancel(); return <-ended }
	eventually(t, "it listens", func() bool {
		select {
		case err := <-ended:
			t.Fatal(err)
		default:
		}
		for line := range strings.Lines(s.stderr.String()) {
			var entry struct{ Listen string }
			if json.Unmarshal([]byte(line), &entry) == nil && entry.Listen != "" {
				s.url = "http://" + entry.Listen
			}
		}
		return s.url != ""
	})
	return s
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for !is() {
		select {
		case <-deadline:
			t.Fatalf("timed out waiting until %s", what)
		case <-look.C:
		}
	}
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	reply, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reply.Body.Close() }()
	content, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply.StatusCode, string(content)
}

func TestCheckConnections_KeepsTimesThatAreSet(t *testing.T) {
	t.Setenv("HTTP2_READ_IDLE_TIMEOUT_SECONDS", "7")
	t.Setenv("HTTP2_PING_TIMEOUT_SECONDS", "")
	if err := os.Unsetenv("HTTP2_PING_TIMEOUT_SECONDS"); err != nil {
		t.Fatal(err)
	}
	if err := checkConnections(); err != nil {
		t.Fatal(err)
	}
	if idle, ping := os.Getenv("HTTP2_READ_IDLE_TIMEOUT_SECONDS"), os.Getenv("HTTP2_PING_TIMEOUT_SECONDS"); idle != "7" ||
		ping != "5" {
		t.Errorf("%q and %q", idle, ping)
	}
}

func TestRun_WithoutAPIServerReportsNotReady(t *testing.T) {
	away := closedPort(t)
	s := start(t, "--pepper-dir="+goodPepper(t), "--kubeconfig="+kubeconfigFor(t, "http://"+away), "--metrics-listen=0")
	eventually(t, "/readyz says why", func() bool {
		status, body := get(t, s.url+"/readyz?verbose")
		return status == http.StatusServiceUnavailable && strings.Contains(body, "[-] index: ") &&
			strings.Contains(body, away)
	})
	if status, body := get(t, s.url+"/readyz"); status != http.StatusServiceUnavailable || strings.Contains(body, away) {
		t.Errorf("/readyz without ?verbose: %d %s", status, body)
	}
	if status, body := get(t, s.url+"/healthz"); status != http.StatusOK || strings.TrimSpace(body) != "ok" {
		t.Errorf("/healthz: %d %s", status, body)
	}
	eventually(t, "every watch complains", func() bool { return strings.Count(s.stderr.String(), "is unreachable") >= 5 })
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	complaints := 0
	for line := range strings.Lines(s.stderr.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
		complaints += strings.Count(line, "is unreachable")
	}
	if complaints != 5 {
		t.Errorf("%d warnings for five watches, want one for each: %s", complaints, s.stderr)
	}
}
