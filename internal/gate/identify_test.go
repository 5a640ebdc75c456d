package gate_test

import (
	"net/http"
	"strings"
	"testing"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
)

// Configurations that differ in how names count.
var (
	plain  = config.Runtime{}
	proxy  = config.Runtime{TrustProxyHeaders: true}
	saved  = config.Runtime{TrustUsernames: true}
	either = config.Runtime{TrustProxyHeaders: true, TrustUsernames: true}
)

const refused = "unauthenticated"

func TestDecide_IdentifiesCaller(t *testing.T) {
	for name, c := range map[string]struct {
		runtime config.Runtime
		header  http.Header
		want    string
	}{
		"anonymous":         {plain, from(), refused},
		"no headers at all": {plain, nil, refused},

		"an admin's key":               {plain, from(bearer(aliceKey)), "key User/alice admin"},
		"as a password":                {plain, from(basic("git", aliceKey)), "key User/alice admin"},
		"as a password without a user": {plain, from(basic("", aliceKey)), "key User/alice admin"},
		"as a password of another":     {plain, from(basic("bob", aliceKey)), "key User/alice admin"},
		"in X-API-Key":                 {plain, from("X-Api-Key: " + aliceKey), "key User/alice admin"},
		"in all three": {
			plain, from(bearer(aliceKey), basic("x", aliceKey), "X-Api-Key: "+aliceKey), "key User/alice admin",
		},
		"the bootstrap key":          {plain, from(bearer(bootstrapKey)), "key User/admin admin"},
		"an admin's API key":         {plain, from(bearer(alicesAPIKey)), "key User/alice"},
		"a user's API key":           {plain, from(bearer(bobsAPIKey)), "key User/bob"},
		"a program's":                {plain, from(bearer(ciKey)), "key Account/ci"},
		"disabled":                   {plain, from(bearer(daveKey)), refused},
		"of a disabled user":         {plain, from(bearer(davesAPIKey)), refused},
		"ended":                      {plain, from(bearer(erinKey)), refused},
		"demoted":                    {plain, from(bearer(ginaKey)), refused},
		"revoked":                    {plain, from(bearer(revokedKey)), refused},
		"unknown":                    {plain, from(bearer(unknownKey)), refused},
		"mistyped":                   {plain, from(bearer(mistypedKey)), refused},
		"no key at all":              {plain, from(bearer("")), refused},
		"another scheme":             {plain, from("Authorization: Digest " + aliceKey), refused},
		"two good keys":              {plain, from(bearer(aliceKey), "X-Api-Key: "+ciKey), refused},
		"one good and one bad":       {plain, from(bearer(aliceKey), "X-Api-Key: "+unknownKey), refused},
		"two keys, one refused":      {plain, from(bearer(unknownKey), "X-Api-Key: "+aliceKey), refused},
		"one good and one malformed": {plain, from(bearer(aliceKey), "Authorization: x"), refused},
		"one good and one empty":     {plain, from(bearer(aliceKey), "X-Api-Key: "), refused},
		"twenty times the same": {
			plain, http.Header{"X-Api-Key": strings.Fields(strings.Repeat(ciKey+" ", 20))}, "key Account/ci",
		},
		"twenty, one of them good": {
			plain, http.Header{"X-Api-Key": append(strings.Fields(strings.Repeat(unknownKey+" ", 19)), aliceKey)}, refused,
		},
		"the key in a cookie":       {plain, from("Cookie: Authorization=" + aliceKey), refused},
		"the key as a session":      {plain, from(session(aliceKey)), refused},
		"the key in another header": {plain, from("Proxy-Authorization: Bearer " + aliceKey), refused},

		"an admin's session":            {plain, from(session(aliceSession)), "session User/alice admin"},
		"of the bootstrap key":          {plain, from(session(bootedSession)), "session User/admin admin"},
		"a session of an API key":       {plain, from(session(bobSession)), "session User/bob"},
		"of a key that is disabled now": {plain, from(session(daveSession)), refused},
		"of a key that has ended since": {plain, from(session(erinSession)), refused},
		"an unknown session":            {plain, from(session(noSession)), refused},
		"one session twice": {
			plain, from(session(aliceSession), session(aliceSession)), "session User/alice admin",
		},
		"two sessions": {
			plain, from(session(aliceSession) + "; keywright_session=" + bobSession), refused,
		},
		"two sessions, in two headers": {plain, from(session(bobSession), session(noSession)), refused},
		"beside cookies of the app": {
			plain, from("Cookie: a=b; keywright_session=" + aliceSession + "; c=d"), "session User/alice admin",
		},
		"beside cookies that are broken": {
			plain, from(`Cookie: prefs={"a":[1, 2]}; keywright_session=` + aliceSession + "; =; \xff=\x00"),
			"session User/alice admin",
		},
		"a cookie that only begins so":    {plain, from("Cookie: keywright_session2=" + aliceSession), refused},
		"an admin's session and a key":    {plain, from(session(aliceSession), bearer(ciKey)), "session User/alice admin"},
		"an admin's session and her key":  {plain, from(session(aliceSession), bearer(aliceKey)), "session User/alice admin"},
		"another session and a key":       {plain, from(session(bobSession), bearer(ciKey)), "key Account/ci"},
		"another session, an admin's key": {plain, from(session(bobSession), bearer(aliceKey)), "key User/alice admin"},
		"a dead session and a key":        {plain, from(session(daveSession), bearer(ciKey)), "key Account/ci"},
		"a session and an unknown key":    {plain, from(session(aliceSession), bearer(unknownKey)), refused},
		"a session and a disabled key":    {plain, from(session(aliceSession), bearer(daveKey)), refused},
		"a session and a malformed key":   {plain, from(session(aliceSession), "Authorization: Basic !"), refused},
		"a session and an empty key":      {plain, from(session(aliceSession), "X-Api-Key: "), refused},
		"a session and two keys": {
			plain, from(session(aliceSession), bearer(aliceKey), "X-Api-Key: "+ciKey), refused,
		},

		"a proxy name, not trusted":          {saved, from("X-Forwarded-User: carol"), refused},
		"a proxy name":                       {proxy, from("X-Forwarded-User: carol"), "proxy User/carol"},
		"with spaces around":                 {proxy, from("X-Forwarded-User:  \t carol  "), "proxy User/carol"},
		"with spaces within":                 {proxy, from("X-Forwarded-User: Carol Müller"), "proxy User/Carol Müller"},
		"of an admin":                        {proxy, from("X-Forwarded-User: alice"), "proxy User/alice"},
		"of the bootstrap admin":             {proxy, from("X-Forwarded-User: admin"), refused},
		"of the bootstrap admin, other case": {proxy, from("X-Forwarded-User:  aDmIn\t"), refused},
		"an empty name":                      {proxy, from("X-Forwarded-User: "), refused},
		"only spaces":                        {proxy, from("X-Forwarded-User:  \t "), refused},
		"twice the same": {
			proxy, from("X-Forwarded-User: carol", "X-Forwarded-User: carol"), "proxy User/carol",
		},
		"of two":                        {proxy, from("X-Forwarded-User: carol", "X-Forwarded-User: alice"), refused},
		"of two that differ by a space": {proxy, from("X-Forwarded-User: carol", "X-Forwarded-User: carol "), refused},
		"a name and an empty one":       {proxy, from("X-Forwarded-User: carol", "X-Forwarded-User: "), refused},
		"of a line end": {
			proxy, http.Header{"X-Forwarded-User": {"carol\r\nX-Auth-Admin: true"}}, refused,
		},
		"of NUL":          {proxy, http.Header{"X-Forwarded-User": {"carol\x00"}}, refused},
		"of DEL":          {proxy, http.Header{"X-Forwarded-User": {"ca\x7frol"}}, refused},
		"of a C1 control": {proxy, from("X-Forwarded-User: ca\u0085rol"), refused},
		"not UTF-8":       {proxy, from("X-Forwarded-User: carol\xff"), refused},
		"of the greatest length": {
			proxy, from("X-Forwarded-User: " + strings.Repeat("c", 128)), "proxy User/" + strings.Repeat("c", 128),
		},
		"longer than may be":          {proxy, from("X-Forwarded-User: " + strings.Repeat("c", 129)), refused},
		"64 KB":                       {proxy, from("X-Forwarded-User: " + strings.Repeat("c", 64<<10)), refused},
		"of a disabled admin":         {proxy, from("X-Forwarded-User: dave"), refused},
		"disabled, in another case":   {proxy, from("X-Forwarded-User:  DaVe "), refused},
		"disabled, with another name": {either, from("X-Forwarded-User: dave", "Cookie: keywright_user=carol"), refused},
		"of a demoted admin":          {proxy, from("X-Forwarded-User: gina"), "proxy User/gina"},
		"a proxy name and a key":      {proxy, from("X-Forwarded-User: carol", bearer(ciKey)), "key Account/ci"},
		"a proxy name and a bad key":  {proxy, from("X-Forwarded-User: carol", bearer(unknownKey)), refused},
		"a proxy name and a session":  {proxy, from("X-Forwarded-User: carol", session(bobSession)), "session User/bob"},
		"a proxy name, a dead session": {
			proxy, from("X-Forwarded-User: carol", session(daveSession)), "proxy User/carol",
		},
		"a proxy name and a saved name": {
			either, from("X-Forwarded-User: carol", "Cookie: keywright_user=bob"), "proxy User/carol",
		},
		"a proxy name, under an alias": {
			proxy, http.Header{"X_Forwarded_User": {"carol"}, "X-Forwarded-user": {"carol"}}, refused,
		},
		"proxy name admin, saved name": {
			either, from("X-Forwarded-User: ADMIN", "Cookie: keywright_user=bob"), "saved_name User/bob",
		},
		"empty proxy name, saved name": {
			either, from("X-Forwarded-User: ", "Cookie: keywright_user=bob"), "saved_name User/bob",
		},
		"a proxy that is silent, name too": {proxy, from("Cookie: keywright_user=bob"), refused},

		"a saved name, not trusted":     {proxy, from("Cookie: keywright_user=carol"), refused},
		"a saved name, nothing trusted": {plain, from("Cookie: keywright_user=carol"), refused},
		"a saved name":                  {saved, from("Cookie: keywright_user=carol"), "saved_name User/carol"},
		"an encoded one": {
			saved, from("Cookie: keywright_user=Carol%20M%C3%BCller%3B"), "saved_name User/Carol Müller;",
		},
		"in quotes":                      {saved, from(`Cookie: keywright_user="carol"`), "saved_name User/carol"},
		"not well encoded":               {saved, from("Cookie: keywright_user=100%"), "saved_name User/100%"},
		"an admin's name":                {saved, from("Cookie: keywright_user=alice"), "saved_name User/alice"},
		"the bootstrap admin's":          {saved, from("Cookie: keywright_user=admin"), refused},
		"the bootstrap admin's, encoded": {saved, from("Cookie: keywright_user=%20AD%4DIN%09"), refused},
		"empty":                          {saved, from("Cookie: keywright_user="), refused},
		"one saved twice": {
			saved, from("Cookie: keywright_user=carol; keywright_user=carol"), "saved_name User/carol",
		},
		"two saved":                  {saved, from("Cookie: keywright_user=carol; keywright_user=bob"), refused},
		"an encoded line end":        {saved, from("Cookie: keywright_user=carol%0d%0aX-Auth-Admin:%20true"), refused},
		"no UTF-8":                   {saved, from("Cookie: keywright_user=carol%ff"), refused},
		"too long":                   {saved, from("Cookie: keywright_user=" + strings.Repeat("c", 129)), refused},
		"a disabled admin":           {saved, from("Cookie: keywright_user=dave"), refused},
		"a disabled admin, encoded":  {saved, from("Cookie: keywright_user=%44AVE"), refused},
		"a saved name and a key":     {saved, from("Cookie: keywright_user=carol", bearer(ciKey)), "key Account/ci"},
		"a saved name and a bad key": {saved, from("Cookie: keywright_user=carol", bearer(erinKey)), refused},
		"a saved name and a session": {
			saved, from("Cookie: keywright_user=carol; keywright_session=" + bobSession), "session User/bob",
		},
		"cookies beyond what is read": {
			saved, from("Cookie: keywright_user=carol; a=" + strings.Repeat("a", 16<<10)), refused,
		},
		"a thousand cookies": {
			saved, from("Cookie: " + strings.Repeat("a=b; ", 1000) + "keywright_user=carol"), "saved_name User/carol",
		},
		"a name in a header of its own": {saved, from("Keywright_user: carol"), refused},
		"identity headers of the client": {
			either, from("X-Auth-User: alice", "X-Auth-Admin: true", "X-Auth-Subject: User/alice"), refused,
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t)
			h.use(t, c.runtime)
			if d := h.ask(http.MethodGet, "/", c.header); describe(&d) != c.want {
				t.Errorf("decided: got %s, want %s", describe(&d), c.want)
			}
			if d := h.Identify(c.header); describe(&d) != c.want {
				t.Errorf("identified: got %s, want %s", describe(&d), c.want)
			}
		})
	}
}

