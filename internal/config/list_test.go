package config_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"keywright.dev/keywright/internal/auth/routes"
	"keywright.dev/keywright/internal/config"
)

func TestRoutes(t *testing.T) {
	full := routes.Route{Match: "GET /users/{user}/x", Action: "certs.read", Resource: "certificate:*", Owner: "{user}"}
	for name, c := range map[string]struct {
		value string
		want  []routes.Route
	}{
		"nothing":       {"", nil},
		"a comment":     {"# none yet", nil},
		"an empty list": {"[]", nil},
		"null":          {"null", nil},
		"all fields": {
			"- match: GET /users/{user}/x\n  action: certs.read\n  resource: certificate:*\n  owner: \"{user}\"\n",
			[]routes.Route{full},
		},
		"JSON, in quotes": {
			`'[{"match": "GET /users/{user}/x", "action": "certs.read", "resource": "certificate:*", "owner": "{user}"}]'`,
			[]routes.Route{full},
		},
		"two":              {"- match: /a\n- {match: /b}", []routes.Route{{Match: "/a"}, {Match: "/b"}}},
		"indented":         {"\n    - match: /a\n    - match: /b\n", []routes.Route{{Match: "/a"}, {Match: "/b"}}},
		"one marked begin": {"---\n- match: /a\n", []routes.Route{{Match: "/a"}}},
		"lines of Windows": {"- match: /a\r\n- match: /b\r\n", []routes.Route{{Match: "/a"}, {Match: "/b"}}},
		"anonymous": {
			"- match: /a\n  anonymous: true\n- match: /b\n  anonymous: FALSE\n",
			[]routes.Route{{Match: "/a", Anonymous: true}, {Match: "/b"}},
		},
		"words of YAML": {"- match: /a\n  owner: no\n", []routes.Route{{Match: "/a", Owner: "no"}}},
	} {
		if got := runtimeOf(t, "ROUTES", c.value).Routes; !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestRoutes_Refused(t *testing.T) {
	const first = "entry 1 (line 1) "
	unknown := func(field string) string {
		return first + fmt.Sprintf("has an unknown field %q; the fields are match, action, resource, owner, anonymous", field)
	}
	const notYAML = "is not YAML: "
	const notTruth = "has a value at anonymous that is neither true nor false, without quotes"
	const reserved = "a value that begins with @, ` or % needs quotes, and a line must not begin with a tab"
	const sharedEntry = "is an anchor or an alias: write it out"
	const shared = "has an anchor or an alias at match: write it out, or put it in quotes"
	for value, want := range map[string]string{
		"a: b":                                   "is not a list: each entry begins with '- '",
		"/a":                                     "is not a list: each entry begins with '- '",
		"- /a":                                   first + "has no fields such as match: …",
		"- match: /a\n-":                         "entry 2 (line 2) has no fields such as match: …",
		"- action: a":                            first + "has no match",
		"- match:":                               first + "has a value at match that is not text: put it in quotes",
		"- match: ''":                            first + "has an empty value at match",
		"- match: " + secret:                     first + "has no path at match",
		"- match: 5":                             first + "has a value at match that is not text: put it in quotes",
		"- match: [/a]":                          first + "has a value at match that is not text: put it in quotes",
		"- match: !!binary L2E=":                 first + "has a value at match that is not text: put it in quotes",
		"- match: /a\n  owner: {user}":           first + "has a value at owner that is not text: put it in quotes",
		"- match: \"/a\\nb\"":                    first + "has a line end or another unprintable character at match",
		"- match: /" + strings.Repeat("a", 2e3):  first + "has more than 1024 bytes at match",
		"- mtach: /a":                            unknown(`mtach`),
		"- Match: /a":                            unknown(`Match`),
		"- " + secret + ": /a":                   unknown(`chan…`),
		"- <<: {match: /a}":                      unknown(`<<`),
		"- match: /a\n  anonymous: 'true'":       first + notTruth,
		"- match: /a\n  anonymous: yes":          first + notTruth,
		"- match: /a\n  anonymous: 1":            first + notTruth,
		"- match: /a\n  anonymous: [true]":       first + notTruth,
		"- match: /a\n  anonymous:":              first + notTruth,
		"- match: /a\n  anonymous: !!bool maybe": first + notTruth,
		"- match: /a\n  anonymous: true\n  action: certs.read": "route 1 (/a): anonymous contradicts action: " +
			"a caller without a credential is allowed no action",
		"- match: /b\n- match: /{a}\n  anonymous: true\n  owner: '{a}'": "route 2 (/{a}): anonymous contradicts owner: " +
			"a caller without a credential owns nothing",
		"- [match]: /a":                       first + "has a field without a name",
		"- match: /a\n  match: /b":            first + "has match twice",
		"- match: /a\n- {}\n- match: b":       "entry 2 (line 2) has no match, entry 3 (line 3) has no path at match",
		"- match: /a\n---\n- match: /b":       "has several documents: remove '---' between entries",
		"[{match: /a}]\n[{match: /b}]":        "is not YAML near line 1: check the indentation and the quotes",
		"- match: /a\n...\nrest":              "is not YAML near line 2: check the indentation and the quotes",
		"- match: /a\n  resource: *":          "is not YAML near line 2: a value that begins with * or & needs quotes",
		"- match: *all":                       "is not YAML: a value that begins with * needs quotes",
		"- match: /a: b":                      "is not YAML: a value that contains ': ' needs quotes",
		"- match: @a":                         notYAML + reserved,
		"- match: \"/a":                       "is not YAML: a quote is not closed",
		"- match: &a /a\n- match: *a":         first + shared + ", entry 2 (line 2) " + shared,
		"- &a {match: /a}\n- *a":              first + sharedEntry + ", entry 2 (line 2) " + sharedEntry,
		"&a [*a]":                             first + sharedEntry,
		strings.Repeat("- match: /a\n", 1001): "has 1001 entries; the maximum is 1000",
		strings.Repeat("- {}\n", 8):           eight("has no match"),
		strings.Repeat("[", 100_000):          "is not YAML",
		strings.Repeat("#", 300_000):          "is longer than 262144 bytes",
	} {
		if got := problemOf(t, "ROUTES", value); got != want {
			t.Errorf("%.80q: %s", value, got)
		}
	}
}

// Errors of Compile quote values. Only the beginning of what may be a key is left, even if the error shortens
// or escapes it.
func TestRoutes_CompileErrorsHideKeys(t *testing.T) {
	const first = "route 1 (/a): "
	fourSecrets := strings.Repeat(secret, 4)
	const noAction = " is not of the form certs.read or dashboard:View"
	const overlap = "route 1 (/a): both match /a, and neither is more specific"
	for value, want := range map[string]string{
		"action: read":                            first + "action read" + noAction,
		"action: " + secret:                       first + "action chan…" + noAction,
		"action: '" + `change"this-secret` + "'":  first + `action "chan…"` + noAction,
		"owner: '{" + secret + "}'":               first + "owner names the wildcard {cha…, but the pattern has none",
		"action: a.b\n  resource: " + fourSecrets: first + "resource chan…… is neither of the form device:{id} nor *",
		"action: a.b\n- match: /a":                "route 2 (/a): match overlaps with " + overlap,
		"action: a\n- match: b/\n  action: b":     first + "action a" + noAction + ", route 2 (b/): action b" + noAction,
	} {
		if got := problemOf(t, "ROUTES", "- match: /a\n  "+value); got != want {
			t.Errorf("%.80q: %s", value, got)
		}
	}
}

// eight returns the text for eight entries with the same problem.
func eight(problem string) string {
	var problems []string
	for i := range 5 {
		problems = append(problems, fmt.Sprintf("entry %d (line %[1]d) %s", i+1, problem))
	}
	return strings.Join(problems, ", ") + ", and 3 more"
}

// The document would be gigabytes if its aliases were resolved.
func TestRoutes_DoNotResolveAliases(t *testing.T) {
	bomb := "- &a " + strings.Repeat("x", 100_000) + "\n- [" + strings.Repeat("*a,", 40_000) + "]"
	if n := testing.AllocsPerRun(1, func() { config.Parse(map[string]string{"ROUTES": bomb}) }); n > 1e6 {
		t.Errorf("%v allocations", n)
	}
	if got := problemOf(t, "ROUTES", bomb); !strings.Contains(got, "anchor or an alias") {
		t.Error(got)
	}
}
