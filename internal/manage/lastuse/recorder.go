package lastuse

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keywright.dev/keywright/internal/auth/verify"
)

// Config is what a recorder works with.
type Config struct {
	Store  Store
	Status Status
	// Told is the last use that the status of an object tells of, as far as this server has seen.
	Told     func(id verify.ID) time.Time
	Log      *slog.Logger
	Registry prometheus.Registerer
}

// Recorder writes uses down. It is safe for concurrent use.
type Recorder struct {
	Config
	// exact and coarse are what is not in the Store yet, and what may not be in a status.
	exact, coarse *queue
	dropped       prometheus.Counter
}

// New makes a recorder and registers its metric.
func New(c Config) *Recorder {
	r := &Recorder{Config: c, exact: newQueue(mostExact), coarse: newQueue(mostCoarse), dropped: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "keywright_uses_dropped_total",
		Help: "Uses of keys that were not recorded because too many waited to be.",
	})}
	c.Registry.MustRegister(r.dropped)
	return r
}

// Note takes a use. It does not wait for anything to be written: when too much is not, what waits longest is dropped.
func (r *Recorder) Note(u verify.Use) {
	r.dropped.Add(float64(r.exact.add(u)))
	r.coarse.offer(u)
}

// Every is how often uses of one object are to be told of: seldom while so many wait that those of objects which have not
// been used for long would wait for those of others.
func (r *Recorder) Every() time.Duration {
	if r.exact.waiting.Load() > many {
		return seldom
	}
	return often
}

// Run writes until ctx ends, and then what is left, if that is quickly done.
func (r *Recorder) Run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { r.writeExact(ctx) })
	running.Go(func() { r.writeCoarse(ctx) })
	running.Wait()
}
