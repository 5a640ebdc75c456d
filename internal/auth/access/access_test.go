package access_test

import (
	"testing"

	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/auth/access"
)

func allow(action, resource string) access.Permission {
	return access.Permission{Effect: access.Allow, Actions: []string{action}, Resources: []string{resource}}
}

func deny(action, resource string) access.Permission {
	return access.Permission{Effect: access.Deny, Actions: []string{action}, Resources: []string{resource}}
}

func grant(p ...access.Permission) access.Grant { return access.Grant{Permissions: p} }

func everythingBut(p ...access.Permission) access.Grant {
	return access.Grant{Everything: true, Permissions: p}
}

func where(p access.Permission, name, value string) access.Permission {
	p.StringEquals = map[string]string{name: value}
	return p
}

func TestMay(t *testing.T) {
	read := access.Request{Action: "certs.read", Resource: "certificate:42"}
	repo := access.Request{
		Action: "query:ReadGraphData", Resource: "*", Properties: map[string]string{"_type": "github_repo"},
	}
	everything, guarded := access.Grant{Everything: true}, everythingBut(deny("certs.read", "*"))
	misspelt := access.Permission{Effect: "allow", Actions: []string{"*"}, Resources: []string{"*"}}
	for name, c := range map[string]struct {
		grant   access.Grant
		ceiling *access.Grant
		request access.Request
		want    bool
	}{
		"no rights":                       {grant(), nil, read, false},
		"scope":                           {grant(access.Scope("certs.read")), nil, read, true},
		"other scope":                     {grant(access.Scope("certs.write")), nil, read, false},
		"no partial wildcard":             {grant(access.Scope("certs.*")), nil, read, false},
		"case matters":                    {grant(access.Scope("Certs.Read")), nil, read, false},
		"wildcard action":                 {grant(allow("*", "certificate:42")), nil, read, true},
		"other resource":                  {grant(allow("certs.read", "certificate:4")), nil, read, false},
		"no partial resource":             {grant(allow("certs.read", "certificate:*")), nil, read, false},
		"deny beats allow":                {grant(allow("*", "*"), deny("certs.read", "*")), nil, read, false},
		"deny of something else":          {grant(allow("*", "*"), deny("certs.write", "*")), nil, read, true},
		"deny alone allows nothing":       {grant(deny("certs.write", "*")), nil, read, false},
		"unknown effect denies":           {grant(allow("*", "*"), misspelt), nil, read, false},
		"condition met":                   {grant(where(allow("*", "*"), "_type", "github_repo")), nil, repo, true},
		"condition not met":               {grant(where(allow("*", "*"), "_type", "user")), nil, repo, false},
		"condition on an absent property": {grant(where(allow("*", "*"), "owner", "")), nil, repo, false},
		"condition on a deny": {
			grant(allow("*", "*"), where(deny("*", "*"), "_type", "github_repo")), nil, repo, false,
		},
		"everything":                 {everything, nil, read, true},
		"everything but":             {everythingBut(deny("certs.read", "*")), nil, read, false},
		"within the ceiling":         {grant(access.Scope("certs.read")), &everything, read, true},
		"beyond the ceiling":         {grant(access.Scope("certs.read")), &access.Grant{}, read, false},
		"denied by the ceiling":      {grant(access.Scope("certs.read")), &guarded, read, false},
		"request without an action":  {grant(allow("*", "*")), nil, access.Request{Resource: "*"}, false},
		"request without a resource": {grant(allow("*", "*")), nil, access.Request{Action: "certs.read"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := access.May(c.grant, c.ceiling, c.request); got != c.want {
				t.Fatalf("got %t", got)
			}
		})
	}
}

var (
	words  = rapid.SampledFrom([]string{"a", "b", "c", access.Any})
	effect = rapid.SampledFrom([]access.Effect{access.Allow, access.Deny})
	props  = rapid.MapOfN(rapid.SampledFrom([]string{"p", "q"}), rapid.SampledFrom([]string{"1", "2"}), 0, 2)

	permissions = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) access.Permission {
		return access.Permission{
			Effect:       effect.Draw(t, "effect"),
			Actions:      rapid.SliceOfN(words, 1, 2).Draw(t, "actions"),
			Resources:    rapid.SliceOfN(words, 1, 2).Draw(t, "resources"),
			StringEquals: props.Draw(t, "condition"),
		}
	}), 0, 5)
	grants = rapid.Custom(func(t *rapid.T) access.Grant {
		return access.Grant{Everything: rapid.Bool().Draw(t, "everything"), Permissions: permissions.Draw(t, "permissions")}
	})
	requests = rapid.Custom(func(t *rapid.T) access.Request {
		asked := rapid.SampledFrom([]string{"a", "b", "c"})
		return access.Request{
			Action: asked.Draw(t, "action"), Resource: asked.Draw(t, "resource"),
			Properties: props.Draw(t, "properties"),
		}
	})
)

func TestMay_AddingADenyNeverWidens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, r := grants.Draw(t, "grant"), requests.Draw(t, "request")
		before := access.May(g, nil, r)
		added := permissions.Filter(func(p []access.Permission) bool { return len(p) > 0 }).Draw(t, "added")[0]
		added.Effect = access.Deny
		g.Permissions = append(g.Permissions, added)
		if access.May(g, nil, r) && !before {
			t.Fatal("a DENY allowed a request")
		}
	})
}

func TestMay_KeyNeverExceedsItsCeiling(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, owner, r := grants.Draw(t, "grant"), grants.Draw(t, "owner"), requests.Draw(t, "request")
		if access.May(g, &owner, r) && !access.May(owner, nil, r) {
			t.Fatal("the key may do what its ceiling denies")
		}
	})
}

func TestMay_OrderNeverMatters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, r := grants.Draw(t, "grant"), requests.Draw(t, "request")
		want := access.May(g, nil, r)
		g.Permissions = rapid.Permutation(g.Permissions).Draw(t, "order")
		if access.May(g, nil, r) != want {
			t.Fatal("the result depends on the order")
		}
	})
}

func TestMay_NoMatchIsADenial(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := access.Grant{Permissions: permissions.Draw(t, "permissions")}
		for i := range g.Permissions {
			g.Permissions[i].Actions = []string{"elsewhere"}
		}
		if access.May(g, nil, requests.Draw(t, "request")) {
			t.Fatal("allowed without a match")
		}
	})
}
