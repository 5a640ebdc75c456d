package access_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/auth/access"
)

func TestCovers(t *testing.T) {
	roles := access.NewRoles(map[string]access.Role{
		"reader": {Permissions: []access.Permission{access.Scope("certs.read")}},
		"super":  {Permissions: []access.Permission{allow("*", "*")}},
		"guarded": {
			Permissions: []access.Permission{allow("certs.write", "*"), deny("certs.write", "certificate:1")},
		},
	}, map[string]access.Binding{
		"readers": {Role: "reader", Users: []string{"alice"}},
		"guarded": {Role: "guarded", Users: []string{"bob"}},
	})
	rights := func(scopes, names []string, p ...access.Permission) access.Grant {
		return roles.GrantOf(&access.Rights{Scopes: scopes, Roles: names, Permissions: p})
	}
	none := []string(nil)
	everything := access.Grant{Everything: true}
	both := access.Permission{
		Effect: access.Allow, Actions: []string{"certs.read", "certs.write"},
		Resources: []string{"certificate:1", "certificate:2"},
	}
	readWrite := rights([]string{"certs.read", "certs.write"}, none)
	writeRead := rights([]string{"certs.write", "certs.read"}, none)
	read, write := rights([]string{"certs.read"}, none), rights([]string{"certs.write"}, none)
	reader, guarded, all := rights(none, []string{"reader"}), rights(none, []string{"guarded"}), grant(allow("*", "*"))
	alice, bob := roles.HeldBy("alice"), roles.HeldBy("bob")
	for name, c := range map[string]struct {
		held    access.Grant
		ceiling *access.Grant
		wanted  access.Grant
		limit   *access.Grant
		want    bool
	}{
		"nothing is covered by nothing": {held: grant(), wanted: grant(), want: true},
		"nothing covers no scope":       {held: grant(), wanted: read},
		"everything covers everything":  {held: everything, wanted: everything, want: true},
		"everything covers a policy": {
			held: everything, wanted: rights([]string{"certs.read"}, none, allow("*", "*"), deny("a.b", "*")), want: true,
		},
		"a policy does not cover everything": {held: all, wanted: everything},
		"everything with a DENY":             {held: everythingBut(deny("certs.read", "*")), wanted: read},
		"everything with another DENY": {
			held: everythingBut(deny("certs.write", "*")), wanted: read, want: true,
		},
		"the same scopes":             {held: readWrite, wanted: writeRead, want: true},
		"fewer scopes":                {held: readWrite, wanted: read, want: true},
		"more scopes":                 {held: read, wanted: readWrite},
		"a policy within scopes":      {held: readWrite, wanted: grant(both), want: true},
		"a scope within a policy":     {held: all, wanted: read, want: true},
		"a scope means all resources": {held: grant(allow("certs.read", "certificate:1")), wanted: read},
		"the same policy": {
			held: grant(both, where(deny("*", "*"), "p", "1")), wanted: grant(both, where(deny("*", "*"), "p", "1")),
			want: true,
		},
		"covered by several together": {
			held: grant(
				allow("*", "certificate:1"), allow("certs.read", "certificate:2"), allow("certs.write", "certificate:2"),
			),
			wanted: grant(both), want: true,
		},
		"one pair is missing": {
			held: grant(allow("*", "certificate:1"), allow("certs.read", "certificate:2")), wanted: grant(both),
		},
		"any action exceeds a list of actions": {held: grant(both), wanted: grant(allow("*", "certificate:1"))},
		"a narrower condition": {
			held: grant(where(allow("*", "*"), "p", "1")),
			wanted: grant(
				access.Permission{
					Effect: access.Allow, Actions: []string{"a.b"}, Resources: []string{"*"},
					StringEquals: map[string]string{"p": "1", "q": "2"},
				},
			),
			want: true,
		},
		"another condition": {
			held: grant(where(allow("*", "*"), "p", "1")), wanted: grant(where(allow("*", "*"), "p", "2")),
		},
		"no condition": {held: grant(where(allow("*", "*"), "p", "1")), wanted: all},
		"a condition added": {
			held: all, wanted: grant(where(allow("*", "*"), "p", "1")), want: true,
		},
		"a DENY left out": {held: grant(allow("*", "*"), deny("certs.write", "*")), wanted: all},
		"a DENY repeated": {
			held:   grant(allow("*", "*"), deny("certs.write", "*")),
			wanted: grant(allow("*", "*"), deny("certs.write", "*")), want: true,
		},
		"a DENY widened": {
			held:   grant(allow("*", "*"), deny("certs.write", "certificate:1")),
			wanted: grant(allow("*", "*"), deny("*", "certificate:1")), want: true,
		},
		"a DENY narrowed": {
			held:   grant(allow("*", "*"), deny("certs.write", "*")),
			wanted: grant(allow("*", "*"), deny("certs.write", "certificate:1")),
		},
		"a DENY with another condition": {
			held:   grant(allow("*", "*"), deny("certs.write", "*")),
			wanted: grant(allow("*", "*"), where(deny("certs.write", "*"), "p", "1")),
		},
		"a DENY of other properties": {
			held:   grant(allow("*", "*"), where(deny("*", "*"), "p", "1")),
			wanted: grant(where(allow("*", "*"), "p", "2")), want: true,
		},
		"a DENY in several parts": {
			held: grant(
				allow("*", "*"),
				access.Permission{Effect: access.Deny, Actions: []string{"a.b", "c.d"}, Resources: []string{"*"}},
			),
			wanted: grant(allow("*", "*"), deny("a.b", "*"), deny("c.d", "*")), want: true,
		},
		"an unknown effect denies": {
			held:   grant(allow("*", "*"), access.Permission{Effect: "deny", Actions: []string{"*"}, Resources: []string{"*"}}),
			wanted: read,
		},
		"a role by name": {
			held: rights(none, []string{"reader", "guarded"}), wanted: guarded, want: true,
		},
		"a missing role by name": {
			held: rights(none, []string{"gone"}), wanted: rights(none, []string{"gone"}), want: true,
		},
		"a permission beside a missing role": {
			held: rights([]string{"certs.read"}, []string{"gone"}), wanted: read,
		},
		"a permission beside the same missing role": {
			held:   rights([]string{"certs.read"}, []string{"gone"}),
			wanted: rights([]string{"certs.read"}, []string{"gone"}), want: true,
		},
		"nothing, beside a missing role":         {held: rights(none, []string{"gone"}), wanted: grant(), want: true},
		"a permission of a role":                 {held: reader, wanted: read, want: true},
		"a permission of a role is not the role": {held: read, wanted: reader},
		"a role, from everything":                {held: everything, wanted: reader, want: true},
		"a role, from an ALLOW of everything": {
			held: all, wanted: rights(none, []string{"reader", "gone"}), want: true,
		},
		"a role, from a role that allows everything": {held: rights(none, []string{"super"}), wanted: reader, want: true},
		"a role, from an ALLOW with a DENY":          {held: grant(allow("*", "*"), deny("a.b", "*")), wanted: reader},
		"a role, from everything with a DENY":        {held: everythingBut(deny("a.b", "*")), wanted: reader},
		"the DENY of a role, without the role":       {held: guarded, wanted: write},
		"the DENY of a role, with the role": {
			held: guarded, wanted: rights([]string{"certs.write"}, []string{"guarded"}), want: true,
		},
		"a DENY of a permission of a role": {
			held: rights(none, []string{"reader"}, deny("certs.read", "certificate:1")), wanted: reader,
		},

		"within the ceiling": {held: everything, ceiling: &alice, wanted: read, want: true},
		"beyond the ceiling": {held: everything, ceiling: &alice, wanted: write},
		"beyond it, for the same user": {
			held: everything, ceiling: &alice, wanted: all, limit: &alice, want: true,
		},
		"beyond it, for another user":    {held: everything, ceiling: &alice, wanted: all, limit: &bob},
		"beyond it, for an admin":        {held: everything, ceiling: &alice, wanted: all, limit: &everything},
		"the limit does not widen a key": {held: read, ceiling: &alice, wanted: all, limit: &alice},
		"by an admin, for a user": {
			held: everything, ceiling: &everything, wanted: all, limit: &alice, want: true,
		},
		"all rights of its owner, for the owner":    {held: all, ceiling: &alice, wanted: all, limit: &alice, want: true},
		"all rights of its owner, without an owner": {held: all, ceiling: &alice, wanted: all},
	} {
		t.Run(name, func(t *testing.T) {
			if got := access.Covers(c.held, c.ceiling, c.wanted, c.limit); got != c.want {
				t.Fatalf("got %t", got)
			}
		})
	}
}

