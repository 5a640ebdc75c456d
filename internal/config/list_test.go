package config_test

import (
	"fmt"
	"reflect"
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
		"nothing":          {"", nil},
		"a comment":        {"# none yet", nil},
		"an empty list":    {"[]", nil},
		"null":             {"null", nil},
		"all fields":       {"- match: GET /users/{user}/x\n  action: certs.read\n  resource: certificate:*\n  owner: \"{user}\"\n", []routes.Route{full}},
		"JSON, in quotes":  {`'[{"match": "GET /users/{user}/x", "action": "certs.read", "resource": "certificate:*", "owner": "{user}"}]'`, []routes.Route{full}},
		"two":              {"- match: /a\n- {match: /b}", []routes.Route{{Match: "/a"}, {Match: "/b"}}},
		"indented":         {"\n    - match: /a\n    - match: /b\n", []routes.Route{{Match: "/a"}, {Match: "/b"}}},
		"one marked begin": {"---\n- match: /a\n", []routes.Route{{Match: "/a"}}},
		"lines of Windows": {"- match: /a\r\n- match: /b\r\n", []routes.Route{{Match: "/a"}, {Match: "/b"}}},
		"words of YAML":    {"- match: /a\n  owner: no\n", []routes.Route{{Match: "/a", Owner: "no"}}},
	} {
		if got := service(t, "ROUTES", c.value).Routes; !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestRoutesThatAreNone(t *testing.T) {
	const shared = "has an anchor or an alias at %s: write it out, or put it in quotes"
	for value, want := range map[string]string{
		"a: b":                                  "is no list: each entry begins with '- '",
		"/a":                                    "is no list: each entry begins with '- '",
		"- /a":                                  "entry 1 (line 1) is not made of fields such as match: …",
		"- match: /a\n-":                        "entry 2 (line 2) is not made of fields such as match: …",
		"- action: a":                           "entry 1 (line 1) has no match",
		"- match:":                              "entry 1 (line 1) has something else than text at match: put it in quotes",
		"- match: ''":                           "entry 1 (line 1) has nothing at match",
		"- match: " + secret:                    "entry 1 (line 1) has no path at match",
		"- match: 5":                            "entry 1 (line 1) has something else than text at match: put it in quotes",
		"- match: [/a]":                         "entry 1 (line 1) has something else than text at match: put it in quotes",
		"- match: !!binary L2E=":                "entry 1 (line 1) has something else than text at match: put it in quotes",
		"- match: /a\n  owner: {user}":          "entry 1 (line 1) has something else than text at owner: put it in quotes",
		"- match: \"/a\\nb\"":                   "entry 1 (line 1) has a line end or another character that is not printed at match",
		"- match: /" + strings.Repeat("a", 2e3): "entry 1 (line 1) has more than 1024 bytes at match",
		"- mtach: /a":                           `entry 1 (line 1) has an unknown field "mtach"; known are match, action, resource, owner`,
		"- Match: /a":                           `entry 1 (line 1) has an unknown field "Match"; known are match, action, resource, owner`,
		"- " + secret + ": /a":                  `entry 1 (line 1) has an unknown field "chan…"; known are match, action, resource, owner`,
		"- <<: {match: /a}":                     `entry 1 (line 1) has an unknown field "<<"; known are match, action, resource, owner`,
		"- [match]: /a":                         "entry 1 (line 1) has a field without a name",
		"- match: /a\n  match: /b":              "entry 1 (line 1) has match twice",
		"- match: /a\n- {}\n- match: b":         "entry 2 (line 2) has no match, entry 3 (line 3) has no path at match",
		"- match: /a\n---\n- match: /b":         "holds several documents: there may be no '---' between entries",
		"[{match: /a}]\n[{match: /b}]":          "is not YAML near line 1: look at the indentation and the quotes",
		"- match: /a\n...\nrest":                "is not YAML near line 2: look at the indentation and the quotes",
		"- match: /a\n  resource: *":            "is not YAML near line 2: a value that begins with * or & has to stand in quotes",
		"- match: *all":                         "is not YAML: a value that begins with * has to stand in quotes",
		"- match: /a: b":                        "is not YAML: a value with ': ' in it has to stand in quotes",
		"- match: @a":                           "is not YAML: a value may not begin with @, ` or % unless it stands in quotes, nor a line with a tab",
		"- match: \"/a":                         "is not YAML: a quote is not closed",
		"- match: &a /a\n- match: *a":           "entry 1 (line 1) " + fmt.Sprintf(shared, "match") + ", entry 2 (line 2) " + fmt.Sprintf(shared, "match"),
		"- &a {match: /a}\n- *a":                "entry 1 (line 1) is an anchor or an alias: write it out, entry 2 (line 2) is an anchor or an alias: write it out",
		"&a [*a]":                               "entry 1 (line 1) is an anchor or an alias: write it out",
		strings.Repeat("- match: /a\n", 1001):   "has 1001 entries; 1000 are the most",
		strings.Repeat("- {}\n", 8):             eight("has no match"),
		strings.Repeat("[", 100_000):            "is not YAML",
		strings.Repeat("#", 300_000):            "is longer than 262144 bytes",
	} {
		if got := faulty(t, "ROUTES", value); got != want {
			t.Errorf("%.80q: %s", value, got)
		}
	}
}

// What compiling says quotes what it complains of. Of what may be a key only the beginning is left, be it cut off or
// escaped there.
func TestRoutesThatCanNotBeCompiled(t *testing.T) {
	for value, want := range map[string]string{
		"- match: /a\n  action: read":                                          "route 1 (/a): action read is not of the form certs.read or dashboard:View",
		"- match: /a\n  action: " + secret:                                     "route 1 (/a): action chan… is not of the form certs.read or dashboard:View",
		"- match: /a\n  action: '" + `change"this-secret` + "'":                `route 1 (/a): action "chan…" is not of the form certs.read or dashboard:View`,
		"- match: /a\n  owner: '{" + secret + "}'":                             "route 1 (/a): owner names the wildcard {cha…, and the pattern has none",
		"- match: /a\n  action: a.b\n  resource: " + strings.Repeat(secret, 4): "route 1 (/a): resource chan…… is not of the form device:{id}, nor *",
		"- match: /a\n- match: /a":                                             "route 2 (/a): match overlaps with route 1 (/a): both match /a, and neither is more specific",
		"- match: /a\n  action: a\n- match: b/\n  action: b":                   "route 1 (/a): action a is not of the form certs.read or dashboard:View, route 2 (b/): action b is not of the form certs.read or dashboard:View",
	} {
		if got := faulty(t, "ROUTES", value); got != want {
			t.Errorf("%.80q: %s", value, got)
		}
	}
}

// eight are as many entries with the same problem, as they are told.
func eight(problem string) string {
	var told []string
	for i := range 5 {
		told = append(told, fmt.Sprintf("entry %d (line %[1]d) %s", i+1, problem))
	}
	return strings.Join(told, ", ") + ", and 3 more"
}

// A document that would be gigabytes if its aliases were followed.
func TestAliasesAreNotMultiplied(t *testing.T) {
	bomb := "- &a " + strings.Repeat("x", 100_000) + "\n- [" + strings.Repeat("*a,", 40_000) + "]"
	if n := testing.AllocsPerRun(1, func() { config.Parse(map[string]string{"ROUTES": bomb}) }); n > 1e6 {
		t.Errorf("%v allocations", n)
	}
	if got := faulty(t, "ROUTES", bomb); !strings.Contains(got, "anchor or an alias") {
		t.Error(got)
	}
}

func TestPrices(t *testing.T) {
	for name, c := range map[string]struct {
		value string
		want  []config.Price
	}{
		"nothing": {"", nil},
		"all fields": {
			"- {provider: openai, model: gpt-4o, input: 2.5, output: 10, cache_read: 1.25, cache_write: 2.5}",
			[]config.Price{{Provider: "openai", Model: "gpt-4o", Input: 2.5, Output: 10, CacheRead: new(1.25), CacheWrite: new(2.5)}},
		},
		"any provider, sorted": {
			"- {model: b, input: 0, output: 1e-3}\n- {model: a, input: 1000000, output: .5, cache_read: 0}\n- {model: a, provider: x, input: -0.0, output: 0x10}",
			[]config.Price{
				{Model: "a", Input: 1e6, Output: .5, CacheRead: new(0.0)}, {Model: "b", Output: 1e-3}, {Provider: "x", Model: "a", Output: 16},
			},
		},
	} {
		got := service(t, "PRICES", c.value)
		if !reflect.DeepEqual(got.Prices, c.want) || strings.Contains(got.Encode(), "-0") {
			t.Errorf("%s: %s", name, got.Encode())
		}
	}
}

func TestPricesThatAreNone(t *testing.T) {
	for value, want := range map[string]string{
		"{}":                                                                     "is no list: each entry begins with '- '",
		"- {input: 1, output: 1}":                                                "entry 1 (line 1) has no model",
		"- {model: a, output: 1}":                                                "entry 1 (line 1) has no input",
		"- {model: a, input: 1}":                                                 "entry 1 (line 1) has no output",
		"- {model: a, input: -1, output: 1}":                                     "entry 1 (line 1) has a number at input that is not from 0 to 1000000",
		"- {model: a, input: .nan, output: 1}":                                   "entry 1 (line 1) has a number at input that is not from 0 to 1000000",
		"- {model: a, input: 1, output: .inf}":                                   "entry 1 (line 1) has a number at output that is not from 0 to 1000000",
		"- {model: a, input: 1, output: -.inf}":                                  "entry 1 (line 1) has a number at output that is not from 0 to 1000000",
		"- {model: a, input: 1, output: 1e999}":                                  "entry 1 (line 1) has something else than a number at output",
		"- {model: a, input: 1, output: 1000001}":                                "entry 1 (line 1) has a number at output that is not from 0 to 1000000",
		"- {model: a, input: 1, output: '1'}":                                    "entry 1 (line 1) has something else than a number at output",
		"- {model: a, input: 1, output: $5}":                                     "entry 1 (line 1) has something else than a number at output",
		"- {model: a, input: 1, output: true}":                                   "entry 1 (line 1) has something else than a number at output",
		"- {model: a, input: 1, output: [1]}":                                    "entry 1 (line 1) has something else than a number at output",
		"- {model: a, input: 1, output: ~}":                                      "entry 1 (line 1) has something else than a number at output",
		"- {model: a, input: 1, output: !!float x}":                              "entry 1 (line 1) has something else than a number at output",
		"- {model: 4, input: 1, output: 1}":                                      "entry 1 (line 1) has something else than text at model: put it in quotes",
		"- {model: a, input: 1, output: 1, cache_raed: 1}":                       `entry 1 (line 1) has an unknown field "cache_raed"; known are model, provider, input, output, cache_read, cache_write`,
		"- {model: a, input: 1, output: 1}\n\n- {model: a, input: 2, output: 1}": "entry 2 (line 3) has the provider and the model of entry 1 (line 1)",
		"- {model: a, input: 1, output: 1, cache_read: -1}":                      "entry 1 (line 1) has a number at cache_read that is not from 0 to 1000000",
		"- {model: a, input: 1, output: 1, cache_write: x}":                      "entry 1 (line 1) has something else than a number at cache_write",
		strings.Repeat("- {model: a, input: 1, output: 1}\n", 1001):              "has 1001 entries; 1000 are the most",
		"- {model: a, input: 1, output: 1, provider: \"x\\ty\"}":                 "entry 1 (line 1) has a line end or another character that is not printed at provider",
	} {
		if got := faulty(t, "PRICES", value); got != want {
			t.Errorf("%.80q: %s", value, got)
		}
	}
}
