package eventlog

import (
	"fmt"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/runtime"
)

// Log is a recorder that keeps events in memory. Its zero value is empty and ready; it is safe for concurrent use.
type Log struct {
	mu     sync.Mutex
	events []string
}

// Eventf notes an event as "<type> <reason> <note>".
func (l *Log) Eventf(_, _ runtime.Object, kind, reason, _, note string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, kind+" "+reason+" "+fmt.Sprintf(note, args...))
}

// Peek returns the events since the last Take, and keeps them.
func (l *Log) Peek() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.events)
}

// Take returns the events since the last Take, and forgets them.
func (l *Log) Take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := l.events
	l.events = nil
	return taken
}
