package lifecycle_test

import (
	"testing"
	"time"

	"keywright.dev/keywright/internal/key/lifecycle"
)

func TestDecide_RotatesAfterAnInstant(t *testing.T) {
	checkSteps(t, map[string]change{
		"rotation.after has come": {func(f *fixture) {
			f.spec.RotateAfter = f.now.Add(time.Hour)
			f.now = f.spec.RotateAfter
		},
			[]lifecycle.Step{record, deliver, settle, rest}, []string{"k2"}, 0},
		"rotation.after is still to come": {func(f *fixture) {
			f.spec.RotateAfter = f.now.Add(time.Hour)
			f.now = f.now.Add(time.Hour - 1)
		},
			[]lifecycle.Step{rest}, []string{"k1"}, 0},
		"rotation.after is the time of the issue": {func(f *fixture) { f.spec.RotateAfter = f.now },
			[]lifecycle.Step{rest}, []string{"k1"}, 0},
		"rotation.after has a fraction": {func(f *fixture) {
			f.spec.RotateAfter = f.now.Add(time.Second / 2)
			f.now = f.now.Add(time.Second)
		},
			[]lifecycle.Step{record, deliver, settle, rest}, []string{"k2"}, 0},
		"rotation.after with overlap": {func(f *fixture) {
			f.now = f.now.Add(time.Hour)
			f.spec.RotateAfter, f.spec.Overlap = f.now, time.Hour
		},
			[]lifecycle.Step{record, deliver, settle, rest}, []string{"k2", "k1"}, 0},
		"rotation.after, a schedule and a request": {func(f *fixture) {
			f.now = f.now.Add(2 * time.Hour)
			f.spec.RotateAfter, f.spec.Every, f.spec.RotateRequest = f.now, time.Hour, "now"
		},
			[]lifecycle.Step{record, deliver, settle, rest}, []string{"k2"}, 0},
		"rotation.after of an expired object": {func(f *fixture) {
			f.now = f.now.Add(time.Hour)
			f.spec.RotateAfter, f.spec.ExpiresAt = f.now, f.now
		},
			[]lifecycle.Step{lifecycle.Amend, rest}, []string{"k1"}, 0},
		"the pepper is gone, rotation.after has come": {func(f *fixture) {
			f.die(lifecycle.PepperGone)
			f.now = f.now.Add(time.Hour)
			f.spec.RotateAfter = f.now
		},
			[]lifecycle.Step{record, deliver, settle, rest}, []string{"k2"}, 0},
	})
}

// Only a status edited by hand has such keys.
func TestDecide_StepsFromUnusualStates(t *testing.T) {
	checkSteps(t, map[string]change{
		"an overlapping key without a current one": {func(f *fixture) {
			f.spec.Overlap = time.Hour
			k := &f.status.Keys[0]
			k.State, k.ExpiresAt = lifecycle.StateOverlapping, f.now.Add(time.Minute)
		},
			[]lifecycle.Step{look, record, deliver, settle, rest}, []string{"k2", "k1"}, 0},
		"an overlapping key without an end and no current one": {func(f *fixture) {
			f.spec.Overlap, f.status.Keys[0].State = time.Hour, lifecycle.StateOverlapping
		},
			[]lifecycle.Step{drop, look, record, deliver, settle, rest}, []string{"k2"}, 0},
		"a second current key": {func(f *fixture) {
			second := f.status.Keys[0]
			second.ID, second.IssuedAt, second.ExpiresAt = "k0", second.IssuedAt.Add(-time.Hour), f.now.Add(time.Hour)
			f.spec.Overlap, f.status.Keys = time.Hour, append(f.status.Keys, second)
		},
			[]lifecycle.Step{drop, rest}, []string{"k1"}, 0},
	})
}

func TestDecide_NextRotationIsTheEarliest(t *testing.T) {
	start := newFixture().now
	for name, c := range map[string]struct {
		every time.Duration
		after time.Time
		want  time.Time
	}{
		"none":                     {0, time.Time{}, time.Time{}},
		"a schedule":               {time.Hour, time.Time{}, start.Add(time.Hour)},
		"after":                    {0, start.Add(time.Minute), start.Add(time.Minute)},
		"after, in whole seconds":  {0, start.Add(time.Minute + 1), start.Add(time.Minute + time.Second)},
		"after, then a schedule":   {time.Hour, start.Add(time.Minute), start.Add(time.Minute)},
		"a schedule, then after":   {time.Hour, start.Add(2 * time.Hour), start.Add(time.Hour)},
		"after, of an earlier key": {0, start.Add(-time.Hour), time.Time{}},
	} {
		f := settledFixture(t)
		f.spec.Every, f.spec.RotateAfter = c.every, c.after
		if plan := f.runOrFail(t); !plan.NextRotation.Equal(c.want) || !plan.WakeAt.Equal(c.want) {
			t.Errorf("%s: next rotation %v, wakes at %v, want %v", name, plan.NextRotation, plan.WakeAt, c.want)
		}
	}
}

// A clock that steps back after a rotation does not repeat it.
func TestDecide_RotatesOnceAfterAnInstant(t *testing.T) {
	f := settledFixture(t)
	f.spec.RotateAfter = f.now.Add(time.Hour)
	for _, since := range []time.Duration{
		time.Hour, time.Hour + 1, 0, 2 * time.Hour, 59 * time.Minute, time.Hour + time.Second, 3 * time.Hour,
	} {
		f.now = f.spec.RotateAfter.Add(since - time.Hour)
		f.runOrFail(t)
		if f.generated != 2 {
			t.Fatalf("%s after the first issue: %d keys", since, f.generated)
		}
	}
}
