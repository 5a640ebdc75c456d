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
	// writeTimeout bounds how long an answer waits for its entry, and the end of the program for those that wait.
	writeTimeout = 2 * time.Second
	// retryEvery is how soon a write that failed is tried again.
	retryEvery = time.Second
	// atOnce is how many of the entries that wait go into one write.
	atOnce = 500
)

// Config is what a trail works with.
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
	// waits has something to read when the backlog got its first entry.
	waits   chan struct{}
	dropped prometheus.Counter
}

// New makes a trail and registers its metric.
func New(c Config) *Trail {
	t := &Trail{Config: c, waits: make(chan struct{}, 1), dropped: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "keywright_audit_dropped_total",
		Help: "Audit entries that were never written to the database. They are in the log.",
	})}
	c.Registry.MustRegister(t.dropped)
	return t
}

// Record writes an entry, or lets it wait for Run. It takes 2 seconds at the most, and goes on when the caller's context
// ends: who went away has done it all the same. What of the entry is not set, At and Mark, is set; what can't be shown or
// may be a key is cut.
func (t *Trail) Record(ctx context.Context, e Entry) {
	if e.At.IsZero() {
		e.At = t.Now()
	}
	if e.Mark == "" {
		e.Mark = rand.Text()
	}
	clean(&e)
	// Behind others that wait, it waits too: they belong before it.
	if t.backlog.isEmpty() {
		err := t.write(context.WithoutCancel(ctx), []Entry{e})
		if err == nil {
			return
		}
		t.Log.Warn("An audit entry waits for the database", "action", e.Action, "err", err)
	}
	t.drop(t.backlog.add(e))
	select {
	case t.waits <- struct{}{}:
	default:
	}
}

// Run writes what had to wait, until ctx ends; then it tries once more, for 2 seconds at the most.
func (t *Trail) Run(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-t.waits:
			t.catchUp(ctx)
		}
	}
	t.finish(context.WithoutCancel(ctx))
}

// catchUp returns when nothing waits any more.
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
		t.Log.Info("Audit entries that had waited for the database are written", "entries", late)
	}
}

func (t *Trail) finish(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	for !t.backlog.isEmpty() {
		if _, err := t.writeOldest(ctx); err != nil {
			t.drop(t.backlog.empty())
		}
	}
}

func (t *Trail) writeOldest(ctx context.Context) (written int, err error) {
	entries, through := t.backlog.oldest(atOnce)
	if err := t.write(ctx, entries); err != nil {
		return 0, err
	}
	t.backlog.written(through)
	return len(entries), nil
}

func (t *Trail) write(ctx context.Context, entries []Entry) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return t.Store.Append(ctx, entries)
}

// drop leaves entries to the log.
func (t *Trail) drop(entries []Entry) {
	for i := range entries {
		e := &entries[i]
		t.dropped.Inc()
		t.Log.Error("An audit entry will not be in the database", "at", e.At, "actor", e.Actor, "keyID", e.KeyID, "from", e.From,
			"action", e.Action, "target", e.Target, "outcome", e.Outcome, "detail", e.Detail)
	}
}
