package config_test

import (
	"testing"
	"time"

	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/key/lifecycle"
)

func TestTTLs(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "0s": 0, "1m": time.Minute, "2160h": 2160 * time.Hour, `"720h"`: 720 * time.Hour, "90s": 90 * time.Second,
		"99999h": 99999 * time.Hour,
	} {
		limits := func(name string) lifecycle.Limits {
			r := runtimeOf(t, name, value)
			return r.Limits()
		}
		if got := limits("MAX_TTL"); got != (lifecycle.Limits{MaxTTL: want}) {
			t.Errorf("MAX_TTL %q is %+v", value, got)
		}
		if got := limits("DEFAULT_TTL"); got != (lifecycle.Limits{DefaultTTL: want}) {
			t.Errorf("DEFAULT_TTL %q is %+v", value, got)
		}
	}
	const noDuration, short = "is not a duration such as 2160h", "is under 1m; 0 means none"
	for value, want := range map[string]string{
		"90d": noDuration, "none": noDuration, "never": noDuration, "2160": noDuration, secret: noDuration,
		"59s": short, "-1h": short, "1m0.5s": "is not in whole seconds", "100000h": "is over 99999h",
	} {
		for _, name := range []string{"MAX_TTL", "DEFAULT_TTL"} {
			if got := problemOf(t, name, value); got != want {
				t.Errorf("%s %q: %s", name, value, got)
			}
		}
	}
}

// A default that no key could have is a contradiction. It is named once, whatever else is wrong.
func TestTTLs_DefaultIsWithinLongest(t *testing.T) {
	for name, c := range map[string]struct {
		longest, byDefault string
		faults             []config.Fault
	}{
		"shorter":            {"2h", "1h", nil},
		"equal":              {"2h", "2h", nil},
		"no longest":         {"0", "2h", nil},
		"no default":         {"2h", "0", nil},
		"longer":             {"2h", "2h1s", []config.Fault{{Key: "DEFAULT_TTL", Problem: "is longer than MAX_TTL"}}},
		"an invalid longest": {"x", "2h", []config.Fault{{Key: "MAX_TTL", Problem: "is not a duration such as 2160h"}}},
	} {
		_, faults := config.Parse(map[string]string{"MAX_TTL": c.longest, "DEFAULT_TTL": c.byDefault})
		if len(faults) != len(c.faults) || len(faults) > 0 && faults[0] != c.faults[0] {
			t.Errorf("%s: %v", name, faults)
		}
	}
}
