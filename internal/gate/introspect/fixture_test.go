package introspect_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/gate/introspect"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/test/kit"
)

// Keys, named after their owners.
const (
	bootstrapKey = "the-bootstrap-key-of-this-place"
	aliceKey     = "correct-horse-battery-staple"
	askerKey     = "the-key-of-a-gateway-that-asks"
	bobsAPIKey   = "an-api-key-that-speaks-for-bob"
	ciKey        = "the-key-of-a-program-named-ci"
	plainKey     = "the-key-of-a-program-without-scopes"
	oddKey       = "a+key/with=odd&characters%41in;it"
	offKey       = "the-key-of-a-disabled-admin"
	endedKey     = "the-key-that-came-to-its-end"
	revokedKey   = "a-key-that-was-revoked-for-good"
	unknownKey   = "a-key-that-was-never-issued"
	mistypedKey  = "ak_0123456789012345678901234567890123456789012345"
	askerSession = "the-secret-of-a-session-of-the-gateway"
)

var allKeys = []string{
	bootstrapKey, aliceKey, askerKey, bobsAPIKey, ciKey, plainKey, oddKey, offKey, endedKey, revokedKey, unknownKey,
	mistypedKey, askerSession,
}

var now = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// view is a view of the cluster with a settable state.
type view struct {
	err error
	age time.Duration
}

func (v *view) Ready() error       { return v.err }
func (v *view) Age() time.Duration { return v.age }

type sessions map[string]pepper.Digest

func (s sessions) Key(cookie string, _ time.Time) *pepper.Digest {
	if digest, found := s[cookie]; found {
		return &digest
	}
	return nil
}

// fixture is /introspect with a gate and its objects.
type fixture struct {
	http.Handler
	gate     *gate.Gate
	index    *verify.Index
	ring     *pepper.Keyring
	view     *view
	registry *prometheus.Registry
	log      *kit.Log
}

func newFixture(tb testing.TB) *fixture {
	tb.Helper()
	ring, err := pepper.Load(map[string][]byte{pepper.Active: make([]byte, 32)})
	if err != nil {
		tb.Fatal(err)
	}
	h := &fixture{index: &verify.Index{}, ring: ring, view: &view{}, registry: prometheus.NewRegistry(), log: &kit.Log{}}
	bootstrap := ring.Digest(bootstrapKey)
	h.index.SetBootstrap(&bootstrap)
	h.admin("alice", aliceKey, verify.Accepted, time.Time{})
	h.admin("dave", offKey, verify.Disabled, time.Time{})
	h.admin("erin", endedKey, verify.Accepted, now)
	h.apiKey("", "Account/gateway", askerKey, verify.Accepted, time.Time{}, introspect.Action)
	h.apiKey("", "Account/ci", ciKey, verify.Accepted, time.Time{}, "certs.read", "certs.write")
	h.apiKey("", "Account/plain", plainKey, verify.Accepted, time.Time{})
	h.apiKey("", "Integration/odd", oddKey, verify.Accepted, now.Add(90*time.Second+999*time.Millisecond))
	h.apiKey("bob", "User/bob", bobsAPIKey, verify.Accepted, time.Time{}, "certs.read", "certs.write", introspect.Action)
	h.apiKey("", "Account/old", revokedKey, verify.Revoked, time.Time{}, "certs.read")
	h.index.PutRole("reader", access.Role{Permissions: []access.Permission{access.Scope("certs.read")}})
	h.index.PutBinding("readers", access.Binding{Role: "reader", Users: []string{"bob"}})
	h.gate = gate.New(gate.Config{
		Verifier: verify.NewVerifier(h.index, keyformat.Format{Prefix: keyformat.DefaultPrefix}, ring), View: h.view,
		Sessions: sessions{askerSession: ring.Digest(askerKey)}, Now: func() time.Time { return now }, Registry: h.registry,
		Log: slog.New(slog.NewJSONHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	h.Handler = introspect.New(h.gate)
	h.use(tb, config.Runtime{})
	return h
}

func (h *fixture) admin(name, plaintext string, standing verify.Reason, expiresAt time.Time) {
	h.index.Put(verify.ID{Kind: "AdminUser", Name: name}, verify.KeyObject{
		Identity: verify.Identity{Username: name, Subject: "User/" + name, Admin: true}, Standing: standing, UID: name,
		OwnsUsername: true, Keys: []verify.Key{{Digest: h.ring.Digest(plaintext), ExpiresAt: expiresAt}},
	})
}

func (h *fixture) apiKey(
	username, subject, plaintext string, standing verify.Reason, ends time.Time, scopes ...string,
) {
	h.index.Put(verify.ID{Kind: "APIKey", Name: subject}, verify.KeyObject{
		Identity: verify.Identity{Username: username, Subject: subject}, Standing: standing, UID: subject, ExpiresAt: ends,
		Rights: &access.Rights{Scopes: scopes}, Keys: []verify.Key{{Digest: h.ring.Digest(plaintext)}},
	})
}

func (h *fixture) use(tb testing.TB, runtime config.Runtime) {
	tb.Helper()
	rules, err := gate.NewRules(runtime)
	if err != nil {
		tb.Fatal(err)
	}
	h.gate.Use(rules)
}

func (h *fixture) serve(r *http.Request) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, r)
	return recorder
}

// newRequest is an introspection by the gateway that has permission.
func newRequest(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/introspect", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", "Bearer "+askerKey)
	return r
}

func tokenForm(token string) string { return url.Values{"token": {token}}.Encode() }

func (h *fixture) id(plaintext string) string { return h.ring.Digest(plaintext).KeyID() }

func noKeys(t *testing.T, text string) {
	t.Helper()
	for _, secret := range allKeys {
		if strings.Contains(text, secret) || strings.Contains(text, url.QueryEscape(secret)) {
			t.Error("the reply has a key")
		}
	}
}

// bind gives a user a role of their own that may introspect.
func (h *fixture) bind(user, resource string) {
	h.index.PutRole(user, access.Role{Permissions: []access.Permission{{
		Effect: access.Allow, Actions: []string{introspect.Action}, Resources: []string{resource},
	}}})
	h.index.PutBinding(user, access.Binding{Role: user, Users: []string{user}})
}
