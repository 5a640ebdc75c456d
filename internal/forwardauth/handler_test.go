package forwardauth_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"keywright.dev/keywright/internal/access"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/key"
	"keywright.dev/keywright/internal/pepper"
	"keywright.dev/keywright/internal/verify"
)

const (
	alice   = "correct-horse-battery-staple"
	off     = "the-key-of-somebody-disabled"
	ended   = "the-key-that-came-to-its-end"
	unknown = "a-key-that-nobody-has-at-all"
	ci      = "the-key-of-a-program-named-ci"
	bobs    = "an-api-key-of-somebody-named-bob"
)

var now = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

type fixture struct {
	http.Handler
	registry *prometheus.Registry
	log      *strings.Builder
	notReady error
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	ring, err := pepper.Load(map[string][]byte{"active": make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	index := &verify.Index{}
	put := func(name, plaintext string, standing verify.Reason, notAfter time.Time) {
		index.Put(verify.ID{Kind: "AdminUser", Namespace: "n", Name: name}, verify.Holder{
			Identity: verify.Identity{Username: name, Subject: "User/" + name, Admin: true},
			Standing: standing, UID: name,
			Keys: []verify.Key{{Digest: ring.Digest(plaintext), NotAfter: notAfter}},
		})
	}
	put("alice", alice, verify.Accepted, time.Time{})
	put("dave", off, verify.Disabled, time.Time{})
	put("erin", ended, verify.Accepted, now)
	give := func(name, plaintext, username, subject string, scopes ...string) {
		index.Put(verify.ID{Kind: "APIKey", Namespace: "n", Name: name}, verify.Holder{
			Identity: verify.Identity{Username: username, Subject: subject}, Standing: verify.Accepted, UID: name,
			Given: &access.Given{Scopes: scopes}, Keys: []verify.Key{{Digest: ring.Digest(plaintext)}},
		})
	}
	give("ci", ci, "", "Account/ci", "certs.read", "certs.write")
	give("bobs", bobs, "bob", "User/bob", "certs.read", "certs.write")
	index.PutRole("reader", access.Role{Members: []string{"bob"}, Permissions: []access.Permission{access.Scope("certs.read")}})
	f := &fixture{registry: prometheus.NewRegistry(), log: &strings.Builder{}}
	verifier := verify.NewVerifier(index, key.Format{Prefix: key.DefaultPrefix}, ring)
	log := slog.New(slog.NewJSONHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	f.Handler = gate.New(gate.Config{
		Verifier: verifier, Ready: func() error { return f.notReady }, Now: func() time.Time { return now }, Log: log, Registry: f.registry,
	})
	return f
}

func (f *fixture) ask(header http.Header) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodGet, "/auth", nil)
	request.Header = header
	recorder := httptest.NewRecorder()
	f.ServeHTTP(recorder, request)
	return recorder
}

func bearer(presented string) http.Header {
	return http.Header{"Authorization": {"Bearer " + presented}}
}

func TestAnAcceptedKeyIsToldWhoseItIs(t *testing.T) {
	reply := newFixture(t).ask(bearer(alice))
	if reply.Code != http.StatusOK {
		t.Fatal(reply.Code)
	}
	for name, want := range map[string]string{
		"X-Auth-User": "alice", "X-Auth-Subject": "User/alice", "X-Auth-Admin": "true", "X-Auth-Scopes": "", "Cache-Control": "no-store",
	} {
		if got := reply.Header().Values(name); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if id := reply.Header().Get("X-Auth-Key-Id"); len(id) != 16 {
		t.Errorf("key id %q", id)
	}
}

// An app that goes by the scopes lets nobody do what Keywright would not.
func TestAnAPIKeyIsTold(t *testing.T) {
	for presented, want := range map[string]http.Header{
		ci:   {"X-Auth-User": {""}, "X-Auth-Subject": {"Account/ci"}, "X-Auth-Admin": {"false"}, "X-Auth-Scopes": {"certs.read certs.write"}},
		bobs: {"X-Auth-User": {"bob"}, "X-Auth-Subject": {"User/bob"}, "X-Auth-Admin": {"false"}, "X-Auth-Scopes": {"certs.read"}},
	} {
		reply := newFixture(t).ask(bearer(presented))
		for name, values := range want {
			if got := reply.Header().Values(name); reply.Code != http.StatusOK || !slices.Equal(got, values) {
				t.Errorf("%d, %s: got %q, want %q", reply.Code, name, got, values)
			}
		}
	}
}

// Whoever tries keys learns nothing from the answer: not whether a key once worked, nor whether its form is right.
func TestAllRefusalsLookAlike(t *testing.T) {
	f := newFixture(t)
	var first string
	for _, header := range []http.Header{
		bearer(unknown), bearer(off), bearer(ended), bearer("short"), bearer("ak_0123456789012345"), bearer("correct horse battery staple"),
		{"Authorization": {"Nonsense"}}, {"X-Api-Key": {unknown}}, {"X-Api-Key": {alice, unknown}},
	} {
		reply := f.ask(header)
		answer := fmt.Sprint(reply.Code, reply.Body) + strings.Join(reply.Header().Values("WWW-Authenticate"), ";")
		if first == "" {
			first = answer
		}
		if answer != first || reply.Code != http.StatusUnauthorized {
			t.Errorf("%v: got %s, want %s", header, answer, first)
		}
	}
	if !strings.Contains(first, `{"error":{"code":401,"what":"invalid token"}}`) || !strings.Contains(first, "Basic realm=") || !strings.Contains(first, `error="invalid_token"`) {
		t.Fatal(first)
	}
}

func TestNothingPresentedIsAskedForAKeyWithoutAnError(t *testing.T) {
	reply := newFixture(t).ask(http.Header{})
	if got := reply.Header().Values("WWW-Authenticate"); reply.Code != http.StatusUnauthorized || got[0] != `Bearer realm="keywright"` {
		t.Fatalf("%d %q", reply.Code, got)
	}
}

// On a 401 git forgets the key it has, and a gateway tells the caller that it is wrong. Nobody knows that yet.
func TestWhileNotAllKeysAreKnownNobodyIsRefused(t *testing.T) {
	f := newFixture(t)
	f.notReady = errors.New("adminusers have not been seen yet")
	for _, presented := range []string{alice, unknown} {
		reply := f.ask(bearer(presented))
		if reply.Code != http.StatusServiceUnavailable || reply.Header().Get("Retry-After") == "" || reply.Header().Get("X-Auth-User") != "" {
			t.Errorf("%d %v", reply.Code, reply.Header())
		}
	}
	for name, header := range map[string]http.Header{"nothing": {}, "nonsense": {"Authorization": {"Nonsense"}}} {
		if reply := f.ask(header); reply.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, reply.Code)
		}
	}
	f.notReady = nil
	if reply := f.ask(bearer(alice)); reply.Code != http.StatusOK {
		t.Error(reply.Code)
	}
	f.notReady = errors.New("never again")
	if reply := f.ask(bearer(alice)); reply.Code != http.StatusOK {
		t.Error("once ready, not ready again: ", reply.Code)
	}
}

