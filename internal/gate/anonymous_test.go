package gate_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
)

const anonymous = "none"

func TestIdentifyOrAnonymous(t *testing.T) {
	for name, c := range map[string]struct {
		runtime config.Runtime
		header  http.Header
		want    string
	}{
		"anonymous":         {plain, from(), anonymous},
		"no headers at all": {plain, nil, anonymous},

		"an admin's key":     {plain, from(bearer(aliceKey)), "key User/alice admin"},
		"the bootstrap key":  {plain, from(bearer(bootstrapKey)), "key User/admin admin"},
		"an admin's API key": {plain, from(bearer(alicesAPIKey)), "key User/alice"},
		"a program's":        {plain, from("X-Api-Key: " + ciKey), "key Account/ci"},
		"as a password":      {plain, from(basic("git", aliceKey)), "key User/alice admin"},

		"unknown":       {plain, from(bearer(unknownKey)), anonymous},
		"mistyped":      {plain, from(bearer(mistypedKey)), anonymous},
		"empty":         {plain, from(bearer("")), anonymous},
		"empty in both": {plain, from("Authorization: ", "X-Api-Key: "), anonymous},
		"disabled":      {plain, from(bearer(daveKey)), anonymous},
		"two good keys": {plain, from(bearer(aliceKey), "X-Api-Key: "+ciKey), anonymous},

		"an admin's session": {plain, from(session(aliceSession)), "session User/alice admin"},
		"and a key":          {plain, from(session(aliceSession), bearer(ciKey)), "session User/alice admin"},
		"and an unknown key": {
			plain, from(session(aliceSession), bearer(unknownKey)), "session User/alice admin",
		},
		"and two keys": {
			plain, from(session(aliceSession), bearer(aliceKey), "X-Api-Key: "+ciKey), "session User/alice admin",
		},
		"another session":                 {plain, from(session(bobSession)), "session User/bob"},
		"another session and a key":       {plain, from(session(bobSession), bearer(ciKey)), "key Account/ci"},
		"another session, an unknown key": {plain, from(session(bobSession), bearer(unknownKey)), "session User/bob"},
		"a dead session":                  {plain, from(session(daveSession)), anonymous},
		"a dead session and a key":        {plain, from(session(daveSession), bearer(ciKey)), "key Account/ci"},
		"no session":                      {plain, from(session(noSession)), anonymous},

		"a proxy name, not trusted":       {plain, from("X-Forwarded-User: carol"), anonymous},
		"a proxy name":                    {proxy, from("X-Forwarded-User: carol"), "proxy User/carol"},
		"a proxy name and an unknown key": {proxy, from("X-Forwarded-User: carol", bearer(unknownKey)), "proxy User/carol"},
		"a proxy name and a malformed key": {
			proxy, from("X-Forwarded-User: carol", "Authorization: Basic !"), "proxy User/carol",
		},
		"a proxy name and a key": {proxy, from("X-Forwarded-User: carol", bearer(ciKey)), "key Account/ci"},
		"of the bootstrap admin": {proxy, from("X-Forwarded-User: Admin"), anonymous},
		"of a disabled admin":    {proxy, from("X-Forwarded-User: Dave"), anonymous},
		"no proxy name, and a saved name": {
			proxy, from("X-Forwarded-User: ", "Cookie: keywright_user=zoe"), "display_name User/zoe",
		},
		"a saved name":         {plain, from("Cookie: keywright_user=zoe"), "display_name User/zoe"},
		"of an admin":          {plain, from("Cookie: keywright_user=alice"), "display_name User/alice"},
		"a trusted saved name": {saved, from("Cookie: keywright_user=zoe"), "saved_name User/zoe"},
		"trusted, and an unknown key": {
			saved, from("Cookie: keywright_user=zoe", bearer(unknownKey)), "saved_name User/zoe",
		},
		"a saved name, and an ended key": {
			plain, from("Cookie: keywright_user=zoe", bearer(erinKey)), "display_name User/zoe",
		},
		"a saved name, and a dead session": {
			plain, from("Cookie: keywright_user=zoe; keywright_session=" + daveSession), "display_name User/zoe",
		},
		"the bootstrap admin's saved name": {plain, from("Cookie: keywright_user=ADMIN"), anonymous},
		"saved name of a disabled admin":   {plain, from("Cookie: keywright_user=dave"), anonymous},
	} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t)
			h.use(t, c.runtime)
			d := h.IdentifyOrAnonymous(c.header)
			if describe(&d) != c.want {
				t.Errorf("got %s, want %s", describe(&d), c.want)
			}
			if d.Presented != (len(c.header["Authorization"])+len(c.header["X-Api-Key"]) > 0) {
				t.Errorf("presented: %t", d.Presented)
			}
			if hasKey := strings.HasPrefix(c.want, "key") || strings.HasPrefix(c.want, "session"); d.Caller.HasKey() != hasKey ||
				(len(d.Caller.KeyID) == 16) != hasKey || (d.Caller.Digest() != nil) != hasKey {
				t.Errorf("key %q, digest %v", d.Caller.KeyID, d.Caller.Digest())
			}
			if sets := strings.HasPrefix(c.want, "proxy"); sets != (d.SetCookie != "") {
				t.Errorf("Set-Cookie %q", d.SetCookie)
			}
			if d.Refusal() != nil {
				t.Error("refused")
			}
		})
	}
}

