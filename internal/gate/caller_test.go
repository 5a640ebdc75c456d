package gate_test

import (
	"strings"
	"testing"

	"keywright.dev/keywright/internal/gate"
)

func TestIsIdentityHeader(t *testing.T) {
	for _, name := range gate.IdentityHeaders {
		for _, spelling := range []string{
			name, strings.ToLower(name), strings.ToUpper(name), strings.ReplaceAll(name, "-", "_"),
			strings.Replace(name, "-", "_", 1),
			strings.ToLower(strings.ReplaceAll(name, "-", "_")), "x-Auth_" + name[len("X-Auth-"):],
		} {
			if !gate.IsIdentityHeader(spelling) {
				t.Errorf("%s is not taken for %s", spelling, name)
			}
		}
	}
	for _, name := range []string{
		"", "X", "X-Auth", "X-Auth-", "X-Auth-Users", "X-Auth-Use", "XX-Auth-User", "X-Auth-User ", "X-Auth-Token",
		"Authorization", "X--Auth-User",
	} {
		if gate.IsIdentityHeader(name) {
			t.Errorf("%q is taken for one", name)
		}
	}
}

func TestOutcome_NamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, outcome := range gate.Outcomes() {
		if name := outcome.String(); name == "" || seen[name] {
			t.Errorf("%d is called %q", outcome, name)
		} else {
			seen[name] = true
		}
	}
	if gate.Outcome(0) == gate.Allowed {
		t.Error("the zero outcome allows")
	}
}
