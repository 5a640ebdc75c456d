package access_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/auth/access"
)

func TestRoles(t *testing.T) {
	roles := access.NewRoles(map[string]access.Role{
		"reader":  {Permissions: []access.Permission{access.Scope("certs.read")}, MaxTTL: 2 * time.Hour},
		"guarded": {Permissions: []access.Permission{deny("certs.write", "*")}, MaxTTL: time.Hour},
		"empty":   {},
	}, map[string]access.Binding{
		"readers":  {Role: "reader", Users: []string{"alice", "bob"}},
		"guarded":  {Role: "guarded", Users: []string{"alice"}, DeniesKeys: true},
		"visitors": {Role: "empty", Users: []string{"carol"}, DeniesKeys: true},
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
			access.Rights{Scopes: []string{"certs.read"}, Roles: []string{"gone", "reader"}}, false, false, 2 * time.Hour,
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
		"alice": {true, true}, // one binding that allows keys suffices
		"bob":   {true, true},
		"carol": {false, false},
		"Carol": {false, false}, // names are matched whatever the case
		"ALICE": {true, true},
		"dave":  {false, true}, // without bindings
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
	if access.May(g, nil, read) || access.May(g, nil, write) {
		t.Error("a key that names a missing role may do something")
	}
	if g := none.GrantOf(&access.Rights{Scopes: []string{"certs.read"}}); !access.May(g, nil, read) {
		t.Error("a key that names no role may do nothing")
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
	roleSets  = rapid.MapOfN(roleNames, rapid.Custom(func(t *rapid.T) access.Role {
		return access.Role{
			Permissions: permissions.Draw(t, "permissions"),
			MaxTTL:      time.Duration(rapid.IntRange(0, 3).Draw(t, "maxTTL")) * time.Hour,
		}
	}), 0, 3)
	users        = rapid.SampledFrom([]string{"alice", "bob"})
	bindingNames = rapid.SampledFrom([]string{"b1", "b2", "b3", "b4"})
	someBinding  = rapid.Custom(func(t *rapid.T) access.Binding {
		return access.Binding{
			Role:       roleNames.Draw(t, "role"),
			Users:      rapid.SliceOfN(users, 0, 3).Draw(t, "users"),
			DeniesKeys: rapid.Bool().Draw(t, "denies keys"),
		}
	})
	bindingSets = rapid.MapOfN(bindingNames, someBinding, 0, 4)
	someRights  = rapid.Custom(func(t *rapid.T) access.Rights {
		return access.Rights{
			Scopes:      rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 2).Draw(t, "scopes"),
			Roles:       rapid.SliceOfN(roleNames, 0, 3).Draw(t, "roles"),
			Permissions: permissions.Draw(t, "policy"),
		}
	})
)

// drawn are all roles and bindings.
type drawn struct {
	roles    map[string]access.Role
	bindings map[string]access.Binding
}

func draw(t *rapid.T) drawn {
	return drawn{roleSets.Draw(t, "roles"), bindingSets.Draw(t, "bindings")}
}

func (d *drawn) compiled() *access.Roles { return access.NewRoles(d.roles, d.bindings) }

// may reports whether a key of alice may do r.
func (d *drawn) may(rights access.Rights, r access.Request) bool {
	roles := d.compiled()
	held := roles.HeldBy("alice")
	return access.May(roles.GrantOf(&rights), &held, r)
}

// The DENY is added to the policy of the key, to a role of the key, or to a role of its owner.
func TestMay_AddingADenyAnywhereNeverWidens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, rights, r := draw(t), someRights.Draw(t, "rights"), requests.Draw(t, "request")
		before := d.may(rights, r)
		added := permissions.Filter(func(p []access.Permission) bool { return len(p) > 0 }).Draw(t, "added")[0]
		added.Effect = access.Deny
		name := rapid.SampledFrom([]string{"", "r1", "r2", "r3"}).Draw(t, "where")
		role, ok := d.roles[name]
		if ok {
			role.Permissions = append(role.Permissions, added)
			d.roles[name] = role
		} else {
			rights.Permissions = append(rights.Permissions, added)
		}
		if d.may(rights, r) && !before {
			t.Fatal("a DENY allowed a request")
		}
	})
}

