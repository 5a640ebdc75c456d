package main

import (
	"bufio"
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/server/liveconfig"
)

const alice = "correct-horse-battery-staple"

// still is a view that does not change.
type still struct {
	err, failing error
	age          time.Duration
}

func (s still) Ready() error       { return s.err }
func (s still) Age() time.Duration { return s.age }
func (s still) Failing() error     { return s.failing }
func (still) Restores() int        { return 0 }

// env is a server that has only a gate.
type env struct {
	config        *liveconfig.Config
	metrics       *prometheus.Registry
	main, metered http.Handler
}

// newEnv returns a server with the key of alice and other keys, configured by an empty document.
func newEnv(tb testing.TB, view view, keys ...verify.Key) env {
	tb.Helper()
	ring, err := pepper.Load(map[string][]byte{pepper.Active: make([]byte, 32)})
	if err != nil {
		tb.Fatal(err)
	}
	index := &verify.Index{}
	index.Put(verify.ID{Name: "alice"}, verify.KeyObject{
		Identity: verify.Identity{Username: "alice", Subject: "User/alice", Admin: true},
		Standing: verify.Accepted, Keys: append(keys, verify.Key{Digest: ring.Digest(alice)}),
	})
	log := slog.New(slog.DiscardHandler)
	verifier := verify.NewVerifier(index, keyformat.Format{Prefix: keyformat.DefaultPrefix}, ring)
	metrics := prometheus.NewRegistry()
	g := gate.New(gate.Config{Verifier: verifier, View: view, Now: time.Now, Log: log, Registry: metrics})
	config := liveconfig.New(liveconfig.Targets{Index: index, Verifier: verifier, Gate: g}, time.Now)
	unknown := unknownPeppers(verifier.UnknownPeppers)
	addMetrics(metrics, index, unknown, view, config)
	ready := newReadiness(indexCheck(g, view), configurationCheck(config), pepperCheck(unknown))
	if err := config.Apply("{}"); err != nil {
		tb.Fatal(err)
	}
	main, err := mainHandler(&service{gate: g, ready: ready}, log)
	if err != nil {
		tb.Fatal(err)
	}
	return env{config: config, metrics: metrics, main: main, metered: metricsHandler(metrics, log)}
}

func ask(handler http.Handler, method, target string, header http.Header) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, target, nil)
	if header != nil {
		request.Header = header
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder
}

func TestMainHandler_PathsAndMethods(t *testing.T) {
	s := newEnv(t, still{})
	known := http.Header{"Authorization": {"Bearer " + alice}}
	for _, c := range []struct {
		handler        http.Handler
		method, target string
		header         http.Header
		want           int
	}{
		{s.main, "GET", "/auth", known, http.StatusOK},
		{s.main, "HEAD", "/auth", known, http.StatusOK},
		{s.main, "GET", "/auth?anything", known, http.StatusOK},
		{s.main, "GET", "/auth", nil, http.StatusUnauthorized},
		{s.main, "HEAD", "/auth", nil, http.StatusUnauthorized},
		{s.main, "POST", "/auth", known, http.StatusOK},
		{s.main, "PURGE", "/auth", known, http.StatusOK},
		{s.main, "PURGE", "/auth", nil, http.StatusUnauthorized},
		{s.main, "GET", "/auth/", known, http.StatusNotFound},
		{s.main, "GET", "/authz/", known, http.StatusOK},
		{s.main, "PURGE", "/authz//a/../b?c", known, http.StatusOK},
		{s.main, "POST", "/authz/healthz", nil, http.StatusUnauthorized},
		{s.main, "GET", "/authz", known, http.StatusNotFound},
		{s.metered, "GET", "/authz/", known, http.StatusNotFound},
		{s.main, "POST", "/introspect", known, http.StatusBadRequest},
		{s.main, "POST", "/introspect", nil, http.StatusUnauthorized},
		{s.main, "GET", "/", known, http.StatusNotFound},
		{s.main, "GET", "/healthz", nil, http.StatusOK},
		{s.main, "GET", "/readyz", nil, http.StatusOK},
		{s.main, "GET", "/metrics", nil, http.StatusNotFound},
		{s.metered, "GET", "/metrics", nil, http.StatusOK},
		{s.metered, "GET", "/auth", known, http.StatusNotFound},
	} {
		if got := ask(c.handler, c.method, c.target, c.header); got.Code != c.want {
			t.Errorf("%s %s: %d, want %d", c.method, c.target, got.Code, c.want)
		}
	}
}

func TestMetrics(t *testing.T) {
	s := newEnv(t, still{age: 90 * time.Second})
	ask(s.main, "GET", "/auth", http.Header{"X-Api-Key": {alice}})
	body := ask(s.metered, "GET", "/metrics", nil).Body.String()
	for _, line := range []string{
		"keywright_index_keys 1", "keywright_keys_unknown_pepper 0", "keywright_index_ready 1",
		"keywright_index_age_seconds 90",
		`keywright_verifications_total{verdict="accepted"} 1`, `keywright_decisions_total{outcome="allowed"} 1`,
		`keywright_configuration_since_seconds{revision="44136fa355b3"} `, "keywright_configuration_refused 0", "go_goroutines ", "process_open_fds ",
	} {
		if !strings.Contains(body, "\n"+line) {
			t.Errorf("no line %q", line)
		}
	}
}

