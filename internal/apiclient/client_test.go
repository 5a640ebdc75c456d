package apiclient_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/internal/apiclient"
)

// serve returns a client of a server with this handler. It does not wait before it repeats a request.
func serve(t *testing.T, handler http.HandlerFunc) *apiclient.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	u, err := apiclient.ParseURL(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return &apiclient.Client{URL: u, Key: "a-key", Wait: func(context.Context, time.Duration) error { return nil }}
}

func TestParseURL(t *testing.T) {
	for text, want := range map[string]string{
		"https://keys.example.com":      "https://keys.example.com",
		"https://example.com/keys/":     "https://example.com/keys",
		"http://127.0.0.1:8080":         "http://127.0.0.1:8080",
		"keys.example.com":              "",
		"ftp://keys.example.com":        "",
		"https://":                      "",
		"https://alice:secret@host":     "",
		"https://host?x=1":              "",
		"https://host#x":                "",
		"https://ho st":                 "",
		"https://host:port":             "",
		"https://[::1":                  "",
		"":                              "",
		"https://host\x00":              "",
		"javascript:alert(1)":           "",
		"https://example.com/a/%2F/../": "https://example.com/a/%2F/..",
	} {
		u, err := apiclient.ParseURL(text)
		switch {
		case want == "" && err == nil:
			t.Errorf("%q is accepted as %s", text, u)
		case want == "" && strings.Contains(err.Error(), "secret"):
			t.Errorf("%q: the password is in the error: %s", text, err)
		case want != "" && (err != nil || u.String() != want):
			t.Errorf("%q: got %v, %v, want %s", text, u, err, want)
		}
	}
}

func TestDo_ReturnsWhatTheServerSays(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"/api":         {403, `{"detail":"Admin access required"}`, "HTTP 403: Admin access required"},
		"/apiv1":       {404, `{"error":{"code":4001,"what":"API key not found"}}`, "HTTP 404: API key not found"},
		"the gate":     {403, `{"error":{"code":4003,"what":"a"},"detail":"b"}`, "HTTP 403: a"},
		"GraphQL":      {400, `{"errors":[{"message":"too deep"}]}`, "HTTP 400: too deep"},
		"a gateway":    {502, `<html>`, "HTTP 502: Bad Gateway"},
		"nothing":      {500, ``, "HTTP 500: Internal Server Error"},
		"another JSON": {400, `[1]`, "HTTP 400: Bad Request"},
	} {
		t.Run(name, func(t *testing.T) {
			client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			_, err := client.Me(t.Context())
			if err == nil || err.Error() != c.want || apiclient.StatusOf(err) != c.status {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestDo_RepeatsOnce(t *testing.T) {
	for name, c := range map[string]struct {
		status     int
		retryAfter string
		again      bool
	}{
		"429 with Retry-After":     {429, "7", true},
		"503 with Retry-After":     {503, "0", true},
		"503 without":              {503, "", false},
		"503 with a date":          {503, "Wed, 21 Oct 2030 07:28:00 GMT", false},
		"503 with a negative wait": {503, "-1", false},
		"429 with too long a wait": {429, "61", false},
		"500 with Retry-After":     {500, "1", false},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			client := serve(t, func(w http.ResponseWriter, r *http.Request) {
				calls++
				if body, _ := io.ReadAll(r.Body); string(body) != `{"username":"alice"}` {
					t.Errorf("call %d has body %s", calls, body)
				}
				w.Header().Set("Retry-After", c.retryAfter)
				w.WriteHeader(c.status)
			})
			told := 0
			client.OnRetry = func(status int, _ time.Duration) {
				told++
				if status != c.status {
					t.Error(status)
				}
			}
			_, err := client.CreateUser(t.Context(), "alice")
			want := map[bool]int{true: 2, false: 1}[c.again]
			if apiclient.StatusOf(err) != c.status || calls != want || told != want-1 {
				t.Errorf("%d calls, %d notices, %v", calls, told, err)
			}
		})
	}
}

func TestDo_StopsWaitingWhenInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusServiceUnavailable)
		cancel()
	})
	client.Wait = nil
	if _, err := client.Me(ctx); err == nil {
		t.Error("no error")
	}
}

func TestDo_LostConnection(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_ = connection.Close()
	})
	_, err := client.Me(t.Context())
	var lost *apiclient.ConnectionError
	if !errors.As(err, &lost) || !strings.HasPrefix(err.Error(), "no reply from "+client.URL.String()+" after ") ||
		!strings.HasSuffix(err.Error(), ": EOF") {
		t.Errorf("got %v", err)
	}
}

