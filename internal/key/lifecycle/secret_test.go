package lifecycle_test

import (
	"slices"
	"testing"
	"time"

	"keywright.dev/keywright/internal/key/lifecycle"
)

func TestDecide_AnotherType(t *testing.T) {
	checkSteps(t, map[string]change{
		"another type": {func(f *fixture) { f.secret.typed = true; f.spec.Overlap = time.Hour },
			[]lifecycle.Step{look, record, remove, deliver, settle, rest}, []string{"k2", "k1"}, 0},
		"another type, and the key in hand was lost": {func(f *fixture) {
			f.secret.typed, f.spec.Overlap = true, time.Hour
			f.status.Keys = append(f.status.Keys, lifecycle.Key{ID: "lost", State: lifecycle.StatePending, IssuedAt: f.now})
		},
			[]lifecycle.Step{look, record, remove, deliver, settle, rest}, []string{"k2", "k1"}, 0},
		"another type of an expired key": {func(f *fixture) { f.secret.typed, f.spec.ExpiresAt = true, f.now },
			[]lifecycle.Step{lifecycle.Amend, look, rest}, []string{"k1"}, 0},
		"another type of a Secret that was handed over": {func(f *fixture) { f.secret.typed, f.secret.adopt = true, true },
			[]lifecycle.Step{guard, read, stall}, []string{"k1"}, lifecycle.TypeConflict},
	})
}

func TestDecide_Orphan(t *testing.T) {
	checkSteps(t, map[string]change{
		"orphan asked for": {func(f *fixture) { f.spec.Orphan = true },
			[]lifecycle.Step{guard, rest}, []string{"k1"}, 0},
		"orphan asked for, blocked": {func(f *fixture) { f.spec.Orphan, f.spec.Blocked = true, true },
			[]lifecycle.Step{guard, stall}, []string{"k1"}, lifecycle.ByBlock},
		"orphan no longer asked for": {func(f *fixture) { f.status.Guarded = true },
			[]lifecycle.Step{lifecycle.Unguard, rest}, []string{"k1"}, 0},
		"orphan, deleted": {func(f *fixture) { f.spec.Orphan, f.status.Guarded, f.spec.Deleted = true, true, true },
			[]lifecycle.Step{drop, lifecycle.Release, lifecycle.Unguard, rest}, nil, 0},
		"orphan, deleted before the cache shows the Secret": {func(f *fixture) {
			f.spec.Orphan, f.status.Guarded, f.spec.Deleted, f.cache = true, true, true, &secret{}
		},
			[]lifecycle.Step{drop, look, lifecycle.Release, lifecycle.Unguard, rest}, nil, 0},
		"orphan, deleted without its Secret": {func(f *fixture) {
			f.spec.Orphan, f.status.Guarded, f.spec.Deleted, f.secret = true, true, true, secret{}
		},
			[]lifecycle.Step{drop, look, lifecycle.Unguard, rest}, nil, 0},
		"orphan, deleted with the Secret of a former name": {func(f *fixture) {
			f.spec.Orphan, f.status.Guarded, f.spec.Deleted, f.stray = true, true, true, true
		},
			[]lifecycle.Step{drop, lifecycle.RemoveStrays, lifecycle.Release, lifecycle.Unguard, rest}, nil, 0},
		"orphan, revoked": {func(f *fixture) { f.spec.Orphan, f.status.Guarded, f.spec.Revoked = true, true, true },
			[]lifecycle.Step{drop, remove, lifecycle.Unguard, rest}, nil, 0},
	})
}

// The finalizer is there before the Secret is: no deletion in between lets the garbage collector have it.
func TestDecide_GuardsAnOrphanBeforeItIsIssued(t *testing.T) {
	f := newFixture()
	f.spec.Orphan = true
	f.runOrFail(t)
	if want := []lifecycle.Step{guard, look, record, deliver, settle, rest}; !slices.Equal(f.steps, want) {
		t.Fatalf("steps %v, want %v", f.steps, want)
	}
	byAPI := newFixture()
	byAPI.spec.Orphan, byAPI.spec.ByAPI = true, true
	byAPI.runOrFail(t)
	if slices.Contains(byAPI.steps, guard) {
		t.Fatalf("steps %v: a key without a Secret has none to leave behind", byAPI.steps)
	}
}
