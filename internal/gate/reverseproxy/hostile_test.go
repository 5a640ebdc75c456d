package reverseproxy_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/internal/gate"
)

// patience bounds how long proxy and client wait for missing bytes.
const patience = 500 * time.Millisecond

// send sends bytes, closes the connection when replies stop, and returns the status of every reply.
func (h *fixture) send(t *testing.T, raw string) (statuses []int) {
	t.Helper()
	connection := h.dial(t).(*net.TCPConn)
	// The proxy may close the connection before it has read everything.
	_, _ = io.WriteString(connection, raw)
	defer time.AfterFunc(h.patience, func() { _ = connection.CloseWrite() }).Stop()
	for incoming := bufio.NewReader(connection); ; {
		answer, err := http.ReadResponse(incoming, nil)
		if isTimeout(err) {
			t.Fatalf("%.100q: no end", raw)
		}
		if err != nil {
			return statuses
		}
		statuses = append(statuses, answer.StatusCode)
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		if answer.Close {
			_ = connection.CloseWrite()
		}
	}
}

const (
	proven   = "Host: app.example\r\nX-Api-Key: " + alice + "\r\n"
	smuggled = "GET /smuggled HTTP/1.1\r\nHost: app.example\r\nX-Auth-User: mallory\r\n\r\n"
)

// Where two programs may disagree about the end of a request, the app gets only requests that the gate decided on.
func TestProxy_ForwardsNoSmuggledRequest(t *testing.T) {
	for name, raw := range map[string]string{
		"two lengths": "POST /a HTTP/1.1\r\n" + proven +
			"Content-Length: 3\r\nContent-Length: 90\r\n\r\nabc" + smuggled,
		"a list of lengths":  "POST /a HTTP/1.1\r\n" + proven + "Content-Length: 3, 90\r\n\r\nabc" + smuggled,
		"length with a sign": "POST /a HTTP/1.1\r\n" + proven + "Content-Length: +3\r\n\r\nabc" + smuggled,
		"negative length":    "POST /a HTTP/1.1\r\n" + proven + "Content-Length: -3\r\n\r\nabc" + smuggled,
		"hexadecimal length": "POST /a HTTP/1.1\r\n" + proven + "Content-Length: 0x3\r\n\r\nabc" + smuggled,
		"endless length": "POST /a HTTP/1.1\r\n" + proven + "Content-Length: 99999999999999999999\r\n\r\nabc" +
			smuggled,
		"length and chunks": "POST /a HTTP/1.1\r\n" + proven +
			"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
		"chunks and length": "POST /a HTTP/1.1\r\n" + proven +
			"Transfer-Encoding: chunked\r\nContent-Length: 200\r\n\r\n0\r\n\r\n" + smuggled,
		"two encodings": "POST /a HTTP/1.1\r\n" + proven +
			"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + smuggled,
		"an unknown encoding": "POST /a HTTP/1.1\r\n" + proven +
			"Transfer-Encoding: xchunked\r\nContent-Length: 3\r\n\r\nabc" + smuggled,
		"an encoding after another": "POST /a HTTP/1.1\r\n" + proven +
			"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + smuggled,
		"an encoding with a tab": "POST /a HTTP/1.1\r\n" + proven +
			"Transfer-Encoding:\tchunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + smuggled,
		"an encoding with \\v": "POST /a HTTP/1.1\r\n" + proven +
			"Transfer-Encoding: \vchunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + smuggled,
		"space before the colon": "POST /a HTTP/1.1\r\n" + proven +
			"Transfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + smuggled,
		"an encoding of underscores": "POST /a HTTP/1.1\r\n" + proven +
			"Transfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + smuggled,
		"a folded encoding": "POST /a HTTP/1.1\r\n" + proven +
			"Transfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + smuggled,
		"hop by hop length": "POST /a HTTP/1.1\r\n" + proven +
			"Connection: Content-Length\r\nContent-Length: 3\r\n\r\nabc" + smuggled,
		"hop by hop encoding": "POST /a HTTP/1.1\r\n" + proven +
			"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + smuggled,
		"a length of a GET": "GET /a HTTP/1.1\r\n" + proven + "Content-Length: 3\r\n\r\nabc" + smuggled,
		"a bad chunk": "POST /a HTTP/1.1\r\n" + proven +
			"Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n" + smuggled,
		"no chunk": "POST /a HTTP/1.1\r\n" + proven + "Transfer-Encoding: chunked\r\n\r\n" + smuggled,
		"a chunk's end is missing": "POST /a HTTP/1.1\r\n" + proven +
			"Transfer-Encoding: chunked\r\n\r\n3\r\nabc0\r\n\r\n" + smuggled,
		"a chunk's lone newline": "POST /a HTTP/1.1\r\n" + proven +
			"Transfer-Encoding: chunked\r\n\r\n3;a\nabc\r\n0\r\n\r\n" + smuggled,
		"chunks of HTTP/1.0": "POST /a HTTP/1.0\r\n" + proven + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" +
			smuggled,
		"a trailer of length": "POST /a HTTP/1.1\r\n" + proven +
			"Transfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n0\r\nContent-Length: 99\r\n\r\n" + smuggled,
		"a request in the target": "GET /a HTTP/1.1\r\nHost:x\r\n\r\n" + smuggled,
		"a lone return":           "GET /a HTTP/1.1\r\n" + proven + "X-A: b\rX-Auth-User: mallory\r\n\r\n" + smuggled,
		"lone newlines":           "GET /a HTTP/1.1\n" + strings.ReplaceAll(proven, "\r", "") + "\n" + smuggled,
		"refused with a body":     "POST /a HTTP/1.1\r\nHost: app.example\r\nContent-Length: 400\r\n\r\n" + smuggled,
		"refused before its end": "POST /a HTTP/1.1\r\nHost: app.example\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" +
			smuggled,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app, asked := recorder()
			h := newFixture(t, app, options{timeout: patience})
			for _, status := range h.send(t, raw) {
				if status >= http.StatusInternalServerError && status != http.StatusNotImplemented {
					t.Errorf("status %d", status)
				}
			}
			h.proxy.Close()
			for len(asked) > 0 {
				r := <-asked
				if r.URL.Path != "/a" || r.Header.Get(gate.HeaderUser) != "alice" || strings.Contains(r.body, "smuggled") {
					t.Errorf("the app got %s by %q with %q", r.RequestURI, r.Header.Get(gate.HeaderUser), r.body)
				}
			}
		})
	}
}