// every has enough requests to distinguish all drawn grants. "z" stands for everything that no grant names.
var every = func() []access.Request {
	var all []access.Request
	conditions := []map[string]string{nil}
	for _, p := range []string{"", "1", "2", "3"} {
		for _, q := range []string{"", "1", "2", "3"} {
			properties := map[string]string{}
			if p != "" {
				properties["p"] = p
			}
			if q != "" {
				properties["q"] = q
			}
			conditions = append(conditions, properties)
		}
	}
	words := []string{"", "a", "b", "c", "z", access.Any}
	for _, action := range words {
		for _, resource := range words {
			for _, properties := range conditions {
				all = append(all, access.Request{Action: action, Resource: resource, Properties: properties})
			}
		}
	}
	return all
}()

// beyond returns a request that wanted allows and held does not, or nil.
func beyond(held access.Grant, ceiling *access.Grant, wanted access.Grant, limit *access.Grant) *access.Request {
	i := slices.IndexFunc(every, func(r access.Request) bool {
		return access.May(wanted, limit, r) && !access.May(held, ceiling, r)
	})
	if i < 0 {
		return nil
	}
	return &every[i]
}

func optional(t *rapid.T, name string, g func() access.Grant) *access.Grant {
	if !rapid.Bool().Draw(t, name) {
		return nil
	}
	drawn := g()
	return &drawn
}

