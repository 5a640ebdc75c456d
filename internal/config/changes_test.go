package config_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/internal/auth/routes"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/config/prices"
)

func TestChanges(t *testing.T) {
	type runtime = config.Runtime
	full := runtime{
		BootstrapDigest: "digest", KeyPrefix: "kw_", AllowedUsers: []string{"a", "b", "c"}, InsecureCookies: true,
		TrustProxyHeaders: true, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		TrustUsernames: true, AnonymousReads: true, Routes: []routes.Route{{Match: "/a"}},
		Credentials:   []string{"X-API-Key", "api-key"},
		DenyUnmatched: true,
		Account:       secret, Prices: []prices.Price{{Model: "a"}, {Model: "b"}}, StaleAfter: 90 * time.Second,
		MaxTTL: 48 * time.Hour, DefaultTTL: time.Hour,
		Audit: config.Audit{Retention: -1, MaxEntries: 5000},
		Usage: config.Usage{Retention: 48 * time.Hour, MaxRecords: 6000, RollupRetention: 72 * time.Hour},
	}
	for name, c := range map[string]struct {
		before, after runtime
		want          []string
	}{
		"nothing": {full, full, nil},
		"nothing, but empty for nil": {runtime{}, runtime{
			AllowedUsers: []string{}, TrustedProxies: []netip.Prefix{}, Routes: []routes.Route{}, Prices: []prices.Price{},
			KeyPrefix: "ak_",
		}, nil},
		"everything": {runtime{}, full, []string{
			"the bootstrap key", "ALLOWED_USERS (3 names)", "SECURE_COOKIES=false", "TRUST_PROXY_HEADERS=true",
			"TRUSTED_PROXIES (1 network)", "TRUST_USERNAMES=true",
			"ANONYMOUS_READS=true", "CREDENTIALS (X-API-Key, api-key)",
			"ROUTES (1 route)", "UNMATCHED=deny", "ACCOUNT", "KEY_PREFIX=kw_",
			"PRICES (2 prices)", "STALE_AFTER=1m30s",
			"MAX_TTL=48h0m0s", "DEFAULT_TTL=1h0m0s", "AUDIT_RETENTION=0s", "AUDIT_MAX_ENTRIES=5000",
			"USAGE_RETENTION=48h0m0s", "USAGE_MAX_RECORDS=6000", "USAGE_ROLLUP_RETENTION=72h0m0s",
		}},
		"back to nothing": {full, runtime{}, []string{
			"the bootstrap key (none)", "ALLOWED_USERS (none)", "SECURE_COOKIES=true", "TRUST_PROXY_HEADERS=false",
			"TRUSTED_PROXIES (none)", "TRUST_USERNAMES=false",
			"ANONYMOUS_READS=false",
			"CREDENTIALS (Authorization: Bearer, Authorization: Basic, X-API-Key)",
			"ROUTES (none)", "UNMATCHED=allow", "ACCOUNT", "KEY_PREFIX=ak_", "PRICES (none)",
			"STALE_AFTER=0s", "MAX_TTL=0s", "DEFAULT_TTL=0s", "AUDIT_RETENTION=9600h0m0s", "AUDIT_MAX_ENTRIES=300000",
			"USAGE_RETENTION=2160h0m0s", "USAGE_MAX_RECORDS=1000000", "USAGE_ROLLUP_RETENTION=0s",
		}},
		"another key": {
			runtime{BootstrapDigest: "a"}, runtime{BootstrapDigest: "b"}, []string{"the bootstrap key"},
		},
		"another name": {
			runtime{AllowedUsers: []string{"a"}}, runtime{AllowedUsers: []string{"b"}},
			[]string{"ALLOWED_USERS (1 name)"},
		},
		"another order of routes": {
			runtime{Routes: []routes.Route{{Match: "/a"}, {Match: "/b"}}},
			runtime{Routes: []routes.Route{{Match: "/b"}, {Match: "/a"}}}, []string{"ROUTES (2 routes)"},
		},
		"another price of the cache": {
			runtime{Prices: []prices.Price{{Model: "a"}}},
			priced(prices.Rates{CacheRead: prices.Free}), []string{"PRICES (1 price)"},
		},
		"the same price": {
			priced(prices.Rates{CacheRead: perMillion(0.5)}),
			priced(prices.Rates{CacheRead: perMillion(0.5)}), nil,
		},
		"another price": {
			priced(prices.Rates{CacheWrite: perMillion(0.5)}),
			priced(prices.Rates{CacheWrite: perMillion(0.6)}), []string{"PRICES (1 price)"},
		},
	} {
		if got := config.Changes(c.before, c.after); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// priced returns a configuration with one price.
func priced(rates prices.Rates) config.Runtime {
	return config.Runtime{Prices: []prices.Price{{Model: "a", Rates: rates}}}
}

// Each setting, changed from its default, gives one change with its name.
func TestChanges_CoverEverySetting(t *testing.T) {
	for _, name := range settingNames(t) {
		if strings.HasPrefix(name, "ADMIN_KEY") {
			continue
		}
		got := config.Changes(config.Runtime{}, runtimeOf(t, name, validValues[name]))
		if len(got) != 1 || !strings.HasPrefix(got[0], name) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// validValues has valid values that are not the default.
var validValues = map[string]string{
	"ACCOUNT": "acme", "ALLOWED_USERS": "alice", "ANONYMOUS_READS": "true", "CREDENTIALS": "api-key", "KEY_PREFIX": "kw_",
	"PRICES": "- {model: a, input: 1, output: 2}",
	"ROUTES": "- match: /a", "SECURE_COOKIES": "false", "STALE_AFTER": "1m", "TRUST_PROXY_HEADERS": "true",
	"TRUSTED_PROXIES": "10.0.0.0/8, 192.0.2.1", "TRUST_USERNAMES": "true",
	"AUDIT_RETENTION": "48h", "AUDIT_MAX_ENTRIES": "5000",
	"USAGE_RETENTION": "48h", "USAGE_MAX_RECORDS": "5000", "USAGE_ROLLUP_RETENTION": "8760h",
	"MAX_TTL": "48h", "DEFAULT_TTL": "1h", "UNMATCHED": "deny", "ADMIN_KEY": secret, "ADMIN_KEY_SECRET": "boot/key",
}
