package seenusers

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/program"
)

const (
	// recordEvery is how often one name is recorded.
	recordEvery = time.Minute
	// writeEvery is how long sightings are collected before a write, and the delay after a failed write.
	writeEvery = time.Second
	// writeTimeout bounds one write, and so the delay of a shutdown.
	writeTimeout = 2 * time.Second
)

// Recorder takes sightings and writes them later. It is safe for concurrent use.
type Recorder struct {
	store Store
	isKey func(text string) bool
	log   *slog.Logger

	mu sync.Mutex
	// recent and previous have the time of the last sighting of each name: of the minute since rotatedAt and of
	// the one before.
	recent, previous map[string]time.Time
	rotatedAt        time.Time
	// waiting has the last sighting of each name that is not in the store yet.
	waiting map[string]Sighting
	// added receives a value when sightings wait.
	added chan struct{}
}

// NewRecorder returns a recorder, which writes while Run runs. isKey recognizes a key on record.
func NewRecorder(store Store, isKey func(text string) bool, log *slog.Logger) *Recorder {
	return &Recorder{
		store: store, isKey: isKey, log: log, added: make(chan struct{}, 1),
		recent: map[string]time.Time{}, waiting: map[string]Sighting{},
	}
}

// Record takes a sighting. It never blocks.
func (r *Recorder) Record(name, from string, at time.Time) {
	if isRecordable(name) && r.take(name, from, at) {
		r.notify()
	}
}

func (r *Recorder) notify() {
	select {
	case r.added <- struct{}{}:
	default:
	}
}

// take adds a sighting to those that wait, and reports whether it did.
func (r *Recorder) take(name, from string, at time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rotate(at)
	if at.Sub(r.last(name)) < recordEvery || len(r.recent) >= MaxNames {
		return false
	}
	r.recent[name] = at
	return r.enqueue(Sighting{name, cleanAddress(from), at})
}

// rotate drops the times of the minute before the last. Dropping a whole map takes no time.
func (r *Recorder) rotate(at time.Time) {
	if at.Sub(r.rotatedAt) >= recordEvery {
		r.recent, r.previous, r.rotatedAt = map[string]time.Time{}, r.recent, at
	}
}

func (r *Recorder) last(name string) time.Time {
	if at, ok := r.recent[name]; ok {
		return at
	}
	return r.previous[name]
}

// enqueue returns false if too many names wait already.
func (r *Recorder) enqueue(s Sighting) bool {
	if _, known := r.waiting[s.Username]; !known && len(r.waiting) >= MaxNames {
		return false
	}
	r.waiting[s.Username] = s
	return true
}

// Run writes sightings until ctx ends, and then writes what is left within 2 seconds.
func (r *Recorder) Run(ctx context.Context) {
	var failing bool
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			continue
		case <-r.added:
		}
		program.Pause(ctx, writeEvery)
		err := r.write(context.WithoutCancel(ctx))
		if err != nil && !failing {
			r.log.Warn("Seen users cannot be written and wait", "error", err)
		}
		failing = err != nil
	}
	if err := r.write(context.WithoutCancel(ctx)); err != nil {
		r.log.Warn("Seen users were not written", "error", err)
	}
}

// write puts sightings back if they cannot be written.
func (r *Recorder) write(ctx context.Context) error {
	sightings := r.collect()
	if len(sightings) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	err := r.store.Save(ctx, sightings)
	if err != nil {
		r.putBack(sightings)
	}
	return err
}

// collect takes what waits, without names that have a key in them: a person may have sent one as the name. Here few are
// left to check.
func (r *Recorder) collect() []Sighting {
	isKey := func(word string) bool { return keyformat.IsKey(word, r.isKey) }
	return slices.DeleteFunc(r.takeWaiting(), func(s Sighting) bool {
		return slices.ContainsFunc(strings.Fields(s.Username), isKey)
	})
}

func (r *Recorder) takeWaiting() []Sighting {
	r.mu.Lock()
	defer r.mu.Unlock()
	sightings := slices.Collect(maps.Values(r.waiting))
	clear(r.waiting)
	return sightings
}

func (r *Recorder) putBack(sightings []Sighting) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range sightings {
		if _, newer := r.waiting[s.Username]; !newer {
			r.enqueue(s)
		}
	}
	r.notify()
}
