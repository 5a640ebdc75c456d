package lastuse

import (
	"context"
	"time"

	"keywright.dev/keywright/internal/auth/verify"
)

const (
	// Every saveEvery up to maxSave uses are saved, in at most saveTimeout. The uses of 250 objects are saved
	// within a second; those of 100,000 objects take minutes, because requests have priority.
	saveEvery, saveTimeout = time.Second, 10 * time.Second
	maxSave                = 250
	// Interval returns usualInterval, or busyInterval while more than busyQueue uses wait.
	usualInterval, busyInterval = verify.UseInterval, 5 * time.Minute
	busyQueue                   = 20 * maxSave
	// maxDelay bounds the delay between tries while the Store is unavailable.
	maxDelay = 30 * time.Second
	// shutdownTimeout bounds the last save when the program stops.
	shutdownTimeout = 2 * time.Second
)

func (r *Recorder) writeExact(ctx context.Context) {
	delay, failed := saveEvery, false
	for {
		select {
		case <-ctx.Done():
			r.saveLast(context.WithoutCancel(ctx))
			return
		case <-time.After(delay):
		}
		_, err := r.saveSome(ctx, maxSave)
		switch {
		case err == nil && failed:
			r.Log.Info("Key uses are recorded again")
			delay, failed = saveEvery, false
		case err != nil && !failed && ctx.Err() == nil:
			r.Log.Warn("Key uses cannot be recorded", "error", err.Error())
			failed = true
		case err != nil:
			delay = min(2*delay, maxDelay)
		}
	}
}

func (r *Recorder) saveLast(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, shutdownTimeout)
	defer cancel()
	_ = r.saveAll(ctx)
}

func (r *Recorder) saveAll(ctx context.Context) error {
	for {
		if saved, err := r.saveSome(ctx, BatchSize); saved == 0 {
			return err
		}
	}
}

// saveSome returns uses to the queue if they cannot be saved.
func (r *Recorder) saveSome(ctx context.Context, most int) (saved int, err error) {
	uses := r.exact.take(most)
	if len(uses) == 0 {
		return 0, nil
	}
	if err := r.save(ctx, uses); err != nil {
		r.dropped.Add(float64(r.exact.putBack(uses)))
		return 0, err
	}
	return len(uses), nil
}

func (r *Recorder) save(ctx context.Context, uses []verify.Use) error {
	ctx, cancel := context.WithTimeout(ctx, saveTimeout)
	defer cancel()
	batch := make([]Use, len(uses))
	for i, u := range uses {
		batch[i] = Use{UID: u.UID, KeyID: u.KeyID, At: u.At, From: u.From}
	}
	return r.Store.SaveUses(ctx, batch)
}
