package kit

import (
	"fmt"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/runtime"
)

// Events is an event recorder that keeps events in memory. Its zero value is ready and safe for concurrent use.
type Events struct {
	mu     sync.Mutex
	events []string
}

// Eventf records an event as "<type> <reason> <note>".
func (e *Events) Eventf(_, _ runtime.Object, kind, reason, _, note string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.events = append(e.events, kind+" "+reason+" "+fmt.Sprintf(note, args...))
}

// Peek returns the events since the last Take and keeps them.
func (e *Events) Peek() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.events)
}

// Take returns the events since the last Take and drops them.
func (e *Events) Take() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	taken := e.events
	e.events = nil
	return taken
}
