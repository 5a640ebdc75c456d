package forwardauth_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/routes"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/gate/forwardauth"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
)

const (
	alice   = "correct-horse-battery-staple"
	bobs    = "an-api-key-that-speaks-for-bob"
	ci      = "the-key-of-a-program-named-ci"
	off     = "the-key-of-a-disabled-admin"
	unknown = "a-key-that-was-never-issued"
)

// always is a complete and current view.
type always struct{}

func (always) Ready() error       { return nil }
func (always) Age() time.Duration { return 0 }

// fixture is /auth with a gate and its objects.
type fixture struct {
	http.Handler
	*gate.Gate
}

func newFixture(tb testing.TB, runtime config.Runtime) *fixture {
	tb.Helper()
	ring, err := pepper.Load(map[string][]byte{pepper.Active: make([]byte, 32)})
	if err != nil {
		tb.Fatal(err)
	}
	index := &verify.Index{}
	admin := func(name, plaintext string, standing verify.Reason) {
		index.Put(verify.ID{Kind: "AdminUser", Name: name}, verify.KeyObject{
			Identity: verify.Identity{Username: name, Subject: "User/" + name, Admin: true}, Standing: standing, UID: name,
			OwnsUsername: true, Disabled: standing == verify.Disabled, Keys: []verify.Key{{Digest: ring.Digest(plaintext)}},
		})
	}
	admin("alice", alice, verify.Accepted)
	admin("dave", off, verify.Disabled)
	give := func(username, subject, plaintext string) {
		index.Put(verify.ID{Kind: "APIKey", Name: subject}, verify.KeyObject{
			Identity: verify.Identity{Username: username, Subject: subject}, Standing: verify.Accepted, UID: subject,
			Rights: &access.Rights{Scopes: []string{"certs.read", "certs.write"}},
			Keys:   []verify.Key{{Digest: ring.Digest(plaintext)}},
		})
	}
	give("bob", "User/bob", bobs)
	give("", "Account/ci", ci)
	index.PutRole("reader", access.Role{Permissions: []access.Permission{access.Scope("certs.read")}})
	index.PutBinding("readers", access.Binding{Role: "reader", Users: []string{"bob"}})
	g := gate.New(gate.Config{
		Verifier: verify.NewVerifier(index, keyformat.Format{Prefix: keyformat.DefaultPrefix}, ring), View: always{},
		Now: time.Now, Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry(),
	})
	h := &fixture{Handler: forwardauth.New(g), Gate: g}
	h.use(tb, runtime)
	return h
}

func (h *fixture) use(tb testing.TB, runtime config.Runtime) {
	tb.Helper()
	rules, err := gate.NewRules(runtime)
	if err != nil {
		tb.Fatal(err)
	}
	h.Use(rules)
}

// ask sends what a gateway would.
func (h *fixture) ask(method string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "http://keywright/auth", nil)
	r.Method, r.Header = method, header
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, r)
	return recorder
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

func TestAuth_ReturnsIdentityHeaders(t *testing.T) {
	h := newFixture(t, config.Runtime{TrustProxyHeaders: true, AnonymousReads: true})
	get := "X-Forwarded-Method: GET"
	for name, c := range map[string]struct {
		header http.Header
		want   [4]string
	}{
		"an admin":  {from(get, bearer(alice)), [4]string{"alice", "User/alice", "", "true"}},
		"a user":    {from(get, bearer(bobs)), [4]string{"bob", "User/bob", "certs.read", "false"}},
		"a program": {from(get, bearer(ci)), [4]string{"", "Account/ci", "certs.read certs.write", "false"}},
		"a name":    {from(get, "X-Forwarded-User: carol"), [4]string{"carol", "User/carol", "", "false"}},
		"anonymous": {from(get), [4]string{"", "", "", "false"}},
		"a client that forges identity": {
			from(
				get, "X-Auth-User: alice", "X-Auth-Subject: User/alice", "X-Auth-Admin: true", "X-Auth-Scopes: certs.write",
				"X-Auth-Key-Id: 1",
			),
			[4]string{"", "", "", "false"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			reply := h.ask(http.MethodGet, c.header)
			if reply.Code != http.StatusOK || reply.Body.Len() > 0 {
				t.Fatalf("%d %s", reply.Code, reply.Body)
			}
			for i, header := range []string{"X-Auth-User", "X-Auth-Subject", "X-Auth-Scopes", "X-Auth-Admin"} {
				// Empty ones too: a gateway that copies only the headers it gets would leave the client's own.
				if got := reply.Header().Values(header); !slices.Equal(got, []string{c.want[i]}) {
					t.Errorf("%s: got %q, want %q", header, got, c.want[i])
				}
			}
			hasKey := strings.HasPrefix(c.header.Get("Authorization"), "Bearer")
			if ids := reply.Header().Values("X-Auth-Key-Id"); len(ids) != 1 || hasKey != (len(ids[0]) == 16) || !hasKey &&
				ids[0] != "" {
				t.Errorf("key %q", ids)
			}
			if got := reply.Header().Values("Cache-Control"); !slices.Equal(got, []string{"no-store"}) {
				t.Errorf("Cache-Control: %q", got)
			}
		})
	}
}

