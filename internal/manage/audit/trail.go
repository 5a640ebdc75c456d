package audit

import (
	"cmp"
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keywright.dev/keywright/internal/program"
	"keywright.dev/keywright/internal/program/repeats"
)

const (
	// writeTimeout bounds how long a reply waits for its entry, and a shutdown for the waiting entries.
	writeTimeout = 2 * time.Second
	// retryEvery is the delay after a failed write.
	retryEvery = time.Second
	// maxBatch is how many waiting entries go into one write.
	maxBatch = 500
)

// Config has the dependencies of a Trail.
type Config struct {
	Store    Store
	Now      func() time.Time
	Log      *slog.Logger
	Registry prometheus.Registerer
	// IsKey recognizes a key on record, which may have been typed in place of a name. It may be nil.
	IsKey func(text string) bool
}

// Trail writes entries. It is safe for concurrent use.
type Trail struct {
	Config
	// refused counts what was refused or failed, and done what was done.
	refused, done *repeats.Counter[kind, Entry]
	backlog       backlog
	// isLate is true if an entry waits because it could not be written.
	isLate atomic.Bool
	// added receives a value after an entry was added to the backlog.
	added   chan struct{}
	dropped prometheus.Counter
}

// New returns a trail and registers its metric.
func New(c Config) *Trail {
	dropped := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "keywright_audit_dropped_total",
		Help: "Audit entries that were never written to the database. They are in the log.",
	})
	c.Registry.MustRegister(dropped)
	if c.IsKey == nil {
		c.IsKey = func(string) bool { return false }
	}
	return &Trail{
		Config: c, added: make(chan struct{}, 1), dropped: dropped,
		refused: repeats.New[kind, Entry](maxKinds, 1), done: repeats.New[kind, Entry](maxKinds, 1),
	}
}

// Record writes an entry, or leaves it to Run, or counts it. It takes 2 seconds at the most and does not stop when ctx
// ends, because the operation has happened even if the caller is gone. It sets At, Count and Mark if they are empty,
// and removes unprintable text and keys.
func (t *Trail) Record(ctx context.Context, e Entry) {
	if e.At.IsZero() {
		e.At = t.Now()
	}
	e.Count = max(e.Count, 1)
	t.clean(&e)
	if b := batchOf(ctx); b != nil && e.Outcome != Done {
		b.add(t, &e)
		return
	}
	if !t.isCounted(&e) {
		t.store(context.WithoutCancel(ctx), []Entry{e})
	}
}

// store writes entries, or adds them to the backlog.
func (t *Trail) store(ctx context.Context, entries []Entry) {
	for i := range entries {
		entries[i].Mark = cmp.Or(entries[i].Mark, rand.Text())
	}
	// If others wait, these have to wait behind them.
	if t.backlog.isEmpty() {
		err := t.write(ctx, entries)
		if err == nil {
			return
		}
		t.isLate.Store(true)
		t.Log.Warn("An audit entry waits for the database", "action", entries[0].Action, "error", err)
	}
	for i := range entries {
		t.drop(t.backlog.add(entries[i]))
	}
	select {
	case t.added <- struct{}{}:
	default:
	}
}

// Run writes waiting entries and counts until ctx ends, and then tries once more, for 2 seconds at the most.
func (t *Trail) Run(ctx context.Context) {
	var counting sync.WaitGroup
	for _, counter := range []*repeats.Counter[kind, Entry]{t.refused, t.done} {
		counting.Go(func() { counter.Run(ctx, t.Now, t.storeCounts) })
	}
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-t.added:
			t.catchUp(ctx)
		}
	}
	counting.Wait()
	t.finish(context.WithoutCancel(ctx))
}

// catchUp returns when no entry waits or ctx has ended.
func (t *Trail) catchUp(ctx context.Context) {
	var written int
	for !t.backlog.isEmpty() && ctx.Err() == nil {
		some, err := t.writeOldest(ctx)
		written += some
		if err != nil {
			program.Pause(ctx, retryEvery)
		}
	}
	if ctx.Err() == nil && t.isLate.Swap(false) {
		t.Log.Info("Waiting audit entries are written", "entries", written)
	}
}

func (t *Trail) finish(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	for !t.backlog.isEmpty() {
		if _, err := t.writeOldest(ctx); err != nil {
			t.drop(t.backlog.takeAll())
		}
	}
}

func (t *Trail) writeOldest(ctx context.Context) (written int, err error) {
	entries, through := t.backlog.oldest(maxBatch)
	if err := t.write(ctx, entries); err != nil {
		return 0, err
	}
	t.backlog.removeThrough(through)
	return len(entries), nil
}

func (t *Trail) write(ctx context.Context, entries []Entry) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return t.Store.Append(ctx, entries)
}

// drop logs entries in place of storing them.
func (t *Trail) drop(entries []Entry) {
	for i := range entries {
		e := &entries[i]
		t.dropped.Inc()
		t.Log.Error("An audit entry will not be in the database",
			"at", e.At, "actor", e.Actor, "keyID", e.KeyID, "from", e.From,
			"action", e.Action, "target", e.Target, "outcome", e.Outcome, "detail", e.Detail,
			"reason", e.Reason, "count", e.Count)
	}
}