func TestSession_IgnoredWithoutSessionStore(t *testing.T) {
	h := newFixture(t)
	h.Sessions = nil
	for _, header := range []http.Header{from(session(aliceSession)), from(session(""))} {
		if d := h.ask(http.MethodGet, "/", header); d.Outcome != gate.Unauthenticated {
			t.Error(describe(&d))
		}
	}
}

// A session has the rights that its key has now.
func TestSession_FollowsItsKey(t *testing.T) {
	h := newFixture(t)
	expect := func(what, want string) {
		t.Helper()
		if d := h.ask(http.MethodGet, "/", from(session(aliceSession))); describe(&d) != want {
			t.Errorf("%s: got %s, want %s", what, describe(&d), want)
		}
	}
	expect("at first", "session User/alice admin")
	for _, why := range []verify.Reason{verify.Disabled, verify.Demoted, verify.Deleted} {
		h.admin("alice", aliceKey, why, now)
		expect(why.String(), refused)
		h.admin("alice", aliceKey, verify.Accepted, now.AddDate(1, 0, 0))
		expect("again", "session User/alice admin")
	}
	h.admin("alice", unknownKey, verify.Accepted, now.AddDate(1, 0, 0))
	expect("rotated", refused)
	h.index.SetBootstrap(nil)
	if d := h.ask(http.MethodGet, "/", from(session(bootedSession))); d.Outcome != gate.Unauthenticated {
		t.Error("after removal of the bootstrap key: ", describe(&d))
	}
}