func TestLogsAndMetricsTellRefusalsApartAndHoldNoKey(t *testing.T) {
	f := newFixture(t)
	for _, k := range []string{alice, off, ended, unknown, "short"} {
		f.ask(bearer(k))
	}
	want := `
# HELP keywright_verifications_total Verifications by verdict. Outside, all refusals look alike.
# TYPE keywright_verifications_total counter
keywright_verifications_total{verdict="accepted"} 1
keywright_verifications_total{verdict="ambiguous"} 0
keywright_verifications_total{verdict="deleted"} 0
keywright_verifications_total{verdict="demoted"} 0
keywright_verifications_total{verdict="disabled"} 1
keywright_verifications_total{verdict="empty"} 0
keywright_verifications_total{verdict="expired"} 1
keywright_verifications_total{verdict="malformed"} 1
keywright_verifications_total{verdict="owner_denied"} 0
keywright_verifications_total{verdict="owner_disabled"} 0
keywright_verifications_total{verdict="revoked"} 0
keywright_verifications_total{verdict="unknown"} 1
keywright_verifications_total{verdict="username_taken"} 0
`
	if err := testutil.GatherAndCompare(f.registry, strings.NewReader(want), "keywright_verifications_total"); err != nil {
		t.Error(err)
	}
	for _, k := range []string{alice, off, ended, unknown} {
		if strings.Contains(f.log.String(), k) {
			t.Error("a key is in the log")
		}
	}
	if !strings.Contains(f.log.String(), `"verdict":"expired"`) {
		t.Error("the log does not tell why")
	}
}

func FuzzHeaders(f *testing.F) {
	fixture := newFixture(f)
	f.Add("Bearer "+alice, "", "")
	f.Add("Basic Og==", "x", "\x00\xff")
	f.Fuzz(func(t *testing.T, authorization, second, apiKey string) {
		header := http.Header{"Authorization": {authorization, second}, "X-Api-Key": {apiKey}}
		if status := fixture.ask(header).Code; status != http.StatusOK && status != http.StatusUnauthorized {
			t.Fatalf("status %d", status)
		}
	})
}
