package keys_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/httpapi/keys"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/test/fakeobjects"
)

// Keys of APIKeys from manifests.
const (
	bobKey   = "a-key-of-bob-that-manages-keys"
	bobReads = "a-key-of-bob-that-reads-certs"
	ciKey    = "a-key-of-a-program-that-manages"
)

var errAway = errors.New("connection refused")

// env is a server of /apiv1.
type env struct {
	*fakeobjects.Fixture
	http.Handler
	database database
	sessions touched
}

type database struct{ err error }

func (d *database) Err() error { return d.err }

// touched records the sessions in use. renew makes each use renew its session.
type touched struct {
	cookies []string
	renew   bool
}

func (t *touched) Touch(_ context.Context, cookie string) bool {
	t.cookies = append(t.cookies, cookie)
	return t.renew
}

func newEnv(tb testing.TB) *env {
	tb.Helper()
	p := fakeobjects.NewFixture(tb)
	p.Configure(tb, config.Runtime{TrustProxyHeaders: true})
	for name, k := range map[string]struct {
		subject   v1alpha1.Subject
		plaintext string
		scopes    []v1alpha1.Scope
	}{
		"bob-manages": {
			v1alpha1.Subject{Kind: "User", Name: "bob"}, bobKey,
			[]v1alpha1.Scope{"certs.read", "apikeys.read", "apikeys.write"},
		},
		"bob-reads": {v1alpha1.Subject{Kind: "User", Name: "bob"}, bobReads, []v1alpha1.Scope{"certs.read"}},
		"ci-manages": {
			v1alpha1.Subject{Kind: "Account", Name: "ci"}, ciKey, []v1alpha1.Scope{"apikeys.read", "apikeys.write"},
		},
	} {
		p.PutKey(name, k.subject, k.plaintext, func(o *v1alpha1.APIKey) { o.Spec.Scopes = k.scopes })
	}
	e := &env{Fixture: p}
	apiKeys := apikeys.New(apikeys.Config{
		Gate: p.Gate, Verifier: p.Verifier, Store: p.Store, Uses: p.Uses, Trail: p.Trail,
		Account: func() string { return "default" }, Actions: func() []string { return nil },
		Creations: p.Creations, Now: p.Time, Log: p.Logger(),
	})
	mux := http.NewServeMux()
	httpapi.Mount(mux, &httpapi.Guard{Gate: p.Gate, Sessions: &e.sessions, Database: &e.database, Log: p.Logger()},
		keys.New(apiKeys))
	// Without the mux, which would redirect some paths.
	e.Handler, _ = mux.Handler(httptest.NewRequest(http.MethodGet, "/apiv1/", http.NoBody))
	return e
}

// reply is a decoded reply.
type reply struct {
	status int
	header http.Header
	body   string
	data   map[string]any
	// code and what belong to an error.
	code float64
	what string
}

// ask sends a request with a key and headers.
func (e *env) ask(tb testing.TB, key, method, target, body string, lines ...string) reply {
	tb.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	return e.send(tb, r)
}

func (e *env) send(tb testing.TB, r *http.Request) reply {
	tb.Helper()
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	got := reply{status: w.Code, header: w.Header(), body: strings.TrimSuffix(w.Body.String(), "\n")}
	var read struct {
		Data  map[string]any
		Error *struct {
			Code float64
			What string
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &read); err != nil || (read.Data == nil) == (read.Error == nil) {
		tb.Errorf("%s %s: neither data nor an error: %q", r.Method, r.URL, w.Body)
	}
	if got.data = read.Data; read.Error != nil {
		got.code, got.what = read.Error.Code, read.Error.What
	}
	if got.header.Get("Cache-Control") != "no-store" || got.header.Get("Content-Type") != "application/json" {
		tb.Errorf("%s %s: %v", r.Method, r.URL, got.header)
	}
	return got
}

func (r reply) want(tb testing.TB, status int, code float64, what string) {
	tb.Helper()
	if r.status != status || r.code != code || r.what != what {
		tb.Errorf("got %d %s, want %d %v %q", r.status, r.body, status, code, what)
	}
}

// made creates a key as the admin.
func (e *env) made(tb testing.TB, owner, body string) (path, token string) {
	tb.Helper()
	r := e.ask(tb, fakeobjects.AliceKey, http.MethodPost, "/apiv1/"+owner+"/apikeys", body)
	if r.status != http.StatusCreated {
		tb.Fatalf("%d %s", r.status, r.body)
	}
	return "/apiv1/" + owner + "/apikeys/" + r.data["id"].(string), r.data["token"].(string)
}

// events returns the events so far as "<reason>: <message>".
func (e *env) events() (texts []string) {
	for _, event := range e.Events() {
		texts = append(texts, event.Reason+": "+event.Message)
	}
	return texts
}
