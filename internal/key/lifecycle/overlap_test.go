package lifecycle_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"keywright.dev/keywright/internal/key/lifecycle"
)

func TestDecide_OverlapEndsExactly(t *testing.T) {
	f := settledFixture(t)
	end := f.now.Add(10 * time.Minute)
	f.spec.ExpiresAt, f.spec.RotateRequest, f.spec.Overlap = end, "now", time.Hour
	plan, err := f.run(f.checkStep, never)
	if err != nil || !plan.WakeAt.Equal(end) {
		t.Fatalf("wakes at %v, want the old key's own end %v (%v)", plan.WakeAt, end, err)
	}
	f.now = end.Add(-1)
	if plan = lifecycle.Decide(f.facts()); plan.Step != rest {
		t.Fatalf("%s an instant before the end", plan.Step)
	}
	f.now = end
	if plan = lifecycle.Decide(f.facts()); plan.Step != drop || len(plan.Keys) != 1 {
		t.Fatalf("%s with %d keys at the end", plan.Step, len(plan.Keys))
	}
}

// A person whose key has leaked ends it by a shorter overlap.
func TestDecide_ShorterOverlapEndsOldKeysEarlier(t *testing.T) {
	f := settledFixture(t)
	f.spec.RotateRequest, f.spec.Overlap = "1", time.Hour
	f.runOrFail(t)
	f.now = f.now.Add(10 * time.Minute)
	f.spec.Overlap = 2 * time.Hour
	if plan := f.runOrFail(t); len(f.status.Keys) != 2 || !plan.WakeAt.Equal(f.status.Keys[0].IssuedAt.Add(time.Hour)) {
		t.Fatalf("a longer overlap: keys %v, wakes at %v", f.status.Keys, plan.WakeAt)
	}
	f.spec.Overlap = 20 * time.Minute
	plan := f.runOrFail(t)
	if len(f.status.Keys) != 2 || !plan.WakeAt.Equal(f.status.Keys[0].IssuedAt.Add(20*time.Minute)) {
		t.Fatalf("a shorter overlap: keys %v, wakes at %v", f.status.Keys, plan.WakeAt)
	}
	f.spec.Overlap = 0
	f.runOrFail(t)
	if !slices.Equal(ids(f), []string{"k2"}) {
		t.Fatalf("no overlap: keys %v", ids(f))
	}
}

// A key that the server refuses for good, such as one that was revoked before, is not recorded as accepted.
func TestDecide_RefusedKeysDoNotOverlap(t *testing.T) {
	f := settledFixture(t)
	f.spec.Overlap = time.Hour
	f.status.Keys[0].Refused = true
	f.runOrFail(t)
	if !slices.Equal(ids(f), []string{"k1"}) {
		t.Fatalf("the current key stays as the record: keys %v", ids(f))
	}
	f.spec.RotateRequest = "1"
	f.runOrFail(t)
	if !slices.Equal(ids(f), []string{"k2"}) {
		t.Fatalf("rotated: keys %v", ids(f))
	}
	f.spec.RotateRequest = "2"
	f.runOrFail(t)
	f.status.Keys[1].Refused = true
	f.runOrFail(t)
	if !slices.Equal(ids(f), []string{"k3"}) {
		t.Fatalf("refused in its overlap: keys %v", ids(f))
	}
}

func TestDecide_OverlappingKeysAreBounded(t *testing.T) {
	f := settledFixture(t)
	f.spec.Overlap = time.Hour
	for i := range 40 {
		f.now = f.now.Add(time.Second)
		f.spec.RotateRequest = strconv.Itoa(i)
		f.runOrFail(t)
	}
	if len(f.status.Keys) != 17 || f.status.Keys[0].ID != "k41" || f.status.Keys[16].ID != "k25" {
		t.Fatalf("%d keys: %v", len(f.status.Keys), ids(f))
	}
}

// The API chooses the overlap of each rotation, unless the spec has one.
func TestDecide_OverlapPerRotationIsKept(t *testing.T) {
	for name, perRotation := range map[string]bool{"by the rotation": true, "by the spec": false} {
		t.Run(name, func(t *testing.T) {
			f := settledFixture(t)
			f.spec.ByAPI, f.spec.OverlapPerRotation = true, perRotation
			next := lifecycle.Key{ID: "next", IssuedAt: f.now}
			f.status.Keys = lifecycle.Succeed(f.status.Keys, next, time.Hour, f.now)
			f.status.Keys[1].ExpiresAt = f.now.Add(48 * time.Hour)
			f.runOrFail(t)
			want := []string{"next"}
			if perRotation {
				want = append(want, "k1")
			}
			if !slices.Equal(ids(f), want) {
				t.Fatalf("keys %v", ids(f))
			}
			if perRotation && !f.status.Keys[1].ExpiresAt.Equal(f.now.Add(lifecycle.MaxOverlapOfRotation)) {
				t.Errorf("the old key ends at %s", f.status.Keys[1].ExpiresAt)
			}
		})
	}
}
