package apikeys

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestMatches_EqualsRegularExpression(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringOfN(rapid.SampledFrom([]rune("ab*?ü")), 0, 8, -1).Draw(t, "pattern")
		name := rapid.StringOfN(rapid.SampledFrom([]rune("abü")), 0, 10, -1).Draw(t, "name")
		written := strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(pattern))
		if got, want := matches(pattern, name), regexp.MustCompile(`^(?s:`+written+`)$`).MatchString(name); got != want {
			t.Fatalf("got %t", got)
		}
	})
}

// The worst pattern takes time in proportion to pattern times name.
func TestMatches_IsFast(t *testing.T) {
	if matches(strings.Repeat("*a", 2000)+"b", strings.Repeat("a", 4000)) {
		t.Error("the name does not end with b")
	}
}
