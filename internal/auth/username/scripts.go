package username

import (
	"maps"
	"slices"
	"unicode"
)

// Scripts that are written together. Chinese, Japanese and Korean names mix theirs, also with Latin letters, and no
// letter of them looks like a Latin one (Unicode Technical Standard 39, section 5.2).
var eastAsian = []string{"Han", "Hiragana", "Katakana", "Bopomofo", "Hangul"}

// MixedScripts returns the scripts of the letters in a name, sorted, if no language mixes them: a letter of one may
// look like a letter of another, so that two names look alike. It returns nil for any other name.
func MixedScripts(name string) []string {
	if isASCII(name) {
		return nil
	}
	found := map[string]bool{}
	for _, r := range name {
		if script := scriptOf(r); script != "" {
			found[script] = true
		}
	}
	isEastAsian := func(script string) bool { return slices.Contains(eastAsian, script) }
	mixed := slices.DeleteFunc(slices.Sorted(maps.Keys(found)), isEastAsian)
	if len(mixed) < len(found) && len(mixed) == 1 && mixed[0] != "Latin" {
		return slices.Sorted(maps.Keys(found))
	}
	if len(mixed) < 2 {
		return nil
	}
	return mixed
}

// scriptOf returns the script of a letter, and "" for what belongs to no script of its own, such as a digit.
func scriptOf(r rune) string {
	if !unicode.IsLetter(r) {
		return ""
	}
	for name, table := range unicode.Scripts {
		if name != "Common" && name != "Inherited" && unicode.Is(table, r) {
			return name
		}
	}
	return ""
}
