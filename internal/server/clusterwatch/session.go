package clusterwatch

import (
	"context"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// session is one watch request. It ends early once the API server has nothing more to confirm in it, and when the API
// server does not end it in time: then the path of this request may be frozen while others work.
//
// It drops events that are older than an earlier one, so that no object goes back within a watch.
type session struct {
	source watch.Interface
	events chan watch.Event
	// restart receives the reason to end the session.
	restart chan *apierrors.StatusError
	stopped chan struct{}
	stop    sync.Once
	// cancel ends the request.
	cancel context.CancelFunc
	// listing is true until the API server has sent all objects, which it does in any order of versions.
	listing bool
	// last is the version of the last event.
	last string
	// patience is how long the session may last, or be silent while listing.
	patience time.Duration
	// lastBookmarkAfter is when a bookmark is the last one that the API server sends.
	lastBookmarkAfter time.Duration
}

func newSession(source watch.Interface, cancel context.CancelFunc, o *metav1.ListOptions, timing timing) *session {
	return &session{
		source: source, cancel: cancel, events: make(chan watch.Event), restart: make(chan *apierrors.StatusError, 1),
		stopped: make(chan struct{}), listing: o.SendInitialEvents != nil, last: o.ResourceVersion,
		patience: timing.session + sessionGrace, lastBookmarkAfter: timing.session - shortestSession,
	}
}

// ResultChan implements watch.Interface.
func (s *session) ResultChan() <-chan watch.Event { return s.events }

// Stop implements watch.Interface.
func (s *session) Stop() { s.stop.Do(func() { close(s.stopped) }) }

// end ends the session. The reflector receives the reason.
func (s *session) end(reason *apierrors.StatusError) {
	select {
	case s.restart <- reason:
	default:
	}
}

// run passes events on until the session ends.
func (s *session) run() {
	defer close(s.events)
	defer s.cancel()
	defer s.source.Stop()
	begun, patience := time.Now(), time.NewTimer(s.patience)
	defer patience.Stop()
	for {
		select {
		case <-s.stopped:
			return
		case reason := <-s.restart:
			s.send(watch.Event{Type: watch.Error, Object: &reason.ErrStatus})
			return
		case <-patience.C:
			s.end(errSilent)
		case event, open := <-s.source.ResultChan():
			if !open || !s.pass(event) || s.isLast(event, time.Since(begun)) {
				return
			}
			if s.listing {
				patience.Reset(s.patience)
			}
		}
	}
}

// pass sends an event unless it is older than the last one. It returns false if the session has ended.
func (s *session) pass(event watch.Event) bool {
	if event.Type == watch.Error {
		return s.send(event)
	}
	object, err := meta.Accessor(event.Object)
	if err != nil {
		return s.send(event)
	}
	version := object.GetResourceVersion()
	if !s.listing {
		if older(version, s.last) {
			return true
		}
		s.last = version
	}
	if !s.send(event) {
		return false
	}
	// The reflector takes a watch without an event after the list for a broken one, so it gets the end of the list twice.
	return !s.listing || event.Type != watch.Bookmark || s.send(event)
}

// isLast reports whether the session has nothing more to confirm. After the list that is at once: the next watch gets
// its first bookmark sooner.
func (s *session) isLast(event watch.Event, after time.Duration) bool {
	return event.Type == watch.Bookmark && (s.listing || after >= s.lastBookmarkAfter)
}

func (s *session) send(event watch.Event) bool {
	select {
	case s.events <- event:
		return true
	case <-s.stopped:
		return false
	}
}