// anyGrant draws the grant of a key, of a user or of an admin.
func anyGrant(t *rapid.T, name string, roles *access.Roles) access.Grant {
	switch rapid.IntRange(0, 5).Draw(t, name+" is") {
	case 0:
		return grants.Draw(t, name)
	case 1:
		return roles.HeldBy(users.Draw(t, name))
	case 2:
		return access.Grant{Everything: true}
	}
	rights := someRights.Draw(t, name)
	return roles.GrantOf(&rights)
}

// related draws two grants that have much in common. Few independent grants cover each other.
func related(t *rapid.T, roles *access.Roles) (held, wanted access.Grant) {
	all := someRights.Draw(t, "held")
	part := access.Rights{
		Scopes: slices.DeleteFunc(
			slices.Clone(all.Scopes), func(string) bool { return rapid.Bool().Draw(t, "without scope") },
		),
		Roles: slices.DeleteFunc(
			slices.Clone(all.Roles), func(string) bool { return rapid.Bool().Draw(t, "without role") },
		),
		Permissions: slices.DeleteFunc(
			slices.Clone(all.Permissions),
			func(access.Permission) bool { return rapid.IntRange(0, 3).Draw(t, "without permission") == 0 },
		),
	}
	if rapid.Bool().Draw(t, "and more") {
		part.Permissions = append(part.Permissions, permissions.Draw(t, "more")...)
	}
	return roles.GrantOf(&all), roles.GrantOf(&part)
}

func TestCovers_NeverMoreThanHeld(t *testing.T) {
	yes := 0
	rapid.Check(t, func(t *rapid.T) {
		roles := access.NewRoles(roleSets.Draw(t, "roles"), bindingSets.Draw(t, "bindings"))
		held, wanted := related(t, roles)
		if rapid.Bool().Draw(t, "unrelated") {
			held, wanted = anyGrant(t, "other held", roles), anyGrant(t, "other wanted", roles)
		}
		ceiling := optional(t, "ceiling", func() access.Grant { return anyGrant(t, "ceiling", roles) })
		limit := optional(t, "limit", func() access.Grant { return anyGrant(t, "limit", roles) })
		if limit != nil && rapid.Bool().Draw(t, "the same limit") {
			limit = ceiling
		}
		if !access.Covers(held, ceiling, wanted, limit) {
			return
		}
		yes++
		if r := beyond(held, ceiling, wanted, limit); r != nil {
			t.Fatalf("%+v is allowed by the wanted grant and not by the held one", r)
		}
	})
	if yes < 10 {
		t.Errorf("only %d grants were covered", yes)
	}
}

