package gate_test

import (
	"net/http"
	"testing"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/config"
)

func TestMayDelegate(t *testing.T) {
	h := newFixture(t)
	h.use(t, config.Runtime{TrustProxyHeaders: true, TrustUsernames: true})
	h.index.PutRole("reader", access.Role{Permissions: []access.Permission{access.Scope("certs.read")}})
	h.index.PutBinding("readers", access.Binding{Role: "reader", Users: []string{"bob"}})
	everything := access.Rights{Permissions: []access.Permission{access.Scope(access.Any)}}
	for name, c := range map[string]struct {
		header http.Header
		to     string
		want   bool
	}{
		"anonymous":                   {http.Header{}, "", false},
		"an unknown key":              {http.Header{"X-Api-Key": {unknownKey}}, "", false},
		"the bootstrap key":           {http.Header{"X-Api-Key": {bootstrapKey}}, "", true},
		"an admin's key":              {http.Header{"X-Api-Key": {aliceKey}}, "bob", true},
		"an admin's session":          {http.Header{"Cookie": {"keywright_session=" + aliceSession}}, "", true},
		"an admin's API key":          {http.Header{"X-Api-Key": {alicesAPIKey}}, "alice", false},
		"a user's API key":            {http.Header{"X-Api-Key": {bobsAPIKey}}, "bob", false},
		"a proxy name, to themselves": {http.Header{"X-Forwarded-User": {"bob"}}, "bob", true},
		"a proxy name, to another":    {http.Header{"X-Forwarded-User": {"bob"}}, "alice", false},
		"a saved name, to themselves": {http.Header{"Cookie": {"keywright_user=bob"}}, "bob", false},
		"a saved name, to a program":  {http.Header{"Cookie": {"keywright_user=bob"}}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			d := h.Identify(c.header)
			if got := h.MayDelegate(&d.Caller, &everything, c.to); got != c.want {
				t.Errorf("got %t, as %s", got, d.Caller.Credential)
			}
		})
	}
	// A display name delegates nothing.
	h.use(t, config.Runtime{})
	d := h.IdentifyOrAnonymous(http.Header{"Cookie": {"keywright_user=bob"}})
	if h.MayDelegate(&d.Caller, &access.Rights{}, "bob") {
		t.Error("a display name delegates")
	}
}
