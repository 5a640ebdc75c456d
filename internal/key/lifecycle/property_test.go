package lifecycle_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/key/lifecycle"
)

// rapid's default of 100 histories misses rare ones. 5000 take about a second.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "5000"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// Events by people, GitOps tools and crashes come in any order. Each step keeps the invariants, and without further
// events the object comes to rest in a correct state.
func TestDecide_NeverLosesOrDuplicatesAKey(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := newFixture()
		for range rapid.IntRange(1, 12).Draw(t, "events") {
			happen(t, f)
			budget := rapid.IntRange(1, 12).Draw(t, "writes before a crash")
			stop := func() bool { budget--; return budget == 0 }
			if _, err := f.run(f.checkStep, stop); err != nil {
				t.Fatal(err)
			}
		}
		f.cache = nil
		plan, err := f.run(f.checkStep, never)
		if err == nil && (plan.Step == lifecycle.Stall || f.dropped) {
			// The status written with a stall, or without a pending key, triggers another run.
			plan, err = f.run(f.checkStep, never)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := f.checkRest(plan); err != nil {
			t.Fatalf("%v\nat %s, %+v\nsteps %v\nstatus %+v\nsecret %+v", err, plan.Step, f.spec, f.steps, f.status, f.secret)
		}
		checkQuiet(t, f)
	})
}

// checkQuiet checks that an object at rest causes no work.
func checkQuiet(t *rapid.T, f *fixture) {
	f.steps = nil
	_, err := f.run(anything, never)
	if err != nil || len(f.steps) > 2 || len(f.steps) == 2 && f.steps[0] != lifecycle.Read {
		t.Fatalf("an object at rest did %v, %v", f.steps, err)
	}
}

// checkStep checks what holds after every write.
func (f *fixture) checkStep(plan lifecycle.Plan) error {
	if (f.spec.Revoked || f.spec.Deleted) && plan.Step != lifecycle.Drop && len(f.status.Keys) > 0 {
		return errors.New("a revoked object has keys")
	}
	// A key that Keywright wrote into the Secret is recorded.
	written := plan.Step == lifecycle.Deliver && f.inHand != "" && f.secret.keyID == f.inHand
	if written && !slices.Contains(ids(f), f.secret.content) {
		return fmt.Errorf("the Secret holds %s, which is refused", f.secret.content)
	}
	endless := 0
	for _, k := range f.status.Keys {
		if k.State != lifecycle.StatePending && k.ExpiresAt.IsZero() {
			endless++
		}
	}
	if endless > 1 {
		return fmt.Errorf("%d keys without an end: %+v", endless, f.status.Keys)
	}
	return nil
}

// checkRest checks what holds at rest.
func (f *fixture) checkRest(plan lifecycle.Plan) error {
	current := lifecycle.Current(f.status.Keys)
	isRefused := func(k lifecycle.Key) bool { return k.State == lifecycle.StateOverlapping && k.Refused }
	switch {
	case slices.ContainsFunc(f.status.Keys, isRefused):
		return errors.New("a refused key is recorded as overlapping")
	case lifecycle.Pending(f.status.Keys) != nil:
		return errors.New("a key is pending at rest")
	case f.secret.owner == lifecycle.Own && f.secret.adopt && !f.status.Guarded && !f.spec.Revoked:
		return errors.New("a Secret that is to outlive its object is not guarded")
	case f.spec.Orphan && !f.status.Guarded && !f.spec.Revoked && !f.spec.Deleted:
		return errors.New("an object whose Secret is to outlive it is not guarded")
	case f.spec.Deleted && f.status.Guarded:
		return errors.New("the finalizer is left on a deleted object")
	case plan.Step == lifecycle.Stall:
		return nil
	case current != nil && current.Dead != "" && !plan.Expired:
		return errors.New("a dead key is current and not reported")
	case f.spec.Revoked, f.spec.Deleted:
		if current != nil || f.secret.owner == lifecycle.Own && !f.secret.copied {
			return errors.New("a revoked or deleted object kept its key or its Secret")
		}
	case plan.Expired:
		return f.checkExpired()
	case current == nil:
		return errors.New("no key")
	case !f.accepted(current.ID):
		return errors.New("the current key is refused")
	case plan.Delivered != (f.secret.content == current.ID && f.secret.owner == lifecycle.Own):
		return fmt.Errorf("delivered is reported as %t", plan.Delivered)
	case !plan.Delivered && f.spec.Reissue && !f.status.Restored:
		return errors.New("the lost key was not replaced")
	case f.spec.RotateRequest != "" && f.spec.RotateRequest != f.status.LastRotateRequest:
		return errors.New("the request was not acted on")
	case isBefore(current.IssuedAt, f.spec.RotateAfter) && f.over(lifecycle.WholeSecond(f.spec.RotateAfter)):
		return errors.New("rotation.after has come and was not acted on")
	case f.secret.owner == lifecycle.Own && (f.secret.stale || f.secret.typed), f.stray:
		return errors.New("the Secret is not as asked for")
	}
	return nil
}

