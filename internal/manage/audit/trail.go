package audit

import (
	"context"
	"crypto/rand"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keywright.dev/keywright/internal/program"
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
}

// Trail writes entries. It is safe for concurrent use.
type Trail struct {
	Config
	backlog backlog
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
	return &Trail{Config: c, added: make(chan struct{}, 1), dropped: dropped}
}

// Record writes an entry, or leaves it to Run. It takes 2 seconds at the most and does not stop when ctx ends,
// because the operation has happened even if the caller is gone. It sets At and Mark if they are empty, and
// removes unprintable text and keys.
func (t *Trail) Record(ctx context.Context, e Entry) {
	if e.At.IsZero() {
		e.At = t.Now()
	}
	if e.Mark == "" {
		e.Mark = rand.Text()
	}
	clean(&e)
	// If others wait, this entry has to wait behind them.
	if t.backlog.isEmpty() {
		err := t.write(context.WithoutCancel(ctx), []Entry{e})
		if err == nil {
			return
		}
		t.Log.Warn("An audit entry waits for the database", "action", e.Action, "err", err)
	}
	t.drop(t.backlog.add(e))
	select {
	case t.added <- struct{}{}:
	default:
	}
}

// Run writes waiting entries until ctx ends, and then tries once more, for 2 seconds at the most.
func (t *Trail) Run(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-t.added:
			t.catchUp(ctx)
		}
	}
	t.finish(context.WithoutCancel(ctx))
}

// catchUp returns when no entry waits or ctx has ended.
func (t *Trail) catchUp(ctx context.Context) {
	var late int
	for !t.backlog.isEmpty() && ctx.Err() == nil {
		written, err := t.writeOldest(ctx)
		late += written
		if err != nil {
			program.Pause(ctx, retryEvery)
		}
	}
	if late > 0 {
		t.Log.Info("Waiting audit entries are written", "entries", late)
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
			"action", e.Action, "target", e.Target, "outcome", e.Outcome, "detail", e.Detail)
	}
}
