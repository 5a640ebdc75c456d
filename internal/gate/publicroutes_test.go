package gate_test

import (
	"net/http"
	"testing"

	"keywright.dev/keywright/internal/auth/routes"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
)

// publicRoutes has public routes beside guarded ones.
var publicRoutes = []routes.Route{
	{Match: "/hooks/", Anonymous: true},
	{Match: "GET /public/", Anonymous: true},
	{Match: "OPTIONS /certs", Anonymous: true},
	{Match: "GET /certs", Action: "certs.read"},
	{Match: "POST /certs", Action: "certs.write"},
	{Match: "/users/{user}/", Owner: "{user}"},
	{Match: "/help/"},
}

func TestPublicRoutes_NeedNoCaller(t *testing.T) {
	for name, c := range map[string]struct {
		method, target string
		header         http.Header
		want           string
	}{
		"a read":              {"GET", "/public/a", from(), anonymous},
		"HEAD":                {"HEAD", "/public/a", from(), anonymous},
		"a write":             {"POST", "/hooks/a", from(), anonymous},
		"an unknown method":   {"FROB", "/hooks/a", from(), anonymous},
		"without the slash":   {"POST", "/hooks", from(), anonymous},
		"a preflight":         {"OPTIONS", "/certs", from("Origin: https://a.example"), anonymous},
		"another method":      {"POST", "/public/a", from(), refused},
		"a guarded route":     {"GET", "/certs", from(), refused},
		"another's route":     {"GET", "/users/bob/", from(), refused},
		"neither":             {"GET", "/help/", from(), refused},
		"no route":            {"GET", "/elsewhere", from(), refused},
		"a preflight of none": {"OPTIONS", "/elsewhere", from(), refused},
		"the server itself":   {"OPTIONS", "*", from(), refused},

		"a key":                     {"POST", "/hooks/a", from(bearer(ciKey)), "key Account/ci"},
		"a key that is not listed":  {"POST", "/hooks/a", from(bearer(bobsAPIKey)), "key User/bob"},
		"a session":                 {"POST", "/hooks/a", from(session(aliceSession)), "session User/alice admin"},
		"a dead session":            {"POST", "/hooks/a", from(session(daveSession)), anonymous},
		"no session":                {"POST", "/hooks/a", from(session(noSession)), anonymous},
		"a name from the proxy":     {"POST", "/hooks/a", from("X-Forwarded-User: carol"), "proxy User/carol"},
		"a disabled admin's name":   {"POST", "/hooks/a", from("X-Forwarded-User: dave"), anonymous},
		"a saved name":              {"POST", "/hooks/a", from("Cookie: keywright_user=zoe"), "saved_name User/zoe"},
		"an unknown key":            {"GET", "/public/a", from(bearer(unknownKey)), refused},
		"a revoked key":             {"POST", "/hooks/a", from(bearer(revokedKey)), refused},
		"an empty key":              {"POST", "/hooks/a", from("X-Api-Key: "), refused},
		"two keys":                  {"POST", "/hooks/a", from(bearer(ciKey), "X-Api-Key: "+aliceKey), refused},
		"a wrong key and a session": {"POST", "/hooks/a", from(bearer(unknownKey), session(aliceSession)), refused},
		"a key without its role":    {"POST", "/hooks/a", from(bearer(lackingKey)), notPermitted},
		"a budget that is used up":  {"POST", "/hooks/a", from(bearer(spentKey)), "over_budget"},

		"out of it":                  {"GET", "/public/../certs", from(), refused},
		"out of it, encoded":         {"GET", "/public/%2e%2e/certs", from(), refused},
		"out of it, a slash encoded": {"GET", "/public/..%2Fcerts", from(), refused},
		"out of it, encoded twice":   {"GET", "/public/%252e%252e/certs", from(), refused},
		"out of it, by a parameter":  {"GET", "/public/..;/certs", from(), refused},
		"out of it, a backslash":     {"GET", `/public/..\certs`, from(), refused},
		"out of it, to no route":     {"GET", "/public/..%2Felsewhere", from(), refused},
		"out of it, known":           {"GET", "/public/..%2Fcerts", from(bearer(ciKey)), ambiguous},
		"into it":                    {"GET", "/certs/..%2Fpublic/a", from(), refused},
		"odd, but within":            {"GET", "/public/a//b/./%2F;c", from(), anonymous},
		"a control character":        {"GET", "/public/%00", from(), refused},
		"a method in lower case":     {"get", "/public/a", from(), refused},
		"a method that is overridden": {
			"OPTIONS", "/certs", from("X-Http-Method-Override: GET"), refused,
		},
		"no method": {"", "/hooks/a", from(), refused},
		"no target": {"POST", "", from(), refused},
	} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t)
			h.use(t, config.Runtime{
				Routes: publicRoutes, AllowedUsers: []string{"account/ci"}, TrustProxyHeaders: true, TrustUsernames: true,
			})
			d := h.ask(c.method, c.target, c.header)
			if describe(&d) != c.want {
				t.Errorf("got %s, want %s", describe(&d), c.want)
			}
			if c.want == anonymous && d.Caller.Identity() != new(gate.Caller).Identity() {
				t.Errorf("the app sees %q", d.Caller.Identity())
			}
		})
	}
}