// isBefore reports whether a key was issued before an instant, by the whole seconds of status.
func isBefore(issued, instant time.Time) bool {
	return !instant.IsZero() && issued.Before(lifecycle.WholeSecond(instant))
}

// checkExpired checks that no ended key is accepted or issued.
func (f *fixture) checkExpired() error {
	current := lifecycle.Current(f.status.Keys)
	switch {
	case current == nil && !f.over(f.spec.ExpiresAt):
		return errors.New("no key, and the object has not expired")
	case current != nil && f.accepted(current.ID):
		return errors.New("the key is reported as expired and is accepted")
	}
	return nil
}

// happen applies one random event from outside.
func happen(t *rapid.T, f *fixture) {
	events := map[string]func(){
		"nothing": func() {},
		"time passes": func() {
			minutes := rapid.IntRange(0, 300).Draw(t, "minutes")
			fraction := rapid.SampledFrom([]time.Duration{0, 1, 600 * time.Millisecond}).Draw(t, "fraction")
			f.now = f.now.Truncate(time.Second).Add(time.Duration(minutes)*time.Minute + fraction)
		},
		"clock jumps back": func() { f.now = f.now.Add(-time.Hour) },
		"demote":           func() { f.spec.Revoked = !f.spec.Revoked },
		"block":            func() { f.spec.Blocked = !f.spec.Blocked },
		"reissue":          func() { f.spec.Reissue = !f.spec.Reissue },
		"ask":              func() { f.spec.RotateRequest = rapid.StringMatching(`r[0-9]`).Draw(t, "request") },
		"schedule":         func() { f.spec.Every = 2 * time.Hour },
		"rotate after": func() {
			seconds := rapid.IntRange(-7200, 7200).Draw(t, "after")
			fraction := rapid.SampledFrom([]time.Duration{0, 1, 600 * time.Millisecond}).Draw(t, "fraction")
			f.spec.RotateAfter = f.now.Truncate(time.Second).Add(time.Duration(seconds)*time.Second + fraction)
		},
		"rotate after now": func() { f.spec.RotateAfter = f.now },
		"overlap":          func() { f.spec.Overlap = time.Duration(rapid.IntRange(0, 60).Draw(t, "overlap")) * time.Minute },
		"rename":           func() { f.rename() },
		"expire": func() {
			f.spec.ExpiresAt = f.now.Add(time.Duration(rapid.IntRange(-60, 300).Draw(t, "expires")) * time.Minute)
		},
		"never expire":   func() { f.spec.ExpiresAt = time.Time{} },
		"ttl":            func() { f.spec.TTL = time.Duration(rapid.IntRange(0, 240).Draw(t, "ttl")) * time.Minute },
		"max ttl":        func() { f.spec.MaxTTL = time.Duration(rapid.IntRange(0, 240).Draw(t, "max ttl")) * time.Minute },
		"lose status":    func() { f.status = lifecycle.Status{} },
		"delete Secret":  func() { f.secret = secret{} },
		"empty Secret":   func() { f.edit("", false) },
		"edit Secret":    func() { f.edit(rapid.StringMatching(`b[0-9]`).Draw(t, "brought"), true) },
		"edit labels":    func() { f.secret.stale = f.secret.owner == lifecycle.Own },
		"touch Secret":   func() { f.secret.intact = false },
		"foreign Secret": func() { f.secret = secret{owner: lifecycle.Foreign, content: "b7", usable: true} },
		"replace Secret by a copy": func() {
			f.secret.intact, f.secret.copied = false, f.secret.owner != lifecycle.NoSecret
		},
		"annotate":                      func() { f.secret.adopt = f.secret.owner != lifecycle.NoSecret },
		"the status describes the spec": func() { f.spec.Observed = !f.spec.Observed },
		"re-apply": func() {
			f.status = lifecycle.Status{}
			f.leave()
		},
		"restore":               func() { f.leave() },
		"restore without owner": func() { f.disown() },
		"restore without Secret": func() {
			f.secret = secret{}
			f.status.Restored = lifecycle.Current(f.status.Keys) != nil
		},
		"delete the object": func() { f.spec.Deleted = !f.spec.Deleted },
		"cache lags":        func() { f.lag() },
		"cache follows":     func() { f.cache = nil },
		"another type":      func() { f.secret.typed = f.secret.owner != lifecycle.NoSecret },
		"orphan":            func() { f.spec.Orphan = !f.spec.Orphan },
		"another entry":     func() { f.secret.moved = f.secret.owner == lifecycle.Own },
		"the server refuses": func() {
			for i := range f.status.Keys {
				f.status.Keys[i].Refused = true
			}
		},
		"lose the pepper":     func() { f.die(lifecycle.PepperGone) },
		"another has the key": func() { f.die(lifecycle.Taken) },
		"hand-made status": func() {
			states := []lifecycle.State{"", lifecycle.StatePending, lifecycle.StateCurrent, lifecycle.StateOverlapping}
			evil := lifecycle.Key{ID: "evil", IssuedAt: f.now, State: rapid.SampledFrom(states).Draw(t, "state")}
			// The list is a map by id.
			keys := slices.DeleteFunc(slices.Clone(f.status.Keys), func(k lifecycle.Key) bool { return k.ID == evil.ID })
			keys = append(keys, evil)
			f.status.Keys = keys
			if len(f.status.Keys) == 1 {
				f.status.Keys = nil
			}
		},
	}
	names := make([]string, 0, len(events))
	for name := range events {
		names = append(names, name)
	}
	// Sorted, so that a failure can be reproduced.
	events[rapid.SampledFrom(sorted(names)).Draw(t, "event")]()
	f.crash()
}

// edit is another writer's change to the Secret's key.
func (f *fixture) edit(content string, usable bool) {
	if f.secret.owner == lifecycle.NoSecret {
		return
	}
	f.secret.content, f.secret.usable, f.secret.intact = content, usable, false
}

// die makes every recorded key dead.
func (f *fixture) die(of lifecycle.Death) {
	for i := range f.status.Keys {
		f.status.Keys[i].Dead = of
	}
}

// leave makes the Secret a leftover of a former object of the same name.
func (f *fixture) leave() {
	if f.secret.owner == lifecycle.Own {
		f.secret.owner = lifecycle.Leftover
	}
}

// disown makes the Secret one that came back from a backup without its owner. The cache has Secrets with an owner only.
func (f *fixture) disown() {
	f.status.Restored = lifecycle.Current(f.status.Keys) != nil
	if f.secret.owner == lifecycle.Own || f.secret.owner == lifecycle.Leftover {
		f.secret.owner, f.secret.unowned = lifecycle.Foreign, true
		f.cache = &secret{}
	}
}

func (f *fixture) rename() {
	f.stray = f.stray || f.secret.owner == lifecycle.Own
	f.secret, f.cache = secret{}, nil
	f.spec.SecretName += "x"
}
