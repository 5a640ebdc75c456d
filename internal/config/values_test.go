package config_test

import (
	"bytes"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/key/keyformat"
)

// flags has the settings that are true or false: their default, and the configuration with the other value.
var flags = map[string]struct {
	byDefault bool
	not       config.Runtime
}{
	"SECURE_COOKIES":      {true, config.Runtime{InsecureCookies: true}},
	"TRUST_PROXY_HEADERS": {false, config.Runtime{TrustProxyHeaders: true}},
	"TRUST_USERNAMES":     {false, config.Runtime{TrustUsernames: true}},
	"ANONYMOUS_READS":     {false, config.Runtime{AnonymousReads: true}},
}

func TestFlags(t *testing.T) {
	for name, f := range flags {
		for value, is := range map[string]bool{
			"true": true, "TRUE": true, "1": true, "Yes": true, "on": true, `"true"`: true, " 'on' ": true,
			"true\r\n": true, `" true "`: true,
			"false": false, "False": false, "0": false, "no": false, "OFF": false, `"false"`: false,
			"": f.byDefault, " ": f.byDefault, `""`: f.byDefault, "''": f.byDefault,
		} {
			want := config.Runtime{}
			if is != f.byDefault {
				want = f.not
			}
			if got := runtimeOf(t, name, value); !reflect.DeepEqual(got, want) {
				t.Errorf("%s=%q is %+v", name, value, got)
			}
		}
		for _, value := range []string{
			"ture", "2", "y", "t", "-", `"true'`, `"`, `"true`, "true # really", "true,false", "null", "ја", secret,
		} {
			if problem := problemOf(t, name, value); problem != "is neither true nor false" {
				t.Errorf("%s=%q: %s", name, value, problem)
			}
		}
	}
}

func TestAllowedUsers(t *testing.T) {
	for value, want := range map[string][]string{
		"":                              nil,
		" , ,,\n":                       nil,
		"alice":                         {"alice"},
		" Bob ,alice,, BOB,\n":          {"alice", "bob"},
		"'a,b'":                         {"a", "b"},
		`"alice","bob"`:                 {"alice", "bob"},
		"Account/CI,integration/gh-1":   {"account/ci", "integration/gh-1"},
		"USER/Alice,alice":              {"alice", "user/alice"},
		"alice@example.com,CORP\\bob":   {"alice@example.com", "corp\\bob"},
		"Ünal,auth0|12":                 {"auth0|12", "ünal"},
		"admin":                         {"admin"},
		strings.Repeat("x", 128):        {strings.Repeat("x", 128)},
		"account/" + strings63:          {"account/" + strings63},
		strings.Repeat("alice,", 10000): {"alice"},
	} {
		if got := runtimeOf(t, "ALLOWED_USERS", value).AllowedUsers; !slices.Equal(got, want) {
			t.Errorf("%.80q is %q", value, got)
		}
	}
}

var strings63 = strings.Repeat("x", 63)

func TestAllowedUsers_Refused(t *testing.T) {
	const badSubject = "entry 1 has no valid name after the slash: " +
		"1-63 letters, digits, '.', '_', '-', a letter or digit first"
	const never = "has a character that is not allowed in names"
	for value, want := range map[string]string{
		"alice, bob carol":           "entry 2 has a space or a line end: names are separated by commas",
		"alice\nbob":                 "entry 1 has a space or a line end: names are separated by commas",
		"alice\u00a0bob":             "entry 1 has a space or a line end: names are separated by commas",
		"alice;bob":                  "entry 1 " + never,
		`["alice", "bob"]`:           "entry 1 " + never,
		`"alice`:                     "entry 1 " + never,
		",,*":                        "entry 3 " + never,
		"a\x00b":                     "entry 1 " + never,
		"a\u202eb":                   "entry 1 " + never,
		"user/a/b":                   "entry 1 " + never,
		"user/":                      "entry 1 has no name after the slash",
		"/alice":                     "entry 1 has a slash, but not User, Account or Integration before it",
		"Group/dev":                  "entry 1 has a slash, but not User, Account or Integration before it",
		"account/":                   badSubject,
		"account/" + strings63 + "x": badSubject,
		strings.Repeat("x", 129):     "entry 1 is longer than 128 bytes",
		"a," + generatedKey:          "entry 2 is an API key, which does not belong here: rotate it",
		"User/" + generatedKey:       "entry 1 is an API key, which does not belong here: rotate it",
		numbered(5001):               "has 5001 names; the maximum is 5000",
		strings.Repeat("x", 70000):   "is longer than 65536 bytes",
	} {
		if got := problemOf(t, "ALLOWED_USERS", value); got != want {
			t.Errorf("%.80q: %s", value, got)
		}
	}
}

