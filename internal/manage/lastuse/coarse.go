package lastuse

import (
	"context"
	"time"

	"keywright.dev/keywright/internal/auth/verify"
)

const (
	// coarseness is how much later than what its status tells an object must have been used, to be told there.
	coarseness = time.Hour
	// statusEvery is how often such objects are looked for. Each replica does so at times of its own, and what one has
	// written the others see before it is their turn.
	statusEvery = 10 * time.Second
	// mostStatuses are written each time: the API server has other things to do.
	mostStatuses = 50
	// statusTimeout bounds one write. After tooMany failed in a row the rest waits for the next time.
	statusTimeout = 5 * time.Second
	tooMany       = 3
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

// setStatuses writes those that are due. One that can't be written is left until its object is used again.
func (r *Recorder) setStatuses(ctx context.Context) {
	failures := 0
	for written := 0; written < mostStatuses && ctx.Err() == nil; {
		next := r.coarse.take(1)
		if len(next) == 0 {
			return
		}
		u := &next[0]
		if u.At.Sub(r.Told(u.Object)) < coarseness {
			continue
		}
		written++
		if r.setStatus(ctx, u) {
			failures = 0
			continue
		}
		failures++
		if failures == tooMany {
			r.coarse.giveBack(next)
			return
		}
	}
}

func (r *Recorder) setStatus(ctx context.Context, u *verify.Use) (done bool) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	err := r.Status.SetLastUsed(ctx, u.Object, u.UID, u.At)
	if err != nil {
		r.Log.Debug("A last use can't be told in the status",
			"kind", u.Object.Kind, "namespace", u.Object.Namespace, "name", u.Object.Name, "error", err.Error())
	}
	return err == nil
}
