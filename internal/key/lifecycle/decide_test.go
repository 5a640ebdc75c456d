package lifecycle_test

import (
	"slices"
	"testing"
	"time"

	"keywright.dev/keywright/internal/key/lifecycle"
)

func sorted(names []string) []string {
	slices.Sort(names)
	return names
}

// settledFixture returns an object whose first key is in its Secret.
func settledFixture(t *testing.T) *fixture {
	t.Helper()
	f := newFixture()
	if _, err := f.run(f.checkStep, never); err != nil {
		t.Fatal(err)
	}
	f.steps = nil
	return f
}

func ids(f *fixture) []string {
	var out []string
	for _, k := range f.status.Keys {
		out = append(out, k.ID)
	}
	return out
}

const (
	look    = lifecycle.Look
	read    = lifecycle.Read
	record  = lifecycle.Record
	deliver = lifecycle.Deliver
	settle  = lifecycle.Settle
	drop    = lifecycle.Drop
	remove  = lifecycle.Remove
	rest    = lifecycle.Rest
	stall   = lifecycle.Stall
	guard   = lifecycle.Guard
)

func TestDecide_StepsFromRest(t *testing.T) {
	checkSteps(t, map[string]change{
		"nothing": {func(*fixture) {}, []lifecycle.Step{rest}, []string{"k1"}, 0},
		"rotation requested": {func(f *fixture) { f.spec.RotateRequest = "now" },
			[]lifecycle.Step{record, deliver, settle, rest}, []string{"k2"}, 0},
		"the same request again": {func(f *fixture) { f.spec.RotateRequest = "x"; f.status.LastRotateRequest = "x" },
			[]lifecycle.Step{rest}, []string{"k1"}, 0},
		"rotation with overlap": {func(f *fixture) { f.spec.RotateRequest = "now"; f.spec.Overlap = time.Hour },
			[]lifecycle.Step{record, deliver, settle, rest}, []string{"k2", "k1"}, 0},
		"rotation due": {func(f *fixture) { f.spec.Every = time.Hour; f.now = f.now.Add(time.Hour) },
			[]lifecycle.Step{record, deliver, settle, rest}, []string{"k2"}, 0},
		"rotation not yet due": {func(f *fixture) { f.spec.Every = time.Hour; f.now = f.now.Add(time.Hour - 1) },
			[]lifecycle.Step{rest}, []string{"k1"}, 0},
		"demoted": {func(f *fixture) { f.spec.Revoked = true },
			[]lifecycle.Step{drop, remove, rest}, nil, 0},
		"Secret deleted, keep": {func(f *fixture) { f.secret = secret{} },
			[]lifecycle.Step{look, rest}, []string{"k1"}, 0},
		"Secret deleted, reissue": {func(f *fixture) {
			f.secret = secret{}
			f.spec.Reissue = true
			f.spec.Overlap = time.Hour
		},
			[]lifecycle.Step{look, record, deliver, settle, rest}, []string{"k2"}, 0},
		"Secret edited, keep": {func(f *fixture) { f.edit("other", true) },
			[]lifecycle.Step{read, rest}, []string{"k1"}, 0},
		"Secret edited, reissue": {func(f *fixture) { f.edit("other", true); f.spec.Reissue = true },
			[]lifecycle.Step{read, record, deliver, settle, rest}, []string{"k2"}, 0},
		"Secret emptied, reissue": {func(f *fixture) { f.edit("", false); f.spec.Reissue = true },
			[]lifecycle.Step{read, record, deliver, settle, rest}, []string{"k2"}, 0},
		"Secret touched, same content": {func(f *fixture) { f.secret.intact = false },
			[]lifecycle.Step{read, deliver, rest}, []string{"k1"}, 0},
		"brought key in an own Secret": {func(f *fixture) { f.edit("brought", true); f.secret.adopt = true },
			[]lifecycle.Step{guard, read, record, deliver, settle, rest}, []string{"brought"}, 0},
		"brought key unusable": {func(f *fixture) { f.edit("", false); f.secret.adopt = true },
			[]lifecycle.Step{guard, read, stall}, []string{"k1"}, lifecycle.InvalidKey},
		"a retired key brought back": {func(f *fixture) {
			f.edit("old", true)
			f.secret.adopt = true
			f.status.AdoptedKeyIDs = []string{"older", "old"}
		},
			[]lifecycle.Step{guard, read, stall}, []string{"k1"}, lifecycle.RetiredKey},
		"digest removed from status": {func(f *fixture) { f.status.Keys = nil },
			[]lifecycle.Step{look, record, deliver, settle, rest}, []string{"k2"}, 0},
		"Secret replaced by a copy, demoted": {func(f *fixture) {
			f.spec.Revoked, f.secret.intact, f.secret.copied = true, false, true
		},
			[]lifecycle.Step{drop, rest}, nil, 0},
		"re-applied, a copy with the former owner": {func(f *fixture) {
			f.status = lifecycle.Status{}
			f.leave()
			f.secret.intact, f.secret.copied = false, true
		},
			[]lifecycle.Step{stall}, nil, lifecycle.SecretConflict},
		"restored with its status, without managed fields": {func(f *fixture) {
			f.leave()
			f.secret.intact, f.secret.copied = false, true
		},
			[]lifecycle.Step{read, deliver, rest}, []string{"k1"}, 0},
		"username taken": {func(f *fixture) { f.spec.Blocked = true },
			[]lifecycle.Step{stall}, []string{"k1"}, lifecycle.ByBlock},
		"the user is gone": {func(f *fixture) { f.spec.Blocked, f.spec.Rebind = true, true },
			[]lifecycle.Step{stall}, []string{"k1"}, lifecycle.ByBlock},
		"the user is gone, rotation requested too early": {func(f *fixture) {
			f.spec.Blocked, f.spec.RotateRequest = true, "now"
		},
			[]lifecycle.Step{stall}, []string{"k1"}, lifecycle.ByBlock},
		"the user is gone, rotation requested": {func(f *fixture) {
			f.spec.Blocked, f.spec.Rebind, f.spec.RotateRequest, f.spec.Overlap = true, true, "now", time.Hour
		},
			[]lifecycle.Step{lifecycle.Rebind, look, record, deliver, settle, rest}, []string{"k2"}, 0},
		"the user is gone, rotation due": {func(f *fixture) {
			f.spec.Blocked, f.spec.Rebind, f.spec.Every = true, true, time.Hour
			f.spec.RotateAfter, f.now = f.now.Add(time.Hour), f.now.Add(time.Hour)
		},
			[]lifecycle.Step{stall}, []string{"k1"}, lifecycle.ByBlock},
		"the user is gone, and the Secret": {func(f *fixture) {
			f.spec.Blocked, f.spec.Rebind, f.spec.Reissue, f.secret = true, true, true, secret{}
		},
			[]lifecycle.Step{stall}, []string{"k1"}, lifecycle.ByBlock},
		"the user is gone, demoted": {func(f *fixture) {
			f.spec.Blocked, f.spec.Rebind, f.spec.Revoked, f.spec.RotateRequest = true, true, true, "now"
		},
			[]lifecycle.Step{drop, remove, rest}, nil, 0},
		"Secret replaced by a foreign one": {func(f *fixture) {
			f.secret = secret{owner: lifecycle.Foreign}
			f.spec.RotateRequest = "now"
		},
			[]lifecycle.Step{stall}, []string{"k1"}, lifecycle.SecretConflict},
		"re-applied": {func(f *fixture) { f.status = lifecycle.Status{}; f.leave() },
			[]lifecycle.Step{remove, record, deliver, settle, rest}, []string{"k2"}, 0},
		"re-applied, Secret annotated": {func(f *fixture) { f.status = lifecycle.Status{}; f.leave(); f.secret.adopt = true },
			[]lifecycle.Step{read, record, deliver, settle, guard, rest}, []string{"k1"}, 0},
		"restored with its status": {func(f *fixture) { f.leave() },
			[]lifecycle.Step{read, deliver, rest}, []string{"k1"}, 0},
		"restored with its status and without its owner, reissue": {func(f *fixture) { f.spec.Reissue = true; f.disown() },
			[]lifecycle.Step{look, read, deliver, rest}, []string{"k1"}, 0},
		"restored without its owner, rotation requested": {func(f *fixture) { f.spec.RotateRequest = "now"; f.disown() },
			[]lifecycle.Step{look, read, deliver, record, deliver, settle, rest}, []string{"k2"}, 0},
		"restored without its owner, with another key": {func(f *fixture) { f.disown(); f.secret.content = "other" },
			[]lifecycle.Step{look, read, rest}, []string{"k1"}, 0},
		"restored without its owner and its status": {func(f *fixture) { f.disown(); f.status = lifecycle.Status{} },
			[]lifecycle.Step{look, stall}, nil, lifecycle.SecretConflict},
		"without its owner, not restored": {func(f *fixture) { f.disown(); f.status.Restored = false },
			[]lifecycle.Step{look, rest}, []string{"k1"}, 0},
		"renamed": {func(f *fixture) { f.rename() },
			[]lifecycle.Step{look, record, deliver, settle, lifecycle.RemoveStrays, rest}, []string{"k2"}, 0},
		"renamed, with overlap, reissue": {func(f *fixture) { f.rename(); f.spec.Reissue = true; f.spec.Overlap = time.Hour },
			[]lifecycle.Step{look, record, deliver, settle, lifecycle.RemoveStrays, rest}, []string{"k2", "k1"}, 0},
		"status emptied": {func(f *fixture) { f.status = lifecycle.Status{} },
			[]lifecycle.Step{look, record, deliver, settle, rest}, []string{"k2"}, 0},
		"another digest put into status": {func(f *fixture) { f.status.Keys[0].ID = "pasted"; f.spec.Reissue = true },
			[]lifecycle.Step{look, record, deliver, settle, rest}, []string{"k2"}, 0},
		"another entry": {func(f *fixture) { f.secret.moved = true; f.spec.Overlap = time.Hour },
			[]lifecycle.Step{look, record, deliver, settle, rest}, []string{"k2", "k1"}, 0},
		"restored, reissue": {func(f *fixture) { f.secret = secret{}; f.spec.Reissue = true; f.status.Restored = true },
			[]lifecycle.Step{look, rest}, []string{"k1"}, 0},
		"restored, rotation requested": {func(f *fixture) {
			f.secret = secret{}
			f.status.Restored = true
			f.spec.RotateRequest = "now"
		},
			[]lifecycle.Step{look, record, deliver, settle, rest}, []string{"k2"}, 0},
		"expired by its ttl, Secret lost, reissue": {func(f *fixture) {
			f.spec.TTL, f.spec.Reissue, f.secret = time.Minute, true, secret{}
			f.now = f.now.Add(time.Hour)
		},
			[]lifecycle.Step{lifecycle.Amend, look, rest}, []string{"k1"}, 0},
		"the pepper is gone": {func(f *fixture) {
			f.die(lifecycle.PepperGone)
			f.spec.Every = time.Hour
			f.now = f.now.Add(time.Hour)
		},
			[]lifecycle.Step{stall}, []string{"k1"}, lifecycle.LostPepper},
		"the pepper is gone, rotation requested": {func(f *fixture) {
			f.die(lifecycle.PepperGone)
			f.spec.Overlap, f.spec.RotateRequest = time.Hour, "now"
		},
			[]lifecycle.Step{record, deliver, settle, rest}, []string{"k2"}, 0},
		"another object has the key": {func(f *fixture) { f.die(lifecycle.Taken) },
			[]lifecycle.Step{stall}, []string{"k1"}, lifecycle.KeyTaken},
		"the cache lags behind a deleted Secret": {func(f *fixture) {
			f.lag()
			f.secret = secret{}
			f.spec.RotateRequest = "now"
		},
			[]lifecycle.Step{record, deliver, look, record, deliver, settle, rest}, []string{"k3"}, 0},
		"blocked, and the end goes": {func(f *fixture) {
			f.spec.ExpiresAt = f.now.Add(time.Hour)
			f.runOrFail(t)
			f.steps, f.spec.Blocked, f.spec.ExpiresAt = nil, true, time.Time{}
		},
			[]lifecycle.Step{stall}, []string{"k1"}, lifecycle.ByBlock},
		"another digest put into status, with overlap": {func(f *fixture) {
			f.status.Keys[0].ID = "pasted"
			f.spec.Reissue, f.spec.Overlap = true, time.Hour
		},
			[]lifecycle.Step{look, record, deliver, settle, rest}, []string{"k2", "pasted"}, 0},
		"the digest of a younger object put into status, with overlap": {func(f *fixture) {
			f.status.Keys[0].ID, f.status.Keys[0].Shared = "pasted", true
			f.spec.Reissue, f.spec.Overlap = true, time.Hour
		},
			[]lifecycle.Step{look, record, deliver, settle, rest}, []string{"k2"}, 0},
		"relabelled": {func(f *fixture) { f.secret.stale = true },
			[]lifecycle.Step{lifecycle.Relabel, rest}, []string{"k1"}, 0},
	})
}

