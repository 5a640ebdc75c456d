package gate_test

import (
	"net/http"
	"strings"
	"testing"

	"keywright.dev/keywright/internal/auth/routes"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
)

// someRoutes are typical routes of an app.
var someRoutes = []routes.Route{
	{Match: "GET /certs", Action: "certs.read"},
	{Match: "POST /certs", Action: "certs.write"},
	{Match: "/users/{user}/", Owner: "{user}"},
	{Match: "GET /public/"},
	{Match: "/own/{user}/certs", Owner: "{user}", Action: "certs.read"},
	{Match: "/open/", Anonymous: true},
}

const (
	ambiguous   = "ambiguous"
	notOwner    = "not_owner"
	undescribed = "undescribed"
	unmatched   = "unmatched"
)

func TestRoutes(t *testing.T) {
	for name, c := range map[string]struct {
		method, target string
		header         http.Header
		want           string
	}{
		"an admin":                    {"GET", "/certs", from(bearer(aliceKey)), "key User/alice admin"},
		"an admin's session":          {"POST", "/certs", from(session(aliceSession)), "session User/alice admin"},
		"the bootstrap key":           {"POST", "/certs", from(bearer(bootstrapKey)), "key User/admin admin"},
		"an admin's API key may":      {"GET", "/certs", from(bearer(alicesAPIKey)), "key User/alice"},
		"an admin's API key may not":  {"POST", "/certs", from(bearer(alicesAPIKey)), notPermitted},
		"a program":                   {"POST", "/certs", from(bearer(ciKey)), "key Account/ci"},
		"what the user may":           {"GET", "/certs", from(bearer(bobsAPIKey)), "key User/bob"},
		"HEAD is GET":                 {"HEAD", "/certs", from(bearer(bobsAPIKey)), "key User/bob"},
		"what the user may not":       {"POST", "/certs", from(bearer(bobsAPIKey)), notPermitted},
		"write by a session":          {"POST", "/certs", from(session(bobSession)), notPermitted},
		"by a name, as its roles say": {"GET", "/certs", from("X-Forwarded-User: bob"), "proxy User/bob"},
		"by a saved name":             {"GET", "/certs", from("Cookie: keywright_user=bob"), "saved_name User/bob"},
		"by a name in another case":   {"GET", "/certs", from("X-Forwarded-User: BOB"), "proxy User/BOB"},
		"by a name, without a role":   {"GET", "/certs", from("X-Forwarded-User: zoe"), notPermitted},
		"by an admin's name":          {"GET", "/certs", from("X-Forwarded-User: alice"), notPermitted},
		"by a parameter":              {"GET", "/certs?env=dev", from("X-Forwarded-User: carol"), "proxy User/carol"},
		"by no parameter":             {"GET", "/certs", from("X-Forwarded-User: carol"), notPermitted},
		"by another parameter":        {"GET", "/certs?env=prod", from("X-Forwarded-User: carol"), notPermitted},
		"by both, the good one first": {"GET", "/certs?env=dev&env=prod", from("X-Forwarded-User: carol"), notPermitted},
		"by both, the good one last":  {"GET", "/certs?env=prod&env=dev", from("X-Forwarded-User: carol"), notPermitted},
		"by the good one twice": {
			"GET", "/certs?env=dev&env=dev", from("X-Forwarded-User: carol"), "proxy User/carol",
		},
		"anonymous":                       {"GET", "/certs", from(), refused},
		"a bad key":                       {"GET", "/certs", from(bearer(daveKey)), refused},
		"an owner":                        {"PUT", "/users/bob/x", from(bearer(bobsAPIKey)), "key User/bob"},
		"an owner by name":                {"GET", "/users/zoe/", from("X-Forwarded-User: zoe"), "proxy User/zoe"},
		"an owner's name, encoded":        {"GET", "/users/z%6fe/", from("X-Forwarded-User: zoe"), "proxy User/zoe"},
		"an owner in another case":        {"GET", "/users/BOB/", from(bearer(bobsAPIKey)), "key User/bob"},
		"another's":                       {"GET", "/users/carol/", from(bearer(bobsAPIKey)), notOwner},
		"another's, for an admin":         {"DELETE", "/users/carol/", from(bearer(aliceKey)), "key User/alice admin"},
		"another's, her API key":          {"GET", "/users/carol/", from(bearer(alicesAPIKey)), notOwner},
		"another's, an admin's name":      {"GET", "/users/carol/", from("X-Forwarded-User: alice"), notOwner},
		"another's, a program":            {"GET", "/users/ci/", from(bearer(ciKey)), notOwner},
		"another's, anonymous":            {"GET", "/users/bob/", from(), refused},
		"an owner with permission":        {"GET", "/own/bob/certs", from(bearer(bobsAPIKey)), "key User/bob"},
		"an owner without permission":     {"GET", "/own/zoe/certs", from("X-Forwarded-User: zoe"), notPermitted},
		"permitted, but not the owner":    {"GET", "/own/zoe/certs", from(bearer(bobsAPIKey)), notOwner},
		"a route that asks for nothing":   {"GET", "/public/x", from(bearer(ciKey)), "key Account/ci"},
		"and anonymous":                   {"GET", "/public/x", from(), refused},
		"no route":                        {"GET", "/elsewhere", from("X-Forwarded-User: zoe"), "proxy User/zoe"},
		"no route for the method":         {"DELETE", "/certs", from(bearer(bobsAPIKey)), "key User/bob"},
		"no route, anonymous":             {"GET", "/elsewhere", from(), refused},
		"readings that differ":            {"GET", "/x/..%2fcerts", from(bearer(aliceKey)), ambiguous},
		"readings that differ, a user":    {"GET", "/users/bob;carol/", from(bearer(bobsAPIKey)), ambiguous},
		"readings that differ, anonymous": {"GET", "/x/..%2fcerts", from(), refused},
		"a method in lower case":          {"get", "/certs", from(bearer(aliceKey)), ambiguous},
		"no method":                       {"", "/elsewhere", from(bearer(aliceKey)), undescribed},
		"no method, anonymous":            {"", "/elsewhere", from(), refused},
		"no target":                       {"GET", "", from(bearer(aliceKey)), undescribed},
		"no target, anonymous":            {"GET", "", from(), refused},
		"no target, a bad key":            {"GET", "", from(bearer(unknownKey)), refused},
		"an invalid target":               {"GET", "certs", from(bearer(aliceKey)), ambiguous},
		"a control character":             {"GET", "/public/\x00", from(bearer(aliceKey)), ambiguous},
		"64 KB": {
			"GET", "/public/" + strings.Repeat("a", 64<<10), from(bearer(aliceKey)), ambiguous,
		},
		"the server itself":              {"OPTIONS", "*", from(bearer(ciKey)), "key Account/ci"},
		"a route beyond the app's roots": {"GET", "//certs", from(bearer(aliceKey)), ambiguous},
	} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t)
			h.use(t, config.Runtime{Routes: someRoutes, TrustProxyHeaders: true, TrustUsernames: true})
			if d := h.ask(c.method, c.target, c.header); describe(&d) != c.want {
				t.Errorf("got %s, want %s", describe(&d), c.want)
			}
		})
	}
}