// generatedKey has another prefix than the default.
var generatedKey = func() string {
	generated, err := keyformat.Format{Prefix: "kw_"}.Generate(bytes.NewReader(make([]byte, 100)))
	if err != nil {
		panic(err)
	}
	return generated
}()

// numbered returns n names.
func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("u" + strconv.Itoa(i) + ",")
	}
	return b.String()
}

func TestUnmatched(t *testing.T) {
	for value, deny := range map[string]bool{"": false, "allow": false, "deny": true, "DENY": true, "'deny'": true} {
		if got := runtimeOf(t, "UNMATCHED", value).DenyUnmatched; got != deny {
			t.Errorf("%q denies: %t", value, got)
		}
	}
	for _, value := range []string{"true", "refuse", "allow,deny", secret} {
		if got := problemOf(t, "UNMATCHED", value); got != "is neither allow nor deny" {
			t.Errorf("%q: %s", value, got)
		}
	}
}

func TestAccount(t *testing.T) {
	for value, want := range map[string]string{
		"": "", "default": "", "Acme-1": "Acme-1", `"acme"`: "acme", strings63: strings63,
	} {
		if got := runtimeOf(t, "ACCOUNT", value).Account; got != want {
			t.Errorf("%q is %q", value, got)
		}
	}
	for _, value := range []string{"a b", "-a", "Account/ci", "ä", strings63 + "x", "a\nb"} {
		const want = "is not the name of an account: 1-63 letters, digits, '.', '_', '-', a letter or digit first"
		if got := problemOf(t, "ACCOUNT", value); got != want {
			t.Errorf("%q: %s", value, got)
		}
	}
	if got := problemOf(t, "ACCOUNT", generatedKey); got != "is an API key, which does not belong here: rotate it" {
		t.Error(got)
	}
}

func TestKeyPrefix(t *testing.T) {
	for value, want := range map[string]string{"": "ak_", "ak_": "ak_", "k_": "k_", "'acme123_'": "acme123_"} {
		got := runtimeOf(t, "KEY_PREFIX", value)
		if got.Format().Prefix != want || (want == "ak_") != (got.KeyPrefix == "") {
			t.Errorf("%q is %q", value, got.KeyPrefix)
		}
	}
	for _, value := range []string{"ak", "_", "AK_", "1k_", "acme1234_", "a-b_", "a_b_", "ä_", "ak_ x", secret} {
		const want = "must be 2-8 lower-case letters and digits, a letter first and '_' last"
		if got := problemOf(t, "KEY_PREFIX", value); got != want {
			t.Errorf("%q: %s", value, got)
		}
	}
}

func TestStaleAfter(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "0s": 0, "5s": 5 * time.Second, "1h30m": 90 * time.Minute, `"30s"`: 30 * time.Second,
	} {
		if got := runtimeOf(t, "STALE_AFTER", value).StaleAfter; got != want {
			t.Errorf("%q is %v", value, got)
		}
	}
	for value, want := range map[string]string{
		"30": "is not a duration such as 30s, 5m or 1h30m", "never": "is not a duration such as 30s, 5m or 1h30m",
		"9999999999h": "is not a duration such as 30s, 5m or 1h30m", secret: "is not a duration such as 30s, 5m or 1h30m",
		"4999ms": "is under 5s; 0 means never", "-5s": "is under 5s; 0 means never",
	} {
		if got := problemOf(t, "STALE_AFTER", value); got != want {
			t.Errorf("%q: %s", value, got)
		}
	}
}
