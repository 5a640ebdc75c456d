package clusterwatch

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// link is what is known of the connection to the API server for one resource. It logs each change for the worse or
// the better once, however often is tried in between.
type link struct {
	resource string
	log      *slog.Logger
	now      func() time.Time

	mu sync.Mutex
	// filled is true once everything has been seen; it stays so.
	filled bool
	// trouble is why the API server can't be asked, and since is when that began. Nil while it can.
	trouble error
	since   time.Time
}

// note takes the result of a request.
func (l *link) note(ctx context.Context, o *metav1.ListOptions, err error) {
	if ctx.Err() != nil || isAnswer(o, err) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.trouble
	l.trouble = err
	switch {
	case err != nil && before == nil:
		l.since = l.now()
		l.log.Warn("The API server can't be asked", "error", err.Error(), "goingOnWithWhatWasSeen", l.filled)
	case err == nil && before != nil:
		l.log.Info("The API server can be asked again", "after", l.now().Sub(l.since).String())
	}
}

// isAnswer says that an error is the API server's ordinary way to have a client ask otherwise: from a newer version
// on, or, when it is an old one, by list and watch apart.
func isAnswer(o *metav1.ListOptions, err error) bool {
	return apierrors.IsResourceExpired(err) || apierrors.IsGone(err) ||
		o.SendInitialEvents != nil && apierrors.IsInvalid(err)
}

// fill notes that everything has been seen.
func (l *link) fill(objects int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.filled {
		l.filled = true
		l.log.Info("Everything has been seen once", "objects", objects)
	}
}

// ready is an error until everything has been seen once, with the reason where one is known.
func (l *link) ready() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.filled:
		return nil
	case l.trouble != nil:
		return fmt.Errorf("%s have not been seen yet: %w", l.resource, l.trouble)
	}
	return fmt.Errorf("%s have not been seen yet", l.resource)
}

// age is how long the API server could not be asked for, and zero while it can.
func (l *link) age() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.trouble == nil {
		return 0
	}
	return l.now().Sub(l.since)
}
