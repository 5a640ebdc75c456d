package reverseproxy_test

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/gate/reverseproxy"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/test/kit"
)

// Keys: of an admin, an unknown one, and of a program that may read certificates.
const (
	alice   = "correct-horse-battery-staple"
	unknown = "a-key-that-was-never-issued"
	ci      = "the-key-of-a-program-named-ci"
)

// knownSession is the cookie of a session of alice's key.
const knownSession = "the-secret-of-a-session-of-alice"

// always is a complete and current view.
type always struct{}

func (always) Ready() error       { return nil }
func (always) Age() time.Duration { return 0 }

// sessions has one session.
type sessions struct{ digest pepper.Digest }

func (s sessions) Key(cookie string, _ time.Time) *pepper.Digest {
	if cookie != knownSession {
		return nil
	}
	return &s.digest
}

// fixture is an app, a gate and the proxy.
type fixture struct {
	*gate.Gate
	index *verify.Index
	ring  *pepper.Keyring
	app   *httptest.Server
	proxy *httptest.Server
	inner *reverseproxy.Proxy
	// open counts the open requests of the proxy.
	open atomic.Int64
	log  *kit.Log
	now  func() time.Time
	// patience bounds the wait of a client that sends less than it announced.
	patience time.Duration
}

// options change a fixture. The zero value changes nothing.
type options struct {
	runtime config.Runtime
	recheck time.Duration
	// path is appended to the app's address.
	path string
	// upstream replaces the app's URL.
	upstream string
	now      func() time.Time
	// timeout replaces each of the server's timeouts.
	timeout time.Duration
	// plain hides every optional interface of the ResponseWriter.
	plain bool
	// http2 serves HTTP/2 over TLS.
	http2 bool
	// h2c reaches the app by HTTP/2 without TLS.
	h2c bool
}

func newFixture(tb testing.TB, app http.HandlerFunc, o options) *fixture {
	tb.Helper()
	ring, err := pepper.Load(map[string][]byte{pepper.Active: make([]byte, 32)})
	must(tb, err)
	h := &fixture{index: &verify.Index{}, ring: ring, log: &kit.Log{}, now: o.now, patience: 2 * o.timeout}
	if h.now == nil {
		h.now = time.Now
	}
	h.put("alice", alice, verify.Accepted)
	h.index.Put(verify.ID{Kind: "APIKey", Name: "ci"}, verify.KeyObject{
		Identity: verify.Identity{Subject: "Account/ci"}, Standing: verify.Accepted, UID: "ci",
		Rights: &access.Rights{Scopes: []string{"certs.read"}}, Keys: []verify.Key{{Digest: ring.Digest(ci)}},
	})
	h.Gate = gate.New(gate.Config{
		Verifier: verify.NewVerifier(h.index, keyformat.Format{Prefix: keyformat.DefaultPrefix}, ring), View: always{},
		Sessions: sessions{ring.Digest(alice)}, Now: h.now, Log: slog.New(slog.DiscardHandler),
		Registry: prometheus.NewRegistry(),
	})
	h.use(tb, o.runtime)
	if app != nil {
		h.app = httptest.NewUnstartedServer(app)
		h.app.Config.DisableGeneralOptionsHandler = true
		h.app.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
		h.app.Config.Protocols = reverseproxy.Protocols()
		h.app.Start()
		tb.Cleanup(h.app.Close)
		o.upstream = h.app.URL + o.path
		if o.h2c {
			o.upstream = strings.Replace(o.upstream, "http:", "h2c:", 1)
		}
	}
	h.inner = h.newProxy(tb, o)
	h.proxy = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.open.Add(1)
		defer h.open.Add(-1)
		if o.plain {
			w = struct{ http.ResponseWriter }{w}
		}
		h.inner.ServeHTTP(w, r)
	}))
	configure(h.proxy.Config)
	if o.timeout > 0 {
		h.proxy.Config.ReadTimeout, h.proxy.Config.WriteTimeout, h.proxy.Config.IdleTimeout = o.timeout, o.timeout, o.timeout
	}
	if h.proxy.EnableHTTP2 = o.http2; o.http2 {
		h.proxy.StartTLS()
	} else {
		h.proxy.Start()
	}
	tb.Cleanup(h.proxy.Close)
	return h
}

func (h *fixture) newProxy(tb testing.TB, o options) *reverseproxy.Proxy {
	tb.Helper()
	upstream, err := reverseproxy.ParseUpstream(o.upstream)
	must(tb, err)
	return reverseproxy.New(reverseproxy.Config{
		Gate: h.Gate, Upstream: upstream,
		Log: slog.New(slog.NewJSONHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Recheck: o.recheck,
	})
}

// awaitIdle waits until the proxy has no open request.
func (h *fixture) awaitIdle(tb testing.TB) {
	tb.Helper()
	h.awaitOpen(tb, 0)
}

// awaitOpen waits until that many requests are open: one ends a moment after its client has seen its end.
func (h *fixture) awaitOpen(tb testing.TB, requests int64) {
	tb.Helper()
	for deadline := time.Now().Add(20 * time.Second); h.open.Load() != requests; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("%d requests are open", h.open.Load())
		}
	}
}

// configure sets up a server for the proxy.
func configure(s *http.Server) {
	s.MaxHeaderBytes = 64 << 10
	s.ReadHeaderTimeout = 10 * time.Second
	s.ReadTimeout = 30 * time.Second
	s.WriteTimeout = 30 * time.Second
	s.DisableGeneralOptionsHandler, s.Protocols = true, reverseproxy.Protocols()
	s.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
}

// put adds an admin's key to the index.
func (h *fixture) put(name, plaintext string, standing verify.Reason) {
	h.index.Put(verify.ID{Kind: "AdminUser", Name: name}, verify.KeyObject{
		Identity: verify.Identity{Username: name, Subject: "User/" + name, Admin: true}, Standing: standing, UID: name,
		OwnsUsername: true, Keys: []verify.Key{{Digest: h.ring.Digest(plaintext)}},
	})
}

func (h *fixture) use(tb testing.TB, runtime config.Runtime) {
	tb.Helper()
	rules, err := gate.NewRules(runtime)
	must(tb, err)
	h.Gate.Use(rules)
}

func (h *fixture) address() string { return h.proxy.Listener.Addr().String() }

// dial opens a connection to the proxy with a deadline.
func (h *fixture) dial(tb testing.TB) net.Conn {
	tb.Helper()
	connection, err := net.Dial("tcp", h.address())
	must(tb, err)
	must(tb, connection.SetDeadline(time.Now().Add(20*time.Second)))
	tb.Cleanup(func() { _ = connection.Close() })
	return connection
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
