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
		if saved, err := r.saveSome(ctx, BatchSize); saved == 0 || err != nil {
			return err
		}
	}
}

// saveSome saves up to most uses, and as many by address. It returns those that cannot be saved to their queue.
func (r *Recorder) saveSome(ctx context.Context, most int) (saved int, err error) {
	uses, dropped, err := saveFrom(ctx, r.exact, most, r.saveUses)
	r.dropped.Add(float64(dropped))
	if err != nil {
		return 0, err
	}
	byAddress, dropped, err := saveFrom(ctx, r.addresses, most, r.Store.SaveAddressUses)
	r.droppedAddresses.Add(float64(dropped))
	return uses + byAddress, err
}

// saveFrom saves up to most values of a queue.
func saveFrom[K comparable, V any](
	ctx context.Context, q *queue[K, V], most int, save func(context.Context, []V) error,
) (saved, dropped int, err error) {
	values := q.take(most)
	if len(values) == 0 {
		return 0, 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, saveTimeout)
	defer cancel()
	if err := save(ctx, values); err != nil {
		return 0, q.putBack(values), err
	}
	return len(values), 0, nil
}

func (r *Recorder) saveUses(ctx context.Context, uses []verify.Use) error {
	batch := make([]Use, len(uses))
	for i, u := range uses {
		batch[i] = Use{UID: u.UID, KeyID: u.KeyID, At: u.At, From: u.From}
	}
	return r.Store.SaveUses(ctx, batch)
}
