package gate_test

import (
	"net/http"
	"testing"

	"keywright.dev/keywright/internal/config"
)

func TestSavedNameCookie_FollowsProxyName(t *testing.T) {
	const carol = "keywright_user=carol; Path=/; Max-Age=31536000; Secure; SameSite=Lax"
	for name, c := range map[string]struct {
		runtime config.Runtime
		header  http.Header
		want    string
	}{
		"nothing saved":             {proxy, from("X-Forwarded-User: carol"), carol},
		"another saved":             {proxy, from("X-Forwarded-User: carol", "Cookie: keywright_user=bob"), carol},
		"in another case":           {proxy, from("X-Forwarded-User: carol", "Cookie: keywright_user=Carol"), carol},
		"the name is saved already": {proxy, from("X-Forwarded-User: carol", "Cookie: keywright_user=carol"), ""},
		"the same, with spaces":     {proxy, from("X-Forwarded-User:  carol ", "Cookie: keywright_user=%20carol"), ""},
		"two saved": {
			proxy, from("X-Forwarded-User: carol", "Cookie: keywright_user=carol; keywright_user=bob"), carol,
		},
		"where both count": {either, from("X-Forwarded-User: carol", "Cookie: keywright_user=bob"), carol},
		"without TLS": {
			config.Runtime{TrustProxyHeaders: true, InsecureCookies: true}, from("X-Forwarded-User: carol"),
			"keywright_user=carol; Path=/; Max-Age=31536000; SameSite=Lax",
		},
		"beyond ASCII": {
			proxy, from("X-Forwarded-User: Carol Müller; Domain=x"),
			"keywright_user=Carol%20M%C3%BCller%3B%20Domain=x; Path=/; Max-Age=31536000; Secure; SameSite=Lax",
		},
		"beyond ASCII, saved": {
			proxy, from("X-Forwarded-User: Carol Müller", "Cookie: keywright_user=Carol%20M%C3%BCller"), "",
		},
		"admin":            {proxy, from("X-Forwarded-User: admin"), ""},
		"a disabled admin": {proxy, from("X-Forwarded-User: dave"), ""},
		"not trusted":      {saved, from("X-Forwarded-User: carol"), ""},
		"a saved name":     {either, from("Cookie: keywright_user=carol"), ""},
		"a key":            {proxy, from("X-Forwarded-User: carol", bearer(aliceKey)), ""},
		"a bad key":        {proxy, from("X-Forwarded-User: carol", bearer(unknownKey)), ""},
		"a session":        {proxy, from("X-Forwarded-User: carol", session(aliceSession)), ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t)
			h.use(t, c.runtime)
			if d := h.ask(http.MethodGet, "/", c.header); d.SetCookie != c.want {
				t.Errorf("got %q, want %q", d.SetCookie, c.want)
			}
		})
	}
}