func TestAuth_SavesProxyName(t *testing.T) {
	h := newFixture(t, config.Runtime{TrustProxyHeaders: true, AllowedUsers: []string{"carol"}})
	const want = "keywright_user=carol; Path=/; Max-Age=31536000; Secure; SameSite=Lax"
	if got := h.ask(http.MethodPost, from("X-Forwarded-User: carol")).Header().Values("Set-Cookie"); !slices.Equal(
		got, []string{want},
	) {
		t.Errorf("got %q, want %q", got, want)
	}
	for name, header := range map[string]http.Header{
		"it is there": from("X-Forwarded-User: carol", "Cookie: keywright_user=carol"),
		"a key":       from("X-Forwarded-User: carol", bearer(alice)),
		"refused":     from("X-Forwarded-User: zoe"), "anonymous": from(),
		"a bad key": from("X-Forwarded-User: carol", bearer(unknown)),
	} {
		if got := h.ask(http.MethodPost, header).Header().Values("Set-Cookie"); len(got) > 0 {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// Replies are the gate's, byte for byte.
func TestAuth_Refusals(t *testing.T) {
	h := newFixture(t, config.Runtime{Routes: appRoutes, AllowedUsers: []string{"bob"}})
	const (
		host    = "X-Forwarded-Host: app.example"
		missing = "The gateway did not describe the request: its method, path or host is missing"
	)
	for name, c := range map[string]struct {
		method string
		header http.Header
		status int
		what   string
	}{
		"anonymous": {"GET", from("X-Forwarded-Method: GET", host, "X-Forwarded-Uri: /"), 401, "invalid token"},
		"unknown":   {"GET", from(bearer(unknown)), 401, "invalid token"},
		"disabled":  {"GET", from(bearer(off)), 401, "invalid token"},
		"malformed": {"GET", from("Authorization: x"), 401, "invalid token"},
		"several": {
			"GET", from(bearer(alice), "X-Api-Key: "+ci), 401, "the request presents several different keys",
		},
		"not listed": {
			"GET", from(bearer(ci), "X-Forwarded-Method: PUT", host, "X-Forwarded-Uri: /"), 403,
			"User not allowed. Contact an administrator to be added to the allow list.",
		},
		"not permitted": {
			"GET", from(bearer(bobs), "X-Forwarded-Method: POST", host, "X-Forwarded-Uri: /certs"), 403,
			"API key lacks required permission",
		},
		"no target": {
			"GET", from(bearer(alice), host, "X-Forwarded-Method: GET"), 403, missing,
		},
		"no method": {
			"GET", from(bearer(alice), host, "X-Forwarded-Uri: /"), 403, missing,
		},
		"no host": {
			"GET", from(bearer(alice), "X-Forwarded-Method: GET", "X-Forwarded-Uri: /"), 403, missing,
		},
		"two targets": {
			"GET", from(bearer(alice), "X-Forwarded-Method: GET", host, "X-Forwarded-Uri: /", "X-Original-URL: /x"), 403,
			"The request can be read in more than one way",
		},
		"two methods": {
			"POST", from(bearer(alice), "X-Forwarded-Method: GET", host, "X-Forwarded-Uri: /"), 403,
			"The request can be read in more than one way",
		},
	} {
		t.Run(name, func(t *testing.T) {
			reply := h.ask(c.method, c.header)
			if reply.Code != c.status || !strings.Contains(reply.Body.String(), `"what":"`+c.what+`"`) ||
				reply.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%d %s %q", reply.Code, reply.Body, reply.Header())
			}
			for name := range reply.Header() {
				if strings.HasPrefix(name, "X-Auth-") || name == "Set-Cookie" {
					t.Errorf("refused, and %s is set", name)
				}
			}
		})
	}
	all := map[string]bool{}
	for _, presented := range []string{unknown, off, "short", "ak_0123456789012345678901234567890123456789012345"} {
		reply := h.ask(http.MethodGet, from(bearer(presented)))
		all[reply.Result().Status+reply.Body.String()+strings.Join(reply.Header().Values("WWW-Authenticate"), ";")] = true
	}
	if len(all) != 1 {
		t.Error("refused keys get different replies: ", all)
	}
	h.Use(nil)
	if reply := h.ask(http.MethodGet, from(bearer(alice))); reply.Code != http.StatusServiceUnavailable ||
		reply.Header().Get("Retry-After") != "1" {
		t.Errorf("not ready: %d %q", reply.Code, reply.Header())
	}
}

// A gateway that asks with the method of the request needs no header for it. Reads need one, since most gateways
// ask by GET.
func TestAuth_AcceptsAnyMethod(t *testing.T) {
	h := newFixture(t, config.Runtime{})
	methods := []string{
		"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "MKCOL", "FROB", "get",
		"",
	}
	for _, method := range methods {
		if reply := h.ask(method, from(bearer(ci))); reply.Code != http.StatusOK {
			t.Errorf("%q: %d", method, reply.Code)
		}
	}
	h.use(t, config.Runtime{AllowedUsers: []string{"bob"}})
	for _, method := range methods {
		want := http.StatusForbidden
		if method == "OPTIONS" || method == "TRACE" || method == "PROPFIND" {
			want = http.StatusOK
		}
		if reply := h.ask(method, from(bearer(ci))); reply.Code != want {
			t.Errorf("%q, with a list: %d, want %d", method, reply.Code, want)
		}
	}
	if reply := h.ask(http.MethodGet, from(bearer(ci), "X-Forwarded-Method: GET")); reply.Code != http.StatusOK {
		t.Errorf("a read: %d", reply.Code)
	}
}

var appRoutes = []routes.Route{
	{Match: "GET /certs", Action: "certs.read"},
	{Match: "POST /certs", Action: "certs.write"},
	{Match: "/users/{user}/", Owner: "{user}"},
	{Match: "/public/"},
	{Match: "admin.example/", Action: "certs.write"},
}
