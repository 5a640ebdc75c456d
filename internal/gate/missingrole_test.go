package gate_test

import (
	"net/http"
	"testing"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/routes"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
)

// A key that names a missing role, or a session begun with it, may do nothing: not even what needs no permission, or
// what anonymous callers may do. That ends when the role exists.
func TestMissingRole_KeyMayDoNothing(t *testing.T) {
	everywhere := access.Request{Action: "certs.read", Resource: access.Any}
	decide := func(h *fixture, header http.Header) gate.Decision { return h.ask("GET", "/certs", header) }
	for name, c := range map[string]struct {
		runtime config.Runtime
		ask     func(*fixture, http.Header) gate.Decision
	}{
		"no routes": {plain, decide},
		"a route that needs a permission": {
			withRoutes(routes.Route{Match: "/certs", Action: "certs.read", Resource: "certificate:1"}), decide,
		},
		"a route that needs nothing": {withRoutes(routes.Route{Match: "/certs"}), decide},
		"its own route":              {withRoutes(routes.Route{Match: "/certs", Owner: "lara"}), decide},
		"anonymous reads":            {config.Runtime{AnonymousReads: true}, decide},
		"listed":                     {config.Runtime{AllowedUsers: []string{"lara"}}, decide},
		"a saved name beside it": {config.Runtime{TrustUsernames: true}, func(h *fixture, header http.Header) gate.Decision {
			header.Add("Cookie", "keywright_user=bob")
			return decide(h, header)
		}},
		"management": {plain, func(h *fixture, header http.Header) gate.Decision { return h.Identify(header) }},
		"management, with a need": {plain, func(h *fixture, header http.Header) gate.Decision {
			return h.Identify(header, everywhere)
		}},
	} {
		for credential, header := range map[string]http.Header{
			"key": from(bearer(lackingKey)), "session": from(session(lackingSession)),
		} {
			h := newFixture(t)
			h.use(t, c.runtime)
			d := c.ask(h, header.Clone())
			if d.Outcome != gate.NotPermitted || d.Refusal().Status != http.StatusForbidden {
				t.Errorf("%s, by %s: %s", name, credential, d.Outcome)
			}
			h.index.PutRole("missing", access.Role{})
			if d := c.ask(h, header.Clone()); d.Outcome != gate.Allowed || d.Caller.Subject != "User/lara" {
				t.Errorf("%s, by %s, with the role: %s", name, credential, d.Outcome)
			}
		}
	}
}

// Where a refused key counts as no key, the caller is known and holds no rights. Other credentials do not take over.
func TestMissingRole_CallerIsKnownAndHoldsNothing(t *testing.T) {
	h := newFixture(t)
	h.use(t, config.Runtime{TrustProxyHeaders: true})
	for name, header := range map[string]http.Header{
		"key": from(bearer(lackingKey), "X-Forwarded-User: bob"), "session": from(session(lackingSession)),
	} {
		d := h.IdentifyOrAnonymous(header)
		if c := &d.Caller; c.Subject != "User/lara" || c.Admin || len(c.Scopes) > 0 ||
			h.May(c, access.Request{Action: "certs.read", Resource: access.Any}) || h.MayDelegate(c, &access.Rights{}, "lara") {
			t.Errorf("%s: %+v", name, c)
		}
	}
	if d := h.IdentifyOrAnonymous(from(bearer(lackingKey), session(aliceSession))); !d.Caller.Admin {
		t.Errorf("the session of an admin does not count: %+v", d.Caller)
	}
	if d := h.Authenticate(lackingKey, ""); d.Outcome != gate.Unauthenticated {
		t.Errorf("login: %s", d.Outcome)
	}
}

// A request that was admitted ends when the role goes.
func TestMissingRole_EndsRequestsInProgress(t *testing.T) {
	h := newFixture(t)
	h.laraNames("dev")
	request := gate.Request{Method: "GET", Host: "h", Target: "/", Header: from(bearer(lackingKey))}
	d := h.Decide(&request)
	if d.Outcome != gate.Allowed || !h.Recheck(&request, &d.Caller) {
		t.Fatal(d.Outcome)
	}
	h.index.DeleteRole("dev")
	if h.Recheck(&request, &d.Caller) {
		t.Error("it continues")
	}
}
