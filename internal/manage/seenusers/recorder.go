package seenusers

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"keywright.dev/keywright/internal/program"
)

const (
	// noteEvery is how often one name is noted.
	noteEvery = time.Minute
	// writeEvery is how long sightings are collected, and how soon a write that failed is tried again.
	writeEvery = time.Second
	// writeTimeout bounds one write, and so the end of the program.
	writeTimeout = 2 * time.Second
)

// Recorder takes sightings and writes them later. It is safe for concurrent use.
type Recorder struct {
	store Store
	log   *slog.Logger

	mu sync.Mutex
	// noted is when a name last was, for as long as that matters. Names of the minute before are in earlier.
	noted, earlier map[string]time.Time
	turned         time.Time
	// waiting has the last sighting of each name.
	waiting map[string]Sighting
	// waits has something to read when there is something to write.
	waits chan struct{}
}

// NewRecorder makes a recorder; Run writes.
func NewRecorder(store Store, log *slog.Logger) *Recorder {
	return &Recorder{
		store: store, log: log, waits: make(chan struct{}, 1),
		noted: map[string]time.Time{}, waiting: map[string]Sighting{},
	}
}

// Note takes a sighting. It waits for nothing.
func (r *Recorder) Note(name, from string, at time.Time) {
	if !isName(name) || !r.take(name, from, at) {
		return
	}
	select {
	case r.waits <- struct{}{}:
	default:
	}
}

// take says whether there is something new to write.
func (r *Recorder) take(name, from string, at time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turn(at)
	if at.Sub(r.last(name)) < noteEvery || len(r.noted) >= MaxNames {
		return false
	}
	r.noted[name] = at
	return r.wait(Sighting{name, shown(from), at})
}

// turn forgets when names were noted, once that is a minute ago: of a whole map at once, which takes no time.
func (r *Recorder) turn(at time.Time) {
	if at.Sub(r.turned) >= noteEvery {
		r.noted, r.earlier, r.turned = map[string]time.Time{}, r.noted, at
	}
}

func (r *Recorder) last(name string) time.Time {
	if at, ok := r.noted[name]; ok {
		return at
	}
	return r.earlier[name]
}

// wait is false when too many wait already.
func (r *Recorder) wait(s Sighting) bool {
	if _, known := r.waiting[s.Username]; !known && len(r.waiting) >= MaxNames {
		return false
	}
	r.waiting[s.Username] = s
	return true
}

// Run writes until ctx ends, and then what is left, which takes 2 seconds at the most.
func (r *Recorder) Run(ctx context.Context) {
	var failing bool
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			continue
		case <-r.waits:
		}
		program.Pause(ctx, writeEvery)
		err := r.write(context.WithoutCancel(ctx))
		if err != nil && !failing {
			r.log.Warn("Users that were seen can't be written and wait", "err", err)
		}
		failing = err != nil
	}
	if err := r.write(context.WithoutCancel(ctx)); err != nil {
		r.log.Warn("Users that were seen are not written", "err", err)
	}
}

// write has what could not be written wait again.
func (r *Recorder) write(ctx context.Context) error {
	sightings := r.collect()
	if len(sightings) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	err := r.store.Saw(ctx, sightings)
	if err != nil {
		r.putBack(sightings)
	}
	return err
}

func (r *Recorder) collect() []Sighting {
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
			r.wait(s)
		}
	}
	select {
	case r.waits <- struct{}{}:
	default:
	}
}
