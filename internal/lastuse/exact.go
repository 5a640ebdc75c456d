package lastuse

import (
	"context"
	"time"

	"keywright.dev/keywright/internal/gate"
)

const (
	// saveEvery is how often a batch of uses is written down, and saveTimeout how long that may take. So 500 objects have
	// theirs within a second, and 100,000 that are all in use within minutes: requests come first.
	saveEvery, saveTimeout = time.Second, 10 * time.Second
	// often and seldom are what Every returns, and many is where the one ends and the other begins.
	often, seldom = 30 * time.Second, 5 * time.Minute
	many          = 10 * BatchSize
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
		_, err := r.saveSome(ctx)
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

func (r *Recorder) saveAll(ctx context.Context) error {
	for {
		if saved, err := r.saveSome(ctx); saved == 0 {
			return err
		}
	}
}

// saveSome leaves what could not be saved where it was.
func (r *Recorder) saveSome(ctx context.Context) (saved int, err error) {
	uses := r.exact.take(BatchSize)
	if len(uses) == 0 {
		return 0, nil
	}
	if err := r.save(ctx, uses); err != nil {
		r.dropped.Add(float64(r.exact.giveBack(uses)))
		return 0, err
	}
	return len(uses), nil
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
