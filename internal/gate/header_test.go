package gate_test

import (
	"net/http"
	"strings"
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
		". in place of -": {"X.method.override", "PUT", config.Runtime{AllowedUsers: []string{"zoe"}}, gate.Ambiguous},
		"another in a list": {
			"X-Method-Override", "GET, PUT", config.Runtime{AllowedUsers: []string{"zoe"}}, gate.Ambiguous,
		},
		"the same in a list": {
			"X-Method-Override", "GET, get", config.Runtime{AllowedUsers: []string{"zoe"}}, gate.Allowed,
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

func TestLookUpHeader(t *testing.T) {
	for _, known := range gate.KnownHeaders() {
		for _, spelling := range []string{
			known.Name, strings.ToLower(known.Name), strings.ToUpper(known.Name), strings.ReplaceAll(known.Name, "-", "_"),
			strings.ReplaceAll(known.Name, "-", "."), strings.Replace(known.Name, "-", "~", 1),
		} {
			if got := gate.LookUpHeader(spelling); got != known {
				t.Errorf("%s is read as %v", spelling, got)
			}
			if got := gate.LookUpHeader([]byte(spelling)); got != known {
				t.Errorf("%s is read as %v, as bytes", spelling, got)
			}
		}
		for _, other := range []string{
			known.Name + "s", "X" + known.Name, known.Name[1:], known.Name + "-", "-" + known.Name,
		} {
			if got := gate.LookUpHeader(other); got != nil {
				t.Errorf("%s is read as %v", other, got)
			}
		}
	}
	if n := testing.AllocsPerRun(100, func() {
		gate.LookUpHeader("X_Http_Method_Override")
		gate.LookUpHeader([]byte("accept-encoding"))
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// A header that the app may take for Keywright's own refuses the request whatever the rules are.
func TestForged_Refused(t *testing.T) {
	for name, rules := range map[string]config.Runtime{
		"no rules": {}, "a list": {AllowedUsers: []string{"alice"}}, "anonymous reads": {AnonymousReads: true},
	} {
		h := newFixture(t)
		h.use(t, rules)
		for want, header := range map[gate.Outcome]http.Header{
			gate.Ambiguous: from(bearer(aliceKey)), gate.Unauthenticated: from(),
		} {
			request := gate.Request{Method: http.MethodGet, Host: "h", Target: "/", Header: header, Forged: true}
			if d := h.Decide(&request); d.Outcome != want {
				t.Errorf("%s: %s, want %s", name, d.Outcome, want)
			}
		}
	}
}
