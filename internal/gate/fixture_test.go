package gate_test

import (
	"encoding/base64"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/budget"
	"keywright.dev/keywright/internal/auth/routes"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/test/kit"
)

// Keys, named after their owners.
const (
	bootstrapKey = "the-bootstrap-key-of-this-place"
	aliceKey     = "correct-horse-battery-staple"
	daveKey      = "the-key-of-a-disabled-admin"
	erinKey      = "the-key-that-came-to-its-end"
	ginaKey      = "the-key-of-an-admin-who-was-one"
	// An API key of alice is not an admin's own key, although alice is an admin.
	alicesAPIKey = "an-api-key-that-speaks-for-alice"
	davesAPIKey  = "an-api-key-that-speaks-for-dave"
	bobsAPIKey   = "an-api-key-that-speaks-for-bob"
	ciKey        = "the-key-of-a-program-named-ci"
	revokedKey   = "a-key-that-was-revoked-for-good"
	// A key of lara that names a missing role, and a session that was begun with it.
	lackingKey     = "a-key-that-names-a-missing-role"
	lackingSession = "the-secret-of-a-session-of-lara"
	// spentKey has a budget that is used up.
	spentKey      = "a-key-that-has-spent-its-budget"
	unknownKey    = "a-key-that-was-never-issued"
	mistypedKey   = "ak_0123456789012345678901234567890123456789012345"
	aliceSession  = "the-secret-of-a-session-of-alice"
	bobSession    = "the-secret-of-a-session-of-bob"
	daveSession   = "the-secret-of-a-session-of-dave"
	erinSession   = "the-secret-of-a-session-of-erin"
	noSession     = "the-secret-of-no-session"
	bootedSession = "the-secret-of-a-session-of-the-bootstrap-key"
)

var allKeys = []string{
	bootstrapKey, aliceKey, daveKey, erinKey, ginaKey, alicesAPIKey, davesAPIKey, bobsAPIKey, ciKey, revokedKey,
	lackingKey, spentKey, unknownKey, mistypedKey,
	lackingSession, aliceSession, bobSession, daveSession, erinSession, noSession, bootedSession,
}

var now = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// view is a view of the cluster with a settable state.
type view struct {
	err atomic.Pointer[error]
	age atomic.Int64
}

func (v *view) Ready() error {
	if err := v.err.Load(); err != nil {
		return *err
	}
	return nil
}

func (v *view) Age() time.Duration { return time.Duration(v.age.Load()) }

// sessions maps cookies to the digests of the keys that the sessions were begun with.
type sessions map[string]pepper.Digest

func (s sessions) Key(cookie string, _ time.Time) *pepper.Digest {
	digest, found := s[cookie]
	if !found {
		return nil
	}
	return &digest
}

// fixture is a gate and its objects.
type fixture struct {
	*gate.Gate
	index    *verify.Index
	ring     *pepper.Keyring
	view     *view
	registry *prometheus.Registry
	log      *kit.Log
}

