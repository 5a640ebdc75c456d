package lifecycle_test

import (
	"slices"
	"testing"
	"time"

	"keywright.dev/keywright/internal/key/lifecycle"
)

// loss is what takes the key out of the Secret, a while after the last decision, and how long Keywright then pauses.
type loss struct {
	after time.Duration
	by    string
	pause time.Duration
}

func TestDecide_PausesAgainstAWriter(t *testing.T) {
	const minute, second = time.Minute, time.Second
	for name, losses := range map[string][]loss{
		"twice":          {{0, "tool", 0}, {0, "tool", 0}},
		"the third time": {{0, "tool", 0}, {minute, "tool", 0}, {minute, "tool", minute}},
		"with growing steps": {
			{0, "a", 0}, {0, "a", 0}, {0, "a", minute}, {0, "a", 2 * minute}, {0, "a", 4 * minute}, {0, "a", 8 * minute},
			{0, "a", 10 * minute}, {0, "a", 10 * minute},
		},
		"a deletion":   {{0, "", 0}, {0, "", 0}, {0, "", minute}},
		"just in time": {{0, "a", 0}, {10*minute - second, "a", 0}, {10*minute - second, "a", minute}},
		"too late": {
			{0, "a", 0}, {10*minute - second, "a", 0}, {10 * minute, "a", 0}, {0, "a", 0}, {0, "a", minute},
		},
		"peace after a pause": {
			{0, "a", 0}, {0, "a", 0}, {0, "a", minute}, {10*minute - second, "a", 2 * minute}, {10 * minute, "a", 0},
		},
		"by several":           {{0, "a", 0}, {0, "b", 0}, {0, "a", 0}, {0, "b", 0}, {0, "b", 0}, {0, "b", minute}},
		"by one after another": {{0, "a", 0}, {0, "a", 0}, {0, "a", minute}, {0, "b", 0}, {0, "b", 0}, {0, "b", minute}},
	} {
		t.Run(name, func(t *testing.T) {
			f := settledFixture(t)
			f.spec.Reissue = true
			for i, l := range losses {
				f.now = f.now.Add(l.after)
				checkLoss(t, f, i, l)
			}
		})
	}
}

// What is repaired without a new key is counted like a loss of the key, unless the spec has changed.
func TestDecide_PausesBeforeRepairs(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(*fixture)
		step    lifecycle.Step
	}{
		"labels":   {func(f *fixture) { f.secret.stale = true }, lifecycle.Relabel},
		"metadata": {func(f *fixture) { f.secret.intact = false }, deliver},
	} {
		t.Run(name, func(t *testing.T) {
			f := settledFixture(t)
			for range 5 {
				f.steps = nil
				c.happens(f)
				f.runOrFail(t)
				if !slices.Contains(f.steps, c.step) || slices.Contains(f.steps, lifecycle.Note) {
					t.Fatalf("after a change of the spec: %v", f.steps)
				}
			}
			f.spec.Observed = true
			for i, pause := range []time.Duration{0, 0, time.Minute, 2 * time.Minute, 4 * time.Minute} {
				f.steps = nil
				c.happens(f)
				plan := f.runOrFail(t)
				if pause > 0 {
					if plan.Stall != lifecycle.SecretFight || !plan.WakeAt.Equal(f.now.Add(pause)) {
						t.Fatalf("change %d: %+v, want a pause of %s", i, plan, pause)
					}
					f.now = plan.WakeAt
					f.runOrFail(t)
				}
				if !slices.Contains(f.steps, c.step) || !slices.Equal(ids(f), []string{"k1"}) {
					t.Fatalf("change %d: steps %v, keys %v", i, f.steps, ids(f))
				}
			}
		})
	}
}

// checkLoss lets a key be lost and checks that the next one is issued after the pause and not before.
func checkLoss(t *testing.T, f *fixture, number int, l loss) {
	t.Helper()
	f.edit("other", true)
	f.secret.by = l.by
	before := ids(f)
	plan := f.runOrFail(t)
	if l.pause > 0 {
		if plan.Stall != lifecycle.SecretFight || !plan.WakeAt.Equal(f.now.Add(l.pause)) || !slices.Equal(ids(f), before) {
			t.Fatalf("loss %d: %+v, keys %v, want a pause of %s", number, plan, ids(f), l.pause)
		}
		f.now = plan.WakeAt.Add(-1)
		if plan = f.runOrFail(t); plan.Stall != lifecycle.SecretFight {
			t.Fatalf("loss %d: a key is issued before the pause has ended", number)
		}
		f.now = f.now.Add(1)
		plan = f.runOrFail(t)
	}
	if plan.Step != lifecycle.Rest || !plan.Delivered || f.secret.content == before[0] {
		t.Fatalf("loss %d: %+v, Secret %+v", number, plan, f.secret)
	}
}

func TestDecide_RequestEndsAPause(t *testing.T) {
	f := settledFixture(t)
	f.spec.Reissue = true
	for range 3 {
		f.edit("other", true)
		f.runOrFail(t)
	}
	f.spec.RotateRequest = "now"
	if plan := f.runOrFail(t); plan.Step != lifecycle.Rest || !plan.Delivered {
		t.Fatalf("%+v", plan)
	}
}

// After a refusal no key is recorded before the API server accepts the Secret.
func TestDecide_TriesBeforeItRecordsAfterARefusal(t *testing.T) {
	f := newFixture()
	facts := f.facts()
	facts.Secret.Live, facts.Status.Refused = true, true
	if plan := lifecycle.Decide(facts); plan.Step != lifecycle.Try {
		t.Fatalf("%+v", plan)
	}
	facts.Secret.Accepted = true
	if plan := lifecycle.Decide(facts); plan.Step != lifecycle.Record {
		t.Fatalf("%+v", plan)
	}
}

func TestDecide_RefusalEndsEveryRun(t *testing.T) {
	for name, happens := range map[string]func(*lifecycle.Facts){
		"at a first issue": func(*lifecycle.Facts) {},
		"at a removal":     func(f *lifecycle.Facts) { f.Spec.Revoked, f.Secret.Owner = true, lifecycle.Own },
		"at a finalizer":   func(f *lifecycle.Facts) { f.Spec.Orphan = true },
		"with a pending key": func(f *lifecycle.Facts) {
			f.InHand, f.Status.Keys = "k1", []lifecycle.Key{{ID: "k1", State: lifecycle.StatePending}}
		},
	} {
		facts := newFixture().facts()
		happens(&facts)
		facts.Refused = true
		if plan := lifecycle.Decide(facts); plan.Stall != lifecycle.WriteRefused || len(plan.Keys) > 0 {
			t.Errorf("%s: %+v", name, plan)
		}
	}
}
