package keymetrics

import (
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// tracker has an entry for each object of one kind, updated by the events of the cache. Listing a large cache
// at each scrape instead would take a second or more and copy all of it.
type tracker struct {
	mu      sync.Mutex
	entries map[types.UID]entry
}

// handler returns the handler to register with an informer.
func (t *tracker) handler() toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    t.put,
		UpdateFunc: func(_, changed any) { t.put(changed) },
		DeleteFunc: t.remove,
	}
}

func (t *tracker) put(object any) {
	o := object.(keyholder.Object)
	e := entryOf(o.HolderStatus())
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.entries == nil {
		t.entries = map[types.UID]entry{}
	}
	t.entries[o.GetUID()] = e
}

// remove also accepts the last known state of an object whose deletion the informer missed.
func (t *tracker) remove(object any) {
	if missed, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
		object = missed.Obj
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.entries, object.(keyholder.Object).GetUID())
}

func (t *tracker) summarize(now instant) summary {
	t.mu.Lock()
	defer t.mu.Unlock()
	var s summary
	for _, e := range t.entries {
		s.add(&e, now)
	}
	return s
}

// entry is what the tracker keeps of one object. It is small, because there may be very many.
type entry struct {
	// reported is the state according to status; see state.
	reported State
	stalled  bool
	// end is when the current key ends, rotation when its next rotation is due.
	end, rotation instant
	// overlapEnds are the ends of the other keys.
	overlapEnds []instant
}

// instant is a Unix time in seconds. 0: none.
type instant int64

func instantOf(t *metav1.Time) instant {
	if t == nil {
		return 0
	}
	return instant(t.Unix())
}

// reached reports whether the instant is set and not in the future.
func (i instant) reached(now instant) bool { return i != 0 && i <= now }

// earlier returns the earlier of two instants, ignoring 0.
func earlier(a, b instant) instant {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

func entryOf(status *v1alpha1.KeyHolderStatus) entry {
	e := entry{reported: reportedState(status), stalled: isStalled(status), rotation: instantOf(status.NextRotationAt)}
	for i := range status.Keys {
		k := &status.Keys[i]
		switch {
		case k.State == v1alpha1.KeyCurrent:
			e.end = instantOf(k.ExpiresAt)
		case k.State == v1alpha1.KeyOverlapping && k.ExpiresAt != nil:
			// An old key without an end is about to be removed.
			e.overlapEnds = append(e.overlapEnds, instantOf(k.ExpiresAt))
		}
	}
	return e
}

// isReplaced reports whether a rotation replaces the current key before it ends. An overdue rotation, or one of a
// stalled object, is not relied on.
func (e *entry) isReplaced(now instant) bool {
	return e.rotation != 0 && e.rotation < e.end && !e.rotation.reached(now) && !e.stalled
}

func (e *entry) state(now instant) State {
	if e.reported == Active && e.end.reached(now) {
		return Expired
	}
	return e.reported
}

// summary has the values of one kind.
type summary struct {
	// states counts objects by the state of their key. Their sum is the number of objects.
	states [states]int
	// overlapping counts the overlapping keys of active objects.
	overlapping int
	// stalled counts the objects on which a person has to act, whether their key is accepted or not.
	stalled int
	// expiry is when the next active key ends that no rotation replaces before. rotation is when the next rotation is due,
	// in the past if it is overdue.
	expiry, rotation instant
}

// add counts one object.
func (s *summary) add(e *entry, now instant) {
	state := e.state(now)
	s.states[state]++
	if e.stalled {
		s.stalled++
	}
	s.rotation = earlier(s.rotation, e.rotation)
	if state != Active {
		return
	}
	if !e.isReplaced(now) {
		s.expiry = earlier(s.expiry, e.end)
	}
	for _, end := range e.overlapEnds {
		if !end.reached(now) {
			s.overlapping++
		}
	}
}