// change is what happens to an object at rest with key k1, the steps it takes, and the keys it has afterwards.
type change struct {
	happens func(*fixture)
	steps   []lifecycle.Step
	keys    []string
	stall   lifecycle.StallCause
}

func checkSteps(t *testing.T, changes map[string]change) {
	t.Helper()
	for name, c := range changes {
		t.Run(name, func(t *testing.T) {
			f := settledFixture(t)
			c.happens(f)
			plan, err := f.run(f.checkStep, never)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(f.steps, c.steps) || !slices.Equal(ids(f), c.keys) || plan.Stall != c.stall {
				t.Fatalf("steps %v keys %v stall %d\nwant  %v keys %v stall %d", f.steps, ids(f), plan.Stall, c.steps, c.keys,
					c.stall)
			}
		})
	}
}

// A rename to a foreign Secret can be reverted, or changed to a third name, without losing the key.
func TestDecide_RenameInConflictLosesNoKey(t *testing.T) {
	for _, reissue := range []bool{true, false} {
		f := settledFixture(t)
		f.spec.Reissue, f.spec.Overlap = reissue, time.Hour
		f.rename()
		f.secret = secret{owner: lifecycle.Foreign, content: "theirs"}
		if plan := f.runOrFail(t); plan.Stall != lifecycle.SecretConflict || f.status.SecretName != "alice-admin-key" {
			t.Fatalf("%+v, status %+v", plan, f.status)
		}
		f.spec.SecretName += "y"
		f.secret = secret{}
		f.runOrFail(t)
		if !slices.Equal(ids(f), []string{"k2", "k1"}) || f.secret.content != "k2" || f.stray {
			t.Fatalf("reissue %t: keys %v, Secret %+v, stray %t", reissue, ids(f), f.secret, f.stray)
		}
	}
}

