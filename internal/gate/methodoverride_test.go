package gate_test

import (
	"net/http"
	"testing"

	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
)

// An app that honours such a header would do something else than the gate decided on.
func TestMethodOverride_RefusedWhereMethodsMatter(t *testing.T) {
	for name, c := range map[string]struct {
		header, value string
		rules         config.Runtime
		want          gate.Outcome
	}{
		"another method": {
			"X-Http-Method-Override", "DELETE", config.Runtime{AllowedUsers: []string{"zoe"}}, gate.Ambiguous,
		},
		"by X-Method-Override": {
			"X-Method-Override", "PUT", config.Runtime{AllowedUsers: []string{"zoe"}}, gate.Ambiguous,
		},
		"by X-Http-Method": {"X-Http-Method", "PUT", config.Runtime{AllowedUsers: []string{"zoe"}}, gate.Ambiguous},
		"_ in place of -": {
			"X_http_method_override", "PUT", config.Runtime{AllowedUsers: []string{"zoe"}}, gate.Ambiguous,
		},
		"the same method": {
			"X-Http-Method-Override", "get", config.Runtime{AllowedUsers: []string{"zoe"}}, gate.Allowed,
		},
		"methods do not matter":    {"X-Http-Method-Override", "DELETE", config.Runtime{}, gate.Allowed},
		"a header of another name": {"X-Method", "DELETE", config.Runtime{AllowedUsers: []string{"zoe"}}, gate.Allowed},
		"an empty method":          {"X-Method-Override", "", config.Runtime{AllowedUsers: []string{"zoe"}}, gate.Ambiguous},
	} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t)
			h.use(t, c.rules)
			header := from(bearer(aliceKey))
			header[c.header] = []string{c.value}
			if got := h.ask(http.MethodGet, "/", header).Outcome; got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}
