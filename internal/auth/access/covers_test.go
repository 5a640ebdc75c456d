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
		"reader":  {Members: []string{"alice"}, Permissions: []access.Permission{access.Scope("certs.read")}},
		"super":   {Permissions: []access.Permission{allow("*", "*")}},
		"guarded": {Members: []string{"bob"}, Permissions: []access.Permission{allow("certs.write", "*"), deny("certs.write", "certificate:1")}},
	})
	given := func(scopes, names []string, p ...access.Permission) access.Grant {
		return roles.GrantOf(&access.Given{Scopes: scopes, Roles: names, Permissions: p})
	}
	none := []string(nil)
	everything := access.Grant{Everything: true}
	both := access.Permission{Effect: access.Allow, Actions: []string{"certs.read", "certs.write"}, Resources: []string{"certificate:1", "certificate:2"}}
	alice, bob := roles.HeldBy("alice"), roles.HeldBy("bob")
	for name, c := range map[string]struct {
		held    access.Grant
		ceiling *access.Grant
		wanted  access.Grant
		limit   *access.Grant
		want    bool
	}{
		"nothing is covered by nothing":          {held: grant(), wanted: grant(), want: true},
		"nothing covers no scope":                {held: grant(), wanted: given([]string{"certs.read"}, none)},
		"everything covers everything":           {held: everything, wanted: everything, want: true},
		"everything covers a policy":             {held: everything, wanted: given([]string{"certs.read"}, none, allow("*", "*"), deny("a.b", "*")), want: true},
		"a policy does not cover everything":     {held: grant(allow("*", "*")), wanted: everything},
		"everything but":                         {held: access.Grant{Everything: true, Permissions: []access.Permission{deny("certs.read", "*")}}, wanted: given([]string{"certs.read"}, none)},
		"everything but something else":          {held: access.Grant{Everything: true, Permissions: []access.Permission{deny("certs.write", "*")}}, wanted: given([]string{"certs.read"}, none), want: true},
		"the same scopes":                        {held: given([]string{"certs.read", "certs.write"}, none), wanted: given([]string{"certs.write", "certs.read"}, none), want: true},
		"fewer scopes":                           {held: given([]string{"certs.read", "certs.write"}, none), wanted: given([]string{"certs.read"}, none), want: true},
		"more scopes":                            {held: given([]string{"certs.read"}, none), wanted: given([]string{"certs.read", "certs.write"}, none)},
		"a policy within scopes":                 {held: given([]string{"certs.read", "certs.write"}, none), wanted: grant(both), want: true},
		"a scope within a policy":                {held: grant(allow("*", "*")), wanted: given([]string{"certs.read"}, none), want: true},
		"a scope is of all resources":            {held: grant(allow("certs.read", "certificate:1")), wanted: given([]string{"certs.read"}, none)},
		"the same policy":                        {held: grant(both, where(deny("*", "*"), "p", "1")), wanted: grant(both, where(deny("*", "*"), "p", "1")), want: true},
		"put together from several":              {held: grant(allow("*", "certificate:1"), allow("certs.read", "certificate:2"), allow("certs.write", "certificate:2")), wanted: grant(both), want: true},
		"one pair is missing":                    {held: grant(allow("*", "certificate:1"), allow("certs.read", "certificate:2")), wanted: grant(both)},
		"any action is more than all of them":    {held: grant(both), wanted: grant(allow("*", "certificate:1"))},
		"a narrower condition":                   {held: grant(where(allow("*", "*"), "p", "1")), wanted: grant(access.Permission{Effect: access.Allow, Actions: []string{"a.b"}, Resources: []string{"*"}, StringEquals: map[string]string{"p": "1", "q": "2"}}), want: true},
		"another condition":                      {held: grant(where(allow("*", "*"), "p", "1")), wanted: grant(where(allow("*", "*"), "p", "2"))},
		"no condition":                           {held: grant(where(allow("*", "*"), "p", "1")), wanted: grant(allow("*", "*"))},
		"a condition on what has none":           {held: grant(allow("*", "*")), wanted: grant(where(allow("*", "*"), "p", "1")), want: true},
		"a DENY left out":                        {held: grant(allow("*", "*"), deny("certs.write", "*")), wanted: grant(allow("*", "*"))},
		"a DENY repeated":                        {held: grant(allow("*", "*"), deny("certs.write", "*")), wanted: grant(allow("*", "*"), deny("certs.write", "*")), want: true},
		"a DENY widened":                         {held: grant(allow("*", "*"), deny("certs.write", "certificate:1")), wanted: grant(allow("*", "*"), deny("*", "certificate:1")), want: true},
		"a DENY narrowed":                        {held: grant(allow("*", "*"), deny("certs.write", "*")), wanted: grant(allow("*", "*"), deny("certs.write", "certificate:1"))},
		"a DENY with a condition more":           {held: grant(allow("*", "*"), deny("certs.write", "*")), wanted: grant(allow("*", "*"), where(deny("certs.write", "*"), "p", "1"))},
		"a DENY of other properties":             {held: grant(allow("*", "*"), where(deny("*", "*"), "p", "1")), wanted: grant(where(allow("*", "*"), "p", "2")), want: true},
		"a DENY put together":                    {held: grant(allow("*", "*"), access.Permission{Effect: access.Deny, Actions: []string{"a.b", "c.d"}, Resources: []string{"*"}}), wanted: grant(allow("*", "*"), deny("a.b", "*"), deny("c.d", "*")), want: true},
		"what was not understood takes away":     {held: grant(allow("*", "*"), access.Permission{Effect: "deny", Actions: []string{"*"}, Resources: []string{"*"}}), wanted: given([]string{"certs.read"}, none)},
		"a role by its name":                     {held: given(none, []string{"reader", "guarded"}), wanted: given(none, []string{"guarded"}), want: true},
		"a role that is not there, by its name":  {held: given(none, []string{"gone"}), wanted: given(none, []string{"gone"}), want: true},
		"what a role gives":                      {held: given(none, []string{"reader"}), wanted: given([]string{"certs.read"}, none), want: true},
		"what a role gives is not the role":      {held: given([]string{"certs.read"}, none), wanted: given(none, []string{"reader"})},
		"a role by who holds everything":         {held: everything, wanted: given(none, []string{"reader"}), want: true},
		"a role by who may do everything":        {held: grant(allow("*", "*")), wanted: given(none, []string{"reader", "gone"}), want: true},
		"a role by who may do everything by one": {held: given(none, []string{"super"}), wanted: given(none, []string{"reader"}), want: true},
		"a role by who may do everything but":    {held: grant(allow("*", "*"), deny("a.b", "*")), wanted: given(none, []string{"reader"})},
		"everything but, and a role":             {held: access.Grant{Everything: true, Permissions: []access.Permission{deny("a.b", "*")}}, wanted: given(none, []string{"reader"})},
		"a role's DENY without the role":         {held: given(none, []string{"guarded"}), wanted: given([]string{"certs.write"}, none)},
		"a role's DENY with the role":            {held: given(none, []string{"guarded"}), wanted: given([]string{"certs.write"}, []string{"guarded"}), want: true},
		"a DENY on what a role gives":            {held: given(none, []string{"reader"}, deny("certs.read", "certificate:1")), wanted: given(none, []string{"reader"})},

		"within the ceiling":               {held: everything, ceiling: &alice, wanted: given([]string{"certs.read"}, none), want: true},
		"beyond the ceiling":               {held: everything, ceiling: &alice, wanted: given([]string{"certs.write"}, none)},
		"beyond it, for the very user":     {held: everything, ceiling: &alice, wanted: grant(allow("*", "*")), limit: &alice, want: true},
		"beyond it, for another user":      {held: everything, ceiling: &alice, wanted: grant(allow("*", "*")), limit: &bob},
		"beyond it, for an admin":          {held: everything, ceiling: &alice, wanted: grant(allow("*", "*")), limit: &everything},
		"a limit is no help to a key":      {held: given([]string{"certs.read"}, none), ceiling: &alice, wanted: grant(allow("*", "*")), limit: &alice},
		"for a user by an admin":           {held: everything, ceiling: &everything, wanted: grant(allow("*", "*")), limit: &alice, want: true},
		"everything its user may, again":   {held: grant(allow("*", "*")), ceiling: &alice, wanted: grant(allow("*", "*")), limit: &alice, want: true},
		"everything its user may, for all": {held: grant(allow("*", "*")), ceiling: &alice, wanted: grant(allow("*", "*"))},
	} {
		t.Run(name, func(t *testing.T) {
			if got := access.Covers(c.held, c.ceiling, c.wanted, c.limit); got != c.want {
				t.Fatalf("got %t", got)
			}
		})
	}
}