func TestRoutes_UnmatchedRequest(t *testing.T) {
	h := newFixture(t)
	for name, c := range map[string]struct {
		routes         []routes.Route
		method, target string
		header         http.Header
		want           string
	}{
		"a program":                 {someRoutes, "GET", "/elsewhere", from(bearer(ciKey)), unmatched},
		"an admin":                  {someRoutes, "GET", "/elsewhere", from(bearer(aliceKey)), unmatched},
		"an admin's session":        {someRoutes, "GET", "/elsewhere", from(session(aliceSession)), unmatched},
		"the bootstrap key":         {someRoutes, "GET", "/elsewhere", from(bearer(bootstrapKey)), unmatched},
		"anonymous":                 {someRoutes, "GET", "/elsewhere", from(), refused},
		"another method":            {someRoutes, "DELETE", "/certs", from(bearer(aliceKey)), unmatched},
		"the server itself":         {someRoutes, "OPTIONS", "*", from(bearer(aliceKey)), unmatched},
		"what a route matches":      {someRoutes, "GET", "/public/x", from(bearer(ciKey)), "key Account/ci"},
		"without any routes":        {nil, "GET", "/public/x", from(bearer(aliceKey)), unmatched},
		"without routes, anonymous": {nil, "GET", "/public/x", from(), refused},
	} {
		t.Run(name, func(t *testing.T) {
			h.use(t, config.Runtime{Routes: c.routes, DenyUnmatched: true})
			if d := h.ask(c.method, c.target, c.header); describe(&d) != c.want {
				t.Errorf("got %s, want %s", describe(&d), c.want)
			}
		})
	}
}

