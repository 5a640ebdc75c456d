package reverseproxy_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/routes"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
)

// often is the recheck interval of the tests.
const often = 5 * time.Millisecond

// clock counts its readings: each decision reads it once.
type clock struct{ asked atomic.Int64 }

func (c *clock) now() time.Time {
	c.asked.Add(1)
	return time.Now()
}

// await waits for that many more decisions.
func (c *clock) await(t *testing.T, times int64) {
	t.Helper()
	enough := c.asked.Load() + times
	for deadline := time.Now().Add(20 * time.Second); c.asked.Load() < enough; {
		if time.Now().After(deadline) {
			t.Fatal("no request was rechecked")
		}
		time.Sleep(often) // Polls: a decision emits no signal.
	}
}

// open returns an app whose requests stay open until client or proxy end them, and channels that report that one has
// reached the app, and its end. A request that its client leaves before it reaches the app reports neither.
func open() (app http.HandlerFunc, began, ended <-chan struct{}) {
	begin, end := make(chan struct{}, 1), make(chan struct{}, 1)
	return func(w http.ResponseWriter, r *http.Request) {
		begin <- struct{}{}
		defer func() { end <- struct{}{} }()
		c := http.NewResponseController(w)
		switch r.URL.Path {
		case "/talk":
			upgraded(w, r)
			return
		case "/upload":
			_, _ = io.Copy(io.Discard, r.Body)
			return
		case "/flood":
			for _, err := w.Write(make([]byte, 1<<20)); err == nil; _, err = w.Write(make([]byte, 1<<20)) {
			}
			return
		case "/events":
			w.Header().Set("Content-Type", "text/event-stream")
			_ = c.Flush()
		}
		<-r.Context().Done()
	}, begin, end
}

// Ways to lose a credential.
var losses = map[string]func(*testing.T, *fixture){
	"disabled":    func(_ *testing.T, h *fixture) { h.put("alice", alice, verify.Disabled) },
	"deleted":     func(_ *testing.T, h *fixture) { h.index.Delete(verify.ID{Kind: "AdminUser", Name: "alice"}) },
	"key rotated": func(_ *testing.T, h *fixture) { h.put("alice", unknown, verify.Accepted) },
}

// Ways to keep a request open.
var stays = map[string]string{
	"events":       request("GET /events"),
	"no answer":    request("GET /wait"),
	"websocket":    webSocket,
	"slow upload":  request("POST /upload", "Content-Length: 1000000") + "some",
	"slow chunks":  request("POST /upload", "Transfer-Encoding: chunked") + "4\r\nsome\r\n",
	"not taken":    request("GET /flood"),
	"by a session": anonymous("GET /events", "Cookie: keywright_session="+knownSession),
}

func TestRecheck_EndsWithCredential(t *testing.T) {
	for stay, raw := range stays {
		for loss, lose := range losses {
			if stay == "by a session" && loss == "key rotated" {
				lose = losses["deleted"]
			}
			t.Run(stay+", "+loss, func(t *testing.T) {
				app, began, ended := open()
				c := &clock{}
				h := newFixture(t, app, options{recheck: often, now: c.now})
				connection := h.dial(t)
				_, err := io.WriteString(connection, raw)
				must(t, err)
				wantBegin(t, began)
				c.await(t, 4)
				select {
				case <-ended:
					t.Fatal("the request ended early")
				default:
				}
				lose(t, h)
				wantEnd(t, ended)
				h.awaitIdle(t)
				// The client's connection ends too, whatever was in transit.
				if _, err := io.Copy(io.Discard, connection); errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
					t.Error("the client's connection is still open")
				}
				if log := h.log.String(); !strings.Contains(log, `"subject":"User/alice"`) || strings.Contains(log, alice) ||
					strings.Contains(log, "ERROR") {
					t.Errorf("log: %s", log)
				}
			})
		}
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func wantBegin(t *testing.T, began <-chan struct{}) {
	t.Helper()
	select {
	case <-began:
	case <-time.After(20 * time.Second):
		t.Fatal("the request has not reached the app")
	}
}

func wantEnd(t *testing.T, ended <-chan struct{}) {
	t.Helper()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Fatal("the request is still open")
	}
}

