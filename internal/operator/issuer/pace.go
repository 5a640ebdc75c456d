package issuer

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Pauses between tries at an object whose writes fail: each is twice as long as the one before.
const (
	firstPause = 100 * time.Millisecond
	maxPause   = time.Minute
)

// pace holds back objects whose last run failed. A queue's own backoff can't: what a failing run writes into status
// (a digest that is pending, and then what went wrong) comes back as events, and each would be the next try at once.
// Its zero value holds nobody back. It is safe for concurrent use.
type pace struct {
	mu   sync.Mutex
	held map[string]hold
}

// hold is one object that is held back.
type hold struct {
	wish  wish
	tries int
	until time.Time
}

// wish is what a person asked for when the run failed. Another one is tried at once: it may be the way out.
type wish struct {
	uid        types.UID
	generation int64
	rotate     string
}

func wishOf(h *Holder) wish {
	return wish{h.Object.GetUID(), h.Object.GetGeneration(), h.Spec.RotateRequest}
}

// wait is how long the object has to wait for its next try. 0: it may be tried now.
func (p *pace) wait(h *Holder, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	held, is := p.held[h.id()]
	if !is || held.wish != wishOf(h) {
		return 0
	}
	return max(0, held.until.Sub(now))
}

// note takes the outcome of a run.
func (p *pace) note(h *Holder, failure error, now time.Time) {
	if failure == nil {
		p.forget(h.id())
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	held := p.held[h.id()]
	if asked := wishOf(h); held.wish != asked {
		held = hold{wish: asked}
	}
	// The shift is bounded where it is far beyond the longest pause.
	held.until = now.Add(min(maxPause, firstPause<<min(held.tries, 16)))
	held.tries++
	if p.held == nil {
		p.held = map[string]hold{}
	}
	p.held[h.id()] = held
}

func (p *pace) forget(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.held, id)
}
