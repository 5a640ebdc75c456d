package presence_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"keywright.dev/keywright/internal/presence"
)

// lines collects a log that several goroutines write.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func newLines() *lines { return &lines{} }

func (l *lines) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(l, nil)) }

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) with(part string) (found []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		if strings.Contains(line, part) {
			found = append(found, line)
		}
	}
	return found
}

// server is one that reports what it runs.
type server struct {
	t        *testing.T
	presence *presence.Presence
	revision atomic.Pointer[string]
	changed  chan struct{}
	log      *lines
	// stop ends it and returns when it has ended.
	stop func()
}

func newServer(t *testing.T, config *rest.Config, on clock.Clock, pod, uid string) *server {
	t.Helper()
	s := &server{t: t, changed: make(chan struct{}, 1), log: newLines()}
	s.revision.Store(new(""))
	var err error
	s.presence, err = presence.New(presence.Options{
		REST: config, Namespace: namespace, Pod: pod, PodUID: uid, Clock: on, Log: s.log.logger(),
		Revision: func() string { return *s.revision.Load() }, Changed: s.changed,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *server) start() {
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.presence.Run(ctx)
	}()
	s.stop = sync.OnceFunc(func() { cancel(); <-ended })
	s.t.Cleanup(s.stop)
}

// runs brings another configuration into force.
func (s *server) runs(revision string) {
	s.revision.Store(&revision)
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for !is() {
		select {
		case <-deadline:
			t.Fatalf("it never came to be that %s", what)
		case <-look.C:
		}
	}
}
