package tokenusage

import (
	"sync"

	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/usage"
)

const (
	// maxWriters is how many batches are written at once, and maxCalls how many may be written or wait. A write takes a
	// bounded time, so that the last one is answered before its client gives up.
	maxWriters, maxCalls = 4, 64
	// maxRecords bounds the records of all of them: the memory that waiting takes.
	maxRecords = 10 * usage.MaxBatch
)

var errBusy = &manage.Error{Kind: manage.Busy, Text: "Too much token usage is reported at once: try again soon"}

// queue bounds the writes that run, and those that wait.
type queue struct {
	writers chan struct{}

	mu             sync.Mutex
	calls, records int
}

func newQueue() *queue { return &queue{writers: make(chan struct{}, maxWriters)} }

// enter waits until a batch may be written. leave must be called once it is. A full queue refuses the batch at once.
func (q *queue) enter(records int) (leave func(), err error) {
	if !q.add(1, records) {
		return nil, errBusy
	}
	q.writers <- struct{}{}
	return func() {
		<-q.writers
		q.add(-1, -records)
	}, nil
}

// add reports whether the queue has room. There is always room for less.
func (q *queue) add(calls, records int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if calls > 0 && (q.calls+calls > maxCalls || q.records+records > maxRecords) {
		return false
	}
	q.calls += calls
	q.records += records
	return true
}