// every request there is to tell the grants of the generators apart. "z" stands for all that no grant names.
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

// beyond is a request that wanted allows and held does not, if there is one.
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

// anyGrant is one of those that there can be: a key's, a person's, an admin's.
func anyGrant(t *rapid.T, name string, roles *access.Roles) access.Grant {
	switch rapid.IntRange(0, 5).Draw(t, name+" is") {
	case 0:
		return grants.Draw(t, name)
	case 1:
		return roles.HeldBy(members.Draw(t, name))
	case 2:
		return access.Grant{Everything: true}
	}
	given := givens.Draw(t, name)
	return roles.GrantOf(&given)
}

// related is a grant that has much in common with another: few that are drawn at random are covered by another.
func related(t *rapid.T, roles *access.Roles) (held, wanted access.Grant) {
	all := givens.Draw(t, "held")
	part := access.Given{
		Scopes:      slices.DeleteFunc(slices.Clone(all.Scopes), func(string) bool { return rapid.Bool().Draw(t, "without scope") }),
		Roles:       slices.DeleteFunc(slices.Clone(all.Roles), func(string) bool { return rapid.Bool().Draw(t, "without role") }),
		Permissions: slices.DeleteFunc(slices.Clone(all.Permissions), func(access.Permission) bool { return rapid.IntRange(0, 3).Draw(t, "without permission") == 0 }),
	}
	if rapid.Bool().Draw(t, "and more") {
		part.Permissions = append(part.Permissions, permissions.Draw(t, "more")...)
	}
	return roles.GrantOf(&all), roles.GrantOf(&part)
}

