package config_test

import (
	"testing"
	"time"
)

func TestUsageLimits(t *testing.T) {
	const badAge, badRecords = "is not a duration such as 2160h", "is not a whole number from 1000 to 100000000"
	const short = "is under 24h; 0 means as long as USAGE_MAX_RECORDS allows"
	const shortForGood = "is under 24h; 0 means for good"
	for value, want := range map[string]time.Duration{
		"": 2160 * time.Hour, "2160h": 2160 * time.Hour, "0": 0, "24h": 24 * time.Hour, `"720h"`: 720 * time.Hour,
	} {
		if got, _ := runtimeOf(t, "USAGE_RETENTION", value).Usage.Limits(); got != want {
			t.Errorf("%q is %v", value, got)
		}
	}
	for value, want := range map[string]int{"": 1_000_000, "1000000": 1_000_000, "1000": 1000, "100000000": 100_000_000} {
		if _, got := runtimeOf(t, "USAGE_MAX_RECORDS", value).Usage.Limits(); got != want {
			t.Errorf("%q is %v", value, got)
		}
	}
	for value, want := range map[string]time.Duration{"": 0, "0": 0, "24h": 24 * time.Hour, "8760h": 8760 * time.Hour} {
		if got := runtimeOf(t, "USAGE_ROLLUP_RETENTION", value).Usage.RollupRetention; got != want {
			t.Errorf("%q is %v", value, got)
		}
	}
	for value, want := range map[string][2]string{
		"90d": {badAge, badAge}, "never": {badAge, badAge}, secret: {badAge, badAge},
		"23h": {short, shortForGood}, "-24h": {short, shortForGood},
	} {
		got := [2]string{problemOf(t, "USAGE_RETENTION", value), problemOf(t, "USAGE_ROLLUP_RETENTION", value)}
		if got != want {
			t.Errorf("%q: %q", value, got)
		}
	}
	for _, value := range []string{"0", "999", "-1", "100000001", "1e6", "many", secret} {
		if got := problemOf(t, "USAGE_MAX_RECORDS", value); got != badRecords {
			t.Errorf("%q: %s", value, got)
		}
	}
}