// An unverified name holds nothing, whatever the user of that name holds.
func TestDisplayName_HoldsNoRights(t *testing.T) {
	h := newFixture(t)
	h.index.PutRole("all", access.Role{Permissions: []access.Permission{access.Scope(access.Any)}})
	h.index.PutBinding("all", access.Binding{Role: "all", Users: []string{"alice", "bob", "zoe"}})
	for _, name := range []string{"alice", "bob", "zoe"} {
		d := h.IdentifyOrAnonymous(from("Cookie: keywright_user=" + name))
		for _, action := range []string{"certs.read", "users.read", access.Any} {
			if d.Caller.Credential != gate.CredentialDisplayName ||
				h.May(&d.Caller, access.Request{Action: action, Resource: access.Any}) {
				t.Errorf("%s, by %s, may %s", name, d.Caller.Credential, action)
			}
		}
		if d.Caller.Admin {
			t.Errorf("%s is an admin by a claim", name)
		}
	}
}

// recognized follows docs/compatibility.md, "Who is calling".
func (d *drawn) recognized() (by string, caller person) {
	bySession, hasSession := sessionholders[d.Session]
	byKey, hasKey := person{}, false
	if len(d.Keys) == 1 || len(d.Keys) == 2 && d.Keys[0] == d.Keys[1] {
		byKey, hasKey = keyholders[d.Keys[0]]
	}
	name := func(by, name string) (string, person) {
		if strings.EqualFold(name, "dave") {
			return anonymous, nobody
		}
		if strings.EqualFold(name, "alice") {
			name = "alice" // as the AdminUser spells it
		}
		return by, person{subject: "User/" + name}
	}
	switch {
	case hasSession && (bySession.admin || !hasKey):
		return "session", bySession
	case hasKey:
		return "key", byKey
	case d.Proxy && usable(d.ProxyUser) != "":
		return name("proxy", usable(d.ProxyUser))
	case usable(d.SavedName) != "" && d.Names:
		return name("saved_name", usable(d.SavedName))
	case usable(d.SavedName) != "":
		return name("display_name", usable(d.SavedName))
	}
	return anonymous, nobody
}

func TestIdentifyOrAnonymous_MatchesModel(t *testing.T) {
	h := newFixture(t)
	seen := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		for range 30 {
			d := draw(t)
			rules, err := gate.NewRules(d.runtime())
			if err != nil {
				t.Fatal(err)
			}
			h.Use(rules)
			got := h.IdentifyOrAnonymous(d.header())
			by, caller := d.recognized()
			seen[by]++
			if got.Caller.Credential.String() != by || got.Caller.Subject != caller.subject || got.Caller.Admin != caller.admin {
				t.Fatalf("got %+v, want %+v by %s", got.Caller, caller, by)
			}
		}
	})
	if len(seen) != 6 {
		t.Errorf("not every kind was drawn: %v", seen)
	}
}

func TestIdentifyOrAnonymous_NotReadyOrStale(t *testing.T) {
	h := newFixture(t)
	h.use(t, config.Runtime{StaleAfter: time.Minute})
	notSeen := errors.New("not seen")
	h.view.err.Store(&notSeen)
	if d := h.IdentifyOrAnonymous(from(bearer(aliceKey))); d.Outcome != gate.NotReady ||
		d.Caller.Credential != gate.CredentialNone || d.Refusal().Status != 503 {
		t.Errorf("%s, %+v", d.Outcome, d.Caller)
	}
	h.view.err.Store(nil)
	h.view.age.Store(int64(time.Hour))
	if d := h.IdentifyOrAnonymous(from(bearer(aliceKey))); d.Outcome != gate.Stale ||
		d.Caller.Credential != gate.CredentialNone || d.Refusal().Status != 503 {
		t.Errorf("%s, %+v", d.Outcome, d.Caller)
	}
}

// An overlapping key is accepted, but it carries no session.
func TestOverlappingKey_CarriesNoSession(t *testing.T) {
	h := newFixture(t)
	d := h.IdentifyOrAnonymous(from(bearer(aliceKey)))
	if got := d.Caller.Digest(); got == nil || *got != h.ring.Digest(aliceKey) {
		t.Errorf("the digest is %v", got)
	}
	h.index.Put(verify.ID{Kind: "AdminUser", Namespace: "n", Name: "alice"}, verify.KeyObject{
		Identity: verify.Identity{Username: "alice", Subject: "User/alice", Admin: true}, Standing: verify.Accepted,
		OwnsUsername: true, HoldsKeys: true, UID: "alice",
		Keys: []verify.Key{
			{Digest: h.ring.Digest("the-new-key-of-alice")}, {Digest: h.ring.Digest(aliceKey), Overlapping: true},
		},
	})
	if d = h.IdentifyOrAnonymous(from(bearer(aliceKey))); describe(&d) != "key User/alice admin" ||
		d.Caller.Digest() != nil {
		t.Errorf("%s, digest %v", describe(&d), d.Caller.Digest())
	}
	if d = h.IdentifyOrAnonymous(from(session(aliceSession))); describe(&d) != anonymous {
		t.Errorf("its session is %s", describe(&d))
	}
	if d = h.ask("GET", "/", from(session(aliceSession))); describe(&d) != refused {
		t.Errorf("at the gate its session is %s", describe(&d))
	}
}

func TestSecureCookies(t *testing.T) {
	h := newFixture(t)
	if !h.SecureCookies() {
		t.Error("cookies are not secure by default")
	}
	h.use(t, config.Runtime{InsecureCookies: true})
	if h.SecureCookies() {
		t.Error("cookies are secure although InsecureCookies is set")
	}
}
