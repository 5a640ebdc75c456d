package access_test

import (
	"slices"
	"testing"

	"keywright.dev/keywright/internal/auth/access"
)

// What a grant is listed with has the names that Explain gives as reasons.
func TestList_NamesWhatExplainNames(t *testing.T) {
	allow := access.Permission{Effect: access.Allow, Actions: []string{"certs.read"}, Resources: []string{access.Any}}
	deny := access.Permission{Effect: access.Deny, Actions: []string{"certs.read"}, Resources: []string{"certificate:1"}}
	roles := access.NewRoles(map[string]access.Role{"reader": {Permissions: []access.Permission{allow, deny}}}, nil)
	grant := roles.GrantOf(&access.Rights{
		Scopes: []string{"certs.read"}, Roles: []string{"reader", "none"}, Permissions: []access.Permission{deny},
	})
	for name, g := range map[string]access.Grant{"a key": grant, "an admin": {Everything: true}} {
		t.Run(name, func(t *testing.T) {
			all, missing := access.List(g)
			e := access.Explain(g, access.Request{Action: "certs.read", Resource: "certificate:1"})
			var listed []access.Rule
			for _, held := range all {
				listed = append(listed, access.Rule{Source: held.Source, Effect: held.Permission.Effect})
			}
			if !slices.Equal(listed, e.Rules) || !slices.Equal(missing, e.Missing) {
				t.Errorf("listed %v without %v, explained %v without %v", listed, missing, e.Rules, e.Missing)
			}
		})
	}
}