func TestPublicRoutes_AndOtherSettings(t *testing.T) {
	for name, c := range map[string]struct {
		runtime config.Runtime
		change  func(*gate.Request)
		want    string
	}{
		"nothing else":              {config.Runtime{}, nil, anonymous},
		"other requests are denied": {config.Runtime{DenyUnmatched: true}, nil, anonymous},
		"anonymous reads":           {config.Runtime{AnonymousReads: true}, nil, anonymous},
		"another form of keys": {
			config.Runtime{Credentials: []string{"api-key"}},
			func(r *gate.Request) { r.Header = from(bearer(unknownKey)) }, anonymous,
		},
		"a contradiction": {config.Runtime{}, func(r *gate.Request) { r.Contradictory = true }, refused},
		"forged identity": {config.Runtime{}, func(r *gate.Request) { r.Forged = true }, refused},
		"another spelling of a key's header": {
			config.Runtime{}, func(r *gate.Request) { r.OddForms = every }, refused,
		},
	} {
		h := newFixture(t)
		c.runtime.Routes = publicRoutes
		h.use(t, c.runtime)
		request := gate.Request{Method: "POST", Host: "h", Target: "/hooks/a", Header: from()}
		if c.change != nil {
			c.change(&request)
		}
		d := h.Decide(&request)
		if describe(&d) != c.want {
			t.Errorf("%s: got %s, want %s", name, describe(&d), c.want)
		}
		if h.Recheck(&request, &d.Caller) != (c.want == anonymous) {
			t.Errorf("%s: may continue: %t", name, c.want != anonymous)
		}
		if d := h.Identify(from()); d.Outcome != gate.Unauthenticated {
			t.Errorf("%s: an anonymous caller was identified: %s", name, describe(&d))
		}
	}
}

// A public route of one host is public there only.
func TestPublicRoutes_ByHost(t *testing.T) {
	h := newFixture(t)
	h.use(t, withRoutes(
		routes.Route{Match: "open.example/", Anonymous: true}, routes.Route{Match: "closed.example/"},
	))
	for host, want := range map[string]string{
		"open.example": anonymous, "OPEN.example:8443": anonymous, "closed.example": refused, "x.example": refused,
		"open.example.closed.example": refused, "": refused, "a/b": refused, "open.example/": refused,
	} {
		d := h.Decide(&gate.Request{Method: http.MethodGet, Host: host, Target: "/", Header: from()})
		if describe(&d) != want {
			t.Errorf("%q: got %s, want %s", host, describe(&d), want)
		}
	}
}

// An open request ends once its route is no longer public.
func TestPublicRoutes_RecheckFollowsRoutes(t *testing.T) {
	h := newFixture(t)
	h.use(t, config.Runtime{Routes: publicRoutes})
	request := gate.Request{Method: "POST", Host: "h", Target: "/hooks/a", Header: from()}
	d := h.Decide(&request)
	if !h.Recheck(&request, &d.Caller) {
		t.Fatal("it may not continue although nothing changed")
	}
	h.use(t, config.Runtime{Routes: publicRoutes[1:]})
	if h.Recheck(&request, &d.Caller) {
		t.Error("it may continue although its route is not public")
	}
}
