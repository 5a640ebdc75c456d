package verify_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/verify"
)

// Numbers of the keys of delegators.
const (
	adminsOwn uint64 = iota + 1
	adminsLimited
	bobsReader
	bobsAll
	programs
	bobsRefused
)

func delegators(t testing.TB) (*verify.Index, *verify.Verifier) {
	ring, index := keyring(t), &verify.Index{}
	everything := access.Scope(access.Any)
	index.ReplaceRoles(map[string]access.Role{
		"reader": {Permissions: []access.Permission{access.Scope("certs.read")}, MaxTTL: time.Hour},
		"writer": {Permissions: []access.Permission{access.Scope("certs.write")}},
	})
	index.ReplaceBindings(map[string]access.Binding{
		"readers": {Role: "reader", Users: []string{"bob"}},
		"keyless": {Role: "none", Users: []string{"carol"}, DeniesKeys: true},
	})
	index.Put(id("alice"), admin("alice", ring.Digest(numbered(adminsOwn))))
	all := access.Rights{Permissions: []access.Permission{everything}}
	write, roleOnly := access.Rights{Scopes: []string{"certs.write"}}, access.Rights{Roles: []string{"reader"}}
	index.Put(apiKeyID("alices"), apiKey("alice", write, ring.Digest(numbered(adminsLimited))))
	index.Put(apiKeyID("bobs-reader"), apiKey("bob", roleOnly, ring.Digest(numbered(bobsReader))))
	index.Put(apiKeyID("bobs-all"), apiKey("bob", all, ring.Digest(numbered(bobsAll))))
	program := apiKey("", access.Rights{Roles: []string{"writer"}}, ring.Digest(numbered(programs)))
	program.Identity = verify.Identity{Subject: "Account/ci"}
	index.Put(apiKeyID("program"), program)
	refused := apiKey("bob", all, ring.Digest(numbered(bobsRefused)))
	refused.Standing = verify.Disabled
	index.Put(apiKeyID("refused"), refused)
	return index, verify.NewVerifier(index, format, ring)
}

func TestMayDelegate(t *testing.T) {
	_, verifier := delegators(t)
	nothing := access.Rights{}
	read, write := access.Rights{Scopes: []string{"certs.read"}}, access.Rights{Scopes: []string{"certs.write"}}
	reader, writer := access.Rights{Roles: []string{"reader"}}, access.Rights{Roles: []string{"writer"}}
	all := access.Rights{Permissions: []access.Permission{access.Scope(access.Any)}}
	for name, c := range map[string]struct {
		key    uint64
		rights access.Rights
		to     string
		want   bool
	}{
		"admin key: everything":                            {adminsOwn, all, "", true},
		"admin key: to a user":                             {adminsOwn, writer, "bob", true},
		"API key of an admin: what it has":                 {adminsLimited, write, "bob", true},
		"API key of an admin: what it lacks":               {adminsLimited, read, "bob", false},
		"API key of an admin: all rights of its owner":     {adminsLimited, all, "alice", false},
		"a role by name":                                   {bobsReader, reader, "bob", true},
		"a permission of a role":                           {bobsReader, read, "bob", true},
		"a role that it lacks":                             {bobsReader, writer, "bob", false},
		"all rights of its owner, by a key that has fewer": {bobsReader, all, "bob", false},
		"all rights of its owner, by a key that has them":  {bobsAll, all, "bob", true},
		"everything, to an admin":                          {bobsAll, all, "alice", false},
		"everything, without an owner":                     {bobsAll, all, "", false},
		"a right of its owner, without an owner":           {bobsAll, read, "", true},
		"account key: its role":                            {programs, writer, "", true},
		"account key: its scope":                           {programs, write, "bob", true},
		"account key: more":                                {programs, read, "", false},
		"refused key: nothing":                             {bobsRefused, nothing, "bob", false},
		"unknown key":                                      {17, nothing, "", false},
		"nothing":                                          {programs, nothing, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := verifier.MayDelegate(verifier.Verify(numbered(c.key), now), &c.rights, c.to); got != c.want {
				t.Errorf("got %t", got)
			}
		})
	}
	for name, c := range map[string]struct {
		user   string
		rights access.Rights
		to     string
		want   bool
	}{
		"all own rights, to oneself":               {"bob", all, "bob", true},
		"an own role, to oneself":                  {"bob", reader, "bob", true},
		"an own right, without an owner":           {"bob", read, "", true},
		"more, without an owner":                   {"bob", write, "", false},
		"more, to an admin":                        {"bob", all, "alice", false},
		"without roles, to oneself":                {"dave", all, "dave", true},
		"the name of an admin from a proxy header": {"alice", write, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := verifier.UserMayDelegate(c.user, &c.rights, c.to); got != c.want {
				t.Errorf("got %t", got)
			}
		})
	}
	// The owner of a key may be bound to more later, so that only the key's own rights count.
	if !verifier.Allows(&writer, access.Request{Action: "certs.write", Resource: "certificate:1"}) ||
		verifier.Allows(&reader, access.Request{Action: "certs.write", Resource: "certificate:1"}) {
		t.Error("unexpected rights of a role")
	}
	ttl := verifier.Bounds(time.Time{}, 0, []string{"writer", "reader"}).RoleTTL
	if verifier.MayOwnKeys("carol") || !verifier.MayOwnKeys("bob") || ttl != time.Hour {
		t.Error("unexpected limits from roles")
	}
}

// A created key may never do more than the key that created it: neither now, nor when its owner is bound to other
// roles, nor when its owner has become an admin.
func TestMayDelegate_CreatedKeyNeverExceedsItsCreator(t *testing.T) {
	ring := keyring(t)
	rapid.Check(t, func(t *rapid.T) {
		index := &verify.Index{}
		verifier := verify.NewVerifier(index, format, ring)
		permissions := rapid.SliceOfN(someAction, 0, 2).Draw(t, "permissions of the roles")
		list := func(when string) {
			for i, action := range permissions {
				users := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"alice", "bob"}), 0, 2, rapid.ID).Draw(t, when)
				bind(index, someRoles[i], access.Role{Permissions: []access.Permission{access.Scope(action)}}, users...)
			}
		}
		list("users")
		held, wanted := someRights.Draw(t, "held"), someRights.Draw(t, "wanted")
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
		list("users later")
		agree("with other bindings")
		index.Put(id("alice"), admin("alice", ring.Digest(numbered(3))))
		agree("as an admin")
	})
}

var (
	someAction = rapid.SampledFrom([]string{"certs.read", "certs.write", "*"})
	someRoles  = []string{"r1", "r2"}
	someRights = rapid.Custom(func(t *rapid.T) access.Rights {
		g := access.Rights{
			Scopes: rapid.SliceOfN(rapid.SampledFrom([]string{"certs.read", "certs.write"}), 0, 2).Draw(t, "scopes"),
			Roles:  rapid.SliceOfNDistinct(rapid.SampledFrom(someRoles), 0, 2, rapid.ID).Draw(t, "names"),
		}
		if rapid.Bool().Draw(t, "everything") {
			g.Permissions = []access.Permission{access.Scope(access.Any)}
		}
		return g
	})
)
