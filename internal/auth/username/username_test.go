package username_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"keywright.dev/keywright/internal/auth/username"
)

func TestValid(t *testing.T) {
	for name, want := range map[string]bool{
		"al": true, "Alice": true, "a.b_c-d": true, "0x": true, "admin": true, strings.Repeat("a", 50): true,
		"": false, "a": false, ".a": false, "_a": false, "-a": false, "a b": false, "a/b": false, "älice": false,
		"alice\n": false, strings.Repeat("a", 51): false,
	} {
		if got := username.Valid(name); got != want {
			t.Errorf("Valid(%q) = %t", name, got)
		}
	}
}

func TestValidSubject(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "ci.prod": true, strings.Repeat("a", 63): true,
		"": false, "-a": false, "a/b": false, "a\n": false, strings.Repeat("a", 64): false,
	} {
		if got := username.ValidSubject(name); got != want {
			t.Errorf("ValidSubject(%q) = %t", name, got)
		}
	}
}

func TestReserved_IgnoresCase(t *testing.T) {
	for name, want := range map[string]bool{
		"admin": true, "ADMIN": true, "aDmIn": true,
		"": false, "admins": false, "xadmin": false, "adm\u0130n": false, "adm\u0131n": false,
	} {
		if got := username.Reserved(name); got != want {
			t.Errorf("Reserved(%q) = %t", name, got)
		}
	}
}

func TestEqual_IgnoresCase(t *testing.T) {
	if !username.Equal("Alice", "aLICE") || username.Equal("alice", "alicf") {
		t.Fatal("names are not compared by everything but case")
	}
}

func TestFold(t *testing.T) {
	if username.Fold("Alice") != username.Fold("aLICE") || username.Fold("alice") == username.Fold("alicf") {
		t.Fatal("names are not compared by everything but case")
	}
	if username.Fold("Änne") != username.Fold("änne") || username.Fold("\u212Aate") == username.Fold("kate") {
		t.Fatal("a Kelvin sign became a letter of a valid username")
	}
}

// The API server checks names by the patterns of the CRDs, and everything else by this package.
func TestValid_AgreesWithCRDs(t *testing.T) {
	rules := map[string]func(string) bool{
		`^[A-Za-z0-9][A-Za-z0-9._-]{1,49}$`: username.Valid,
		// The schema bounds the length of other subjects.
		`^[A-Za-z0-9][A-Za-z0-9._-]*$`: func(name string) bool { return username.ValidSubject(name) || len(name) > 63 },
	}
	pattern := regexp.MustCompile(`\.matches\('(\^\[A-Za-z0-9\]\[[^']*)'\)`)
	for file, want := range map[string]int{"accessrolebindings": 1, "adminusers": 1, "apikeys": 2} {
		text := crd(t, file)
		found := pattern.FindAllStringSubmatch(text, -1)
		if len(found) != want {
			t.Fatalf("%s: %d patterns of names, want %d", file, len(found), want)
		}
		for _, match := range found {
			rule := rules[match[1]]
			if rule == nil {
				t.Fatalf("%s: unexpected pattern %s", file, match[1])
			}
			compare(t, file, regexp.MustCompile(match[1]), rule)
		}
	}
	if !strings.Contains(crd(t, "apikeys"), "maxLength: 63\n") {
		t.Error("apikeys: names of subjects may be longer than 63 characters")
	}
}

func TestReserved_AgreesWithCRDs(t *testing.T) {
	rule := regexp.MustCompile(`lowerAscii\(\)\s+!= '` + username.Bootstrap + `'`)
	for _, file := range []string{"accessrolebindings", "adminusers", "apikeys"} {
		if !rule.MatchString(crd(t, file)) {
			t.Errorf("%s: the name of the bootstrap key is not reserved", file)
		}
	}
}

func crd(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile("../../../config/crd/bases/keywright.dev_" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(content), "''", "'")
}

func compare(t *testing.T, file string, pattern *regexp.Regexp, rule func(string) bool) {
	t.Helper()
	names := []string{
		"a", "admin", "\u00e4b", "a\n", strings.Repeat("a", 50), strings.Repeat("a", 51), strings.Repeat("a", 63),
	}
	for c := range rune(128) {
		names = append(names, string(c)+"bc", "a"+string(c), "ab"+string(c)+"d")
	}
	for _, name := range names {
		if got, want := rule(name), pattern.MatchString(name); got != want {
			t.Errorf("%s: %q: got %t, the CRD has %t", file, name, got, want)
		}
	}
}
