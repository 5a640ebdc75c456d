package lifecycle_test

import (
	"slices"
	"testing"
	"time"
)

func TestDecide_Expiry(t *testing.T) {
	const minute = time.Minute
	start := newFixture().now
	for name, c := range map[string]struct {
		happens func(*fixture)
		keys    []string
		expired bool
		end     time.Time
	}{
		"not yet": {func(f *fixture) { f.spec.TTL = minute; f.now = start.Add(minute - 1) }, []string{"k1"}, false,
			start.Add(minute)},
		"ttl over": {func(f *fixture) { f.spec.TTL = minute; f.now = start.Add(minute) }, []string{"k1"}, true,
			start.Add(minute)},
		"the earliest end counts": {func(f *fixture) {
			f.spec.TTL, f.spec.MaxTTL = time.Hour, minute
			f.spec.ExpiresAt = start.Add(time.Hour)
		}, []string{"k1"}, false, start.Add(minute)},
		"a fraction of a second": {func(f *fixture) { f.spec.TTL = minute + 1 }, []string{"k1"}, false,
			start.Add(minute + time.Second)},
		"rotated after its ttl": {func(f *fixture) {
			f.spec.TTL = minute
			f.now = start.Add(time.Hour)
			f.spec.RotateRequest = "now"
		}, []string{"k2"}, false, start.Add(time.Hour + minute)},
		"expired, rotation requested": {func(f *fixture) { f.spec.ExpiresAt = start; f.spec.RotateRequest = "now" },
			[]string{"k1"}, true, start},
		"expired, Secret lost": {func(f *fixture) {
			f.spec.ExpiresAt = start
			f.spec.Reissue = true
			f.secret = secret{}
		}, []string{"k1"}, true, start},
		"made longer": {func(f *fixture) {
			f.spec.ExpiresAt = start
			f.runOrFail(t)
			f.spec.ExpiresAt = start.Add(minute)
		}, []string{"k1"}, false, start.Add(minute)},
		"end taken away": {func(f *fixture) {
			f.spec.ExpiresAt = start
			f.runOrFail(t)
			f.spec.ExpiresAt = time.Time{}
		}, []string{"k1"}, false, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			f := settledFixture(t)
			c.happens(f)
			plan := f.runOrFail(t)
			if !slices.Equal(ids(f), c.keys) || plan.Expired != c.expired || !f.status.Keys[0].ExpiresAt.Equal(c.end) {
				t.Fatalf("keys %v, expired %t, end %v", ids(f), plan.Expired, f.status.Keys[0].ExpiresAt)
			}
			if plan.Expired != plan.WakeAt.IsZero() && !c.end.IsZero() {
				t.Fatalf("wakes at %v", plan.WakeAt)
			}
		})
	}
}

func TestDecide_IssuesNoEndedKey(t *testing.T) {
	f := newFixture()
	f.spec.ExpiresAt = f.now
	if plan := f.runOrFail(t); plan.Step != rest || !plan.Expired || plan.Delivered || f.generated != 0 {
		t.Fatalf("%+v, %d generated", plan, f.generated)
	}
	f.spec.ExpiresAt = f.now.Add(time.Hour)
	if plan := f.runOrFail(t); plan.Expired || !plan.Delivered || f.generated != 1 {
		t.Fatalf("%+v, %d generated", plan, f.generated)
	}
}
