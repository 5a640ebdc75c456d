package reverseproxy_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// ask sends a request with net/http's client.
func (h *fixture) ask(tb testing.TB, method, path string, body io.Reader, headers ...string) (*http.Response, error) {
	tb.Helper()
	r, err := http.NewRequestWithContext(tb.Context(), method, h.proxy.URL+path, body)
	must(tb, err)
	r.Header.Set("X-Api-Key", alice)
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	return h.proxy.Client().Do(r)
}

func (h *fixture) get(tb testing.TB, path string, headers ...string) *http.Response {
	tb.Helper()
	answer, err := h.ask(tb, http.MethodGet, path, nil, headers...)
	must(tb, err)
	return answer
}

// Each part has to arrive before the app continues: if any were held back, the test would not end.
func TestStream_FlushesAsTheAppSends(t *testing.T) {
	for name, header := range map[string]http.Header{
		"events":       {"Content-Type": {"text/event-stream"}},
		"chunks":       {"Content-Type": {"text/plain"}},
		"known length": {"Content-Length": {"20"}},
	} {
		t.Run(name, func(t *testing.T) {
			next := make(chan struct{})
			h := newFixture(t, func(w http.ResponseWriter, _ *http.Request) {
				for name, values := range header {
					w.Header()[name] = values
				}
				for i := range 4 {
					_, _ = fmt.Fprintf(w, "no %d\n", i)
					w.(http.Flusher).Flush()
					<-next
				}
			}, options{})
			answer := h.get(t, "/")
			defer func() { _ = answer.Body.Close() }()
			lines := bufio.NewReader(answer.Body)
			for i := range 4 {
				line, err := lines.ReadString('\n')
				next <- struct{}{}
				if want := fmt.Sprintf("no %d\n", i); err != nil || line != want {
					t.Errorf("got %q, %v", line, err)
				}
			}
		})
	}
}

// echo sends back each line at once.
func echo(w http.ResponseWriter, r *http.Request) {
	c := http.NewResponseController(w)
	_ = c.EnableFullDuplex()
	_ = c.Flush()
	lines := bufio.NewReader(r.Body)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		_, _ = io.WriteString(w, line)
		_ = c.Flush()
	}
}

func TestStream_BothDirectionsAtOnce(t *testing.T) {
	h := newFixture(t, echo, options{})
	body, client := io.Pipe()
	answer, err := h.ask(t, http.MethodPost, "/", body)
	must(t, err)
	defer func() { _ = answer.Body.Close() }()
	lines := bufio.NewReader(answer.Body)
	for i := range 100 {
		said := fmt.Sprintf("line %d\n", i)
		_, err := io.WriteString(client, said)
		must(t, err)
		if heard, err := lines.ReadString('\n'); err != nil || heard != said {
			t.Fatalf("got %q, %v", heard, err)
		}
	}
	must(t, client.Close())
	if rest, err := io.ReadAll(lines); err != nil || len(rest) > 0 {
		t.Errorf("rest %q, %v", rest, err)
	}
}

// An app may reply before it has read the whole body, and the client must get that reply.
func TestStream_AppRepliesBeforeBodyEnds(t *testing.T) {
	h := newFixture(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	}, options{})
	connection := h.dial(t)
	_, err := io.WriteString(
		connection,
		strings.Replace(request("POST /", "Content-Length: 1000000"), "Connection: close\r\n", "", 1)+"and so it beg",
	)
	must(t, err)
	answer, err := http.ReadResponse(bufio.NewReader(connection), nil)
	must(t, err)
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusRequestEntityTooLarge || !answer.Close {
		t.Errorf("%d, and the connection ends: %t", answer.StatusCode, answer.Close)
	}
}

// The client sends no more until the reply has begun.
func TestStream_ReplyBeginsWhileClientWaits(t *testing.T) {
	h := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		_ = c.EnableFullDuplex()
		w.Header().Set("Content-Length", "9")
		_ = c.Flush()
		_, _ = io.Copy(w, r.Body)
	}, options{})
	body, client := io.Pipe()
	answer, err := h.ask(t, http.MethodPost, "/", body)
	must(t, err)
	defer func() { _ = answer.Body.Close() }()
	_, err = io.WriteString(client, "the rest\n")
	must(t, errors.Join(err, client.Close()))
	if content, err := io.ReadAll(answer.Body); err != nil || string(content) != "the rest\n" {
		t.Errorf("%q, %v", content, err)
	}
}