func TestDecide_RestReportsLostCause(t *testing.T) {
	for want, happens := range map[lifecycle.Cause]func(*fixture){
		lifecycle.SecretDeleted: func(f *fixture) { f.secret = secret{} },
		lifecycle.SecretChanged: func(f *fixture) { f.edit("other", true) },
		lifecycle.RecordChanged: func(f *fixture) { f.status.Keys[0].ID = "pasted" },
		lifecycle.Restored:      func(f *fixture) { f.secret, f.status.Restored = secret{}, true },
		"":                      func(*fixture) {},
	} {
		f := settledFixture(t)
		happens(f)
		if plan := f.runOrFail(t); plan.Lost != want {
			t.Errorf("%q, want %q", plan.Lost, want)
		}
	}
}

func TestDecide_FirstIssueTakesThreeWrites(t *testing.T) {
	f := newFixture()
	if _, err := f.run(f.checkStep, never); err != nil {
		t.Fatal(err)
	}
	if want := []lifecycle.Step{look, record, deliver, settle, rest}; !slices.Equal(f.steps, want) {
		t.Fatalf("steps %v, want %v", f.steps, want)
	}
}

// The Secret did not exist yet when the digest was recorded.
func TestDecide_LeavesASecretThatAppearsDuringAnIssue(t *testing.T) {
	f := newFixture()
	f.do(lifecycle.Decide(f.facts()))
	f.do(lifecycle.Decide(f.facts()))
	f.secret = secret{owner: lifecycle.Foreign, content: "theirs"}
	plan := f.runOrFail(t)
	if plan.Stall != lifecycle.SecretConflict || f.secret.content != "theirs" || len(f.status.Keys) != 0 {
		t.Fatalf("%+v, Secret %+v, keys %v", plan, f.secret, ids(f))
	}
}