// The allow list is checked before the route.
func TestRoutes_WriteNeedsAllowListAndRoute(t *testing.T) {
	h := newFixture(t)
	h.use(t, config.Runtime{Routes: someRoutes, AllowedUsers: []string{"account/ci", "bob"}, TrustProxyHeaders: true})
	for name, c := range map[string]struct {
		target string
		header http.Header
		want   string
	}{
		"both":            {"/certs", from(bearer(ciKey)), "key Account/ci"},
		"the list alone":  {"/certs", from(bearer(bobsAPIKey)), notPermitted},
		"neither":         {"/certs", from("X-Forwarded-User: zoe"), notListed},
		"owner, unlisted": {"/users/zoe/", from("X-Forwarded-User: zoe"), notListed},
		"owner, listed":   {"/users/bob/", from(bearer(bobsAPIKey)), "key User/bob"},
		"no route":        {"/elsewhere", from(bearer(alicesAPIKey)), notListed},
	} {
		if d := h.ask(http.MethodPost, c.target, c.header); describe(&d) != c.want {
			t.Errorf("%s: got %s, want %s", name, describe(&d), c.want)
		}
	}
}

func TestRoutes_AnonymousReadOfRestrictedRoute(t *testing.T) {
	h := newFixture(t)
	h.use(t, config.Runtime{Routes: someRoutes, AnonymousReads: true})
	for target, want := range map[string]string{
		"/certs": refused, "/users/zoe/": refused, "/own/zoe/certs": refused, "/public/x": anonymous, "/elsewhere": anonymous,
		"/x/..%2fcerts": refused, "": refused,
	} {
		if d := h.ask(http.MethodGet, target, from()); describe(&d) != want {
			t.Errorf("%q: got %s, want %s", target, describe(&d), want)
		}
	}
}

// A contradictory request is refused wherever the decision depends on the request.
func TestRoutes_ContradictoryRequest(t *testing.T) {
	h := newFixture(t)
	for name, c := range map[string]struct {
		runtime config.Runtime
		header  http.Header
		want    string
	}{
		"nothing depends on it":    {config.Runtime{}, from(bearer(ciKey)), "key Account/ci"},
		"nor does anything denied": {config.Runtime{DenyUnmatched: true}, from(bearer(ciKey)), unmatched},
		"names are another matter": {
			config.Runtime{TrustProxyHeaders: true, TrustUsernames: true}, from(bearer(ciKey)), "key Account/ci",
		},
		"a list": {
			config.Runtime{AllowedUsers: []string{"account/ci"}}, from(bearer(ciKey)), ambiguous,
		},
		"a list, an admin": {
			config.Runtime{AllowedUsers: []string{"zoe"}}, from(bearer(aliceKey)), ambiguous,
		},
		"anonymous reads":                  {config.Runtime{AnonymousReads: true}, from(bearer(ciKey)), ambiguous},
		"anonymous reads, anonymous":       {config.Runtime{AnonymousReads: true}, from(), refused},
		"routes":                           {config.Runtime{Routes: someRoutes}, from(bearer(ciKey)), ambiguous},
		"routes, an admin":                 {config.Runtime{Routes: someRoutes}, from(session(aliceSession)), ambiguous},
		"routes, anonymous":                {config.Runtime{Routes: someRoutes}, from(), refused},
		"routes, a bad key":                {config.Runtime{Routes: someRoutes}, from(bearer(revokedKey)), refused},
		"nothing depends on it, anonymous": {config.Runtime{}, from(), refused},
	} {
		t.Run(name, func(t *testing.T) {
			h.use(t, c.runtime)
			d := h.Decide(
				&gate.Request{Method: http.MethodGet, Host: "h", Target: "/public/", Contradictory: true, Header: c.header},
			)
			if describe(&d) != c.want {
				t.Errorf("got %s, want %s", describe(&d), c.want)
			}
		})
	}
}

func TestRoutes_ByHost(t *testing.T) {
	h := newFixture(t)
	h.use(t, withRoutes(routes.Route{Match: "admin.example/", Action: "certs.write"}))
	for host, want := range map[string]string{
		"app.example": "key User/bob", "admin.example": notPermitted, "ADMIN.example:8443": notPermitted, "": undescribed,
		"a/b": ambiguous,
	} {
		d := h.Decide(&gate.Request{Method: http.MethodGet, Host: host, Target: "/", Header: from(bearer(bobsAPIKey))})
		if describe(&d) != want {
			t.Errorf("%q: got %s, want %s", host, describe(&d), want)
		}
	}
}

func TestNewRules_InvalidRoute(t *testing.T) {
	for name, entries := range map[string][]routes.Route{
		"no pattern": {{Action: "certs.read"}}, "two of one pattern": {{Match: "/a"}, {Match: "/a"}},
		"no wildcard": {{Match: "/a", Owner: "{user}"}},
	} {
		rules, err := gate.NewRules(config.Runtime{Routes: entries})
		if err == nil || rules != nil || !strings.HasPrefix(err.Error(), "routes: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