// The permissions of a role may change after the key was created.
func TestCovers_StaysTrueWhenRolesChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfN(roleNames, 0, 2)
		held := access.Rights{Roles: names.Draw(t, "held")}
		wanted := access.Rights{Roles: names.Draw(t, "wanted")}
		before := access.NewRoles(roleSets.Draw(t, "roles"), nil)
		// A right to everything can be lost, so grants covered by it do not count here.
		if !access.Covers(before.GrantOf(&held), nil, before.GrantOf(&wanted), nil) || !isSubset(wanted.Roles, held.Roles) {
			return
		}
		// No DENY, and no role is deleted: a held role may get a DENY, or go, that the wanted roles lack.
		byName := roleSets.Draw(t, "roles later")
		for _, name := range held.Roles {
			if _, exists := byName[name]; !exists {
				byName[name] = access.Role{}
			}
		}
		for name, role := range byName {
			role.Permissions = slices.DeleteFunc(
				role.Permissions, func(p access.Permission) bool { return p.Effect == access.Deny },
			)
			byName[name] = role
		}
		later := access.NewRoles(byName, nil)
		if r := beyond(later.GrantOf(&held), nil, later.GrantOf(&wanted), nil); r != nil {
			t.Fatalf("%+v", r)
		}
	})
}

func isSubset(a, b []string) bool {
	return !slices.ContainsFunc(a, func(s string) bool { return !slices.Contains(b, s) })
}

func TestCovers_GrantsThatAreAlwaysCovered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		roles := access.NewRoles(roleSets.Draw(t, "roles"), bindingSets.Draw(t, "bindings"))
		rights := someRights.Draw(t, "rights")
		held := roles.GrantOf(&rights)
		for what, wanted := range map[string]access.Grant{
			"the same": held,
			"nothing":  {},
			"another DENY": roles.GrantOf(
				&access.Rights{
					Scopes: rights.Scopes, Roles: rights.Roles,
					Permissions: append(slices.Clone(rights.Permissions), deny("a", "b")),
				},
			),
			"in pieces": roles.GrantOf(
				&access.Rights{Scopes: rights.Scopes, Roles: rights.Roles, Permissions: pieces(rights.Permissions)},
			),
			"with property": roles.GrantOf(&access.Rights{Roles: rights.Roles, Permissions: narrower(rights.Permissions)}),
		} {
			if !access.Covers(held, nil, wanted, nil) {
				t.Fatalf("%s: not covered", what)
			}
		}
		own := roles.HeldBy("alice")
		if !access.Covers(access.Grant{Everything: true}, &own, held, &own) {
			t.Fatal("a user does not cover their own rights")
		}
	})
}

// pieces returns the same permissions, one for each action and resource.
func pieces(whole []access.Permission) (all []access.Permission) {
	for _, p := range whole {
		for _, action := range p.Actions {
			for _, resource := range p.Resources {
				all = append(
					all,
					access.Permission{
						Effect: p.Effect, Actions: []string{action}, Resources: []string{resource}, StringEquals: p.StringEquals,
					},
				)
			}
		}
	}
	return all
}

// narrower adds a condition to each ALLOW.
func narrower(whole []access.Permission) (all []access.Permission) {
	for _, p := range whole {
		if p.Effect == access.Allow {
			condition := map[string]string{"r": "1"}
			for name, value := range p.StringEquals {
				condition[name] = value
			}
			p.StringEquals = condition
		}
		all = append(all, p)
	}
	return all
}

// The largest grant that the CRDs allow, in the worst order.
func BenchmarkCoversTheLargest(b *testing.B) {
	words := func(prefix string, n int) (all []string) {
		for i := range n {
			all = append(all, fmt.Sprintf("%s:%0200d", prefix, i))
		}
		return all
	}
	byName, names := map[string]access.Role{}, words("role", 8)
	var largest []access.Permission
	for i := range 32 {
		effect := access.Allow
		if i%2 == 1 {
			effect = access.Deny
		}
		largest = append(
			largest, access.Permission{Effect: effect, Actions: words("action", 16), Resources: words("resource", 16)},
		)
	}
	for _, name := range names {
		byName[name] = access.Role{Permissions: largest}
	}
	roles := access.NewRoles(byName, nil)
	held := roles.GrantOf(&access.Rights{Roles: names, Permissions: largest})
	for b.Loop() {
		if !access.Covers(held, nil, held, nil) {
			b.Fatal("not covered")
		}
	}
}
