package spec_test

import (
	"regexp"
	"testing"

	"keywright.dev/keywright/internal/auth/access"
)

var answer = regexp.MustCompile("(?m)^\\| (read|write|`usage.read`), `([^`]+)` \\| (yes|no) \\|")

// The table under "What a key may do" has the real decisions on the example above it.
func TestPage_ExampleOfRightsIsTrue(t *testing.T) {
	roles := access.NewRoles(map[string]access.Role{"certificate-reader": {
		Permissions: []access.Permission{
			access.Scope("certs.read"),
			{Effect: access.Deny, Actions: []string{access.Any}, Resources: []string{"certificate:root"}},
		},
	}}, map[string]access.Binding{"certificate-readers": {Role: "certificate-reader", Users: []string{"carol"}}})
	key := roles.GrantOf(&access.Rights{
		Scopes: []string{"certs.read", "certs.write"},
		Permissions: []access.Permission{
			{Effect: access.Deny, Actions: []string{"certs.read"}, Resources: []string{"certificate:42"}},
		},
	})
	carol := roles.HeldBy("carol")

	actions := map[string]string{"read": "certs.read", "write": "certs.write", "`usage.read`": "usage.read"}
	rows := answer.FindAllStringSubmatch(read(t, "apikey.md"), -1)
	if len(rows) != 5 {
		t.Fatalf("%d rows", len(rows))
	}
	var withoutUser []bool
	for _, row := range rows {
		asked := access.Request{Action: actions[row[1]], Resource: row[2]}
		if got := access.May(key, &carol, asked); got != (row[3] == "yes") {
			t.Errorf("%s: %t", row[0], got)
		}
		withoutUser = append(withoutUser, access.May(key, nil, asked))
	}
	// "For subject Account/ci the same spec would allow the third and the fourth."
	for i, want := range []bool{true, false, true, true, false} {
		if withoutUser[i] != want {
			t.Errorf("without a user, %s: %t", rows[i][0], withoutUser[i])
		}
	}
}
