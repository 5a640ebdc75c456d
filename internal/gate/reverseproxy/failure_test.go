package reverseproxy_test

import (
	"bufio"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const (
	gone = `{"error":{"code":5000,"what":"The app can't be reached"}}` + "\n"
	slow = `{"error":{"code":5000,"what":"The app takes too long"}}` + "\n"
)

// rawApp starts an app that reads a request and replies with the given bytes. It returns its URL.
func rawApp(t *testing.T, answer string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = connection.Close() }()
				if _, err := http.ReadRequest(bufio.NewReader(connection)); err == nil {
					_, _ = io.WriteString(connection, answer)
				}
			}()
		}
	}()
	return "http://" + listener.Addr().String()
}

// unreachable returns the URL of an app that does not listen.
func unreachable(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, listener.Close())
	return "http://" + listener.Addr().String()
}

func TestProxy_AppFailures(t *testing.T) {
	for name, upstream := range map[string]string{
		"not there":            unreachable(t),
		"hangs up":             rawApp(t, ""),
		"half a header":        rawApp(t, "HTTP/1.1 200 OK\r\nContent-"),
		"no HTTP":              rawApp(t, "220 mail.example ESMTP\r\n"),
		"bad length":           rawApp(t, "HTTP/1.1 200 OK\r\nContent-Length: some\r\n\r\n"),
		"two lengths":          rawApp(t, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
		"no length of a chunk": rawApp(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: strange\r\n\r\n"),
		"no end of headers": rawApp(
			t, "HTTP/1.1 200 OK\r\n"+strings.Repeat("X-A: "+strings.Repeat("a", 1000)+"\r\n", 1000),
		),
		"one large header": rawApp(t, "HTTP/1.1 200 OK\r\nX-A: "+strings.Repeat("a", 1<<20)+"\r\n\r\n"),
		"no status":        rawApp(t, "HTTP/1.1 099 No\r\n\r\n"),
		"TLS to an app without it": strings.Replace(
			rawApp(t, "HTTP/1.1 200 OK\r\n\r\n"), "http:", "https:", 1),
	} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t, nil, options{upstream: upstream})
			for _, method := range []string{"GET", "POST"} {
				got := h.say(t, request(method+" /", "Content-Length: 0"))
				if got.StatusCode != http.StatusBadGateway || got.body != gone {
					t.Errorf("%d %q", got.StatusCode, got.body)
				}
				if all := fmt.Sprint(got.Header, got.body); strings.Contains(all, strings.TrimPrefix(upstream, "http://")) {
					t.Errorf("the reply reveals where the app is: %s", all)
				}
			}
			if log := h.log.String(); strings.Count(log, `"level":"ERROR"`) != 1 || strings.Contains(log, alice) {
				t.Errorf("log: %s", log)
			}
		})
	}
}

func TestProxy_VerifiesAppCertificate(t *testing.T) {
	app, asked := recorder()
	server := httptest.NewUnstartedServer(app)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	h := newFixture(t, nil, options{upstream: server.URL})
	if got := h.say(t, request("GET /")); got.StatusCode != http.StatusBadGateway || got.body != gone {
		t.Errorf("%d %q", got.StatusCode, got.body)
	}
	never(t, asked)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	h = newFixture(t, nil, options{upstream: server.URL})
	h.inner.SetRoots(roots)
	if got := h.say(t, request("GET /")); got.StatusCode != http.StatusOK {
		t.Errorf("%d %q", got.StatusCode, got.body)
	}
	if r := <-asked; r.Host != "app.example" || r.ProtoMajor != 1 {
		t.Errorf("%s %s", r.Host, r.Proto)
	}
}

func TestProxy_AppTimeout(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = listener.Close() }()
	h := newFixture(t, nil, options{upstream: "https://" + listener.Addr().String()})
	h.inner.SetHandshakeTimeout(time.Millisecond)
	if got := h.say(t, request("GET /")); got.StatusCode != http.StatusGatewayTimeout || got.body != slow {
		t.Errorf("%d %q", got.StatusCode, got.body)
	}
}

