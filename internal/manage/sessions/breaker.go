package sessions

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	// requestTimeout bounds how long a request waits for the store, and callTimeout every other call of the store.
	requestTimeout, callTimeout = time.Second, 5 * time.Second
	// maxConcurrent bounds the requests that wait for the store, so that made-up cookies cannot overload it.
	maxConcurrent = 16
	// retryDelay is the time between tries after a failure, unless the store fails fast: then every request may try.
	retryDelay  = time.Second
	fastFailure = 50 * time.Millisecond
)

// breaker is a circuit breaker in front of the store.
type breaker struct {
	now   func() time.Time
	log   *slog.Logger
	slots chan struct{}
	// nextTry is the time of the next try in nanoseconds since 1970, or healthy or failingFast.
	nextTry *atomic.Int64
}

const healthy, failingFast = 0, 1

func newBreaker(now func() time.Time, log *slog.Logger) breaker {
	return breaker{now: now, log: log, slots: make(chan struct{}, maxConcurrent), nextTry: new(atomic.Int64)}
}

var (
	errDown = errors.New("the store failed a moment ago")
	errBusy = errors.New("too many requests wait for the store")
)

// try calls the store for a request. It fails at once while the store is known to be slow or hanging.
func (b *breaker) try(ctx context.Context, call func(context.Context) error) error {
	if !b.mayTry() {
		return errDown
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	select {
	case b.slots <- struct{}{}:
	case <-ctx.Done():
		return errBusy
	}
	defer func() { <-b.slots }()
	return b.record(ctx, call)
}

// do calls the store whatever its state.
func (b *breaker) do(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return b.record(ctx, call)
}

// mayTry lets every request through while the store is healthy or fails fast, and otherwise one per retryDelay.
func (b *breaker) mayTry() bool {
	next := b.nextTry.Load()
	if next == healthy || next == failingFast {
		return true
	}
	now := b.now().UnixNano()
	return now >= next && b.nextTry.CompareAndSwap(next, now+int64(retryDelay))
}

// record calls the store and records the result. A canceled call does not count as a failure.
func (b *breaker) record(ctx context.Context, call func(context.Context) error) error {
	started := b.now()
	err := call(ctx)
	switch {
	case err == nil && b.nextTry.Swap(healthy) != healthy:
		b.log.Info("The session store is available again")
	case err == nil || errors.Is(ctx.Err(), context.Canceled):
	case b.nextTry.Swap(b.afterFailure(started)) == healthy:
		b.log.Warn("The session store is unavailable: cached sessions stay valid for a while", "error", err.Error())
	}
	return err
}

func (b *breaker) afterFailure(started time.Time) (nextTry int64) {
	now := b.now()
	if now.Sub(started) < fastFailure {
		return failingFast
	}
	return now.Add(retryDelay).UnixNano()
}
