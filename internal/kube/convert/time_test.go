package convert_test

import (
	"regexp"
	"testing"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/convert"
)

// durationPattern is the pattern of durations in the CRDs.
const durationPattern = `^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?$`

func TestDurationOf_IsWrittenAsPeopleDo(t *testing.T) {
	for d, want := range map[time.Duration]v1alpha1.Duration{
		0: "0s", -time.Hour: "0s", 1: "1s", time.Second: "1s", 90 * time.Second: "1m30s", 24 * time.Hour: "24h",
		90 * time.Minute: "1h30m", time.Hour + time.Second: "1h1s", 30500 * time.Millisecond: "31s",
		2160 * time.Hour:   "2160h",
		99_999 * time.Hour: "99999h", 100_000 * time.Hour: "99999h60m", 1<<63 - 1: "99999h99999m99999s",
	} {
		if got := convert.DurationOf(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}

// Every duration that a manifest may have is shown as the same duration, in a form that a manifest may have.
func FuzzDurationOf(f *testing.F) {
	isDuration := regexp.MustCompile(durationPattern) //nolint:gocritic // the text of the CRD
	f.Add(uint32(99_999), uint32(99_999), uint32(99_999))
	f.Add(uint32(0), uint32(90), uint32(0))
	f.Fuzz(func(t *testing.T, hours, minutes, seconds uint32) {
		const units = 100_000
		d := time.Duration(hours%units)*time.Hour + time.Duration(minutes%units)*time.Minute +
			time.Duration(seconds%units)*time.Second
		shown := convert.DurationOf(d)
		if !isDuration.MatchString(string(shown)) || shown == "" || len(shown) > 18 {
			t.Fatalf("%s is shown as %q", d, shown)
		}
		if read := convert.Duration(&shown); read != d {
			t.Fatalf("%s is shown as %s, which is %s", d, shown, read)
		}
	})
}
