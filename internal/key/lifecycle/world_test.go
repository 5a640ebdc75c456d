package lifecycle_test

import (
	"fmt"
	"slices"
	"time"

	"keywright.dev/keywright/internal/key/lifecycle"
)

// world is one object, its Secret and a caller that carries out what Decide says: small enough to be checked
// after every single step, and stopped after any of them.
type world struct {
	now    time.Time
	spec   lifecycle.Spec
	status lifecycle.Status
	secret secret
	// cache is what is seen of the Secret without a look. Nil: what it is.
	cache  *secret
	stray  bool
	inHand string
	read   *lifecycle.Content
	live   bool
	minted int
	steps  []lifecycle.Step
}

// secret is what the API server has under the name the spec asks for.
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

func newWorld() *world {
	return &world{
		now:  time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC),
		spec: lifecycle.Spec{SecretName: "alice-admin-key"},
	}
}

func (w *world) facts() lifecycle.Facts {
	seen := w.seen()
	return lifecycle.Facts{
		Now: w.now, Spec: w.spec, Status: w.status, InHand: w.inHand,
		Secret: lifecycle.Secret{
			Owner: seen.owner, Live: w.live, KeyID: seen.keyID, Intact: seen.intact, Misplaced: seen.moved,
			Adopt: seen.adopt, Outdated: seen.stale, Content: w.read, Strays: w.stray,
		},
	}
}

func (w *world) seen() secret {
	if w.live || w.cache == nil {
		return w.secret
	}
	return *w.cache
}

// lag has the cache stay behind from now on.
func (w *world) lag() {
	if w.cache == nil {
		w.cache = new(w.secret)
	}
}

// crash is the loss of all memory.
func (w *world) crash() {
	w.inHand, w.read, w.live = "", nil, false
}

// run goes on until Rest or Stall, calling check after each step, or until stop says so.
func (w *world) run(check func(lifecycle.Plan) error, stop func() bool) (lifecycle.Plan, error) {
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

func (w *world) do(plan lifecycle.Plan) {
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
			// The version that was seen is not the one there is: the write is a conflict, and a look follows.
			w.live = true
			return
		}
		w.live = true
		w.secret = secret{owner: lifecycle.Own, keyID: w.inHand, content: w.inHand, usable: true, intact: true, adopt: w.secret.adopt}
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

func (w *world) record(plan lifecycle.Plan) {
	w.status.Restored = false
	key := lifecycle.Key{ID: w.inHand, IssuedAt: w.now, NotAfter: plan.NotAfter, Pending: true}
	if plan.Adopt {
		w.status.AdoptedKeys = append(w.status.AdoptedKeys, w.inHand)
	} else {
		w.minted++
		key.ID = fmt.Sprintf("k%d", w.minted)
		w.inHand = key.ID
	}
	w.status.Keys = append(slices.Clone(plan.Keys), key)
	w.status.LastRotateRequest = w.spec.RotateRequest
}

// accepted says whether the server would take the key now.
func (w *world) accepted(id string) bool {
	return slices.ContainsFunc(w.status.Keys, func(k lifecycle.Key) bool {
		return k.ID == id && !w.over(k.NotAfter)
	})
}

// over says that an end has come; zero never does.
func (w *world) over(end time.Time) bool { return !end.IsZero() && !w.now.Before(end) }

func never() bool { return false }

func anything(lifecycle.Plan) error { return nil }