func TestTrailers_BothDirections(t *testing.T) {
	trailers := make(chan http.Header, 1)
	h := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		trailers <- r.Trailer
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.WriteString(w, "content")
		w.Header().Set("X-Sum", "17")
		w.Header().Set(http.TrailerPrefix+"X-Late", "18")
	}, options{})
	hostile := "X-Auth-User: mallory\r\nX_Auth_Admin: true\r\nAuthorization: Bearer " + unknown +
		"\r\nCookie: a=b\r\nX-Forwarded-User: mallory\r\nHost: evil\r\nTE: gzip\r\n"
	for name, announced := range map[string][]string{
		"announced":   {"Trailer: X-Sum, X-Other, X-Auth-User, X_Auth_Admin, Authorization, Cookie, X-Forwarded-User, Host"},
		"unannounced": nil,
	} {
		head := request("POST /", append(announced, "Transfer-Encoding: chunked", "TE: trailers")...)
		got := h.say(t, head+"3\r\nabc\r\n0\r\nX-Sum: 6\r\n"+hostile+"\r\n")
		if got.body != "content" || got.Trailer.Get("X-Sum") != "17" || got.Trailer.Get("X-Late") != "18" {
			t.Errorf("%s: %q, trailers %v", name, got.body, got.Trailer)
		}
		received := <-trailers
		for name, values := range received {
			if name != "X-Sum" && (name != "X-Other" || len(values) > 0) {
				t.Errorf("the app got a trailer %s: %q", name, values)
			}
		}
		wantValues(t, received, "X-Sum", "6")
	}
}

func TestExpectContinue(t *testing.T) {
	h := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/unwanted" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	}, options{})
	for path, want := range map[string][]int{"/wanted": {100, 200}, "/unwanted": {403}} {
		connection := h.dial(t)
		_, err := io.WriteString(connection, request("PUT "+path, "Content-Length: 5", "Expect: 100-continue"))
		must(t, err)
		incoming := bufio.NewReader(connection)
		for _, status := range want {
			answer, err := http.ReadResponse(incoming, nil)
			must(t, err)
			// The proxy's own 100 and the app's may both arrive: RFC 9110, section 15.2, allows any number.
			for status != http.StatusContinue && answer.StatusCode == http.StatusContinue {
				answer, err = http.ReadResponse(incoming, nil)
				must(t, err)
			}
			if answer.StatusCode != status {
				t.Errorf("%s: %d, want %d", path, answer.StatusCode, status)
			}
			if status == http.StatusContinue {
				_, _ = io.WriteString(connection, "bytes")
			}
			if body, err := io.ReadAll(answer.Body); err != nil || status == http.StatusOK && string(body) != "bytes" {
				t.Errorf("%s: %q, %v", path, body, err)
			}
			_ = answer.Body.Close()
		}
	}
	// A refused client gets no 100 Continue.
	got := h.say(t, as(unknown, "PUT /wanted", "Content-Length: 5", "Expect: 100-continue"))
	if got.StatusCode != http.StatusUnauthorized {
		t.Errorf("%d", got.StatusCode)
	}
}

// zeros is a body that takes no memory, and samples the memory in use.
type zeros struct {
	left int64
	most *uint64
}

func (z *zeros) Read(p []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), z.left, 32<<10)
	clear(p[:n])
	if (z.left-n)>>22 != z.left>>22 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		*z.most = max(*z.most, m.HeapAlloc)
	}
	z.left -= n
	return int(n), nil
}

func TestStream_LargeBodiesTakeNoMemory(t *testing.T) {
	const size, mostMemory = 100 << 20, 16 << 20
	h := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
		if n, err := io.Copy(io.Discard, r.Body); err != nil || n != size {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = io.Copy(w, &zeros{left: size, most: new(uint64)})
	}, options{})
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for name, length := range map[string]int64{"chunked": -1, "known length": size} {
		most := uint64(0)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.proxy.URL, &zeros{size, &most})
		must(t, err)
		r.ContentLength = length
		r.Header.Set("X-Api-Key", alice)
		answer, err := h.proxy.Client().Do(r)
		must(t, err)
		n, err := io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		if err != nil || n != size {
			t.Fatalf("%s: %d, %d bytes, %v, log %s", name, answer.StatusCode, n, err, h.log)
		}
		if most > before.HeapAlloc+mostMemory {
			t.Errorf("%s: %d MB were in use", name, (most-before.HeapAlloc)>>20)
		}
	}
}

