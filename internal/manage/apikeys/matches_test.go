package apikeys

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestMatchesIsWhatARegularExpressionSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringOfN(rapid.SampledFrom([]rune("ab*?ü")), 0, 8, -1).Draw(t, "pattern")
		name := rapid.StringOfN(rapid.SampledFrom([]rune("abü")), 0, 10, -1).Draw(t, "name")
		written := strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(pattern))
		if got, want := matches(pattern, name), regexp.MustCompile(`^(?s:`+written+`)$`).MatchString(name); got != want {
			t.Fatalf("got %t", got)
		}
	})
}

// A pattern made to take long takes no longer than pattern times name.
func TestNoPatternTakesForever(t *testing.T) {
	if matches(strings.Repeat("*a", 2000)+"b", strings.Repeat("a", 4000)) {
		t.Error("it does not end with b")
	}
}
