package sessions

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	// askTimeout bounds what a request waits for the store to find its session, and useTimeout what any other use may take.
	askTimeout, useTimeout = time.Second, 5 * time.Second
	// atOnce bounds the requests that wait for the store: so many made-up sessions don't take all of it.
	atOnce = 16
	// pause is how long after a failure the next try is made, by one request for all; unless it came quickly, which costs
	// nobody anything to try again.
	pause   = time.Second
	quickly = 50 * time.Millisecond
)

// link is the way to the store, and whether it is open.
type link struct {
	now   func() time.Time
	log   *slog.Logger
	slots chan struct{}
	// nextTry is when it is tried again, in nanoseconds since 1970, or one of these.
	nextTry *atomic.Int64
}

// open and anyTime are values of link.nextTry: the store answers, or it fails quickly.
const open, anyTime = 0, 1

func newLink(now func() time.Time, log *slog.Logger) link {
	return link{now: now, log: log, slots: make(chan struct{}, atOnce), nextTry: new(atomic.Int64)}
}

var (
	errDown = errors.New("the store could not be asked a moment ago")
	errBusy = errors.New("too many wait for the store")
)

// try is for requests, which can do without: it fails at once while the store is known not to answer.
func (l *link) try(ctx context.Context, do func(context.Context) error) error {
	if !l.isMyTurn() {
		return errDown
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	select {
	case l.slots <- struct{}{}:
	case <-ctx.Done():
		return errBusy
	}
	defer func() { <-l.slots }()
	return l.ask(ctx, do)
}

// use is for what can't do without.
func (l *link) use(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, useTimeout)
	defer cancel()
	return l.ask(ctx, do)
}

// isMyTurn says whether to try: anybody may while the store answers or fails quickly, and else one after each pause.
func (l *link) isMyTurn() bool {
	next := l.nextTry.Load()
	if next == open || next == anyTime {
		return true
	}
	now := l.now().UnixNano()
	return now >= next && l.nextTry.CompareAndSwap(next, now+int64(pause))
}

// ask keeps the result in mind. That whoever asked went away says nothing of the store.
func (l *link) ask(ctx context.Context, do func(context.Context) error) error {
	begun := l.now()
	err := do(ctx)
	switch {
	case err == nil && l.nextTry.Swap(open) != open:
		l.log.Info("The store of sessions can be asked again")
	case err == nil || errors.Is(ctx.Err(), context.Canceled):
	case l.nextTry.Swap(l.afterFailure(begun)) == open:
		l.log.Warn("The store of sessions can't be asked: those that are known go on for a while", "error", err.Error())
	}
	return err
}

func (l *link) afterFailure(begun time.Time) (nextTry int64) {
	now := l.now()
	if now.Sub(begun) < quickly {
		return anyTime
	}
	return now.Add(pause).UnixNano()
}