func TestIdentity_OfEachCaller(t *testing.T) {
	h := newFixture(t)
	id := func(plaintext string) string { return h.ring.Digest(plaintext).KeyID() }
	for name, c := range map[string]struct {
		header http.Header
		want   [5]string
	}{
		"an admin":           {from(bearer(aliceKey)), [5]string{"alice", "User/alice", id(aliceKey), "", "true"}},
		"an admin's session": {from(session(aliceSession)), [5]string{"alice", "User/alice", id(aliceKey), "", "true"}},
		"the bootstrap key":  {from(bearer(bootstrapKey)), [5]string{"admin", "User/admin", id(bootstrapKey), "", "true"}},
		"an admin's API key": {
			from(bearer(alicesAPIKey)), [5]string{"alice", "User/alice", id(alicesAPIKey), "certs.read", "false"},
		},
		"limited by the user": {
			from(session(bobSession)), [5]string{"bob", "User/bob", id(bobsAPIKey), "certs.read", "false"},
		},
		"a program": {
			from(bearer(ciKey)), [5]string{"", "Account/ci", id(ciKey), "certs.read certs.write", "false"},
		},
		"a name":        {from("X-Forwarded-User: alice"), [5]string{"alice", "User/alice", "", "", "false"}},
		"anonymous":     {from(), [5]string{"", "", "", "", "false"}},
		"a refused key": {from(bearer(erinKey)), [5]string{"", "", "", "", "false"}},
	} {
		t.Run(name, func(t *testing.T) {
			h.use(t, config.Runtime{TrustProxyHeaders: true, AnonymousReads: true})
			if d := h.ask(http.MethodGet, "/", c.header); d.Caller.Identity() != c.want {
				t.Errorf("got %q, want %q", d.Caller.Identity(), c.want)
			}
		})
	}
}

