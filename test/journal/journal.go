// Package journal keeps what a program under test writes, so that a test may read it meanwhile.
package journal

import (
	"bytes"
	"strings"
	"sync"
)

// Journal is an io.Writer. Its zero value is empty and ready. It is safe for concurrent use.
type Journal struct {
	mu      sync.Mutex
	written bytes.Buffer
}

// Write is part of io.Writer.
func (j *Journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.written.Write(b)
}

// String is all that was written and not taken.
func (j *Journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.written.String()
}

// Take is what was written since it was last called.
func (j *Journal) Take() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	defer j.written.Reset()
	return j.written.String()
}

// With are the lines that have part in them.
func (j *Journal) With(part string) (found []string) {
	for line := range strings.Lines(j.String()) {
		if strings.Contains(line, part) {
			found = append(found, line)
		}
	}
	return found
}