// newFixture returns a ready gate with an empty configuration.
func newFixture(tb testing.TB) *fixture {
	tb.Helper()
	ring, err := pepper.Load(map[string][]byte{pepper.Active: make([]byte, 32)})
	if err != nil {
		tb.Fatal(err)
	}
	h := &fixture{index: &verify.Index{}, ring: ring, view: &view{}, registry: prometheus.NewRegistry(), log: &kit.Log{}}
	h.addObjects()
	known := sessions{}
	for cookie, plaintext := range map[string]string{
		aliceSession: aliceKey, bobSession: bobsAPIKey, daveSession: daveKey, erinSession: erinKey,
		bootedSession: bootstrapKey, lackingSession: lackingKey,
	} {
		known[cookie] = ring.Digest(plaintext)
	}
	h.Gate = gate.New(gate.Config{
		Verifier: verify.NewVerifier(h.index, keyformat.Format{Prefix: keyformat.DefaultPrefix}, ring), View: h.view,
		Sessions: known,
		Now:      func() time.Time { return now }, Registry: h.registry,
		Log: slog.New(slog.NewJSONHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	h.spend(1, 1)
	h.use(tb, config.Runtime{})
	return h
}

func (h *fixture) addObjects() {
	bootstrap := h.ring.Digest(bootstrapKey)
	h.index.SetBootstrap(&bootstrap)
	h.admin("alice", aliceKey, verify.Accepted, time.Time{})
	h.admin("dave", daveKey, verify.Disabled, time.Time{})
	h.admin("erin", erinKey, verify.Accepted, now)
	h.admin("gina", ginaKey, verify.Demoted, time.Time{})
	h.apiKey("alice", "User/alice", alicesAPIKey, verify.Accepted, "certs.read")
	h.apiKey("dave", "User/dave", davesAPIKey, verify.Accepted, "certs.read")
	h.apiKey("bob", "User/bob", bobsAPIKey, verify.Accepted, "certs.read", "certs.write")
	h.apiKey("", "Account/ci", ciKey, verify.Accepted, "certs.read", "certs.write")
	h.apiKey("", "Account/old", revokedKey, verify.Revoked, "certs.read")
	h.index.Put(verify.ID{Kind: "APIKey", Namespace: "n", Name: "spent"}, verify.KeyObject{
		Identity: verify.Identity{Subject: "Account/spent"}, Standing: verify.Accepted, UID: "spent",
		Rights: &access.Rights{Scopes: []string{"certs.read"}}, Keys: []verify.Key{{Digest: h.ring.Digest(spentKey)}},
		Budgets: []budget.Budget{tokensBudget("tiny", 1, budget.Day)},
	})
	h.laraNames("missing")
	h.index.PutBinding("laras", access.Binding{Role: "reader", Users: []string{"lara"}})
	h.index.PutRole("reader", access.Role{Permissions: []access.Permission{access.Scope("certs.read")}})
	h.index.PutBinding("readers", access.Binding{Role: "reader", Users: []string{"bob"}})
	h.index.PutRole("dev", access.Role{Permissions: []access.Permission{{
		Effect: access.Allow, Actions: []string{"certs.read"}, Resources: []string{access.Any},
		StringEquals: map[string]string{"env": "dev"},
	}}})
	h.index.PutBinding("devs", access.Binding{Role: "dev", Users: []string{"carol"}})
}

func (h *fixture) admin(name, plaintext string, standing verify.Reason, expiresAt time.Time) {
	h.index.Put(verify.ID{Kind: "AdminUser", Namespace: "n", Name: name}, verify.KeyObject{
		Identity: verify.Identity{Username: name, Subject: "User/" + name, Admin: standing != verify.Demoted},
		Standing: standing, Disabled: standing == verify.Disabled, OwnsUsername: true, HoldsKeys: true, UID: name,
		Keys: []verify.Key{{Digest: h.ring.Digest(plaintext), ExpiresAt: expiresAt}},
	})
}

func (h *fixture) apiKey(username, subject, plaintext string, standing verify.Reason, scopes ...string) {
	h.index.Put(verify.ID{Kind: "APIKey", Namespace: "n", Name: subject}, verify.KeyObject{
		Identity: verify.Identity{Username: username, Subject: subject}, Standing: standing, UID: subject,
		Rights: &access.Rights{Scopes: scopes}, Keys: []verify.Key{{Digest: h.ring.Digest(plaintext)}},
	})
}

// laraNames gives lara an API key that names roles beside its scope.
func (h *fixture) laraNames(roles ...string) {
	h.index.Put(verify.ID{Kind: "APIKey", Namespace: "n", Name: "lara"}, verify.KeyObject{
		Identity: verify.Identity{Username: "lara", Subject: "User/lara"}, Standing: verify.Accepted, UID: "User/lara",
		Rights: &access.Rights{Scopes: []string{"certs.read"}, Roles: roles},
		Keys:   []verify.Key{{Digest: h.ring.Digest(lackingKey)}},
	})
}

// Identify calls the gate with a request that has these headers.
func (h *fixture) Identify(header http.Header, needs ...access.Request) gate.Decision {
	return h.Gate.Identify(&http.Request{Header: header}, needs...)
}

// IdentifyOrAnonymous calls the gate with a request that has these headers.
func (h *fixture) IdentifyOrAnonymous(header http.Header) gate.Decision {
	return h.Gate.IdentifyOrAnonymous(&http.Request{Header: header})
}

func (h *fixture) use(tb testing.TB, runtime config.Runtime) {
	tb.Helper()
	h.Use(newRules(tb, runtime))
}

func newRules(tb testing.TB, runtime config.Runtime) *gate.Rules {
	tb.Helper()
	rules, err := gate.NewRules(runtime)
	if err != nil {
		tb.Fatal(err)
	}
	return rules
}

// ask decides on a complete request.
func (h *fixture) ask(method, target string, header http.Header) gate.Decision {
	return h.Decide(&gate.Request{Method: method, Host: "app.example", Target: target, Header: header})
}

func withRoutes(entries ...routes.Route) config.Runtime { return config.Runtime{Routes: entries} }

// describe returns the caller of a decision, or else its outcome.
func describe(d *gate.Decision) string {
	if d.Outcome != gate.Allowed {
		return d.Outcome.String()
	}
	words := []string{d.Caller.Credential.String()}
	if d.Caller.Subject != "" {
		words = append(words, d.Caller.Subject)
	}
	if d.Caller.Admin {
		words = append(words, "admin")
	}
	return strings.Join(words, " ")
}

// from parses header lines, "Name: value".
func from(lines ...string) http.Header {
	header := http.Header{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		header.Add(name, value)
	}
	return header
}

func bearer(presented string) string { return "Authorization: Bearer " + presented }

func basic(user, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func session(secret string) string { return "Cookie: keywright_session=" + secret }
