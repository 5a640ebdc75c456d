package verify_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/verify"
)

// Numbers of keys that giving takes.
const (
	adminsOwn uint64 = iota + 1
	adminsLimited
	bobsReader
	bobsAll
	programs
	bobsRefused
)

func givers(t testing.TB) (*verify.Index, *verify.Verifier) {
	ring, index := keyring(t), &verify.Index{}
	everything := access.Permission{Effect: access.Allow, Actions: []string{access.Any}, Resources: []string{access.Any}}
	index.ReplaceRoles(map[string]access.Role{
		"reader": {Members: []string{"bob"}, Permissions: []access.Permission{access.Scope("certs.read")}, MaxTTL: time.Hour},
		"writer": {Permissions: []access.Permission{access.Scope("certs.write")}},
		"none":   {Members: []string{"carol"}, DeniesKeys: true},
	})
	index.Put(id("alice"), admin("alice", ring.Digest(numbered(adminsOwn))))
	index.Put(apiKeyID("alices"), apiKey("alice", access.Given{Scopes: []string{"certs.write"}}, ring.Digest(numbered(adminsLimited))))
	index.Put(apiKeyID("bobs-reader"), apiKey("bob", access.Given{Roles: []string{"reader"}}, ring.Digest(numbered(bobsReader))))
	index.Put(apiKeyID("bobs-all"), apiKey("bob", access.Given{Permissions: []access.Permission{everything}}, ring.Digest(numbered(bobsAll))))
	program := apiKey("", access.Given{Roles: []string{"writer"}}, ring.Digest(numbered(programs)))
	program.Identity = verify.Identity{Subject: "Account/ci"}
	index.Put(apiKeyID("program"), program)
	refused := apiKey("bob", access.Given{Permissions: []access.Permission{everything}}, ring.Digest(numbered(bobsRefused)))
	refused.Standing = verify.Disabled
	index.Put(apiKeyID("refused"), refused)
	return index, verify.NewVerifier(index, format, ring)
}

func TestMayGive(t *testing.T) {
	_, verifier := givers(t)
	nothing := access.Given{}
	read, write := access.Given{Scopes: []string{"certs.read"}}, access.Given{Scopes: []string{"certs.write"}}
	reader, writer := access.Given{Roles: []string{"reader"}}, access.Given{Roles: []string{"writer"}}
	all := access.Given{Permissions: []access.Permission{{Effect: access.Allow, Actions: []string{access.Any}, Resources: []string{access.Any}}}}
	for name, c := range map[string]struct {
		key   uint64
		given access.Given
		to    string
		want  bool
	}{
		"an admin's own, anything":              {adminsOwn, all, "", true},
		"an admin's own, to a user":             {adminsOwn, writer, "bob", true},
		"an admin's API key, what it has":       {adminsLimited, write, "bob", true},
		"an admin's API key, what it has not":   {adminsLimited, read, "bob", false},
		"an admin's API key, all its user may":  {adminsLimited, all, "alice", false},
		"a role by its name":                    {bobsReader, reader, "bob", true},
		"what a role gives":                     {bobsReader, read, "bob", true},
		"a role that it has not":                {bobsReader, writer, "bob", false},
		"all its user may, by what may less":    {bobsReader, all, "bob", false},
		"all its user may, by what may as much": {bobsAll, all, "bob", true},
		"what grows with an admin":              {bobsAll, all, "alice", false},
		"what nothing limits":                   {bobsAll, all, "", false},
		"what its user may, and nothing limits": {bobsAll, read, "", true},
		"a program's role":                      {programs, writer, "", true},
		"a program's scope":                     {programs, write, "bob", true},
		"a program, more":                       {programs, read, "", false},
		"a refused one, nothing":                {bobsRefused, nothing, "bob", false},
		"one that is not there":                 {17, nothing, "", false},
		"nothing":                               {programs, nothing, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := verifier.MayDelegate(verifier.Verify(numbered(c.key), now), &c.given, c.to); got != c.want {
				t.Errorf("got %t", got)
			}
		})
	}
	for name, c := range map[string]struct {
		user  string
		given access.Given
		to    string
		want  bool
	}{
		"all that they may, to themselves":       {"bob", all, "bob", true},
		"a role of theirs, to themselves":        {"bob", reader, "bob", true},
		"what they may, where nothing limits":    {"bob", read, "", true},
		"more, where nothing limits":             {"bob", write, "", false},
		"more, to an admin":                      {"bob", all, "alice", false},
		"somebody in no role, to themselves":     {"dave", all, "dave", true},
		"an admin's name that only a proxy says": {"alice", write, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := verifier.UserMayDelegate(c.user, &c.given, c.to); got != c.want {
				t.Errorf("got %t", got)
			}
		})
	}
	if verifier.MayOwnKeys("carol") || !verifier.MayOwnKeys("bob") || verifier.MaxTTL([]string{"writer", "reader"}) != time.Hour {
		t.Error("what roles say")
	}
}

// A key that was handed out never lets its bearer do what the key it was made by does not: neither now, nor when other
// roles list their user, nor when the user has become an admin.
func TestWhatWasHandedOutNeverExceedsItsGiver(t *testing.T) {
	ring := keyring(t)
	rapid.Check(t, func(t *rapid.T) {
		index := &verify.Index{}
		verifier := verify.NewVerifier(index, format, ring)
		permissions := rapid.SliceOfN(someAction, 0, 2).Draw(t, "what the roles give")
		list := func(when string) {
			for i, action := range permissions {
				members := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"alice", "bob"}), 0, 2, rapid.ID).Draw(t, when)
				index.PutRole(someRoles[i], access.Role{Members: members, Permissions: []access.Permission{access.Scope(action)}})
			}
		}
		list("members")
		held, wanted := someGiven.Draw(t, "held"), someGiven.Draw(t, "wanted")
		index.Put(apiKeyID("held"), apiKey("alice", held, ring.Digest(numbered(1))))
		index.Put(apiKeyID("wanted"), apiKey("alice", wanted, ring.Digest(numbered(2))))
		if !verifier.MayDelegate(verifier.Verify(numbered(1), now), &wanted, "alice") {
			return
		}
		agree := func(when string) {
			for _, action := range []string{"certs.read", "certs.write", "a.b"} {
				r := access.Request{Action: action, Resource: "certificate:1"}
				if verifier.May(verifier.Verify(numbered(2), now), r) && !verifier.May(verifier.Verify(numbered(1), now), r) {
					t.Fatalf("%s: %s", when, action)
				}
			}
		}
		agree("at once")
		list("members later")
		agree("with other members")
		index.Put(id("alice"), admin("alice", ring.Digest(numbered(3))))
		agree("as an admin")
	})
}

var (
	someAction = rapid.SampledFrom([]string{"certs.read", "certs.write", "*"})
	someRoles  = []string{"r1", "r2"}
	someGiven  = rapid.Custom(func(t *rapid.T) access.Given {
		g := access.Given{
			Scopes: rapid.SliceOfN(rapid.SampledFrom([]string{"certs.read", "certs.write"}), 0, 2).Draw(t, "scopes"),
			Roles:  rapid.SliceOfNDistinct(rapid.SampledFrom(someRoles), 0, 2, rapid.ID).Draw(t, "names"),
		}
		if rapid.Bool().Draw(t, "everything") {
			g.Permissions = []access.Permission{access.Scope(access.Any)}
		}
		return g
	})
)
