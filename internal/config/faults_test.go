package config_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/config"
)

func TestCut(t *testing.T) {
	for _, c := range []struct {
		text string
		most int
		want string
	}{
		{"", 0, ""}, {"abc", 3, "abc"}, {"abcdef", 5, "ab…"}, {"ääää", 6, "ä…"},
		{"abcdef", 3, "…"}, {"abcdef", -1, "…"},
	} {
		if got := config.Cut(c.text, c.most); got != c.want {
			t.Errorf("Cut(%q, %d) = %q", c.text, c.most, got)
		}
	}
}

func TestSummary(t *testing.T) {
	fault := func(name string, length int) config.Fault {
		return config.Fault{Key: name, Problem: strings.Repeat("x", length)}
	}
	for name, c := range map[string]struct {
		faults []config.Fault
		most   int
		want   string
	}{
		"none":                          {nil, 10, ""},
		"one":                           {[]config.Fault{fault("A", 3)}, 10, "A: xxx"},
		"one too long":                  {[]config.Fault{fault("A", 30)}, 10, "A: xxxx…"},
		"two":                           {[]config.Fault{fault("A", 3), fault("B", 3)}, 20, "A: xxx; B: xxx"},
		"a long one beside a short one": {[]config.Fault{fault("A", 99), fault("B", 3)}, 24, "A: xxxxxxxxxx…; B: xxx"},
		"two long ones share":           {[]config.Fault{fault("A", 99), fault("B", 99)}, 24, "A: xxxxx…; B: xxxxx…"},
		"exactly enough":                {[]config.Fault{fault("A", 3), fault("B", 3)}, 14, "A: xxx; B: xxx"},
		"two without room":              {[]config.Fault{fault("A", 99), fault("B", 99)}, 0, "…; …"},
	} {
		if got := config.Summary(c.faults, c.most); got != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestSummary_NamesEverySetting(t *testing.T) {
	data := map[string]string{}
	for _, name := range settingNames(t) {
		data[name] = strings.Repeat("ä ", 1<<10)
	}
	_, faults := config.Parse(data)
	if len(faults) < len(data)-1 {
		t.Fatalf("%d faults of %d settings", len(faults), len(data))
	}
	summary := config.Summary(faults, 900)
	for _, f := range faults {
		if !strings.Contains(summary, f.Key+": ") {
			t.Errorf("%s is not named in %q", f.Key, summary)
		}
	}
}

func TestSummary_CountsTheRest(t *testing.T) {
	data := map[string]string{}
	for i := range 1000 {
		data[fmt.Sprintf("SETTING_%03d", i)] = ""
	}
	_, faults := config.Parse(data)
	got := config.Summary(faults, 900)
	if len(got) > 900 || !strings.HasSuffix(got, "; and 976 more") || !strings.Contains(got, "SETTING_023: ") {
		t.Errorf("%d bytes: %s", len(got), got)
	}
}

func TestSummary_FitsItsLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.StringN(0, 200, -1), 1, 30).Draw(t, "problems")
		var faults []config.Fault
		for _, text := range texts {
			faults = append(faults, config.Fault{Key: "A", Problem: text})
		}
		most := rapid.IntRange(400, 1000).Draw(t, "most")
		got := config.Summary(faults, most)
		if len(got) > most || !utf8.ValidString(got) {
			t.Fatalf("%d bytes of %d: %q", len(got), most, got)
		}
	})
}
