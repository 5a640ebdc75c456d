package access_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/auth/access"
)

func TestRoles(t *testing.T) {
	roles := access.NewRoles(map[string]access.Role{
		"reader": {
			Members: []string{"alice", "bob"}, Permissions: []access.Permission{access.Scope("certs.read")},
			MaxTTL: 2 * time.Hour,
		},
		"guarded": {
			Members: []string{"alice"}, Permissions: []access.Permission{deny("certs.write", "*")}, MaxTTL: time.Hour,
			DeniesKeys: true,
		},
		"keyless": {Members: []string{"carol"}, DeniesKeys: true},
		"empty":   {},
	})
	read := access.Request{Action: "certs.read", Resource: "certificate:42"}
	write := access.Request{Action: "certs.write", Resource: "certificate:42"}
	for name, c := range map[string]struct {
		rights      access.Rights
		read, write bool
		maxTTL      time.Duration
		missing     []string
	}{
		"nothing": {access.Rights{}, false, false, 0, nil},
		"scope":   {access.Rights{Scopes: []string{"certs.write"}}, false, true, 0, nil},
		"role":    {access.Rights{Roles: []string{"reader"}}, true, false, 2 * time.Hour, nil},
		"scope and role": {
			access.Rights{Scopes: []string{"certs.write"}, Roles: []string{"reader"}}, true, true, 2 * time.Hour, nil,
		},
		"DENY of a role": {
			access.Rights{Scopes: []string{"certs.write"}, Roles: []string{"reader", "guarded"}}, true, false, time.Hour,
			nil,
		},
		"empty role": {access.Rights{Roles: []string{"empty"}}, false, false, 0, nil},
		"missing role": {
			access.Rights{Scopes: []string{"certs.read"}, Roles: []string{"gone", "reader"}}, true, false, 2 * time.Hour,
			[]string{"gone"},
		},
		"policy": {
			access.Rights{Permissions: []access.Permission{allow("*", "certificate:42")}}, true, true, 0, nil,
		},
		"DENY of the policy": {
			access.Rights{Scopes: []string{"certs.read"}, Permissions: []access.Permission{deny("*", "*")}}, false, false,
			0, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := roles.GrantOf(&c.rights)
			mayRead, mayWrite := access.May(g, nil, read), access.May(g, nil, write)
			if mayRead != c.read || mayWrite != c.write {
				t.Errorf("read %t, write %t", mayRead, mayWrite)
			}
			if got := roles.MaxTTL(c.rights.Roles); got != c.maxTTL {
				t.Errorf("maxTTL %s", got)
			}
			if got := roles.Missing(c.rights.Roles); !slices.Equal(got, c.missing) {
				t.Errorf("missing %q", got)
			}
		})
	}
	for user, want := range map[string]struct{ read, keys bool }{
		"alice": {true, true}, // one role that allows keys suffices
		"bob":   {true, true},
		"carol": {false, false},
		"Carol": {false, true}, // names are matched exactly
		"dave":  {false, true}, // without roles
		"":      {false, true},
	} {
		if got := access.May(roles.HeldBy(user), nil, read); got != want.read {
			t.Errorf("%q holds certs.read: %t", user, got)
		}
		if got := roles.MayOwnKeys(user); got != want.keys {
			t.Errorf("%q may own keys: %t", user, got)
		}
	}
}

func TestRoles_NilRolesAreEmpty(t *testing.T) {
	var none *access.Roles
	read := access.Request{Action: "certs.read", Resource: "*"}
	write := access.Request{Action: "certs.write", Resource: "*"}
	g := none.GrantOf(&access.Rights{Scopes: []string{"certs.read"}, Roles: []string{"a"}})
	if !access.May(g, nil, read) || access.May(g, nil, write) {
		t.Error(g)
	}
	if access.May(none.HeldBy("alice"), nil, read) || !none.MayOwnKeys("alice") {
		t.Error("a missing role gives or denies something")
	}
	if none.MaxTTL([]string{"a"}) != 0 || len(none.Missing([]string{"a"})) != 1 {
		t.Error("a missing role gives or denies something")
	}
}

var (
	roleNames = rapid.SampledFrom([]string{"r1", "r2", "r3"})
	members   = rapid.SampledFrom([]string{"alice", "bob"})
	roleSets  = rapid.MapOfN(roleNames, rapid.Custom(func(t *rapid.T) access.Role {
		return access.Role{
			Permissions: permissions.Draw(t, "permissions"),
			Members:     rapid.SliceOfNDistinct(members, 0, 2, rapid.ID).Draw(t, "members"),
			DeniesKeys:  rapid.Bool().Draw(t, "denies keys"),
			MaxTTL:      time.Duration(rapid.IntRange(0, 3).Draw(t, "maxTTL")) * time.Hour,
		}
	}), 0, 3)
	someRights = rapid.Custom(func(t *rapid.T) access.Rights {
		return access.Rights{
			Scopes:      rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 2).Draw(t, "scopes"),
			Roles:       rapid.SliceOfN(roleNames, 0, 3).Draw(t, "roles"),
			Permissions: permissions.Draw(t, "policy"),
		}
	})
)

