package lifecycle_test

import (
	"slices"
	"testing"
	"time"

	"keywright.dev/keywright/internal/key/lifecycle"
)

var noon = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

func TestEndOf_IsTheEarliestEnd(t *testing.T) {
	for name, c := range map[string]struct {
		spec lifecycle.Spec
		want time.Time
	}{
		"none": {lifecycle.Spec{}, time.Time{}},
		"expiresAt": {lifecycle.Spec{ExpiresAt: noon.Add(time.Hour), TTL: 2 * time.Hour, MaxTTL: 3 * time.Hour},
			noon.Add(time.Hour)},
		"ttl": {lifecycle.Spec{ExpiresAt: noon.Add(2 * time.Hour), TTL: time.Hour, MaxTTL: 3 * time.Hour},
			noon.Add(time.Hour)},
		"maxTTL": {lifecycle.Spec{ExpiresAt: noon.Add(2 * time.Hour), TTL: 3 * time.Hour, MaxTTL: time.Hour},
			noon.Add(time.Hour)},
		"past":       {lifecycle.Spec{ExpiresAt: noon.Add(-time.Hour), TTL: time.Hour}, noon.Add(-time.Hour)},
		"a fraction": {lifecycle.Spec{ExpiresAt: noon.Add(1)}, noon.Add(1)},
	} {
		if got := lifecycle.EndOf(noon, c.spec.ExpiresAt, c.spec.TTL, c.spec.MaxTTL); !got.Equal(c.want) {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		recorded := c.spec.RecordedEnd(noon)
		if recorded.Before(c.want) || recorded.Sub(c.want) >= time.Second || !recorded.Equal(recorded.Truncate(time.Second)) {
			t.Errorf("%s: recorded as %s, want %s rounded up", name, recorded, c.want)
		}
	}
}

func TestEnded_FromTheInstantItself(t *testing.T) {
	for _, c := range []struct {
		end  time.Time
		want bool
	}{{time.Time{}, false}, {noon.Add(1), false}, {noon, true}, {noon.Add(-1), true}} {
		if got := lifecycle.Ended(c.end, noon); got != c.want {
			t.Errorf("%s: %t", c.end, got)
		}
	}
}

func TestIssueTime_IsNeverBeforeTheObject(t *testing.T) {
	for _, c := range []struct{ now, created, want time.Time }{
		{noon.Add(1), noon.Add(-time.Minute), noon},
		{noon.Add(1), noon, noon},
		{noon, noon.Add(time.Minute), noon.Add(time.Minute)},
	} {
		if got := lifecycle.IssueTime(c.now, c.created); !got.Equal(c.want) {
			t.Errorf("now %s, created %s: %s", c.now, c.created, got)
		}
	}
}

func TestDefaultOverlap(t *testing.T) {
	for _, c := range []struct {
		byAPI       bool
		every, want time.Duration
	}{
		{false, 0, time.Hour}, {false, 24 * time.Hour, time.Hour}, {false, time.Hour, 30 * time.Minute},
		{true, 0, 0}, {true, 24 * time.Hour, 0},
	} {
		if got := lifecycle.DefaultOverlap(c.byAPI, c.every); got != c.want {
			t.Errorf("by API %t, every %s: %s", c.byAPI, c.every, got)
		}
	}
}

// A write that is repeated after a conflict finds its own key on record.
func TestSucceed_RecordsAKeyOnce(t *testing.T) {
	next := lifecycle.Key{ID: "b", IssuedAt: noon}
	old := lifecycle.Key{ID: "a", IssuedAt: noon.Add(-time.Hour), State: lifecycle.StateCurrent}
	once := lifecycle.Succeed([]lifecycle.Key{old}, next, time.Hour, noon)
	if twice := lifecycle.Succeed(once, next, time.Hour, noon); len(once) != 2 || !slices.Equal(once, twice) {
		t.Errorf("%+v, want %+v", twice, once)
	}
}

// Which keys leave does not depend on their order.
func TestSucceed_KeepsTheNewest(t *testing.T) {
	var keys []lifecycle.Key
	for i := range lifecycle.MaxOverlapping + 4 {
		keys = append(keys, lifecycle.Key{
			ID: string(rune('a' + i)), State: lifecycle.StateOverlapping,
			IssuedAt: noon.Add(-time.Duration(i) * time.Minute), ExpiresAt: noon.Add(time.Hour),
		})
	}
	// The clock went back before it was issued.
	keys = append(keys, lifecycle.Key{ID: "former", State: lifecycle.StateCurrent, IssuedAt: noon.Add(-time.Hour)})
	next := lifecycle.Key{ID: "next", IssuedAt: noon}
	want := lifecycle.Succeed(keys, next, time.Hour, noon)
	if len(want) != lifecycle.MaxOverlapping+1 || want[1].ID != "former" || want[16].ID != "o" {
		t.Fatalf("%+v", want)
	}
	slices.Reverse(keys)
	if got := lifecycle.Succeed(keys, next, time.Hour, noon); !slices.Equal(got, want) {
		t.Errorf("in reverse order:\n%+v, want\n%+v", got, want)
	}
}

func TestSucceed_DropsKeysThatAreNotAccepted(t *testing.T) {
	keys := []lifecycle.Key{
		{ID: "current", State: lifecycle.StateCurrent}, {ID: "pending", State: lifecycle.StatePending},
		{ID: "dead", State: lifecycle.StateOverlapping, ExpiresAt: noon.Add(time.Minute), Dead: lifecycle.PepperGone},
		{ID: "ended", State: lifecycle.StateOverlapping, ExpiresAt: noon},
		{ID: "overlapping", State: lifecycle.StateOverlapping, ExpiresAt: noon.Add(time.Minute)},
	}
	got := lifecycle.Succeed(keys, lifecycle.Key{ID: "next", IssuedAt: noon}, time.Hour, noon)
	want := []lifecycle.Key{
		{ID: "next", State: lifecycle.StateCurrent, IssuedAt: noon},
		{ID: "current", State: lifecycle.StateOverlapping, ExpiresAt: noon.Add(time.Hour)},
		{ID: "overlapping", State: lifecycle.StateOverlapping, ExpiresAt: noon.Add(time.Minute)},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := lifecycle.Succeed(keys, lifecycle.Key{ID: "next"}, 0, noon); len(got) != 1 {
		t.Errorf("without an overlap: %+v", got)
	}
}