// The connection is closed if the start of the next request is uncertain, although the app replied.
func TestProxy_ClosesConnectionAfterBrokenBody(t *testing.T) {
	h := newFixture(
		t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }, options{timeout: patience},
	)
	for name, body := range map[string]string{
		"bad chunk":    "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
		"late chunk":   "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n",
		"not all sent": "Content-Length: 300000\r\n\r\nabc",
	} {
		for range 20 {
			following := strings.Repeat("GET / HTTP/1.1\r\n"+proven+"\r\n", 3)
			if got := h.send(t, "POST / HTTP/1.1\r\n"+proven+body+following); len(got) > 1 {
				t.Fatalf("%s: answers %v", name, got)
			}
		}
	}
}

func TestProxy_RefusesHostileRequests(t *testing.T) {
	app, asked := recorder()
	h := newFixture(t, app, options{timeout: patience})
	for name, c := range map[string]struct {
		raw  string
		want int
	}{
		"NUL in the target":      {"GET /\x00 HTTP/1.1\r\n" + proven + "\r\n", 400},
		"NUL in a header":        {"GET / HTTP/1.1\r\n" + proven + "X-A: \x00\r\n\r\n", 400},
		"NUL in a name":          {"GET / HTTP/1.1\r\n" + proven + "X-\x00A: b\r\n\r\n", 400},
		"space in the target":    {"GET /a b HTTP/1.1\r\n" + proven + "\r\n", 400},
		"bad escape":             {"GET /%zz HTTP/1.1\r\n" + proven + "\r\n", 400},
		"no target":              {"GET  HTTP/1.1\r\n" + proven + "\r\n", 400},
		"no slash":               {"GET a HTTP/1.1\r\n" + proven + "\r\n", 400},
		"a control character":    {"GET /\x7f HTTP/1.1\r\n" + proven + "\r\n", 400},
		"no method":              {" / HTTP/1.1\r\n" + proven + "\r\n", 400},
		"a bad method":           {"GE(T / HTTP/1.1\r\n" + proven + "\r\n", 400},
		"no protocol":            {"GET /\r\n" + proven + "\r\n", 400},
		"another protocol":       {"GET / HTTP/3.0\r\n" + proven + "\r\n", 505},
		"TLS":                    {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400},
		"two hosts":              {"GET / HTTP/1.1\r\nHost: other\r\n" + proven + "\r\n", 400},
		"no host":                {"GET / HTTP/1.1\r\nX-Api-Key: " + alice + "\r\n\r\n", 400},
		"no host in HTTP/1.0":    {"GET / HTTP/1.0\r\nX-Api-Key: " + alice + "\r\n\r\n", 400},
		"a bad host":             {"GET / HTTP/1.1\r\nHost: a b\r\nX-Api-Key: " + alice + "\r\n\r\n", 400},
		"a host with a path":     {"GET / HTTP/1.1\r\nHost: a/b\r\nX-Api-Key: " + alice + "\r\n\r\n", 400},
		"a line of no header":    {"GET / HTTP/1.1\r\n" + proven + "what\r\n\r\n", 400},
		"folded from the start":  {"GET / HTTP/1.1\r\n X: a\r\n" + proven + "\r\n", 400},
		"a space in a name":      {"GET / HTTP/1.1\r\n" + proven + "X Auth: a\r\n\r\n", 400},
		"an upgrade to nonsense": {"GET / HTTP/1.1\r\n" + proven + "Connection: Upgrade\r\nUpgrade: \xff\r\n\r\n", 400},
		"100 KB in a header": {
			"GET / HTTP/1.1\r\n" + proven + "X-A: " + strings.Repeat("a", 100<<10) + "\r\n\r\n", 431,
		},
		"100 KB of headers": {
			"GET / HTTP/1.1\r\n" + proven + strings.Repeat("X-A: "+strings.Repeat("a", 1000)+"\r\n", 100) + "\r\n", 431,
		},
		"100 KB of key": {
			"GET / HTTP/1.1\r\nHost: app.example\r\nX-Api-Key: " + strings.Repeat("a", 100<<10) + "\r\n\r\n", 431,
		},
		"64 KB of Authorization": {
			"GET / HTTP/1.1\r\nHost: app.example\r\nAuthorization: Bearer " + strings.Repeat("a", 64<<10-200) + "\r\n\r\n",
			401,
		},
		"twenty keys": {
			"GET / HTTP/1.1\r\n" + proven + strings.Repeat("X-Api-Key: "+unknown+"\r\n", 20) + "\r\n", 401,
		},
		"an unknown expectation": {"POST / HTTP/1.1\r\n" + proven + "Expect: a-miracle\r\nContent-Length: 1\r\n\r\n", 417},
		"60 KB of target, no key": {
			"GET /" + strings.Repeat("../", 20_000) + " HTTP/1.1\r\nHost: app.example\r\n\r\n", 401,
		},
		"100 KB of target":      {"GET /" + strings.Repeat("a", 100<<10) + " HTTP/1.1\r\n" + proven + "\r\n", 431},
		"a preface of HTTP/2.1": {"PRI * HTTP/2.1\r\n\r\nSM\r\n\r\n", 505},
	} {
		if got := h.send(t, c.raw); len(got) == 0 || got[0] != c.want {
			t.Errorf("%s: %v, want %d", name, got, c.want)
		}
	}
	never(t, asked)
	if got := h.send(t, "GET /"+strings.Repeat("../", 20_000)+" HTTP/1.1\r\n"+proven+"\r\n"); len(got) != 1 ||
		got[0] != 200 {
		t.Errorf("60 KB of target: %v", got)
	}
}