// may reports whether a key of alice may do r.
func may(byName map[string]access.Role, rights access.Rights, r access.Request) bool {
	roles := access.NewRoles(byName)
	held := roles.HeldBy("alice")
	return access.May(roles.GrantOf(&rights), &held, r)
}

// The DENY is added to the policy of the key, to a role of the key, or to a role of its owner.
func TestMay_AddingADenyAnywhereNeverWidens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		byName, rights, r := roleSets.Draw(t, "roles"), someRights.Draw(t, "rights"), requests.Draw(t, "request")
		before := may(byName, rights, r)
		added := permissions.Filter(func(p []access.Permission) bool { return len(p) > 0 }).Draw(t, "added")[0]
		added.Effect = access.Deny
		name := rapid.SampledFrom([]string{"", "r1", "r2", "r3"}).Draw(t, "where")
		role, ok := byName[name]
		if ok {
			role.Permissions = append(role.Permissions, added)
			byName[name] = role
		} else {
			rights.Permissions = append(rights.Permissions, added)
		}
		if may(byName, rights, r) && !before {
			t.Fatal("a DENY allowed a request")
		}
	})
}

func TestMay_KeyNeverExceedsTheRolesOfItsOwner(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		byName, rights, r := roleSets.Draw(t, "roles"), someRights.Draw(t, "rights"), requests.Draw(t, "request")
		if may(byName, rights, r) && !access.May(access.NewRoles(byName).HeldBy("alice"), nil, r) {
			t.Fatal("the key may do what its owner may not")
		}
	})
}

func TestRoles_OrderNeverMatters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		byName, rights, r := roleSets.Draw(t, "roles"), someRights.Draw(t, "rights"), requests.Draw(t, "request")
		want, before := may(byName, rights, r), access.NewRoles(byName)
		ttl, keys := before.MaxTTL(rights.Roles), before.MayOwnKeys("alice")
		rights.Scopes = rapid.Permutation(rights.Scopes).Draw(t, "scopes")
		rights.Roles = rapid.Permutation(rights.Roles).Draw(t, "names")
		rights.Permissions = rapid.Permutation(rights.Permissions).Draw(t, "policy")
		for name, role := range byName {
			role.Members = slices.Clone(role.Members)
			slices.Reverse(role.Members)
			role.Permissions = slices.Clone(role.Permissions)
			slices.Reverse(role.Permissions)
			byName[name] = role
		}
		roles := access.NewRoles(byName)
		if may(byName, rights, r) != want || roles.MaxTTL(rights.Roles) != ttl || roles.MayOwnKeys("alice") != keys {
			t.Fatal("the result depends on the order")
		}
	})
}

func TestGrantOf_DeletedRoleGivesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		byName, rights, r := roleSets.Draw(t, "roles"), someRights.Draw(t, "rights"), requests.Draw(t, "request")
		rights.Scopes, rights.Permissions = nil, nil
		for _, name := range rights.Roles {
			delete(byName, name)
		}
		roles := access.NewRoles(byName)
		if access.May(roles.GrantOf(&rights), nil, r) || roles.MaxTTL(rights.Roles) != 0 {
			t.Fatal("the role still has an effect")
		}
	})
}

func TestMaxTTL_AnotherRoleNeverLengthensIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		roles, names := access.NewRoles(roleSets.Draw(t, "roles")), rapid.SliceOfN(roleNames, 0, 2).Draw(t, "names")
		before := roles.MaxTTL(names)
		after := roles.MaxTTL(append(names, roleNames.Draw(t, "one more")))
		if before > 0 && (after == 0 || after > before) {
			t.Fatalf("%s became %s", before, after)
		}
	})
}

// A user may own keys unless every one of its roles denies it.
func TestMayOwnKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		byName := roleSets.Draw(t, "roles")
		listed, allowed := false, false
		for _, role := range byName {
			if slices.Contains(role.Members, "alice") {
				listed, allowed = true, allowed || !role.DeniesKeys
			}
		}
		if got := access.NewRoles(byName).MayOwnKeys("alice"); got != (!listed || allowed) {
			t.Fatalf("got %t", got)
		}
	})
}