func TestNobodyGivesWhatTheyDoNotHold(t *testing.T) {
	yes := 0
	rapid.Check(t, func(t *rapid.T) {
		roles := access.NewRoles(roleSets.Draw(t, "roles"))
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
			t.Fatalf("%+v is allowed to who was handed it, and not to who did", r)
		}
	})
	if yes < 10 {
		t.Errorf("only %d times there was anything to find out", yes)
	}
}

// What a role gives may change after it was handed out.
func TestARoleThatChangesNeverMakesAHandedOutKeyExceedItsGiver(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfN(roleNames, 0, 2)
		held := access.Given{Roles: names.Draw(t, "held")}
		wanted := access.Given{Roles: names.Draw(t, "wanted")}
		before := access.NewRoles(roleSets.Draw(t, "roles"))
		// Everything can be lost, and is then no part of this.
		if !access.Covers(before.GrantOf(&held), nil, before.GrantOf(&wanted), nil) || !isSubset(wanted.Roles, held.Roles) {
			return
		}
		// No DENY: one that a held role gets may well be missing where that role was not handed out.
		byName := roleSets.Draw(t, "roles later")
		for name, role := range byName {
			role.Permissions = slices.DeleteFunc(role.Permissions, func(p access.Permission) bool { return p.Effect == access.Deny })
			byName[name] = role
		}
		later := access.NewRoles(byName)
		if r := beyond(later.GrantOf(&held), nil, later.GrantOf(&wanted), nil); r != nil {
			t.Fatalf("%+v", r)
		}
	})
}

func isSubset(a, b []string) bool {
	return !slices.ContainsFunc(a, func(s string) bool { return !slices.Contains(b, s) })
}

func TestWhatEverybodyMayHandOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		roles := access.NewRoles(roleSets.Draw(t, "roles"))
		given := givens.Draw(t, "given")
		held := roles.GrantOf(&given)
		for what, wanted := range map[string]access.Grant{
			"the same":      held,
			"nothing":       {},
			"a DENY more":   roles.GrantOf(&access.Given{Scopes: given.Scopes, Roles: given.Roles, Permissions: append(slices.Clone(given.Permissions), deny("a", "b"))}),
			"in pieces":     roles.GrantOf(&access.Given{Scopes: given.Scopes, Roles: given.Roles, Permissions: pieces(given.Permissions)}),
			"with property": roles.GrantOf(&access.Given{Roles: given.Roles, Permissions: narrower(given.Permissions)}),
		} {
			if !access.Covers(held, nil, wanted, nil) {
				t.Fatalf("not %s", what)
			}
		}
		own := roles.HeldBy("alice")
		if !access.Covers(access.Grant{Everything: true}, &own, held, &own) {
			t.Fatal("not a person to themselves")
		}
	})
}

// pieces are the same permissions, one for each action and resource.
func pieces(whole []access.Permission) (all []access.Permission) {
	for _, p := range whole {
		for _, action := range p.Actions {
			for _, resource := range p.Resources {
				all = append(all, access.Permission{Effect: p.Effect, Actions: []string{action}, Resources: []string{resource}, StringEquals: p.StringEquals})
			}
		}
	}
	return all
}

// narrower asks each ALLOW for one property more, and leaves each DENY as it is.
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

// The largest that the CRDs let through, made so that nothing is found before the end.
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
		largest = append(largest, access.Permission{Effect: effect, Actions: words("action", 16), Resources: words("resource", 16)})
	}
	for _, name := range names {
		byName[name] = access.Role{Permissions: largest}
	}
	roles := access.NewRoles(byName)
	held := roles.GrantOf(&access.Given{Roles: names, Permissions: largest})
	for b.Loop() {
		if !access.Covers(held, nil, held, nil) {
			b.Fatal("no")
		}
	}
}