func TestIdentify_RequiresEveryNeed(t *testing.T) {
	h := newFixture(t)
	read, write := access.Request{Action: "certs.read", Resource: access.Any}, access.Request{
		Action: "certs.write", Resource: access.Any,
	}
	for name, c := range map[string]struct {
		header http.Header
		needs  []access.Request
		want   string
	}{
		"an admin":                 {from(bearer(aliceKey)), []access.Request{read, write}, "key User/alice admin"},
		"a program with both":      {from(bearer(ciKey)), []access.Request{read, write}, "key Account/ci"},
		"a user with one of them":  {from(bearer(bobsAPIKey)), []access.Request{read, write}, "not_permitted"},
		"in the other order":       {from(session(bobSession)), []access.Request{write, read}, "not_permitted"},
		"only that one":            {from(bearer(bobsAPIKey)), []access.Request{read}, "key User/bob"},
		"a name that may":          {from("X-Forwarded-User: bob"), []access.Request{read}, "proxy User/bob"},
		"a name that may not":      {from("X-Forwarded-User: alice"), []access.Request{read}, "not_permitted"},
		"anonymous":                {from(), []access.Request{read}, refused},
		"anonymous, without needs": {from(), nil, refused},
	} {
		t.Run(name, func(t *testing.T) {
			h.use(t, config.Runtime{TrustProxyHeaders: true, AnonymousReads: true, AllowedUsers: []string{"mallory"}})
			if d := h.Identify(c.header, c.needs...); describe(&d) != c.want {
				t.Errorf("got %s, want %s", describe(&d), c.want)
			}
		})
	}
}

func TestMay_AnonymousHoldsNothing(t *testing.T) {
	h := newFixture(t)
	h.index.PutRole("everything", access.Role{Permissions: []access.Permission{access.Scope(access.Any)}})
	h.index.PutBinding("everything", access.Binding{Role: "everything", Users: []string{""}})
	for name, c := range map[string]gate.Caller{
		"anonymous": {}, "an invented caller": {Username: "alice", Subject: "User/alice", Admin: true},
		"without a key": {Credential: gate.CredentialKey},
	} {
		if h.May(&c, access.Request{Action: "certs.read", Resource: access.Any}) {
			t.Error(name)
		}
	}
}
