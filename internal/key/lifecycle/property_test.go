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
		w := newFixture()
		for range rapid.IntRange(1, 12).Draw(t, "events") {
			happen(t, w)
			budget := rapid.IntRange(1, 12).Draw(t, "writes before a crash")
			stop := func() bool { budget--; return budget == 0 }
			if _, err := w.run(w.checkStep, stop); err != nil {
				t.Fatal(err)
			}
		}
		w.cache = nil
		plan, err := w.run(w.checkStep, never)
		if err == nil && plan.Step == lifecycle.Stall {
			// The status written with a stall triggers another run.
			plan, err = w.run(w.checkStep, never)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := w.checkRest(plan); err != nil {
			t.Fatalf("%v\nat %s, %+v\nsteps %v\nstatus %+v\nsecret %+v", err, plan.Step, w.spec, w.steps, w.status, w.secret)
		}
		checkQuiet(t, w)
	})
}

// checkQuiet checks that an object at rest causes no work.
func checkQuiet(t *rapid.T, w *fixture) {
	w.steps = nil
	_, err := w.run(anything, never)
	if err != nil || len(w.steps) > 2 || len(w.steps) == 2 && w.steps[0] != lifecycle.Read {
		t.Fatalf("an object at rest did %v, %v", w.steps, err)
	}
}

// checkStep checks what holds after every write.
func (w *fixture) checkStep(plan lifecycle.Plan) error {
	if (w.spec.Revoked || w.spec.Deleted) && plan.Step != lifecycle.Drop && len(w.status.Keys) > 0 {
		return errors.New("a revoked object has keys")
	}
	// A key that Keywright wrote into the Secret is recorded.
	if plan.Step == lifecycle.Deliver && w.secret.keyID == w.inHand && !slices.Contains(ids(w), w.secret.content) {
		return fmt.Errorf("the Secret holds %s, which is refused", w.secret.content)
	}
	endless := 0
	for _, k := range w.status.Keys {
		if !k.Pending && k.NotAfter.IsZero() {
			endless++
		}
	}
	if endless > 1 {
		return fmt.Errorf("%d keys without an end: %+v", endless, w.status.Keys)
	}
	return nil
}

// checkRest checks what holds at rest.
func (w *fixture) checkRest(plan lifecycle.Plan) error {
	current := lifecycle.Current(w.status.Keys)
	switch {
	case lifecycle.Pending(w.status.Keys) != nil:
		return errors.New("a key is pending at rest")
	case w.secret.owner == lifecycle.Own && w.secret.adopt && !w.status.Guarded && !w.spec.Revoked:
		return errors.New("a Secret that is to outlive its object is not guarded")
	case w.spec.Deleted && w.status.Guarded:
		return errors.New("the finalizer is left on a deleted object")
	case plan.Step == lifecycle.Stall:
		return nil
	case current != nil && current.Dead != "" && !plan.Expired:
		return errors.New("a dead key is current and not reported")
	case w.spec.Revoked, w.spec.Deleted:
		if current != nil || w.secret.owner == lifecycle.Own {
			return errors.New("a revoked or deleted object kept its key or its Secret")
		}
	case plan.Expired:
		return w.checkExpired()
	case current == nil:
		return errors.New("no key")
	case !w.accepted(current.ID):
		return errors.New("the current key is refused")
	case plan.Delivered != (w.secret.content == current.ID && w.secret.owner == lifecycle.Own):
		return fmt.Errorf("delivered is reported as %t", plan.Delivered)
	case !plan.Delivered && w.spec.Reissue && !w.status.Restored:
		return errors.New("the lost key was not replaced")
	case w.spec.RotateRequest != "" && w.spec.RotateRequest != w.status.LastRotateRequest:
		return errors.New("the request was not acted on")
	case w.secret.owner == lifecycle.Own && w.secret.stale, w.stray:
		return errors.New("the Secret is not as asked for")
	}
	return nil
}

// checkExpired checks that no ended key is accepted or issued.
func (w *fixture) checkExpired() error {
	current := lifecycle.Current(w.status.Keys)
	switch {
	case current == nil && !w.over(w.spec.ExpiresAt):
		return errors.New("no key, and the object has not expired")
	case current != nil && w.accepted(current.ID):
		return errors.New("the key is reported as expired and is accepted")
	}
	return nil
}