func TestDo_UntrustedCertificate(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	// The server logs that the client ended the handshake.
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	u, err := apiclient.ParseURL(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := &apiclient.Client{URL: u}
	_, err = client.Me(t.Context())
	if err == nil || !strings.Contains(err.Error(), ": x509: certificate signed by unknown") {
		t.Errorf("got %v", err)
	}
}

func TestDo_AnotherServer(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html>")
	})
	_, err := client.Me(t.Context())
	const want = "does not reply like a Keywright server: text/html is not the JSON that was expected"
	if err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v", err)
	}
	if _, err := client.GetKey(t.Context(), "x"); err == nil {
		t.Error("no error")
	}
	client = serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") })
	if _, err := client.GetKey(t.Context(), "x"); err == nil || !strings.HasSuffix(err.Error(), "the reply has no data") {
		t.Errorf("got %v", err)
	}
}

func TestDo_SendsHeaders(t *testing.T) {
	var got http.Header
	client := serve(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header })
	client.Reason, client.UserAgent, client.Username = "lost", "keywright/1", "bob"
	for _, c := range []struct {
		method, key           string
		authorization, cookie string
		reason                string
	}{
		{http.MethodGet, "a-key", "Bearer a-key", "", ""},
		{http.MethodDelete, "a-key", "Bearer a-key", "", "lost"},
		{http.MethodGet, "", "", "keywright_user=bob", ""},
	} {
		client.Key = c.key
		if _, err := client.Do(t.Context(), &apiclient.Request{Method: c.method, Path: "/api/x"}); err != nil {
			t.Fatal(err)
		}
		if got.Get("Authorization") != c.authorization || got.Get("Cookie") != c.cookie ||
			got.Get(apiclient.ReasonHeader) != c.reason || got.Get("User-Agent") != "keywright/1" {
			t.Errorf("%s: %v", c.method, got)
		}
	}
}

func TestKeys_ReadsPageAfterPage(t *testing.T) {
	const total = 2500
	var queries []string
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		queries = append(queries, r.URL.RawQuery)
		offset := 0
		for _, c := range r.URL.Query().Get("offset") {
			offset = offset*10 + int(c-'0')
		}
		items := strings.TrimSuffix(strings.Repeat(`{"id":"x"},`, min(1000, total-offset)), ",")
		_, _ = io.WriteString(w, `{"data":{"items":[`+items+`],"total":2500}}`)
	})
	count := 0
	for _, err := range client.Keys(t.Context(), apiclient.KeyFilter{Name: "CI*", Subject: "Account/ci"}) {
		if err != nil {
			t.Fatal(err)
		}
		count++
	}
	const filter = "&subject=Account%2Fci"
	want := "limit=1000&name=CI%2A" + filter + " limit=1000&name=CI%2A&offset=1000" + filter +
		" limit=1000&name=CI%2A&offset=2000" + filter
	if got := strings.Join(queries, " "); count != total || got != want {
		t.Errorf("%d keys, queries %s", count, got)
	}
	// A caller that stops asks for no further page.
	queries = nil
	client.Keys(t.Context(), apiclient.KeyFilter{})(func(*apiclient.Key, error) bool { return false })
	if len(queries) != 1 {
		t.Errorf("%q", queries)
	}
}

func TestPaths_AreEscaped(t *testing.T) {
	var path string
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		path = r.URL.EscapedPath()
		_, _ = io.WriteString(w, `{"data":{}}`)
	})
	_ = client.DeleteUser(t.Context(), "a/../b?c#d", false)
	if path != "/api/admin/users/a%2F..%2Fb%3Fc%23d" {
		t.Error(path)
	}
	_, _ = client.GetKey(t.Context(), "..")
	if path != "/apiv1/apikeys/.." {
		t.Error(path)
	}
	_, _ = client.CreateKey(t.Context(), "Account/a/b", nil)
	if path != "/apiv1/accounts/a%2Fb/apikeys" {
		t.Error(path)
	}
	if _, err := client.CreateKey(t.Context(), "ci", nil); err == nil {
		t.Error("no error")
	}
}

func TestReply_IsBounded(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		blanks := strings.Repeat(" ", 1<<20)
		for range 65 {
			_, _ = io.WriteString(w, blanks)
		}
	})
	if _, err := client.Me(t.Context()); err == nil || !strings.HasSuffix(err.Error(), "replied more than 64 MiB") {
		t.Error(err)
	}
}
