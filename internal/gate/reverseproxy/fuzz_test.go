package reverseproxy_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"keywright.dev/keywright/internal/auth/routes"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
)

// FuzzRequest sends arbitrary bytes. The app must get only requests with alice's key, and every reply must be a
// known one.
func FuzzRequest(f *testing.F) {
	asked := make(chan *http.Request, 64)
	h := newFixture(f, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		asked <- r
		_, _ = io.WriteString(w, "ok")
	}, options{
		timeout: patience / 20, runtime: config.Runtime{Routes: []routes.Route{{Match: "/certs/{id}", Owner: "{id}"}}},
	})
	for _, headers := range []string{
		"", "X-Auth-User: mallory\r\nConnection: X-Auth-User\r\n", "x_auth_user: mallory\r\n",
		"Cookie: keywright_session=x; a=b\r\n",
		"Connection: Upgrade\r\nUpgrade: h2c\r\n", "X-HTTP-Method: PUT\r\n",
		"Expect: 100-continue\r\nContent-Length: 1\r\n", "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
	} {
		f.Add("GET", "/certs/alice", headers, "")
	}
	for _, target := range []string{
		"//", "*", "http://a/b", "/%2e%2e/a", "/\xff?%zz;", "/a#b", "/certs/../x", "http://u@h/",
	} {
		f.Add("OPTIONS", target, "X.Auth.Admin: true\r\n", "3\r\nabc\r\n0\r\nX-Auth-User: mallory\r\n\r\n")
	}
	f.Fuzz(func(t *testing.T, method, target, headers, body string) {
		for len(asked) > 0 {
			<-asked
		}
		raw := method + " " + target + " HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\nX-Api-Key: " + alice +
			"\r\n" + headers + "\r\n" + body
		for _, status := range h.send(t, raw) {
			switch status {
			case 100, 200, 400, 401, 403, 417, 431, 501, 502, 505:
			default:
				t.Errorf("status %d for %q", status, raw)
			}
			if status == http.StatusBadGateway && !strings.Contains(headers+body, "\r\n") {
				t.Errorf("the app did not understand %q", raw)
			}
		}
		for len(asked) > 0 {
			checkAsked(t, <-asked)
		}
	})
}

func checkAsked(t *testing.T, r *http.Request) {
	t.Helper()
	for _, header := range []http.Header{r.Header, r.Trailer} {
		for name, values := range header {
			if gate.IsIdentityHeader(name) && (len(values) != 1 || name != http.CanonicalHeaderKey(name)) ||
				strings.Contains(strings.Join(values, ""), alice) {
				t.Errorf("the app got %s: %q", name, values)
			}
		}
	}
	if got := r.Header.Values(gate.HeaderUser); len(got) != 1 || got[0] != "alice" {
		t.Errorf("the app got the caller %q", got)
	}
	if strings.Contains(strings.Join(r.Header["Cookie"], ";"), "keywright_session=") {
		t.Errorf("cookies %q", r.Header["Cookie"])
	}
}
