package kit

import (
	"bytes"
	"strings"
	"sync"
)

// Log is an io.Writer that can be read while a program under test writes to it. Its zero value is ready and safe for
// concurrent use.
type Log struct {
	mu      sync.Mutex
	written bytes.Buffer
}

// Write appends b.
func (l *Log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.written.Write(b)
}

// String returns everything written since the last Take.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.written.String()
}

// Take returns everything written since the last Take and drops it.
func (l *Log) Take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.written.Reset()
	return l.written.String()
}

// Lines returns the lines that contain part.
func (l *Log) Lines(part string) (found []string) {
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, part) {
			found = append(found, line)
		}
	}
	return found
}