func TestDecide_BlockedKeepsDelivered(t *testing.T) {
	f := settledFixture(t)
	f.spec.Blocked, f.secret.intact = true, false
	f.runOrFail(t)
	f.spec.Blocked = false
	if plan := f.runOrFail(t); !plan.Delivered || f.generated != 1 {
		t.Fatalf("the Secret that holds the key is given up: %+v", plan)
	}
}

func TestDecide_WaitsForAPI(t *testing.T) {
	f := newFixture()
	f.spec.ByAPI, f.spec.RotateAfter = true, f.now.Add(time.Minute)
	plan, err := f.run(f.checkStep, never)
	if err != nil || plan.Stall != lifecycle.AwaitingKey || f.generated != 0 {
		t.Fatalf("%+v, %v", plan, err)
	}
	f.status.Keys = []lifecycle.Key{{ID: "api", State: lifecycle.StateCurrent}}
	plan, err = f.run(f.checkStep, never)
	if err != nil || plan.Step != rest || f.generated != 0 {
		t.Fatalf("%+v, %v", plan, err)
	}
	f.now = f.spec.RotateAfter
	plan, err = f.run(f.checkStep, never)
	if err != nil || plan.Step != rest || f.generated != 0 || !plan.NextRotation.IsZero() {
		t.Fatalf("only the API replaces its key: %+v, %v", plan, err)
	}
}

