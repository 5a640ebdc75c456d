package lifecycle_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"keywright.dev/keywright/internal/key/lifecycle"
)

// fixture is one object, its Secret and a caller that carries out the plans of Decide. It can be checked and stopped
// after every step.
type fixture struct {
	now    time.Time
	spec   lifecycle.Spec
	status lifecycle.Status
	secret secret
	// cache is the Secret in the cache. Nil: the same as secret.
	cache     *secret
	stray     bool
	inHand    string
	read      *lifecycle.Content
	live      bool
	noted     bool
	generated int
	// dropped is true if the last rest or stall removed a pending key.
	dropped bool
	steps   []lifecycle.Step
}

// secret is the Secret at the API server under the name that the spec asks for.
type secret struct {
	owner   lifecycle.Owner
	unowned bool
	keyID   string // the annotation
	content string // the id of the key in it
	usable  bool
	intact  bool
	adopt   bool
	stale   bool   // labels
	moved   bool   // the key is under another entry than the spec asks for
	typed   bool   // its type is another one than the spec asks for
	by      string // who changed the key last
	copied  bool   // a person made it, with the owner of a Secret that Keywright wrote
}

func newFixture() *fixture {
	return &fixture{
		now:  time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC),
		spec: lifecycle.Spec{SecretName: "alice-admin-key"},
	}
}

func (f *fixture) facts() lifecycle.Facts {
	seen := f.seen()
	// The type of a Secret that was handed over is known once it has been read.
	handedOver := seen.adopt && seen.typed
	return lifecycle.Facts{
		Now: f.now, Spec: f.spec, Status: f.status, InHand: f.inHand,
		Secret: lifecycle.Secret{
			Owner: seen.owner, Unowned: seen.unowned, Live: f.live, KeyID: seen.keyID, Intact: seen.intact && !handedOver,
			Misplaced: seen.moved, Mistyped: seen.typed && (!handedOver || f.read != nil),
			Adopt: seen.adopt, Outdated: seen.stale, Content: f.read, Strays: f.stray,
			ChangedBy: seen.by, Noted: f.noted,
			Written: seen.owner != lifecycle.NoSecret && !seen.copied,
		},
	}
}

func (f *fixture) seen() secret {
	if f.live || f.cache == nil {
		return f.secret
	}
	return *f.cache
}

// lag freezes the cache from now on.
func (f *fixture) lag() {
	if f.cache == nil {
		f.cache = new(f.secret)
	}
}

// crash is the loss of all memory.
func (f *fixture) crash() {
	f.inHand, f.read, f.live, f.noted = "", nil, false, false
}

// run carries out plans until Rest, Stall or Await, or until stop returns true. It calls check after each step.
func (f *fixture) run(check func(lifecycle.Plan) error, stop func() bool) (lifecycle.Plan, error) {
	for range 20 {
		plan := lifecycle.Decide(f.facts())
		if err := f.checkOrder(plan); err != nil {
			return plan, err
		}
		f.do(plan)
		if err := check(plan); err != nil {
			return plan, fmt.Errorf("after %s: %w", plan.Step, err)
		}
		if plan.Step.Ends() || stop() {
			f.crash()
			return plan, nil
		}
	}
	return lifecycle.Plan{}, fmt.Errorf("no rest after %v", f.steps)
}

// checkOrder checks that the order of the keys in status does not change the decision.
func (f *fixture) checkOrder(plan lifecycle.Plan) error {
	want := byID(plan)
	for i := range f.status.Keys {
		facts := f.facts()
		facts.Status.Keys = slices.Concat(f.status.Keys[i:], f.status.Keys[:i])
		if i%2 == 1 {
			slices.Reverse(facts.Status.Keys)
		}
		if got := byID(lifecycle.Decide(facts)); !reflect.DeepEqual(got, want) {
			return fmt.Errorf("keys in another order:\n%+v\ninstead of\n%+v", got, want)
		}
	}
	return nil
}

// byID returns the plan with its keys in order of their ids.
func byID(plan lifecycle.Plan) lifecycle.Plan {
	byName := func(a, b lifecycle.Key) int { return strings.Compare(a.ID, b.ID) }
	plan.Keys = slices.SortedFunc(slices.Values(plan.Keys), byName)
	return plan
}

