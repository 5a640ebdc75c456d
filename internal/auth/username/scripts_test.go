package username_test

import (
	"slices"
	"testing"

	"keywright.dev/keywright/internal/auth/username"
)

func TestMixedScripts_OfNames(t *testing.T) {
	for name, want := range map[string][]string{
		"alice": nil, "Alice.Stone-2": nil, "": nil, "account/ci": nil,
		"jürgen": nil, "алиса": nil, "алиса7@пример.рф": nil, "αλίκη": nil,
		"田中太郎": nil, "tanaka田中": nil, "たなかタナカ田中": nil, "김철수": nil,
		"\u0430lice":      {"Cyrillic", "Latin"}, // the first letter is Cyrillic
		"b\u03bfb":        {"Greek", "Latin"},    // the second letter is Greek
		"\u0430\u03bb":    {"Cyrillic", "Greek"},
		"алиса@mail":      {"Cyrillic", "Latin"},
		"田中\u0430":        {"Cyrillic", "Han"},
		"田中\u0430b":       {"Cyrillic", "Latin"},
		"account/\u0441i": {"Cyrillic", "Latin"},
	} {
		if got := username.MixedScripts(name); !slices.Equal(got, want) {
			t.Errorf("%+q: got %v, want %v", name, got, want)
		}
	}
}
