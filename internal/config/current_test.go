package config_test

import (
	"net/netip"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"keywright.dev/keywright/internal/auth/routes"
	"keywright.dev/keywright/internal/config"
)

var (
	tableRow = regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\| ([^|]+) \\| ([^|]+) \\| ([^|]+) \\|$")
	link     = regexp.MustCompile(`\[([^\]]+)\]\([^)]*\)`)
)

// plain returns a text of the page without its marks.
func plain(text string) string { return strings.ReplaceAll(link.ReplaceAllString(text, "$1"), "`", "") }

// The page and the pages of the server describe settings in the same words.
func TestCurrent_IsDescribedAsOnThePage(t *testing.T) {
	current := (&config.Runtime{}).Current()
	rows := tableRow.FindAllStringSubmatch(page(t), -1)
	if len(rows) != len(current) {
		t.Fatalf("the page has %d settings, the code %d", len(rows), len(current))
	}
	for i, row := range rows {
		want := config.Description{Values: plain(row[2]), Default: plain(row[3]), Meaning: plain(row[4])}
		if got := current[i]; got.Name != row[1] || got.Description != want || !got.IsDefault() {
			t.Errorf("%s:\n%+v, want\n%+v", row[1], got, want)
		}
	}
}

// full has every setting but the bootstrap key.
var full = map[string]string{
	"ALLOWED_USERS": "alice, Account/CI, bob@example.com", "SECURE_COOKIES": "false", "TRUST_PROXY_HEADERS": "true",
	"TRUSTED_PROXIES": "10.0.0.0/8, 192.0.2.7, 2001:db8::/64, ::1", "TRUST_USERNAMES": "true", "ANONYMOUS_READS": "true",
	"ROUTES": `[{"match": "GET /users/{user}", "action": "certs.read", "owner": "{user}"},` +
		`{"match": "/a/{x...}", "action": "d:A", "resource": "device:{x}"}, {"match": "GET example.com/true"},` +
		`{"match": "OPTIONS /b/", "anonymous": true}]`,
	"CREDENTIALS": "api-key, AUTHORIZATION:token,X-Api-Key",
	"UNMATCHED":   "deny", "ACCOUNT": "acme", "KEY_PREFIX": "acme_", "STALE_AFTER": "1m30s", "MAX_TTL": "2160h",
	"DEFAULT_TTL": "90m", "AUDIT_RETENTION": "48h",
	"AUDIT_MAX_ENTRIES": "5000", "USAGE_RETENTION": "0", "USAGE_MAX_RECORDS": "7000", "USAGE_ROLLUP_RETENTION": "2400h",
	"PRICES": `
- {provider: openai, model: gpt-4o, input: 2.5, output: 10, cache_read: 1.25, cache_write: 0.000000001}
- {provider: openai, model: gpt-4o, service_tier: batch, input: 1.25, output: 5, reasoning: 7}
- {provider: openai, model: gpt-4o, from: 2030-01-01, input: 2, output: 8}
- {provider: openai, model: gpt-4o, above: 200000, input: 6}
- {model: "true", input: 0, output: 1000000}
- {model: "12, {x}: #'\"", input: 0, output: 0}
`,
}

// Each value, set as it is shown, gives the configuration in force.
func TestCurrent_ValuesGiveTheSameConfiguration(t *testing.T) {
	litellm := `{"gpt-4o": {"litellm_provider": "openai", "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05}}`
	for name, data := range map[string]map[string]string{
		"defaults": {}, "full": full, "prices of others": {"PRICES": litellm},
		"named defaults": {"SECURE_COOKIES": "true", "USAGE_RETENTION": "2160h", "ACCOUNT": "default", "STALE_AFTER": "0"},
	} {
		settings, faults := config.Parse(data)
		if len(faults) > 0 {
			t.Fatalf("%s: %v", name, faults)
		}
		again := map[string]string{}
		for _, one := range settings.Service.Current() {
			if one.IsDefault() {
				if got := runtimeOf(t, one.Name, one.Written()); !reflect.DeepEqual(got, config.Runtime{}) {
					t.Errorf("%s: %q is not the default", one.Name, one.Written())
				}
				continue
			}
			again[one.Name] = one.Value
			var manifest struct{ Data map[string]string }
			line := config.ManifestLine(one.Name, one.Value)
			err := yaml.UnmarshalStrict([]byte(line), &manifest)
			if err != nil || len(manifest.Data) != 1 || manifest.Data[one.Name] != one.Value {
				t.Errorf("%s: %v in %s", one.Name, err, line)
			}
		}
		if got, faults := config.Parse(again); len(faults) > 0 || !reflect.DeepEqual(got.Service, settings.Service) {
			t.Errorf("%s: %v\n%v\n%+v, want\n%+v", name, faults, again, got.Service, settings.Service)
		}
		if name == "full" && len(again) != len(full) || strings.Contains(name, "default") && len(again) > 0 {
			t.Errorf("%s: %v", name, again)
		}
	}
}

func TestCurrent_Values(t *testing.T) {
	r := config.Runtime{
		BootstrapDigest: "hmac-sha256:secret", FormerBootstrapDigests: []string{"hmac-sha256:older"}, StaleAfter: time.Hour,
		Routes:         []routes.Route{{Match: "/a", Action: "b.c"}},
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")},
		Audit:          config.Audit{Retention: 90 * time.Minute},
	}
	got := map[string]string{}
	for _, one := range r.Current() {
		switch {
		case one.IsSecret:
			got[one.Name] = map[bool]string{true: "set"}[one.Set]
		case !one.IsDefault():
			got[one.Name] = one.Value
		}
	}
	want := map[string]string{
		"ADMIN_KEY": "set", "ADMIN_KEY_SECRET": "set", "STALE_AFTER": "1h", "ROUTES": "- match: /a\n  action: b.c\n",
		"TRUSTED_PROXIES": "192.0.2.1", "AUDIT_RETENTION": "1h30m",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
