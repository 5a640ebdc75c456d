package lifecycle_test

import (
	"slices"
	"strconv"
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
	w := newFixture()
	if _, err := w.run(w.checkStep, never); err != nil {
		t.Fatal(err)
	}
	w.steps = nil
	return w
}

func ids(w *fixture) []string {
	var out []string
	for _, k := range w.status.Keys {
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

// Each row: what happened to an object at rest with key k1, the steps it takes, the keys it has afterwards.
func TestDecide_StepsFromRest(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(*fixture)
		steps   []lifecycle.Step
		keys    []string
		stall   lifecycle.StallCause
	}{
		"nothing": {func(*fixture) {}, []lifecycle.Step{rest}, []string{"k1"}, 0},
		"rotation requested": {func(w *fixture) { w.spec.RotateRequest = "now" },
			[]lifecycle.Step{record, deliver, settle, rest}, []string{"k2"}, 0},
		"the same request again": {func(w *fixture) { w.spec.RotateRequest = "x"; w.status.LastRotateRequest = "x" },
			[]lifecycle.Step{rest}, []string{"k1"}, 0},
		"rotation with overlap": {func(w *fixture) { w.spec.RotateRequest = "now"; w.spec.Overlap = time.Hour },
			[]lifecycle.Step{record, deliver, settle, rest}, []string{"k2", "k1"}, 0},
		"rotation due": {func(w *fixture) { w.spec.Every = time.Hour; w.now = w.now.Add(time.Hour) },
			[]lifecycle.Step{record, deliver, settle, rest}, []string{"k2"}, 0},
		"rotation not yet due": {func(w *fixture) { w.spec.Every = time.Hour; w.now = w.now.Add(time.Hour - 1) },
			[]lifecycle.Step{rest}, []string{"k1"}, 0},
		"demoted": {func(w *fixture) { w.spec.Revoked = true },
			[]lifecycle.Step{drop, remove, rest}, nil, 0},
		"Secret deleted, keep": {func(w *fixture) { w.secret = secret{} },
			[]lifecycle.Step{look, rest}, []string{"k1"}, 0},
		"Secret deleted, reissue": {func(w *fixture) {
			w.secret = secret{}
			w.spec.Reissue = true
			w.spec.Overlap = time.Hour
		},
			[]lifecycle.Step{look, record, deliver, settle, rest}, []string{"k2"}, 0},
		"Secret edited, keep": {func(w *fixture) { w.edit("other", true) },
			[]lifecycle.Step{read, rest}, []string{"k1"}, 0},
		"Secret edited, reissue": {func(w *fixture) { w.edit("other", true); w.spec.Reissue = true },
			[]lifecycle.Step{read, record, deliver, settle, rest}, []string{"k2"}, 0},
		"Secret emptied, reissue": {func(w *fixture) { w.edit("", false); w.spec.Reissue = true },
			[]lifecycle.Step{read, record, deliver, settle, rest}, []string{"k2"}, 0},
		"Secret touched, same content": {func(w *fixture) { w.secret.intact = false },
			[]lifecycle.Step{read, deliver, rest}, []string{"k1"}, 0},
		"brought key in an own Secret": {func(w *fixture) { w.edit("brought", true); w.secret.adopt = true },
			[]lifecycle.Step{guard, read, record, deliver, settle, rest}, []string{"brought"}, 0},
		"brought key unusable": {func(w *fixture) { w.edit("", false); w.secret.adopt = true },
			[]lifecycle.Step{guard, read, stall}, []string{"k1"}, lifecycle.InvalidKey},
		"a retired key brought back": {func(w *fixture) {
			w.edit("old", true)
			w.secret.adopt = true
			w.status.AdoptedKeys = []string{"older", "old"}
		},
			[]lifecycle.Step{guard, read, stall}, []string{"k1"}, lifecycle.RetiredKey},
		"digest removed from status": {func(w *fixture) { w.status.Keys = nil },
			[]lifecycle.Step{look, record, deliver, settle, rest}, []string{"k2"}, 0},
		"username taken": {func(w *fixture) { w.spec.Blocked = true },
			[]lifecycle.Step{stall}, []string{"k1"}, lifecycle.ByBlock},
		"Secret replaced by a foreign one": {func(w *fixture) {
			w.secret = secret{owner: lifecycle.Foreign}
			w.spec.RotateRequest = "now"
		},
			[]lifecycle.Step{stall}, []string{"k1"}, lifecycle.SecretConflict},
		"re-applied": {func(w *fixture) { w.status = lifecycle.Status{}; w.leave() },
			[]lifecycle.Step{remove, record, deliver, settle, rest}, []string{"k2"}, 0},
		"re-applied, Secret annotated": {func(w *fixture) { w.status = lifecycle.Status{}; w.leave(); w.secret.adopt = true },
			[]lifecycle.Step{read, record, deliver, settle, guard, rest}, []string{"k1"}, 0},
		"restored with its status": {func(w *fixture) { w.leave() },
			[]lifecycle.Step{read, deliver, rest}, []string{"k1"}, 0},
		"renamed": {func(w *fixture) { w.rename() },
			[]lifecycle.Step{look, record, deliver, settle, lifecycle.RemoveStrays, rest}, []string{"k2"}, 0},
		"renamed, with overlap, reissue": {func(w *fixture) { w.rename(); w.spec.Reissue = true; w.spec.Overlap = time.Hour },
			[]lifecycle.Step{look, record, deliver, settle, lifecycle.RemoveStrays, rest}, []string{"k2", "k1"}, 0},
		"status emptied": {func(w *fixture) { w.status = lifecycle.Status{} },
			[]lifecycle.Step{look, record, deliver, settle, rest}, []string{"k2"}, 0},
		"another digest put into status": {func(w *fixture) { w.status.Keys[0].ID = "pasted"; w.spec.Reissue = true },
			[]lifecycle.Step{look, record, deliver, settle, rest}, []string{"k2"}, 0},
		"another entry": {func(w *fixture) { w.secret.moved = true; w.spec.Overlap = time.Hour },
			[]lifecycle.Step{look, record, deliver, settle, rest}, []string{"k2", "k1"}, 0},
		"restored, reissue": {func(w *fixture) { w.secret = secret{}; w.spec.Reissue = true; w.status.Restored = true },
			[]lifecycle.Step{look, rest}, []string{"k1"}, 0},
		"restored, rotation requested": {func(w *fixture) {
			w.secret = secret{}
			w.status.Restored = true
			w.spec.RotateRequest = "now"
		},
			[]lifecycle.Step{look, record, deliver, settle, rest}, []string{"k2"}, 0},
		"expired by its ttl, Secret lost, reissue": {func(w *fixture) {
			w.spec.TTL, w.spec.Reissue, w.secret = time.Minute, true, secret{}
			w.now = w.now.Add(time.Hour)
		},
			[]lifecycle.Step{lifecycle.Amend, look, rest}, []string{"k1"}, 0},
		"the pepper is gone": {func(w *fixture) {
			w.die(lifecycle.PepperGone)
			w.spec.Every = time.Hour
			w.now = w.now.Add(time.Hour)
		},
			[]lifecycle.Step{stall}, []string{"k1"}, lifecycle.LostPepper},
		"the pepper is gone, rotation requested": {func(w *fixture) {
			w.die(lifecycle.PepperGone)
			w.spec.Overlap, w.spec.RotateRequest = time.Hour, "now"
		},
			[]lifecycle.Step{record, deliver, settle, rest}, []string{"k2"}, 0},
		"another object has the key": {func(w *fixture) { w.die(lifecycle.Taken) },
			[]lifecycle.Step{stall}, []string{"k1"}, lifecycle.KeyTaken},
		"the cache lags behind a deleted Secret": {func(w *fixture) {
			w.lag()
			w.secret = secret{}
			w.spec.RotateRequest = "now"
		},
			[]lifecycle.Step{record, deliver, deliver, settle, rest}, []string{"k2"}, 0},
		"blocked, and the end goes": {func(w *fixture) {
			w.spec.ExpiresAt = w.now.Add(time.Hour)
			w.runOrFail(t)
			w.steps, w.spec.Blocked, w.spec.ExpiresAt = nil, true, time.Time{}
		},
			[]lifecycle.Step{stall}, []string{"k1"}, lifecycle.ByBlock},
		"relabelled": {func(w *fixture) { w.secret.stale = true },
			[]lifecycle.Step{lifecycle.Relabel, rest}, []string{"k1"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := settledFixture(t)
			c.happens(w)
			plan, err := w.run(w.checkStep, never)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(w.steps, c.steps) || !slices.Equal(ids(w), c.keys) || plan.Stall != c.stall {
				t.Fatalf("steps %v keys %v stall %d\nwant  %v keys %v stall %d", w.steps, ids(w), plan.Stall, c.steps, c.keys,
					c.stall)
			}
		})
	}
}

// A rename to a foreign Secret can be reverted, or changed to a third name, without losing the key.
func TestDecide_RenameInConflictLosesNoKey(t *testing.T) {
	for _, reissue := range []bool{true, false} {
		w := settledFixture(t)
		w.spec.Reissue, w.spec.Overlap = reissue, time.Hour
		w.rename()
		w.secret = secret{owner: lifecycle.Foreign, content: "theirs"}
		if plan := w.runOrFail(t); plan.Stall != lifecycle.SecretConflict || w.status.SecretName != "alice-admin-key" {
			t.Fatalf("%+v, status %+v", plan, w.status)
		}
		w.spec.SecretName += "y"
		w.secret = secret{}
		w.runOrFail(t)
		if !slices.Equal(ids(w), []string{"k2", "k1"}) || w.secret.content != "k2" || w.stray {
			t.Fatalf("reissue %t: keys %v, Secret %+v, stray %t", reissue, ids(w), w.secret, w.stray)
		}
	}
}

func TestDecide_RestReportsLostCause(t *testing.T) {
	for want, happens := range map[lifecycle.Cause]func(*fixture){
		lifecycle.SecretDeleted: func(w *fixture) { w.secret = secret{} },
		lifecycle.SecretChanged: func(w *fixture) { w.edit("other", true) },
		lifecycle.RecordChanged: func(w *fixture) { w.status.Keys[0].ID = "pasted" },
		lifecycle.Restored:      func(w *fixture) { w.secret, w.status.Restored = secret{}, true },
		"":                      func(*fixture) {},
	} {
		w := settledFixture(t)
		happens(w)
		if plan := w.runOrFail(t); plan.Lost != want {
			t.Errorf("%q, want %q", plan.Lost, want)
		}
	}
}

func TestDecide_FirstIssueTakesThreeWrites(t *testing.T) {
	w := newFixture()
	if _, err := w.run(w.checkStep, never); err != nil {
		t.Fatal(err)
	}
	if want := []lifecycle.Step{look, record, deliver, settle, rest}; !slices.Equal(w.steps, want) {
		t.Fatalf("steps %v, want %v", w.steps, want)
	}
}

// The Secret did not exist yet when the digest was recorded.
func TestDecide_LeavesASecretThatAppearsDuringAnIssue(t *testing.T) {
	w := newFixture()
	w.do(lifecycle.Decide(w.facts()))
	w.do(lifecycle.Decide(w.facts()))
	w.secret = secret{owner: lifecycle.Foreign, content: "theirs"}
	plan := w.runOrFail(t)
	if plan.Stall != lifecycle.SecretConflict || w.secret.content != "theirs" || len(w.status.Keys) != 0 {
		t.Fatalf("%+v, Secret %+v, keys %v", plan, w.secret, ids(w))
	}
}

func TestDecide_BlockedKeepsDelivered(t *testing.T) {
	w := settledFixture(t)
	w.spec.Blocked, w.secret.intact = true, false
	w.runOrFail(t)
	w.spec.Blocked = false
	if plan := w.runOrFail(t); !plan.Delivered || w.generated != 1 {
		t.Fatalf("the Secret that holds the key is given up: %+v", plan)
	}
}

func TestDecide_WaitsForAPI(t *testing.T) {
	w := newFixture()
	w.spec.ByAPI = true
	plan, err := w.run(w.checkStep, never)
	if err != nil || plan.Stall != lifecycle.AwaitingKey || w.generated != 0 {
		t.Fatalf("%+v, %v", plan, err)
	}
	w.status.Keys = []lifecycle.Key{{ID: "api"}}
	plan, err = w.run(w.checkStep, never)
	if err != nil || plan.Step != rest || w.generated != 0 {
		t.Fatalf("%+v, %v", plan, err)
	}
}

// The API creates the object first and then issues the key. Seeing it in between is not a problem to report.
func TestDecide_AwaitsAPIBeforeItStalls(t *testing.T) {
	w := newFixture()
	w.spec.ByAPI, w.spec.AwaitUntil = true, w.now.Add(10*time.Second)
	plan, err := w.run(w.checkStep, never)
	if err != nil || plan.Step != lifecycle.Await || !plan.WakeAt.Equal(w.spec.AwaitUntil) {
		t.Fatalf("%+v, %v", plan, err)
	}
	w.now = w.spec.AwaitUntil
	if plan, err = w.run(w.checkStep, never); err != nil || plan.Stall != lifecycle.AwaitingKey {
		t.Fatalf("%+v, %v", plan, err)
	}
	w.now = w.now.Add(-time.Second)
	w.status.Keys = []lifecycle.Key{{ID: "api"}}
	if plan, err = w.run(w.checkStep, never); err != nil || plan.Step != rest {
		t.Fatalf("%+v, %v", plan, err)
	}
}

func TestDecide_OverlapEndsExactly(t *testing.T) {
	w := settledFixture(t)
	end := w.now.Add(10 * time.Minute)
	w.spec.ExpiresAt, w.spec.RotateRequest, w.spec.Overlap = end, "now", time.Hour
	plan, err := w.run(w.checkStep, never)
	if err != nil || !plan.WakeAt.Equal(end) {
		t.Fatalf("wakes at %v, want the old key's own end %v (%v)", plan.WakeAt, end, err)
	}
	w.now = end.Add(-1)
	if plan = lifecycle.Decide(w.facts()); plan.Step != rest {
		t.Fatalf("%s an instant before the end", plan.Step)
	}
	w.now = end
	if plan = lifecycle.Decide(w.facts()); plan.Step != drop || len(plan.Keys) != 1 {
		t.Fatalf("%s with %d keys at the end", plan.Step, len(plan.Keys))
	}
}

// A person whose key has leaked ends it by a shorter overlap.
func TestDecide_ShorterOverlapEndsOldKeysEarlier(t *testing.T) {
	w := settledFixture(t)
	w.spec.RotateRequest, w.spec.Overlap = "1", time.Hour
	w.runOrFail(t)
	w.now = w.now.Add(10 * time.Minute)
	w.spec.Overlap = 2 * time.Hour
	if plan := w.runOrFail(t); len(w.status.Keys) != 2 || !plan.WakeAt.Equal(w.status.Keys[0].IssuedAt.Add(time.Hour)) {
		t.Fatalf("a longer overlap: keys %v, wakes at %v", w.status.Keys, plan.WakeAt)
	}
	w.spec.Overlap = 20 * time.Minute
	plan := w.runOrFail(t)
	if len(w.status.Keys) != 2 || !plan.WakeAt.Equal(w.status.Keys[0].IssuedAt.Add(20*time.Minute)) {
		t.Fatalf("a shorter overlap: keys %v, wakes at %v", w.status.Keys, plan.WakeAt)
	}
	w.spec.Overlap = 0
	w.runOrFail(t)
	if !slices.Equal(ids(w), []string{"k2"}) {
		t.Fatalf("no overlap: keys %v", ids(w))
	}
}

func TestDecide_OverlappingKeysAreBounded(t *testing.T) {
	w := settledFixture(t)
	w.spec.Overlap = time.Hour
	for i := range 40 {
		w.spec.RotateRequest = strconv.Itoa(i)
		w.runOrFail(t)
	}
	if len(w.status.Keys) != 17 || w.status.Keys[0].ID != "k41" || w.status.Keys[16].ID != "k25" {
		t.Fatalf("%d keys: %v", len(w.status.Keys), ids(w))
	}
}

func TestDecide_DeletedObjectReleasesAdoptedSecret(t *testing.T) {
	for _, adopt := range []bool{false, true} {
		w := settledFixture(t)
		w.secret.adopt, w.spec.Deleted = adopt, true
		w.runOrFail(t)
		kept := secret{owner: lifecycle.Foreign, keyID: "k1", content: "k1", usable: true, intact: true, adopt: true}
		if len(w.status.Keys) != 0 || (w.secret == kept) != adopt || w.status.Guarded {
			t.Fatalf("annotated %t: keys %v, Secret %+v", adopt, ids(w), w.secret)
		}
	}
}

func TestDecide_Expiry(t *testing.T) {
	const minute = time.Minute
	start := newFixture().now
	for name, c := range map[string]struct {
		happens func(*fixture)
		keys    []string
		expired bool
		end     time.Time
	}{
		"not yet": {func(w *fixture) { w.spec.TTL = minute; w.now = start.Add(minute - 1) }, []string{"k1"}, false,
			start.Add(minute)},
		"ttl over": {func(w *fixture) { w.spec.TTL = minute; w.now = start.Add(minute) }, []string{"k1"}, true,
			start.Add(minute)},
		"the earliest end counts": {func(w *fixture) {
			w.spec.TTL, w.spec.MaxTTL = time.Hour, minute
			w.spec.ExpiresAt = start.Add(time.Hour)
		}, []string{"k1"}, false, start.Add(minute)},
		"a fraction of a second": {func(w *fixture) { w.spec.TTL = minute + 1 }, []string{"k1"}, false,
			start.Add(minute + time.Second)},
		"rotated after its ttl": {func(w *fixture) {
			w.spec.TTL = minute
			w.now = start.Add(time.Hour)
			w.spec.RotateRequest = "now"
		}, []string{"k2"}, false, start.Add(time.Hour + minute)},
		"expired, rotation requested": {func(w *fixture) { w.spec.ExpiresAt = start; w.spec.RotateRequest = "now" },
			[]string{"k1"}, true, start},
		"expired, Secret lost": {func(w *fixture) {
			w.spec.ExpiresAt = start
			w.spec.Reissue = true
			w.secret = secret{}
		}, []string{"k1"}, true, start},
		"made longer": {func(w *fixture) {
			w.spec.ExpiresAt = start
			w.runOrFail(t)
			w.spec.ExpiresAt = start.Add(minute)
		}, []string{"k1"}, false, start.Add(minute)},
		"end taken away": {func(w *fixture) {
			w.spec.ExpiresAt = start
			w.runOrFail(t)
			w.spec.ExpiresAt = time.Time{}
		}, []string{"k1"}, false, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			w := settledFixture(t)
			c.happens(w)
			plan := w.runOrFail(t)
			if !slices.Equal(ids(w), c.keys) || plan.Expired != c.expired || !w.status.Keys[0].NotAfter.Equal(c.end) {
				t.Fatalf("keys %v, expired %t, end %v", ids(w), plan.Expired, w.status.Keys[0].NotAfter)
			}
			if plan.Expired != plan.WakeAt.IsZero() && !c.end.IsZero() {
				t.Fatalf("wakes at %v", plan.WakeAt)
			}
		})
	}
}

