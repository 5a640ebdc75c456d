package config_test

import (
	"testing"
	"time"
)

func TestAuditLimits(t *testing.T) {
	const badAge, badEntries = "is not a duration such as 2160h", "is not a whole number from 1000 to 100000000"
	const short = "is under 24h; 0 means as long as AUDIT_MAX_ENTRIES allows"
	for value, want := range map[string]time.Duration{
		"": 9600 * time.Hour, "9600h": 9600 * time.Hour, "0": 0, "24h": 24 * time.Hour, `"2160h"`: 2160 * time.Hour,
	} {
		if got, _ := runtimeOf(t, "AUDIT_RETENTION", value).Audit.Limits(); got != want {
			t.Errorf("%q is %v", value, got)
		}
	}
	for value, want := range map[string]int{"": 300_000, "300000": 300_000, "1000": 1000, "100000000": 100_000_000} {
		if _, got := runtimeOf(t, "AUDIT_MAX_ENTRIES", value).Audit.Limits(); got != want {
			t.Errorf("%q is %v", value, got)
		}
	}
	for value, want := range map[string]string{
		"90d": badAge, "never": badAge, secret: badAge, "23h": short, "-24h": short,
	} {
		if got := problemOf(t, "AUDIT_RETENTION", value); got != want {
			t.Errorf("%q: %s", value, got)
		}
	}
	for _, value := range []string{"0", "999", "-1", "100000001", "1e6", "many", secret} {
		if got := problemOf(t, "AUDIT_MAX_ENTRIES", value); got != badEntries {
			t.Errorf("%q: %s", value, got)
		}
	}
}