func (f *fixture) do(plan lifecycle.Plan) {
	f.steps = append(f.steps, plan.Step)
	f.count(plan)
	switch plan.Step {
	case lifecycle.Look:
		f.live = true
	case lifecycle.Read:
		f.live, f.inHand = true, f.secret.content
		f.read = &lifecycle.Content{Usable: f.secret.usable, Key: lifecycle.Key{ID: f.secret.content, IssuedAt: f.now}}
	case lifecycle.Record:
		f.record(plan)
	case lifecycle.Deliver:
		if f.seen() != f.secret {
			// The cached version is old: the write conflicts, and the run starts again.
			f.crash()
			return
		}
		f.live = true
		if f.secret.typed {
			// The API server refuses another type: the same decision again, until the steps run out.
			return
		}
		f.secret = secret{owner: lifecycle.Own, keyID: f.inHand, content: f.inHand, usable: true, intact: true,
			adopt: f.secret.adopt}
		f.read = nil
	case lifecycle.Settle:
		f.status.Keys, f.status.SecretName = plan.Keys, f.spec.SecretName
	case lifecycle.Remove:
		f.secret, f.read, f.live = secret{}, nil, true
	case lifecycle.RemoveStrays:
		f.stray = false
	case lifecycle.Guard:
		f.status.Guarded = true
	case lifecycle.Unguard:
		f.status.Guarded = false
	case lifecycle.Release:
		f.secret.owner = lifecycle.Foreign
	case lifecycle.Relabel:
		f.secret.stale, f.secret.copied = false, false
	case lifecycle.Rebind:
		// The next run has the present user.
		f.status.Keys, f.spec.Rebind, f.spec.Blocked = nil, false, false
		f.crash()
	case lifecycle.Drop, lifecycle.Amend:
		f.status.Keys = plan.Keys
	case lifecycle.Rest, lifecycle.Stall:
		f.dropped = len(plan.Keys) < len(f.status.Keys)
		if plan.Step == lifecycle.Stall && lifecycle.Pending(f.status.Keys) != nil {
			f.status.LastRotateRequest = ""
		}
		f.status.Keys = plan.Keys
		if plan.Step == lifecycle.Rest || f.status.SecretName == f.spec.SecretName {
			f.status.SecretName = ""
		}
		if plan.Delivered {
			f.status.SecretName = f.spec.SecretName
		}
	}
}

// count records the losses of a plan.
func (f *fixture) count(plan lifecycle.Plan) {
	switch plan.Step {
	case lifecycle.Note, lifecycle.Record, lifecycle.Stall:
		if plan.Losses.Count > 0 {
			f.status.Losses = plan.Losses
		}
	}
	f.noted = f.noted || plan.Step == lifecycle.Note
	if plan.Step.Ends() {
		f.status.Fighting = plan.Stall == lifecycle.SecretFight
	}
}

func (f *fixture) record(plan lifecycle.Plan) {
	f.status.Restored = false
	issued := lifecycle.IssueTime(f.now, time.Time{})
	key := lifecycle.Key{ID: f.inHand, IssuedAt: issued, ExpiresAt: plan.ExpiresAt, State: lifecycle.StatePending}
	if plan.Adopt {
		f.status.AdoptedKeyIDs = append(f.status.AdoptedKeyIDs, f.inHand)
	} else {
		f.generated++
		key.ID = fmt.Sprintf("k%d", f.generated)
		f.inHand = key.ID
	}
	f.status.Keys = append(slices.Clone(plan.Keys), key)
	f.status.LastRotateRequest = f.spec.RotateRequest
}

// accepted reports whether the server would accept the key now.
func (f *fixture) accepted(id string) bool {
	return slices.ContainsFunc(f.status.Keys, func(k lifecycle.Key) bool {
		return k.ID == id && !f.over(k.ExpiresAt)
	})
}

// over reports whether an end has come. The zero end never does.
func (f *fixture) over(end time.Time) bool { return !end.IsZero() && !f.now.Before(end) }

func never() bool { return false }

func anything(lifecycle.Plan) error { return nil }
