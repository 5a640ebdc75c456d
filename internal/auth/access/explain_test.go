package access_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/auth/access"
)

func TestExplain_NamesRules(t *testing.T) {
	allow := func(actions ...string) access.Permission {
		return access.Permission{Effect: access.Allow, Actions: actions, Resources: []string{access.Any}}
	}
	deny := access.Permission{Effect: access.Deny, Actions: []string{"certs.read"}, Resources: []string{"certificate:1"}}
	roles := access.NewRoles(map[string]access.Role{
		"reader": {Permissions: []access.Permission{allow("x.y"), allow("certs.read"), deny}},
	}, nil)
	grant := roles.GrantOf(&access.Rights{
		Scopes: []string{"certs.read", "certs.write"}, Roles: []string{"reader"},
		Permissions: []access.Permission{allow("certs.read")},
	})
	got := access.Explain(grant, access.Request{Action: "certs.read", Resource: "certificate:1"})
	want := []access.Rule{
		{Source: "scope certs.read", Effect: access.Allow}, {Source: "permission 1 of the policy", Effect: access.Allow},
		{Source: "permission 2 of AccessRole reader", Effect: access.Allow},
		{Source: "permission 3 of AccessRole reader", Effect: access.Deny},
	}
	if got.Allowed || !slices.Equal(got.Rules, want) || got.Missing != nil {
		t.Errorf("%+v", got)
	}
	lacking := roles.GrantOf(&access.Rights{Roles: []string{"none"}})
	got = access.Explain(lacking, access.Request{Action: "a", Resource: "b"})
	if got.Allowed || got.Rules != nil || !slices.Equal(got.Missing, []string{"none"}) {
		t.Errorf("%+v", got)
	}
	got = access.Explain(access.Grant{Everything: true}, access.Request{Action: "a", Resource: "b"})
	if !got.Allowed || !slices.Equal(got.Rules, []access.Rule{{Source: "an admin's rights", Effect: access.Allow}}) {
		t.Errorf("%+v", got)
	}
}

// The rules that are named decide as May does.
func TestExplain_AgreesWithMay(t *testing.T) {
	names := rapid.SampledFrom([]string{"a.b", "a.c", "*", ""})
	permission := rapid.Custom(func(t *rapid.T) access.Permission {
		p := access.Permission{
			Effect:    rapid.SampledFrom([]access.Effect{access.Allow, access.Deny, "other"}).Draw(t, "effect"),
			Actions:   rapid.SliceOfN(names, 0, 2).Draw(t, "actions"),
			Resources: rapid.SliceOfN(rapid.SampledFrom([]string{"k:1", "k:2", "*"}), 0, 2).Draw(t, "resources"),
		}
		if rapid.Bool().Draw(t, "conditional") {
			p.StringEquals = map[string]string{"env": rapid.SampledFrom([]string{"prod", "test"}).Draw(t, "env")}
		}
		return p
	})
	permissions := rapid.SliceOfN(permission, 0, 3)
	rapid.Check(t, func(t *rapid.T) {
		roles := access.NewRoles(map[string]access.Role{
			"one": {Permissions: permissions.Draw(t, "one")}, "two": {Permissions: permissions.Draw(t, "two")},
		}, nil)
		grant := roles.GrantOf(&access.Rights{
			Scopes:      rapid.SliceOfN(names, 0, 2).Draw(t, "scopes"),
			Roles:       rapid.SliceOfN(rapid.SampledFrom([]string{"one", "two", "missing"}), 0, 2).Draw(t, "roles"),
			Permissions: permissions.Draw(t, "policy"),
		})
		grant.Everything = rapid.Bool().Draw(t, "everything")
		r := access.Request{
			Action: names.Draw(t, "action"), Resource: rapid.SampledFrom([]string{"k:1", "k:2", "*", ""}).Draw(t, "resource"),
		}
		if rapid.Bool().Draw(t, "with properties") {
			r.Properties = map[string]string{"env": "prod"}
		}
		e := access.Explain(grant, r)
		has := func(effect access.Effect) bool {
			return slices.ContainsFunc(e.Rules, func(r access.Rule) bool { return r.Effect == effect })
		}
		decided := len(e.Missing) == 0 && has(access.Allow) && !has(access.Deny)
		if may := access.May(grant, nil, r); e.Allowed != may || decided != may {
			t.Fatalf("May %t, Explain %+v", may, e)
		}
	})
}
