package program_test

import (
	"testing"
	"time"

	"keywright.dev/keywright/internal/program"
)

func TestParseSpan(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90d": 90 * 24 * time.Hour, "2w": 14 * 24 * time.Hour, "0d": 0, "12h": 12 * time.Hour, "1h30m": 90 * time.Minute,
		"106751d": 106751 * 24 * time.Hour, "106752d": -1, "20000w": -1, "99999999999999999999d": -1,
		"-1d": -1, "-1h": -1, "soon": -1, "d": -1, "1.5d": -1, "": -1,
	} {
		if got, ok := program.ParseSpan(text); ok != (want >= 0) || ok && got != want {
			t.Errorf("%q: %s %t", text, got, ok)
		}
	}
}