// The client gets the reply before it has sent its whole body.
func TestProxy_RepliesWhileClientSends(t *testing.T) {
	h := newFixture(t, nil, options{upstream: unreachable(t)})
	connection := h.dial(t)
	_, err := io.WriteString(connection, "POST / HTTP/1.1\r\n"+proven+"Transfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n")
	must(t, err)
	answer, err := http.ReadResponse(bufio.NewReader(connection), nil)
	must(t, err)
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusBadGateway || !answer.Close {
		t.Errorf("%d, and the connection ends: %t", answer.StatusCode, answer.Close)
	}
}

// An interrupted reply must not look complete.
func TestProxy_AppDisconnects(t *testing.T) {
	for _, begin := range []string{
		"Content-Length: 10\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
		"Transfer-Encoding: chunked\r\n\r\n4\r\nhalfbroken",
	} {
		h := newFixture(t, nil, options{upstream: rawApp(t, "HTTP/1.1 200 OK\r\n"+begin)})
		answer, err := h.ask(t, http.MethodGet, "/", nil)
		if err != nil {
			// Nothing had been forwarded yet.
			continue
		}
		body, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err == nil || string(body) != "half" && len(body) > 0 {
			t.Errorf("%q: %q, %v", begin, body, err)
		}
	}
}

func TestProxy_LogsOutageOnce(t *testing.T) {
	app, _ := recorder()
	h := newFixture(t, app, options{})
	count := func(lost, found int) {
		t.Helper()
		log := h.log.String()
		if strings.Count(log, `"level":"ERROR","msg":"The app can't be reached"`) != lost ||
			strings.Count(log, "can be reached again") != found {
			t.Errorf("want %d and %d of\n%s", lost, found, log)
		}
	}
	h.say(t, request("GET /"))
	count(0, 0)
	address := h.app.Listener.Addr().String()
	h.app.Close()
	for range 3 {
		h.say(t, request("GET /"))
	}
	count(1, 0)
	again, err := net.Listen("tcp", address)
	must(t, err)
	server := &http.Server{Handler: app, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)}
	defer func() { _ = server.Close() }()
	go func() { _ = server.Serve(again) }()
	for range 3 {
		if got := h.say(t, request("GET /")); got.StatusCode != http.StatusOK {
			t.Error(got.StatusCode)
		}
	}
	count(1, 1)
}

func TestProxy_ClientDisconnectIsNotAnError(t *testing.T) {
	for stay, raw := range stays {
		t.Run(stay, func(t *testing.T) {
			app, began, ended := open()
			c := &clock{}
			h := newFixture(t, app, options{recheck: often, now: c.now})
			connection := h.dial(t)
			_, err := io.WriteString(connection, raw)
			must(t, err)
			wantBegin(t, began)
			c.await(t, 2)
			must(t, connection.Close())
			wantEnd(t, ended)
			h.proxy.Close()
			for _, level := range []string{"INFO", "WARN", "ERROR"} {
				if strings.Contains(h.log.String(), level) {
					t.Errorf("log: %s", h.log)
				}
			}
		})
	}
}

// A malformed body is not logged as a failure of the app.
func TestProxy_MalformedBody(t *testing.T) {
	app, _ := recorder()
	h := newFixture(t, app, options{})
	for _, body := range []string{
		"zz\r\nabc\r\n0\r\n\r\n", "3\r\nabcd\r\n0\r\n\r\n", "-1\r\n\r\n", "ffffffffffffffffff\r\n",
		"3;" + strings.Repeat("x", 9000) + "\r\nabc\r\n0\r\n\r\n",
	} {
		got := h.say(t, request("POST /", "Transfer-Encoding: chunked")+body)
		if got.StatusCode != http.StatusBadRequest ||
			!strings.Contains(got.body, `"what":"The request's body can't be read"`) {
			t.Errorf("%.20q: %d %q", body, got.StatusCode, got.body)
		}
	}
	if log := h.log.String(); strings.Contains(log, "ERROR") {
		t.Errorf("log: %s", log)
	}
}