func TestRecheck_EndsWhenRulesForbid(t *testing.T) {
	byCI, byBob := as(ci, "POST /events"), anonymous("POST /events", "X-Forwarded-User: bob")
	trusting := config.Runtime{TrustProxyHeaders: true}
	for name, c := range map[string]struct {
		request string
		change  func(*testing.T, *fixture)
	}{
		"allow list": {byCI, func(t *testing.T, h *fixture) { h.use(t, config.Runtime{AllowedUsers: []string{"bob"}}) }},
		"route": {byCI, func(t *testing.T, h *fixture) {
			h.use(t, config.Runtime{Routes: []routes.Route{{Match: "/events", Owner: "bob"}}})
		}},
		"unmatched":       {byCI, func(t *testing.T, h *fixture) { h.use(t, config.Runtime{DenyUnmatched: true}) }},
		"trust withdrawn": {byBob, func(t *testing.T, h *fixture) { h.use(t, config.Runtime{}) }},
		"name disabled": {byBob, func(_ *testing.T, h *fixture) {
			h.index.Put(verify.ID{Kind: "AdminUser", Name: "bob"}, verify.KeyObject{
				Identity: verify.Identity{Username: "bob", Subject: "User/bob"}, OwnsUsername: true, Disabled: true,
				Standing: verify.Disabled,
			})
		}},
		// The identity headers that the app got are out of date.
		"another's key": {byCI, func(_ *testing.T, h *fixture) { h.setCI("Account/other", "certs.read") }},
		"a scope less":  {byCI, func(_ *testing.T, h *fixture) { h.setCI("Account/ci", "certs.write") }},
	} {
		t.Run(name, func(t *testing.T) {
			app, _, ended := open()
			h := newFixture(t, app, options{recheck: often, runtime: trusting})
			connection := h.dial(t)
			_, err := io.WriteString(connection, c.request)
			must(t, err)
			answer, err := http.ReadResponse(bufio.NewReader(connection), nil)
			must(t, err)
			defer func() { _ = answer.Body.Close() }()
			c.change(t, h)
			wantEnd(t, ended)
			if _, err := io.Copy(io.Discard, answer.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("an interrupted reply looks complete: %v", err)
			}
		})
	}
}

// Also if the connection cannot be accessed.
func TestRecheck_EndsBehindAnyResponseWriter(t *testing.T) {
	app, began, ended := open()
	c := &clock{}
	h := newFixture(t, app, options{recheck: often, now: c.now, plain: true})
	connection := h.dial(t)
	_, err := io.WriteString(connection, request("GET /wait"))
	must(t, err)
	wantBegin(t, began)
	c.await(t, 2)
	h.put("alice", alice, verify.Disabled)
	wantEnd(t, ended)
	h.awaitIdle(t)
}

func (h *fixture) setCI(subject string, scopes ...string) {
	h.index.Put(verify.ID{Kind: "APIKey", Name: "ci"}, verify.KeyObject{
		Identity: verify.Identity{Subject: subject}, Standing: verify.Accepted, UID: "ci",
		Rights: &access.Rights{Scopes: scopes}, Keys: []verify.Key{{Digest: h.ring.Digest(ci)}},
	})
}

// memory is an in-process network, for use in a synctest bubble.
type memory struct {
	connections chan net.Conn
	once        sync.Once
	closed      chan struct{}
}

func (m *memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.connections:
		return c, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error {
	m.once.Do(func() { close(m.closed) })
	return nil
}

func (*memory) Addr() net.Addr { return &net.TCPAddr{} }

func (m *memory) dial() net.Conn {
	client, server := net.Pipe()
	m.connections <- server
	return client
}

func newMemory() *memory {
	return &memory{connections: make(chan net.Conn), closed: make(chan struct{})}
}

// Rechecks of requests of different lengths, to the second.
func TestRecheck_EveryFiveSeconds(t *testing.T) {
	c := &clock{}
	h := newFixture(t, nil, options{upstream: "http://app.example", now: c.now})
	synctest.Test(t, func(t *testing.T) {
		network, appNetwork := newMemory(), newMemory()
		handler := h.newProxy(t, options{upstream: "http://app.example"})
		handler.SetDial(func(context.Context, string, string) (net.Conn, error) { return appNetwork.dial(), nil })
		app := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			took, _ := time.ParseDuration(r.URL.RawQuery)
			_ = http.NewResponseController(w).Flush()
			select {
			case <-time.After(took):
			case <-r.Context().Done():
			}
		})}
		proxy := &http.Server{Handler: handler}
		configure(proxy)
		go func() { _ = app.Serve(appNetwork) }()
		go func() { _ = proxy.Serve(network) }()
		ask := func(took string) error {
			connection := network.dial()
			defer func() { _ = connection.Close() }()
			if _, err := io.WriteString(connection, request("GET /?"+took)); err != nil {
				return err
			}
			answer, err := http.ReadResponse(bufio.NewReader(connection), nil)
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, answer.Body)
			return errors.Join(err, answer.Body.Close())
		}
		for took, times := range map[string]int64{"0s": 1, "4.9s": 1, "5.1s": 2, "9.9s": 2, "59m59s": 720} {
			before := c.asked.Load()
			must(t, ask(took))
			// A decision asks for the time at its end too, for how long it took. A recheck does not.
			if got := c.asked.Load() - before - 1; got != times {
				t.Errorf("one of %s was decided on %d times, want %d", took, got, times)
			}
		}
		began := time.Now()
		time.AfterFunc(time.Minute+time.Second, func() { h.put("alice", alice, verify.Disabled) })
		if err := ask("1h"); !errors.Is(err, io.ErrUnexpectedEOF) || time.Since(began) != time.Minute+5*time.Second {
			t.Errorf("it ended after %v: %v", time.Since(began), err)
		}
		_ = app.Close()
		_ = proxy.Close()
	})
}
