package lifecycle_test

import (
	"fmt"
	"slices"
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
	generated int
	steps     []lifecycle.Step
}

// secret is the Secret at the API server under the name that the spec asks for.
type secret struct {
	owner   lifecycle.Owner
	keyID   string // the annotation
	content string // the id of the key in it
	usable  bool
	intact  bool
	adopt   bool
	stale   bool // labels
	moved   bool // the key is under another entry than the spec asks for
}

func newFixture() *fixture {
	return &fixture{
		now:  time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC),
		spec: lifecycle.Spec{SecretName: "alice-admin-key"},
	}
}

func (w *fixture) facts() lifecycle.Facts {
	seen := w.seen()
	return lifecycle.Facts{
		Now: w.now, Spec: w.spec, Status: w.status, InHand: w.inHand,
		Secret: lifecycle.Secret{
			Owner: seen.owner, Live: w.live, KeyID: seen.keyID, Intact: seen.intact, Misplaced: seen.moved,
			Adopt: seen.adopt, Outdated: seen.stale, Content: w.read, Strays: w.stray,
		},
	}
}

func (w *fixture) seen() secret {
	if w.live || w.cache == nil {
		return w.secret
	}
	return *w.cache
}

// lag freezes the cache from now on.
func (w *fixture) lag() {
	if w.cache == nil {
		w.cache = new(w.secret)
	}
}

// crash is the loss of all memory.
func (w *fixture) crash() {
	w.inHand, w.read, w.live = "", nil, false
}

// run carries out plans until Rest, Stall or Await, or until stop returns true. It calls check after each step.
func (w *fixture) run(check func(lifecycle.Plan) error, stop func() bool) (lifecycle.Plan, error) {
	for range 20 {
		plan := lifecycle.Decide(w.facts())
		w.do(plan)
		if err := check(plan); err != nil {
			return plan, fmt.Errorf("after %s: %w", plan.Step, err)
		}
		if plan.Step.Ends() || stop() {
			w.crash()
			return plan, nil
		}
	}
	return lifecycle.Plan{}, fmt.Errorf("no rest after %v", w.steps)
}

func (w *fixture) do(plan lifecycle.Plan) {
	w.steps = append(w.steps, plan.Step)
	switch plan.Step {
	case lifecycle.Look:
		w.live = true
	case lifecycle.Read:
		w.live, w.inHand = true, w.secret.content
		w.read = &lifecycle.Content{Usable: w.secret.usable, Key: lifecycle.Key{ID: w.secret.content, IssuedAt: w.now}}
	case lifecycle.Record:
		w.record(plan)
	case lifecycle.Deliver:
		if w.seen() != w.secret {
			// The cached version is old: the write conflicts, and a look follows.
			w.live = true
			return
		}
		w.live = true
		w.secret = secret{owner: lifecycle.Own, keyID: w.inHand, content: w.inHand, usable: true, intact: true,
			adopt: w.secret.adopt}
		w.read = nil
	case lifecycle.Settle:
		w.status.Keys, w.status.SecretName = plan.Keys, w.spec.SecretName
	case lifecycle.Remove:
		w.secret, w.read, w.live = secret{}, nil, true
	case lifecycle.RemoveStrays:
		w.stray = false
	case lifecycle.Guard:
		w.status.Guarded = true
	case lifecycle.Unguard:
		w.status.Guarded = false
	case lifecycle.Release:
		w.secret.owner = lifecycle.Foreign
	case lifecycle.Relabel:
		w.secret.stale = false
	case lifecycle.Drop, lifecycle.Amend:
		w.status.Keys = plan.Keys
	case lifecycle.Rest, lifecycle.Stall:
		w.status.Keys = plan.Keys
		if plan.Step == lifecycle.Rest || w.status.SecretName == w.spec.SecretName {
			w.status.SecretName = ""
		}
		if plan.Delivered {
			w.status.SecretName = w.spec.SecretName
		}
	}
}

func (w *fixture) record(plan lifecycle.Plan) {
	w.status.Restored = false
	key := lifecycle.Key{ID: w.inHand, IssuedAt: w.now, NotAfter: plan.NotAfter, Pending: true}
	if plan.Adopt {
		w.status.AdoptedKeys = append(w.status.AdoptedKeys, w.inHand)
	} else {
		w.generated++
		key.ID = fmt.Sprintf("k%d", w.generated)
		w.inHand = key.ID
	}
	w.status.Keys = append(slices.Clone(plan.Keys), key)
	w.status.LastRotateRequest = w.spec.RotateRequest
}

// accepted reports whether the server would accept the key now.
func (w *fixture) accepted(id string) bool {
	return slices.ContainsFunc(w.status.Keys, func(k lifecycle.Key) bool {
		return k.ID == id && !w.over(k.NotAfter)
	})
}

// over reports whether an end has come. The zero end never does.
func (w *fixture) over(end time.Time) bool { return !end.IsZero() && !w.now.Before(end) }

func never() bool { return false }

func anything(lifecycle.Plan) error { return nil }