func TestReadiness(t *testing.T) {
	const configured, withPepper = "[+] configuration: ok, revision 44136fa355b3 since 20", "[+] pepper: ok\n"
	for name, c := range map[string]struct {
		seen      view
		configure string
		status    int
		verbose   []string
	}{
		"current": {
			still{age: 12 * time.Second}, "{}", http.StatusOK,
			[]string{"[+] index: ok, as it was 12s ago\n", configured, withPepper},
		},
		"index not filled": {
			still{err: errors.New("adminusers have not been seen yet")}, "{}", http.StatusServiceUnavailable,
			[]string{"[-] index: adminusers have not been seen yet\n", configured, withPepper},
		},
		"API server is down": {
			still{age: 3 * time.Minute, failing: errors.New("refused")}, "{}", http.StatusOK,
			[]string{"[+] index: ok, as it was 3m0s ago: the API server does not answer\n", configured, withPepper},
		},
		"view is too old": {
			still{age: 3 * time.Minute}, `{"staleAfter":60000000000}`, http.StatusServiceUnavailable,
			[]string{"[-] index: the view of the cluster is 3m0s old, more than STALE_AFTER=1m0s", withPepper},
		},
		"unusable new one": {
			still{}, "nonsense", http.StatusOK,
			[]string{configured, "Z, but a newer one can't be used: ", withPepper},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newEnv(t, c.seen)
			_ = s.config.Apply(c.configure)
			if got := ask(s.main, "GET", "/readyz", nil).Code; got != c.status {
				t.Errorf("%d, want %d", got, c.status)
			}
			got := ask(s.main, "GET", "/readyz?verbose", nil)
			for _, part := range c.verbose {
				if got.Code != c.status || !strings.Contains(got.Body.String(), part) {
					t.Errorf("%d %q, want %q", got.Code, got.Body, part)
				}
			}
		})
	}
}

func TestReadiness_WaitsForDatabaseToStart(t *testing.T) {
	var starting, usable error
	var volume database.Volume
	ready := newReadiness(databaseCheck(func() error { return starting }, func() error { return usable },
		func() *database.Volume { return &volume }))
	for _, c := range []struct {
		starting, usable error
		status           int
		verbose          string
	}{
		{
			errors.New("not checked yet"), errors.New("not checked yet"), http.StatusServiceUnavailable,
			"[-] database: not checked yet\n",
		},
		{
			nil, errors.New("PostgreSQL: connection refused"), http.StatusOK,
			"[+] database: ok for verification; management is refused: PostgreSQL: connection refused\n",
		},
		{nil, nil, http.StatusOK, "[+] database: ok\n"},
	} {
		starting, usable = c.starting, c.usable
		if got := ask(ready, "GET", "/readyz?verbose", nil); got.Code != c.status ||
			!strings.Contains(got.Body.String(), c.verbose) {
			t.Errorf("%d %q, want %d and %q", got.Code, got.Body, c.status, c.verbose)
		}
	}
	volume = database.Volume{Free: 90 << 20, Size: 1 << 30, Low: true}
	const want = "[+] database: ok, but its volume is almost full: 90 of 1024 MiB are free\n"
	if got := ask(ready, "GET", "/readyz?verbose", nil); got.Code != http.StatusOK ||
		!strings.Contains(got.Body.String(), want) {
		t.Errorf("%d %q, want %q", got.Code, got.Body, want)
	}
}

func TestRecoverPanics_EndsOneRequest(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	server := httptest.NewServer(recoverPanics(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			_, _ = w.Write(make([]byte, 1<<20))
		}
		panic("something about " + alice)
	}), logger))
	defer server.Close()

	if status, body := get(t, server.URL+"/early"); status != http.StatusInternalServerError || body != `{"error":{"code":5000,"what":"internal error"}}`+"\n" {
		t.Errorf("%d %q", status, body)
	}
	reply, err := http.Get(server.URL + "/late")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reply.Body.Close() }()
	if _, err := bytes.NewBuffer(nil).ReadFrom(reply.Body); err == nil {
		t.Error("a truncated reply looks complete")
	}
	if strings.Count(log.String(), "recover_test.go") == 0 && strings.Count(log.String(), "handlers_test.go") < 2 {
		t.Errorf("the log has no stack: %s", log.String())
	}
	if strings.Contains(log.String(), alice) {
		t.Error("the log repeats the value of the panic, which may hold a key")
	}
}

// Every request gets a reply, and none passes without the key.
func FuzzRequest(f *testing.F) {
	s := newEnv(f, still{})
	f.Add([]byte("GET /auth HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + alice + "\r\n\r\n"))
	f.Add([]byte("HEAD //auth?%zz HTTP/1.0\r\nX-Api-Key: \xff\r\nX-API-KEY: y\r\n\r\n"))
	f.Add([]byte("OPTIONS * HTTP/1.1\r\nHost:\r\nAuthorization: Basic Og==\r\n\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		request, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil {
			return
		}
		recorder := httptest.NewRecorder()
		s.main.ServeHTTP(recorder, request)
		if recorder.Code >= http.StatusInternalServerError {
			t.Fatalf("status %d", recorder.Code)
		}
		if recorder.Header().Get("X-Auth-User") != "" && !bytes.Contains(raw, []byte(alice)) &&
			!bytes.Contains(raw, []byte("Basic")) {
			t.Fatal("passed without a key")
		}
	})
}
