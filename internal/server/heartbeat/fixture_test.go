package heartbeat_test

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"keywright.dev/keywright/internal/server/heartbeat"
	"keywright.dev/keywright/test/kit"
)

func logTo(j *kit.Log) *slog.Logger { return slog.New(slog.NewJSONHandler(j, nil)) }

// server reports the configuration that it runs.
type server struct {
	t        *testing.T
	reporter *heartbeat.Reporter
	revision atomic.Pointer[string]
	changed  chan struct{}
	// hasDatabase is whether the database has answered.
	hasDatabase atomic.Bool
	log         *kit.Log
	// stop returns when Run has returned.
	stop func()
}

func newServer(t *testing.T, config *rest.Config, on clock.Clock, pod, uid string) *server {
	t.Helper()
	s := &server{t: t, changed: make(chan struct{}, 1), log: &kit.Log{}}
	s.revision.Store(new(""))
	var err error
	s.reporter, err = heartbeat.New(heartbeat.Options{
		REST: config, Namespace: namespace, Pod: pod, PodUID: uid, Clock: on, Log: logTo(s.log),
		Configuration: s, DatabaseAnswered: s.hasDatabase.Load,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Revision is part of heartbeat.Configuration.
func (s *server) Revision() string { return *s.revision.Load() }

// Changed is part of heartbeat.Configuration.
func (s *server) Changed() <-chan struct{} { return s.changed }

func (s *server) start() {
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.reporter.Run(ctx)
	}()
	s.stop = sync.OnceFunc(func() { cancel(); <-ended })
	s.t.Cleanup(s.stop)
}

// runs changes the revision in force.
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
			t.Fatalf("not reached in time: %s", what)
		case <-look.C:
		}
	}
}
