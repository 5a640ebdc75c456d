package lastuse

import (
	"context"
	"time"

	"keywright.dev/keywright/internal/auth/verify"
)

const (
	// A status is updated when a use is at least coarseness later than the last use in the status.
	coarseness = time.Hour
	// statusEvery is how often due statuses are written. Replicas write at different times and see each other's
	// writes.
	statusEvery = 10 * time.Second
	// maxStatuses bounds the writes of one round, which share the API server with everything else.
	maxStatuses = 50
	// statusTimeout bounds one write. After maxFailures in a row the rest waits for the next round.
	statusTimeout = 5 * time.Second
	maxFailures   = 3
)

func (r *Recorder) writeCoarse(ctx context.Context) {
	every := time.NewTicker(statusEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
			r.setStatuses(ctx)
		}
	}
}

// setStatuses writes the due statuses. A status that cannot be written waits for the next use of its object.
func (r *Recorder) setStatuses(ctx context.Context) {
	failures := 0
	for written := 0; written < maxStatuses && ctx.Err() == nil; {
		next := r.coarse.take(1)
		if len(next) == 0 {
			return
		}
		u := &next[0]
		if u.At.Sub(r.LastRecorded(u.Object)) < coarseness {
			continue
		}
		written++
		if r.setStatus(ctx, u) {
			failures = 0
			continue
		}
		failures++
		if failures == maxFailures {
			r.coarse.putBack(next)
			return
		}
	}
}

func (r *Recorder) setStatus(ctx context.Context, u *verify.Use) (done bool) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	err := r.Status.SetLastUsed(ctx, u.Object, u.UID, u.At)
	if err != nil {
		r.Log.Debug("The last use cannot be written to the status",
			"kind", u.Object.Kind, "namespace", u.Object.Namespace, "name", u.Object.Name, "error", err.Error())
	}
	return err == nil
}
