package httpapi_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/credential"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/test/fakeobjects"
)

// floodOf is how often a request is repeated.
const floodOf = 30

// entries is the store of an audit trail.
type entries struct {
	mu  sync.Mutex
	all []audit.Entry
}

func (s *entries) Append(_ context.Context, some []audit.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, some...)
	return nil
}

func (s *entries) List(context.Context, audit.Filter) ([]audit.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.all), nil
}

// flooded is an env with a real audit trail.
type flooded struct {
	*env
	trail *audit.Trail
	store *entries
}

func newFlooded(t *testing.T) *flooded {
	t.Helper()
	f, store := fakeobjects.NewFixture(t), &entries{}
	trail := audit.New(audit.Config{
		Store: store, Now: f.Time, Log: f.Logger(), Registry: prometheus.NewRegistry(), IsKey: f.Verifier.IsKey,
	})
	return &flooded{newEnvWith(f, trail), trail, store}
}

// begin removes the entries of preparations.
func (f *flooded) begin() {
	f.Reset()
	f.store.all = nil
}

// expect checks that the requests since begin left so many entries at once, and as many more that count the others.
func (f *flooded) expect(t *testing.T, most int) {
	t.Helper()
	if got := len(f.store.all); got > most {
		t.Errorf("%d entries at once, want %d at the most: %+v", got, most, f.store.all)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f.trail.Run(ctx)
	sum := 0
	for _, e := range f.store.all {
		sum += e.Count
	}
	if len(f.store.all) > 2*most || sum != 0 && sum < floodOf {
		t.Errorf("%d entries for %d operations: %+v", len(f.store.all), sum, f.store.all)
	}
}

// What a caller is refused again and again leaves one entry at once, and then one a minute, whatever the verb and the
// surface.
func TestFlood_OfRefusals(t *testing.T) {
	verbs := slices.Clone(notOrdered)
	for verb, steps := range orderOfRefusals() {
		verbs = append(verbs, verb)
		for _, step := range steps {
			t.Run(verb+"/"+step.text, func(t *testing.T) { step.flood(t, verb) })
		}
	}
	checkVerbs(t, verbs)
}

func (r *refused) flood(t *testing.T, verb string) {
	f, id := newFlooded(t), ""
	if r.prepare != nil {
		id = r.prepare(t, f.env)
	}
	f.begin()
	method, _, _ := strings.Cut(verb, " ")
	if method == "mutation" {
		method = http.MethodPost
	}
	replaceID := strings.NewReplacer("{id}", id)
	for range floodOf {
		got := f.ask(t, r.by, method, replaceID.Replace(r.path), replaceID.Replace(r.body))
		if got.status != r.status {
			t.Fatalf("got %d %q, want %d", got.status, got.text, r.status)
		}
	}
	if len(f.Writes())+len(f.Events()) > 0 {
		t.Errorf("writes %q, events %v", f.Writes(), f.Events())
	}
	f.expect(t, 1)
}

// What is done leaves entries as well, and some of it anyone with a key can repeat.
func TestFlood_OfSuccesses(t *testing.T) {
	alice := v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "alice"}
	keep := func(*v1alpha1.APIKey) {}
	const keys = "/apiv1/users/alice/apikeys/"
	for name, c := range map[string]struct {
		key, method, path, body string
		prepare                 func(testing.TB, *env) string
	}{
		"login": {
			method: http.MethodPost, path: "/api/auth/login",
			body: `{"username":"alice","api_key":"` + fakeobjects.AliceKey + `"}`,
		},
		"logout": {method: http.MethodPost, path: "/api/auth/logout"},
		"revoked": {
			key: limitedKey, body: mutate(`revokeToken(id: "{id}") { id }`), prepare: revokedKey(alice, keep, false),
		},
		"changed name": {key: limitedKey, method: http.MethodPatch, path: keys + "{id}", body: `{"name":"x"}`},
		"nothing":      {key: limitedKey, method: http.MethodPatch, path: keys + "{id}", body: `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			f, id := newFlooded(t), ""
			switch {
			case c.prepare != nil:
				id = c.prepare(t, f.env)
			case c.key != "":
				id = created("/apiv1/users/alice/apikeys", `{"name":"x"}`)(t, f.env)
			}
			f.begin()
			for range floodOf {
				method, path := c.method, strings.ReplaceAll(c.path, "{id}", id)
				if path == "" {
					method, path = http.MethodPost, "/graphql"
				}
				f.repeat(t, c.key, method, path, strings.ReplaceAll(c.body, "{id}", id))
			}
			f.expect(t, 1)
			if len(f.store.all) == 0 {
				t.Error("no entry at all")
			}
		})
	}
}

// repeat sends a request with a key, or with the session of alice, and expects success.
func (f *flooded) repeat(t *testing.T, key, method, path, body string) {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Cookie", credential.SessionCookie+"="+fakeobjects.AliceSession)
	if key != "" {
		r.Header = http.Header{"Authorization": {"Bearer " + key}}
	}
	reply := httptest.NewRecorder()
	f.ServeHTTP(reply, r)
	if reply.Code != http.StatusOK || strings.Contains(reply.Body.String(), `"errors"`) {
		t.Fatal(reply.Code, reply.Body)
	}
}

// Wrong logins of one address are one entry, whatever the names.
func TestFlood_OfLogins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFlooded(t)
		f.begin()
		for i := range floodOf {
			body := `{"username":"user-` + string(rune('a'+i)) + `","api_key":"` + unknownKey + `"}`
			r := httptest.NewRequest(http.MethodPost, "/api/auth/login", strings.NewReader(body))
			f.ServeHTTP(httptest.NewRecorder(), r)
		}
		f.expect(t, 1)
		if len(f.store.all) != 2 {
			t.Errorf("%+v", f.store.all)
		}
	})
}

// A GraphQL request can ask for ten operations. What it is refused is one entry, whatever the operations.
func TestFlood_OfOneGraphQLRequest(t *testing.T) {
	const policy = `{\"permissions\":[]}`
	mutation := ""
	for _, alias := range []string{"a", "b", "c"} {
		mutation += alias + `1: createToken(token: {name: "x", policy: "` + policy + `"}) { id } ` +
			alias + `2: revokeToken(id: "x") { id } ` + alias + `3: createIntegrationInstanceToken(id: "x") { tokenId } `
	}
	f := newFlooded(t)
	f.begin()
	f.ask(t, powerlessKey, http.MethodPost, "/graphql", mutate(mutation))
	if len(f.store.all) != 1 {
		t.Fatalf("%+v", f.store.all)
	}
	e := f.store.all[0]
	want := "9 in one request (key.create, key.revoke), first: "
	if e.Count != 9 || e.Outcome != audit.Refused || !strings.HasPrefix(e.Detail, want) || e.Actor != "Account/ci" {
		t.Errorf("%+v", e)
	}
}