func TestDecide_IssuesNoEndedKey(t *testing.T) {
	w := newFixture()
	w.spec.ExpiresAt = w.now
	if plan := w.runOrFail(t); plan.Step != rest || !plan.Expired || plan.Delivered || w.generated != 0 {
		t.Fatalf("%+v, %d generated", plan, w.generated)
	}
	w.spec.ExpiresAt = w.now.Add(time.Hour)
	if plan := w.runOrFail(t); plan.Expired || !plan.Delivered || w.generated != 1 {
		t.Fatalf("%+v, %d generated", plan, w.generated)
	}
}

// A GitOps tool that keeps writing an old key back must not undo its rotation.
func TestDecide_NeverAdoptsARetiredKey(t *testing.T) {
	w := newFixture()
	w.secret = secret{owner: lifecycle.Foreign, content: "git", usable: true, adopt: true}
	w.runOrFail(t)
	w.spec.RotateRequest = "leaked"
	w.runOrFail(t)
	for range 3 {
		w.edit("git", true)
		if plan := w.runOrFail(t); plan.Stall != lifecycle.RetiredKey || w.accepted("git") || w.generated != 1 {
			t.Fatalf("%+v, %d generated, old key accepted: %t", plan, w.generated, w.accepted("git"))
		}
	}
}

func (w *fixture) runOrFail(t *testing.T) lifecycle.Plan {
	t.Helper()
	plan, err := w.run(w.checkStep, never)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func TestDecide_EveryCrashPointConverges(t *testing.T) {
	for stopAfter := 1; stopAfter <= 8; stopAfter++ {
		w := settledFixture(t)
		w.spec.RotateRequest = "now"
		left := stopAfter
		if _, err := w.run(w.checkStep, func() bool { left--; return left == 0 }); err != nil {
			t.Fatal(err)
		}
		w.runOrFail(t)
		if len(w.status.Keys) != 1 || w.secret.content != w.status.Keys[0].ID || w.status.Keys[0].ID == "k1" {
			t.Fatalf("stopped after %d steps: keys %v, Secret %+v", stopAfter, ids(w), w.secret)
		}
	}
}
