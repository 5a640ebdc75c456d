package lastuse

import (
	"context"
	"time"

	"keywright.dev/keywright/internal/gate"
)

const (
	// saveEvery is how often uses are written down, and saveTimeout how long that may take.
	saveEvery, saveTimeout = time.Second, 10 * time.Second
	// longestPause is between tries while the Store can't be reached.
	longestPause = 30 * time.Second
	// lastTry is how long the Store is waited for when everything ends.
	lastTry = 2 * time.Second
)

func (r *Recorder) writeExact(ctx context.Context) {
	pause, failed := saveEvery, false
	for {
		select {
		case <-ctx.Done():
			r.saveLast(context.WithoutCancel(ctx))
			return
		case <-time.After(pause):
		}
		err := r.saveAll(ctx)
		switch {
		case err == nil && failed:
			r.Log.Info("Uses of keys are recorded again")
			pause, failed = saveEvery, false
		case err != nil && !failed && ctx.Err() == nil:
			r.Log.Warn("Uses of keys can't be recorded now", "error", err.Error())
			failed = true
		case err != nil:
			pause = min(2*pause, longestPause)
		}
	}
}

func (r *Recorder) saveLast(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lastTry)
	defer cancel()
	_ = r.saveAll(ctx)
}

// saveAll leaves what could not be saved where it was.
func (r *Recorder) saveAll(ctx context.Context) error {
	for {
		uses := r.exact.take(BatchSize)
		if len(uses) == 0 {
			return nil
		}
		if err := r.save(ctx, uses); err != nil {
			r.dropped.Add(float64(r.exact.giveBack(uses)))
			return err
		}
	}
}

func (r *Recorder) save(ctx context.Context, uses []gate.Use) error {
	ctx, cancel := context.WithTimeout(ctx, saveTimeout)
	defer cancel()
	batch := make([]Use, len(uses))
	for i, u := range uses {
		batch[i] = Use{UID: u.UID, KeyID: u.KeyID, At: u.At, From: u.From}
	}
	return r.Store.SaveUses(ctx, batch)
}
