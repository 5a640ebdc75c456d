package audit

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Batch collects what one request was refused, and what failed of it. It is safe for concurrent use.
type Batch struct {
	mu    sync.Mutex
	trail *Trail
	// entries are cleaned.
	entries []Entry
}

type batchKey struct{}

// InBatch returns a context in which a Trail leaves every entry but those of outcome Done to the batch.
func InBatch(ctx context.Context) (context.Context, *Batch) {
	b := &Batch{}
	return context.WithValue(ctx, batchKey{}, b), b
}

func batchOf(ctx context.Context) *Batch {
	b, _ := ctx.Value(batchKey{}).(*Batch)
	return b
}

func (b *Batch) add(t *Trail, e *Entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trail, b.entries = t, append(b.entries, *e)
}

// End records the batch: one entry for what was refused, and one for what failed.
func (b *Batch) End(ctx context.Context) {
	for _, outcome := range []string{Refused, Failed} {
		if e := b.merged(outcome); e != nil {
			b.trail.Record(ctx, *e)
		}
	}
}

// EndAsOne records one entry for the whole batch, which were attempts at one operation, or none if it succeeded.
func (b *Batch) EndAsOne(ctx context.Context, succeeded bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !succeeded && len(b.entries) > 0 {
		b.trail.Record(ctx, b.entries[len(b.entries)-1])
	}
}

// merged returns one entry for all of an outcome, or nil if there are none. Its fields are those of the first.
func (b *Batch) merged(outcome string) *Entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	var e *Entry
	var actions []string
	for i := range b.entries {
		switch one := &b.entries[i]; {
		case one.Outcome != outcome:
			continue
		case e == nil:
			copied := *one
			e = &copied
		default:
			e.Count += one.Count
		}
		if action := b.entries[i].Action; !slices.Contains(actions, action) {
			actions = append(actions, action)
		}
	}
	if e != nil && e.Count > 1 {
		e.Detail = fmt.Sprintf("%d in one request (%s), first: %s", e.Count, strings.Join(actions, ", "), e.Detail)
	}
	return e
}