// The API creates the object first and then issues the key. Seeing it in between is not a problem to report.
func TestDecide_AwaitsAPIBeforeItStalls(t *testing.T) {
	f := newFixture()
	f.spec.ByAPI, f.spec.AwaitUntil = true, f.now.Add(10*time.Second)
	plan, err := f.run(f.checkStep, never)
	if err != nil || plan.Step != lifecycle.Await || !plan.WakeAt.Equal(f.spec.AwaitUntil) {
		t.Fatalf("%+v, %v", plan, err)
	}
	f.now = f.spec.AwaitUntil
	if plan, err = f.run(f.checkStep, never); err != nil || plan.Stall != lifecycle.AwaitingKey {
		t.Fatalf("%+v, %v", plan, err)
	}
	f.now = f.now.Add(-time.Second)
	f.status.Keys = []lifecycle.Key{{ID: "api", State: lifecycle.StateCurrent}}
	if plan, err = f.run(f.checkStep, never); err != nil || plan.Step != rest {
		t.Fatalf("%+v, %v", plan, err)
	}
}

func TestDecide_DeletedObjectReleasesAdoptedSecret(t *testing.T) {
	for _, adopt := range []bool{false, true} {
		f := settledFixture(t)
		f.secret.adopt, f.spec.Deleted = adopt, true
		f.runOrFail(t)
		kept := secret{owner: lifecycle.Foreign, keyID: "k1", content: "k1", usable: true, intact: true, adopt: true}
		if len(f.status.Keys) != 0 || (f.secret == kept) != adopt || f.status.Guarded {
			t.Fatalf("annotated %t: keys %v, Secret %+v", adopt, ids(f), f.secret)
		}
	}
}

// A GitOps tool that keeps writing an old key back must not undo its rotation.
func TestDecide_NeverAdoptsARetiredKey(t *testing.T) {
	f := newFixture()
	f.secret = secret{owner: lifecycle.Foreign, content: "git", usable: true, adopt: true}
	f.runOrFail(t)
	f.spec.RotateRequest = "leaked"
	f.runOrFail(t)
	for range 3 {
		f.edit("git", true)
		if plan := f.runOrFail(t); plan.Stall != lifecycle.RetiredKey || f.accepted("git") || f.generated != 1 {
			t.Fatalf("%+v, %d generated, old key accepted: %t", plan, f.generated, f.accepted("git"))
		}
	}
}

func (f *fixture) runOrFail(t *testing.T) lifecycle.Plan {
	t.Helper()
	plan, err := f.run(f.checkStep, never)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func TestDecide_EveryCrashPointConverges(t *testing.T) {
	for stopAfter := 1; stopAfter <= 8; stopAfter++ {
		f := settledFixture(t)
		f.spec.RotateRequest = "now"
		left := stopAfter
		if _, err := f.run(f.checkStep, func() bool { left--; return left == 0 }); err != nil {
			t.Fatal(err)
		}
		f.runOrFail(t)
		if len(f.status.Keys) != 1 || f.secret.content != f.status.Keys[0].ID || f.status.Keys[0].ID == "k1" {
			t.Fatalf("stopped after %d steps: keys %v, Secret %+v", stopAfter, ids(f), f.secret)
		}
	}
}
