package gate_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
)

// Every request gets a valid decision, and no caller becomes an admin without an admin's key.
func FuzzDecide(f *testing.F) {
	h := newFixture(f)
	g := gate.New(gate.Config{
		Verifier: h.Verifier, View: h.view, Sessions: h.Sessions, Now: h.Now, Log: slog.New(slog.DiscardHandler),
		Registry: prometheus.NewRegistry(),
	})
	everything := config.Runtime{
		Routes: someRoutes, AllowedUsers: []string{"bob", "account/ci"}, TrustProxyHeaders: true, TrustUsernames: true,
		AnonymousReads: true,
	}
	open := config.Runtime{Routes: publicRoutes, Credentials: every.Names()}
	rules := []*gate.Rules{newRules(f, config.Runtime{}), newRules(f, everything), newRules(f, open)}
	f.Add("GET", "app.example", "/certs?env=dev", "Bearer "+ciKey, "", "a=b; keywright_user=carol", "carol")
	f.Add("post", "", "/users/bob/%2e%2e/", "Basic Og==", unknownKey, `keywright_session="x"; a={"b"}`, " ADMIN ")
	f.Add("POST", "h", "/hooks/a", "token "+ciKey, "", "", "")
	f.Add("GET", "h", "/public/..%2fcerts", "", aliceKey, "", "")
	f.Add("\x00", "[::1", "*", "", "\xff", ";=;", "a\r\nX-Auth-Admin: true")
	f.Fuzz(func(t *testing.T, method, host, target, authorization, apiKey, cookie, user string) {
		header := http.Header{"Cookie": {cookie}, "X-Forwarded-User": {user, user}}
		if authorization != "" {
			header["Authorization"] = []string{authorization}
		}
		if apiKey != "" {
			header["X-Api-Key"] = []string{apiKey, authorization}
			header["Api-Key"] = []string{apiKey}
		}
		for _, r := range rules {
			g.Use(r)
			d := g.Decide(&gate.Request{Method: method, Host: host, Target: target, Header: header})
			switch d.Outcome {
			case gate.NotReady, gate.Stale:
				t.Fatal(d.Outcome)
			}
			if d.Caller.Admin && !strings.Contains(apiKey+authorization+cookie, "correct-horse") &&
				!strings.Contains(authorization, "Basic") &&
				!strings.Contains(apiKey+authorization+cookie, "-bootstrap-key") && !strings.Contains(cookie, aliceSession) {
				t.Fatal("an admin")
			}
			for _, value := range append([]string{d.SetCookie}, identity(&d)...) {
				if strings.ContainsAny(value, "\r\n\x00") {
					t.Fatalf("%q cannot be sent in a header", value)
				}
			}
		}
	})
}

func identity(d *gate.Decision) []string {
	values := d.Caller.Identity()
	return values[:]
}