// happen applies one random event from outside.
func happen(t *rapid.T, w *fixture) {
	events := map[string]func(){
		"nothing": func() {},
		"time passes": func() {
			w.now = w.now.Add(time.Duration(rapid.IntRange(0, 300).Draw(t,
				"minutes")) * time.Minute)
		},
		"clock jumps back": func() { w.now = w.now.Add(-time.Hour) },
		"demote":           func() { w.spec.Revoked = !w.spec.Revoked },
		"block":            func() { w.spec.Blocked = !w.spec.Blocked },
		"reissue":          func() { w.spec.Reissue = !w.spec.Reissue },
		"ask":              func() { w.spec.RotateRequest = rapid.StringMatching(`r[0-9]`).Draw(t, "request") },
		"schedule":         func() { w.spec.Every = 2 * time.Hour },
		"overlap":          func() { w.spec.Overlap = time.Duration(rapid.IntRange(0, 60).Draw(t, "overlap")) * time.Minute },
		"rename":           func() { w.rename() },
		"expire": func() {
			w.spec.ExpiresAt = w.now.Add(time.Duration(rapid.IntRange(-60, 300).Draw(t, "expires")) * time.Minute)
		},
		"never expire":   func() { w.spec.ExpiresAt = time.Time{} },
		"ttl":            func() { w.spec.TTL = time.Duration(rapid.IntRange(0, 240).Draw(t, "ttl")) * time.Minute },
		"max ttl":        func() { w.spec.MaxTTL = time.Duration(rapid.IntRange(0, 240).Draw(t, "max ttl")) * time.Minute },
		"lose status":    func() { w.status = lifecycle.Status{} },
		"delete Secret":  func() { w.secret = secret{} },
		"empty Secret":   func() { w.edit("", false) },
		"edit Secret":    func() { w.edit(rapid.StringMatching(`b[0-9]`).Draw(t, "brought"), true) },
		"edit labels":    func() { w.secret.stale = w.secret.owner == lifecycle.Own },
		"touch Secret":   func() { w.secret.intact = false },
		"foreign Secret": func() { w.secret = secret{owner: lifecycle.Foreign, content: "b7", usable: true} },
		"annotate":       func() { w.secret.adopt = w.secret.owner != lifecycle.NoSecret },
		"re-apply": func() {
			w.status = lifecycle.Status{}
			w.leave()
		},
		"restore": func() { w.leave() },
		"restore without Secret": func() {
			w.secret = secret{}
			w.status.Restored = lifecycle.Current(w.status.Keys) != nil
		},
		"delete the object":   func() { w.spec.Deleted = !w.spec.Deleted },
		"cache lags":          func() { w.lag() },
		"cache follows":       func() { w.cache = nil },
		"another entry":       func() { w.secret.moved = w.secret.owner == lifecycle.Own },
		"lose the pepper":     func() { w.die(lifecycle.PepperGone) },
		"another has the key": func() { w.die(lifecycle.Taken) },
		"hand-made status": func() {
			w.status.Keys = append(w.status.Keys, lifecycle.Key{ID: "evil", IssuedAt: w.now})
			if len(w.status.Keys) == 1 {
				w.status.Keys = nil
			}
		},
	}
	names := make([]string, 0, len(events))
	for name := range events {
		names = append(names, name)
	}
	// Sorted, so that a failure can be reproduced.
	events[rapid.SampledFrom(sorted(names)).Draw(t, "event")]()
	w.crash()
}

// edit is another writer's change to the Secret's key.
func (w *fixture) edit(content string, usable bool) {
	if w.secret.owner == lifecycle.NoSecret {
		return
	}
	w.secret.content, w.secret.usable, w.secret.intact = content, usable, false
}

// die makes every recorded key dead.
func (w *fixture) die(of lifecycle.Death) {
	for i := range w.status.Keys {
		w.status.Keys[i].Dead = of
	}
}

// leave makes the Secret a leftover of a former object of the same name.
func (w *fixture) leave() {
	if w.secret.owner == lifecycle.Own {
		w.secret.owner = lifecycle.Leftover
	}
}

func (w *fixture) rename() {
	w.stray = w.stray || w.secret.owner == lifecycle.Own
	w.secret, w.cache = secret{}, nil
	w.spec.SecretName += "x"
}