// upgraded is an app that echoes lines after a protocol switch.
func upgraded(w http.ResponseWriter, r *http.Request) {
	connection, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = connection.Close() }()
	_, _ = fmt.Fprintf(
		buffered, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-User: %s\r\n\r\n",
		r.Header.Get("X-Auth-User"),
	)
	_ = buffered.Flush()
	for {
		line, err := buffered.ReadString('\n')
		if err != nil {
			return
		}
		_, _ = buffered.WriteString("you said " + line)
		_ = buffered.Flush()
	}
}

var webSocket = strings.Replace(
	request("GET /talk", "Upgrade: WebSocket", "Sec-WebSocket-Key: eA=="), "Connection: close", "Connection: Upgrade", 1,
)

func TestWebSockets(t *testing.T) {
	h := newFixture(t, upgraded, options{})
	connection := h.dial(t)
	_, err := io.WriteString(connection, webSocket)
	must(t, err)
	incoming := bufio.NewReader(connection)
	answer, err := http.ReadResponse(incoming, nil)
	must(t, err)
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusSwitchingProtocols || answer.Header.Get("X-User") != "alice" {
		t.Fatalf("%d %v", answer.StatusCode, answer.Header)
	}
	for range 3 {
		_, err := io.WriteString(connection, "hello\n")
		must(t, err)
		if heard, err := incoming.ReadString('\n'); err != nil || heard != "you said hello\n" {
			t.Fatalf("%q, %v", heard, err)
		}
	}
}

// Behind any other upgrade, requests could follow that the gate does not see.
func TestUpgrade_WebSocketOnly(t *testing.T) {
	switching := func(line string, headers ...string) string {
		return strings.Replace(request(line, headers...), "Connection: close", "Connection: Upgrade, HTTP2-Settings", 1)
	}
	for name, raw := range map[string]string{
		"h2c":               switching("GET /", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"),
		"h2c and more":      switching("GET /", "Upgrade: websocket, h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"),
		"h2c, then ours":    switching("GET /", "Upgrade: h2c", "Upgrade: websocket"),
		"with a body":       switching("GET /", "Upgrade: websocket", "Content-Length: 3") + "abc",
		"by another method": switching("POST /", "Upgrade: websocket", "Content-Length: 0"),
	} {
		app, asked := recorder()
		h := newFixture(t, app, options{})
		connection := h.dial(t)
		_, err := io.WriteString(connection, raw)
		must(t, err)
		answer, err := http.ReadResponse(bufio.NewReader(connection), nil)
		must(t, err)
		_ = answer.Body.Close()
		r := <-asked
		if answer.StatusCode != http.StatusOK || r.Header.Get("Upgrade") != "" || r.Header.Get("Http2-Settings") != "" {
			t.Errorf("%s: %d, the app got %v", name, answer.StatusCode, r.Header)
		}
	}
}

func TestUpgrade_RefusesUnrequestedSwitch(t *testing.T) {
	h := newFixture(t, upgraded, options{})
	got := h.say(t, request("GET /", "Upgrade: h2c"))
	if got.StatusCode != http.StatusBadGateway {
		t.Errorf("%d", got.StatusCode)
	}
}

// The server's timeouts apply to refused clients only.
func TestStream_OutlastsServerTimeouts(t *testing.T) {
	over := make(chan struct{})
	h := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		_ = http.NewResponseController(w).Flush()
		<-over
		_, _ = io.Copy(w, r.Body)
	}, options{timeout: 30 * time.Millisecond})
	body, client := io.Pipe()
	answer, err := h.ask(t, http.MethodPost, "/", body)
	must(t, err)
	defer func() { _ = answer.Body.Close() }()
	h.outlast(t)
	close(over)
	_, err = io.WriteString(client, "still here")
	must(t, errors.Join(err, client.Close()))
	if content, err := io.ReadAll(answer.Body); err != nil || string(content) != "still here" {
		t.Errorf("%q, %v", content, err)
	}
}

// outlast waits until the server has timed out a refused client that does not send its announced body.
func (h *fixture) outlast(t *testing.T) {
	t.Helper()
	connection := h.dial(t)
	_, err := io.WriteString(connection, "POST / HTTP/1.1\r\nHost: app.example\r\nContent-Length: 10\r\n\r\n")
	must(t, err)
	if _, err := io.ReadAll(connection); isTimeout(err) {
		t.Error("the refused client was not timed out")
	}
}
