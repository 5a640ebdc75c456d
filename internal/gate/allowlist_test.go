package gate_test

import (
	"net/http"
	"testing"

	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
)

const (
	notListed    = "not_listed"
	notPermitted = "not_permitted"
)

func TestAllowList_RefusesUnlistedWriter(t *testing.T) {
	for name, c := range map[string]struct {
		list   string
		header http.Header
		want   string
	}{
		"listed":                     {"bob", from(bearer(bobsAPIKey)), "key User/bob"},
		"not listed":                 {"carol", from(bearer(bobsAPIKey)), notListed},
		"by a session":               {"bob", from(session(bobSession)), "session User/bob"},
		"not listed, by a session":   {"carol", from(session(bobSession)), notListed},
		"in another case":            {"BoB", from(bearer(bobsAPIKey)), "key User/bob"},
		"the caller in another case": {"carol", from("X-Forwarded-User: CAROL"), "proxy User/CAROL"},
		"a subject":                  {"Account/ci", from(bearer(ciKey)), "key Account/ci"},
		"a subject in lower case":    {"account/ci", from(bearer(ciKey)), "key Account/ci"},
		"another kind of subject":    {"Integration/ci", from(bearer(ciKey)), notListed},
		"a program by its bare name": {"ci", from(bearer(ciKey)), notListed},
		"a user as a subject":        {"User/bob", from(bearer(bobsAPIKey)), "key User/bob"},
		"an admin":                   {"mallory", from(bearer(aliceKey)), "key User/alice admin"},
		"an admin's session":         {"mallory", from(session(aliceSession)), "session User/alice admin"},
		"the bootstrap key":          {"mallory", from(bearer(bootstrapKey)), "key User/admin admin"},
		"an admin's API key":         {"mallory", from(bearer(alicesAPIKey)), notListed},
		"an admin's API key, listed": {"alice", from(bearer(alicesAPIKey)), "key User/alice"},
		"an admin's bare name":       {"mallory", from("X-Forwarded-User: alice"), notListed},
		"a name that is trusted":     {"carol", from("Cookie: keywright_user=carol"), "saved_name User/carol"},
		"another name":               {"carol", from("Cookie: keywright_user=caro"), notListed},
		"a name like a subject":      {"Account/ci", from("X-Forwarded-User: Account/ci"), notListed},
		"a name like a user's":       {"User/bob", from("X-Forwarded-User: User/bob"), notListed},
		"a name like no subject":     {"Account/ci", from("X-Forwarded-User: ../Account/ci"), notListed},
		"anonymous":                  {"bob", from(), refused},
		"anonymous, no list":         {"", from(), refused},
		"admin, by a name":           {"admin", from("X-Forwarded-User: admin"), refused},
		"a bad key":                  {"bob", from(bearer(unknownKey)), refused},
		"no list":                    {"", from(bearer(bobsAPIKey)), "key User/bob"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t)
			runtime := config.Runtime{TrustProxyHeaders: true, TrustUsernames: true}
			if c.list != "" {
				runtime.AllowedUsers = []string{"zoe", c.list}
			}
			h.use(t, runtime)
			if d := h.ask(http.MethodPost, "/", c.header); describe(&d) != c.want {
				t.Errorf("write: got %s, want %s", describe(&d), c.want)
			}
			want := c.want
			if d := h.ask(http.MethodGet, "/", c.header); want != notListed && describe(&d) != want || want == notListed &&
				d.Outcome != gate.Allowed {
				t.Errorf("read: got %s", describe(&d))
			}
			if d := h.Identify(c.header); want == notListed && d.Outcome != gate.Allowed {
				t.Errorf("the allow list applied to Keywright itself: got %s", describe(&d))
			}
		})
	}
}

// Unknown methods count as writes.
func TestAllowList_ReadMethodsPass(t *testing.T) {
	h := newFixture(t)
	h.use(t, config.Runtime{AllowedUsers: []string{"zoe"}})
	for _, read := range []string{"GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "REPORT", "SEARCH", "QUERY"} {
		if d := h.ask(read, "/", from(bearer(bobsAPIKey))); d.Outcome != gate.Allowed {
			t.Errorf("%s: %s", read, describe(&d))
		}
	}
	for _, write := range []string{
		"POST", "PUT", "PATCH", "DELETE", "CONNECT", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "PROPPATCH", "ACL", "LINK",
		"PRI", "FROB",
		"", "get", "Get", "GET ", " GET", "GET\x00", "GET,POST", "GETGET", "*", "\xff",
	} {
		if d := h.ask(write, "/", from(bearer(bobsAPIKey))); d.Outcome != gate.NotListed {
			t.Errorf("%q: %s", write, describe(&d))
		}
	}
}

func TestAnonymousReads_AdmitReadsOnly(t *testing.T) {
	h := newFixture(t)
	for name, c := range map[string]struct {
		runtime config.Runtime
		method  string
		header  http.Header
		want    string
	}{
		"a read":              {config.Runtime{}, "GET", from(), anonymous},
		"another read":        {config.Runtime{}, "PROPFIND", from(), anonymous},
		"a write":             {config.Runtime{}, "POST", from(), refused},
		"an unknown method":   {config.Runtime{}, "", from(), refused},
		"a read with a list":  {config.Runtime{AllowedUsers: []string{"bob"}}, "GET", from(), anonymous},
		"a write with a list": {config.Runtime{AllowedUsers: []string{"bob"}}, "POST", from(), refused},
		"a bad key":           {config.Runtime{}, "GET", from(bearer(unknownKey)), refused},
		"an empty key":        {config.Runtime{}, "GET", from("Authorization: "), refused},
		"a dead session":      {config.Runtime{}, "GET", from(session(daveSession)), anonymous},
		"a program":           {config.Runtime{}, "GET", from(bearer(ciKey)), "key Account/ci"},
		"a disabled admin": {
			config.Runtime{TrustProxyHeaders: true}, "GET", from("X-Forwarded-User: dave"), anonymous,
		},
		"an unmatched request": {config.Runtime{Routes: someRoutes}, "GET", from(), anonymous},
		"unmatched requests are refused": {
			config.Runtime{Routes: someRoutes, DenyUnmatched: true}, "GET", from(), "unmatched",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.runtime.AnonymousReads = true
			h.use(t, c.runtime)
			d := h.ask(c.method, "/", c.header)
			if describe(&d) != c.want {
				t.Errorf("got %s, want %s", describe(&d), c.want)
			}
			if d := h.Identify(from()); d.Outcome != gate.Unauthenticated {
				t.Errorf("an anonymous caller was identified: %s", describe(&d))
			}
		})
	}
}
