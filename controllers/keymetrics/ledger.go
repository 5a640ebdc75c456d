package keymetrics

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"

	"keywright.dev/keywright/internal/kube/keyholder"
)

// ledger has an entry for each object of one kind, kept up to date by the cache's events: to list a large cache
// takes a second or more and a copy of all of it, each time somebody asks.
type ledger struct {
	mu      sync.Mutex
	entries map[types.UID]entry
}

// handler is for an informer.
func (l *ledger) handler() toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    l.put,
		UpdateFunc: func(_, changed any) { l.put(changed) },
		DeleteFunc: l.remove,
	}
}

func (l *ledger) put(object any) {
	o := object.(keyholder.Object)
	e := entryOf(o.HolderStatus())
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.entries == nil {
		l.entries = map[types.UID]entry{}
	}
	l.entries[o.GetUID()] = e
}

// remove takes also what is said of an object whose deletion was missed: its last known state.
func (l *ledger) remove(object any) {
	if missed, is := object.(toolscache.DeletedFinalStateUnknown); is {
		object = missed.Obj
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.entries, object.(keyholder.Object).GetUID())
}

func (l *ledger) count(now instant) tally {
	l.mu.Lock()
	defer l.mu.Unlock()
	var t tally
	for _, e := range l.entries {
		t.take(&e, now)
	}
	return t
}
