package config_test

import (
	"reflect"
	"strings"
	"testing"

	"keywright.dev/keywright/internal/config"
)

// secret is put where settings belong. No text may repeat it.
const secret = "change-this-admin-secret"

func TestParse(t *testing.T) {
	type data = map[string]string
	for name, c := range map[string]struct {
		data   data
		want   config.Settings
		faults []string
	}{
		"nothing":                       {nil, config.Settings{}, nil},
		"empty values":                  {data{"ADMIN_KEY": "", "ADMIN_KEY_SECRET": " "}, config.Settings{}, nil},
		"a key":                         {data{"ADMIN_KEY": " " + secret + "\n"}, config.Settings{AdminKey: secret}, nil},
		"a key in quotes":               {data{"ADMIN_KEY": `'` + secret + `'`}, config.Settings{AdminKey: secret}, nil},
		"a key with a quote":            {data{"ADMIN_KEY": `"` + secret}, config.Settings{AdminKey: `"` + secret}, nil},
		"a key that consists of quotes": {data{"ADMIN_KEY": `"''"''"''"''"''"`}, config.Settings{AdminKey: `"''"''"''"''"''"`}, nil},
		"a reference": {
			data{"ADMIN_KEY_SECRET": "boot/key.txt"},
			config.Settings{AdminKeySecret: &config.SecretRef{Name: "boot", Key: "key.txt"}}, nil,
		},
		"both": {
			data{"ADMIN_KEY": secret, "ADMIN_KEY_SECRET": "a/b"}, config.Settings{},
			[]string{"ADMIN_KEY: can't be set together with ADMIN_KEY_SECRET"},
		},
		"short": {data{"ADMIN_KEY": "short"}, config.Settings{}, []string{"ADMIN_KEY: must be at least 16"}},
		"long":  {data{"ADMIN_KEY": strings.Repeat("x", 257)}, config.Settings{}, []string{"at most 256"}},
		"very long": {
			data{"ADMIN_KEY": strings.Repeat("x", 1<<20)}, config.Settings{},
			[]string{"ADMIN_KEY: is longer than 1024 bytes"},
		},
		"not ASCII": {data{"ADMIN_KEY": "änderung-nötig-hier"}, config.Settings{}, []string{"visible ASCII"}},
		"not UTF-8": {data{"ACCOUNT": "\xff"}, config.Settings{}, []string{"ACCOUNT: is not UTF-8"}},
		"unknown": {
			data{"ADMIN_KYE": secret}, config.Settings{},
			[]string{"ADMIN_KYE: is not a setting; the settings are ACCOUNT, ADMIN_KEY, "},
		},
		"in lower case": {
			data{"trust-proxy.headers": "1"}, config.Settings{},
			[]string{"trust-proxy.headers: is not a setting: write TRUST_PROXY_HEADERS"},
		},
		"a key as a name": {data{secret: "ADMIN_KEY"}, config.Settings{}, []string{"chan…: is not a setting"}},
		"no slash": {
			data{"ADMIN_KEY_SECRET": "boot"}, config.Settings{},
			[]string{"ADMIN_KEY_SECRET: is not of the form <name of a Secret>/<key in it>"},
		},
		"a key for a reference": {
			data{"ADMIN_KEY_SECRET": secret}, config.Settings{}, []string{"ADMIN_KEY_SECRET: is not of the form"},
		},
		"mistyped": {
			data{"ADMIN_KEY": "ak_" + secret}, config.Settings{}, []string{"ADMIN_KEY: begins like a generated key"},
		},
		"mistyped, other prefix": {
			data{"ADMIN_KEY": "kw_" + secret, "KEY_PREFIX": "kw_"}, config.Settings{},
			[]string{"ADMIN_KEY: begins like a generated key"},
		},
		"brought, other prefix": {
			data{"ADMIN_KEY": "ak_" + secret, "KEY_PREFIX": "kw_"},
			config.Settings{AdminKey: "ak_" + secret, Service: config.Runtime{KeyPrefix: "kw_"}}, nil,
		},
		"path": {data{"ADMIN_KEY_SECRET": "../a/b"}, config.Settings{}, []string{"is not of the form"}},
		"several at once": {
			data{"A": "1", "ADMIN_KEY": "short", "ZZ": ""}, config.Settings{},
			[]string{"A: is not", "ADMIN_KEY: must", "ZZ: is not"},
		},
		"one good and one not": {
			data{"UNMATCHED": "deny", "ACCOUNT": "a b"}, config.Settings{},
			[]string{"ACCOUNT: is not the name of an account"},
		},
		"every setting, empty": {defaults(t), config.Settings{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, faults := config.Parse(c.data)
			expectFaults(t, faults, c.faults...)
			if c.faults == nil && !reflect.DeepEqual(got, c.want) {
				t.Fatalf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// expectFaults expects each fault to contain the text, and none to contain the secret.
func expectFaults(t *testing.T, faults []config.Fault, want ...string) {
	t.Helper()
	if len(faults) != len(want) {
		t.Fatalf("faults %v, want %q", faults, want)
	}
	for i, f := range faults {
		if !strings.Contains(f.Error(), want[i]) || strings.Contains(f.Error(), secret) {
			t.Errorf("fault %q, want %q and no secret", f, want[i])
		}
	}
}

// settingNames returns all settings, as listed in a fault.
func settingNames(t testing.TB) []string {
	t.Helper()
	_, faults := config.Parse(map[string]string{"NONE": ""})
	_, list, found := strings.Cut(faults[0].Problem, "the settings are ")
	if !found {
		t.Fatalf("no list of settings in %q", faults[0])
	}
	return strings.Split(list, ", ")
}

// defaults has every setting with an empty value.
func defaults(t testing.TB) map[string]string {
	t.Helper()
	data := map[string]string{}
	for _, name := range settingNames(t) {
		data[name] = ""
	}
	return data
}

// runtimeOf parses one valid setting.
func runtimeOf(t *testing.T, name, value string) config.Runtime {
	t.Helper()
	got, faults := config.Parse(map[string]string{name: value})
	if len(faults) > 0 {
		t.Fatalf("%s=%q: %v", name, value, faults)
	}
	return got.Runtime("")
}

// problemOf parses one invalid setting and returns its problem.
func problemOf(t *testing.T, name, value string) string {
	t.Helper()
	got, faults := config.Parse(map[string]string{name: value})
	if len(faults) != 1 || faults[0].Key != name {
		t.Fatalf("%s=%.100q: got %+v and %v", name, value, got, faults)
	}
	return faults[0].Problem
}

func TestSettings_RuntimeAddsTheDigest(t *testing.T) {
	s := config.Settings{Service: config.Runtime{KeyPrefix: "kw_"}}
	want := config.Runtime{KeyPrefix: "kw_", BootstrapDigest: "d"}
	if got := s.Runtime("d"); !reflect.DeepEqual(got, want) || s.Service.BootstrapDigest != "" {
		t.Fatalf("got %+v, and %+v is left", got, s.Service)
	}
}
