package clusterwatch

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// maxReads bounds the consistent reads that wait for the watch.
const maxReads = 64

// freshness is what is known about the age of the view of one resource.
//
// The proof has two parts. A consistent read that began at an instant reports the resource version that the data had
// then, or later. Once the watch has delivered everything up to that version, the view has everything that existed at
// that instant. So neither a silent watch, nor an API server that repeats what it last got from etcd, looks fresh.
type freshness struct {
	resource string
	log      *slog.Logger
	now      func() time.Time

	mu sync.Mutex
	// listed is true once all objects have been listed, and stays true.
	listed bool
	// applied is the resource version up to which the view is complete. Empty: none.
	applied string
	// confirmed is the latest instant whose objects the view is known to have. Before the first list it is the start of
	// the program.
	confirmed time.Time
	// reads are consistent reads whose resource version has not been applied yet, oldest first.
	reads []consistentRead
	// err is the error of the last failed request since the view was confirmed, or nil.
	err error
	// restores counts full lists that were older than what had been applied.
	restores int
}

// consistentRead is a read that began at an instant and reported a resource version.
type consistentRead struct {
	began   time.Time
	version string
}

// older reports whether version a precedes b. It does not if they cannot be compared, as with no version.
func older(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && order < 0
}

// reached reports whether version a is b or follows it.
func reached(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && order >= 0
}

// begin returns the time, and the version that a consistent read from now on cannot precede.
func (f *freshness) begin() (now time.Time, applied string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now(), f.applied
}

// read records a consistent read. It returns false if the read precedes what had been applied when it began: then the
// data went back, and the watch would wait for versions that the view has already.
func (f *freshness) read(began time.Time, before, version string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if older(version, before) {
		return false
	}
	if len(f.reads) < maxReads {
		f.reads = append(f.reads, consistentRead{began, version})
	}
	f.confirm()
	return true
}

// advance records that everything up to a version has been applied.
func (f *freshness) advance(version string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !reached(f.applied, version) {
		f.applied = version
	}
	f.confirm()
}

// replaced records a full list by a consistent read. It counts even if it is older than what had been applied.
func (f *freshness) replaced(began time.Time, version string, objects int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if older(version, f.applied) {
		f.restores++
		f.log.Warn("The API server has older data than before, as after a restore: the view follows it",
			"version", version, "before", f.applied, "objects", objects)
	}
	if !f.listed {
		f.listed = true
		f.log.Info("All objects have been listed", "objects", objects)
	}
	f.applied, f.reads = version, nil
	f.confirmedAt(began)
}

// confirm looks for the latest read that has been reached.
func (f *freshness) confirm() {
	for i, r := range slices.Backward(f.reads) {
		if reached(f.applied, r.version) {
			f.reads = slices.Delete(f.reads, 0, i+1)
			f.confirmedAt(r.began)
			return
		}
	}
}

func (f *freshness) confirmedAt(instant time.Time) {
	if f.err != nil {
		f.log.Info("The API server is reachable again", "after", f.now().Sub(f.confirmed).String())
	}
	f.err = nil
	if instant.After(f.confirmed) {
		f.confirmed = instant
	}
}

// fail records a failed request. It logs the first one since the view was confirmed, however many follow, and then
// returns true.
func (f *freshness) fail(err error) (first bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	first = f.err == nil
	f.err = err
	if first {
		f.warn(err)
	}
	return first
}

func (f *freshness) warn(err error) {
	log := f.log.With("error", err.Error(), "continuingWithLastView", f.listed, "age", f.now().Sub(f.confirmed).String())
	if apierrors.IsNotFound(err) {
		log.Warn("The API server does not serve the resource")
		return
	}
	log.Warn("The API server is unreachable")
}

// shows reports whether the view has this version of an object or a later one. Without a version it does not.
func (f *freshness) shows(version string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return reached(f.applied, version)
}

// ready returns an error until all objects have been listed, with the reason if there is one.
func (f *freshness) ready() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.listed:
		return nil
	case f.err != nil:
		return fmt.Errorf("%s have not been listed yet: %w", f.resource, f.err)
	}
	return fmt.Errorf("%s have not been listed yet", f.resource)
}

// failing returns the last error since the view was confirmed.
func (f *freshness) failing() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// age returns the time since the confirmed instant.
func (f *freshness) age() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now().Sub(f.confirmed)
}

func (f *freshness) restored() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.restores
}
