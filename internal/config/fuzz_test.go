package config_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/config"
)

// Any ConfigMap gives settings that can be written and read, or faults that fit into an event.
func FuzzParse(f *testing.F) {
	for name, value := range validValues {
		f.Add(name, value)
	}
	f.Add("ROUTES", "- &a [*a, !!binary x, {? : }]\n--- |\n x")
	f.Add("ROUTES", "- {match: /a, anonymous: !!bool x}\n- {match: /b, anonymous: [true]}")
	f.Add("PRICES", "- {model: a, input: .nan, output: 0x}")
	f.Add("PRICES", `{"a": {"input_cost_per_token_above_200k_tokens": 1e-6, "litellm_provider": "b"}}`)
	f.Add("PRICES", `{"a": {"models": {"b": {"cost": {"input": 1, "tiers": [{"tier": {"size": 5}, "output": 1}]}}}}}`)
	f.Add("\xff", "\xff")
	f.Fuzz(func(t *testing.T, name, value string) {
		check(t, map[string]string{name: value})
		check(t, map[string]string{"ROUTES": value})
		check(t, map[string]string{"PRICES": value, "ALLOWED_USERS": value})
	})
}

type fataler interface {
	Fatalf(format string, args ...any)
}

func check(t fataler, data map[string]string) {
	got, faults := config.Parse(data)
	if len(faults) > 0 {
		if summary := config.Summary(faults, 900); len(summary) > 900 || !utf8.ValidString(summary) {
			t.Fatalf("a summary of %d bytes: %q", len(summary), summary)
		}
		return
	}
	in := got.Runtime("digest")
	document := in.Encode()
	out, err := config.ParseRuntime(document)
	if err != nil || !reflect.DeepEqual(in, out) {
		t.Fatalf("written %s, read %+v, %v", document, out, err)
	}
	if len(document) > 1<<20 {
		t.Fatalf("%d bytes do not fit into a ConfigMap", len(document))
	}
}

// planted has the ways in which a key may be in the wrong place, except in the pattern of a route, which
// faults repeat.
var planted = []func(secret string) string{
	func(s string) string { return s },
	func(s string) string { return `"` + s + `"` },
	func(s string) string { return "'" + s },
	func(s string) string { return "alice," + s + " bob" },
	func(s string) string { return "Account/" + s + "!" },
	func(s string) string { return s + "/" + s },
	func(s string) string { return "Authorization: " + s },
	func(s string) string { return "X-API-Key: " + s },
	func(s string) string { return "- match: /a\n  anonymous: " + s },
	func(s string) string { return "- " + s },
	func(s string) string { return "- *" + s },
	func(s string) string { return "- &" + s + " x" },
	func(s string) string { return "- !" + s + " x" },
	func(s string) string { return "%" + s + "\n" },
	func(s string) string { return s + ": " + s + "\n" + s + ": x" },
	func(s string) string { return "- " + s + ": /a" },
	func(s string) string { return "- match: " + s },
	func(s string) string { return "- match: /a\n  action: " + s },
	func(s string) string { return "- match: /a\n  action: a.b\n  resource: " + s },
	func(s string) string { return "- match: /a\n  owner: '{" + s + "}'" },
	func(s string) string { return "- match: /a\n  owner: '" + strings.Repeat(s, 9) + " x'" },
	func(s string) string { return "- match: /a\n  action: '" + strings.Repeat(s, 5) + "'" },
	func(s string) string { return "- match: /a\n  " + s + ": " + s + "\n  " + s + ": " + s },
	func(s string) string { return "- {model: " + s + ", input: " + s + ", output: 1}" },
	func(s string) string { return `{"` + s + `": {"input_cost_per_token": "` + s + `"}}` },
	func(s string) string { return `{"` + s + `": {"` + s + `": 1, "` + s + `": 2}}` },
	func(s string) string { return `{"` + s + `": {"models": {"` + s + `": {"cost": "` + s + `"}}}}` },
	func(s string) string { return `{"` + s + `": ` + s },
	func(s string) string {
		return "- {model: " + s + ", input: 1, output: 1}\n- {model: " + s + ", input: 1, output: 1}"
	},
}

// Descriptions of faults and of changes never contain a key, wherever it was put.
func TestParse_NeverRepeatsAKey(t *testing.T) {
	names := settingNames(t)
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`[A-Za-z][A-Za-z0-9+=_.-]{15,60}`).Draw(t, "secret")
		other := rapid.SampledFrom(slices.Concat(names, []string{s, "MY_SETTING"})).Draw(t, "name")
		for _, plant := range planted {
			for _, name := range []string{"ROUTES", "PRICES", "ALLOWED_USERS", other} {
				expectHidden(t, s, name, plant(s))
			}
		}
	})
}

func expectHidden(t *rapid.T, secret, name, value string) {
	data := maps.Clone(validValues)
	delete(data, "ADMIN_KEY")
	data[name] = value
	got, faults := config.Parse(data)
	described := config.Summary(faults, 1<<20) + strings.Join(config.Changes(config.Runtime{}, got.Runtime(secret)), " ")
	if strings.Contains(described, secret[:12]) {
		t.Fatalf("%s: %s", name, described)
	}
	check(t, data)
}