func TestMay_KeyNeverExceedsTheRolesOfItsOwner(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, rights, r := draw(t), someRights.Draw(t, "rights"), requests.Draw(t, "request")
		if d.may(rights, r) && !access.May(d.compiled().HeldBy("alice"), nil, r) {
			t.Fatal("the key may do what its owner may not")
		}
	})
}

func TestRoles_OrderNeverMatters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, rights, r := draw(t), someRights.Draw(t, "rights"), requests.Draw(t, "request")
		want, before := d.may(rights, r), d.compiled()
		ttl, keys := before.MaxTTL(rights.Roles), before.MayOwnKeys("alice")
		rights.Scopes = rapid.Permutation(rights.Scopes).Draw(t, "scopes")
		rights.Roles = rapid.Permutation(rights.Roles).Draw(t, "names")
		rights.Permissions = rapid.Permutation(rights.Permissions).Draw(t, "policy")
		for name, role := range d.roles {
			role.Permissions = slices.Clone(role.Permissions)
			slices.Reverse(role.Permissions)
			d.roles[name] = role
		}
		d.bindings = renamed(t, d.bindings)
		roles := d.compiled()
		if d.may(rights, r) != want || roles.MaxTTL(rights.Roles) != ttl || roles.MayOwnKeys("alice") != keys {
			t.Fatal("the result depends on the order")
		}
	})
}

// renamed returns the same bindings with their names exchanged and their users reversed.
func renamed(t *rapid.T, bindings map[string]access.Binding) map[string]access.Binding {
	names := slices.Sorted(maps.Keys(bindings))
	others, exchanged := rapid.Permutation(names).Draw(t, "names of bindings"), map[string]access.Binding{}
	for i, name := range names {
		b := bindings[name]
		b.Users = slices.Clone(b.Users)
		slices.Reverse(b.Users)
		exchanged[others[i]] = b
	}
	return exchanged
}

// A role that goes never widens what a key may do, whatever the role allowed or denied.
func TestMay_DeletingARoleThatTheKeyNamesLeavesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, rights, r := draw(t), someRights.Draw(t, "rights"), requests.Draw(t, "request")
		gone := roleNames.Draw(t, "gone")
		delete(d.roles, gone)
		rights.Roles = append(rights.Roles, gone)
		for _, one := range every {
			if d.may(rights, one) {
				t.Fatalf("the key may do %+v", one)
			}
		}
		if access.May(d.compiled().GrantOf(&rights), nil, r) {
			t.Fatal("a key without an owner may do something")
		}
	})
}

func TestHeldBy_DeletedRoleGivesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, r := draw(t), requests.Draw(t, "request")
		if access.May(access.NewRoles(nil, d.bindings).HeldBy("alice"), nil, r) {
			t.Fatal("a role that does not exist gives something")
		}
		delete(d.bindings, "b1")
		before := d.compiled().HeldBy("bob")
		d.bindings["b1"] = access.Binding{Role: "deleted", Users: []string{"bob"}}
		after := d.compiled().HeldBy("bob")
		if access.May(before, nil, r) != access.May(after, nil, r) {
			t.Fatal("a role that does not exist takes something away")
		}
	})
}

func TestMaxTTL_AnotherRoleNeverLengthensIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		roles, names := access.NewRoles(roleSets.Draw(t, "roles"), nil), rapid.SliceOfN(roleNames, 0, 2).Draw(t, "names")
		before := roles.MaxTTL(names)
		after := roles.MaxTTL(append(names, roleNames.Draw(t, "one more")))
		if before > 0 && (after == 0 || after > before) {
			t.Fatalf("%s became %s", before, after)
		}
	})
}
