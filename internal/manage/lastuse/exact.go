package lastuse

import (
	"context"
	"time"

	"keywright.dev/keywright/internal/auth/verify"
)

const (
	// saveEvery is how often so many uses are written down as saveAtOnce, and saveTimeout how long that may take. So 250
	// objects have theirs within a second, and 100,000 that are all in use within minutes: requests come first.
	saveEvery, saveTimeout = time.Second, 10 * time.Second
	saveAtOnce             = 250
	// often and seldom are what Every returns, and many is where the one ends and the other begins.
	often, seldom = verify.UseInterval, 5 * time.Minute
	many          = 20 * saveAtOnce
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
		_, err := r.saveSome(ctx, saveAtOnce)
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
		if saved, err := r.saveSome(ctx, BatchSize); saved == 0 {
			return err
		}
	}
}

// saveSome leaves what could not be saved where it was.
func (r *Recorder) saveSome(ctx context.Context, most int) (saved int, err error) {
	uses := r.exact.take(most)
	if len(uses) == 0 {
		return 0, nil
	}
	if err := r.save(ctx, uses); err != nil {
		r.dropped.Add(float64(r.exact.giveBack(uses)))
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
