package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// slowly is a server with one pending request that ends when it is released.
type slowly struct {
	url       string
	ready     *readiness
	underWay  chan struct{}
	release   chan struct{}
	cancel    context.CancelFunc
	ended     chan error
	answered  chan error
	listening net.Listener
}

func newSlowly(t *testing.T, timeout time.Duration) *slowly {
	t.Helper()
	s := &slowly{
		ready: &readiness{}, underWay: make(chan struct{}), release: make(chan struct{}),
		ended: make(chan error, 1), answered: make(chan error, 1),
	}
	var err error
	if s.listening, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	s.url = "http://" + s.listening.Addr().String()
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(s.underWay)
		<-s.release
		_, _ = io.WriteString(w, "done")
	})
	var ctx context.Context
	ctx, s.cancel = context.WithCancel(t.Context())
	all := listeners{{s.listening, newServer(handler, slog.New(slog.DiscardHandler))}}
	go func() { s.ended <- all.serve(ctx, s.ready, timeout) }()
	go func() { s.answered <- s.ask() }()
	<-s.underWay
	return s
}

func (s *slowly) ask() error {
	reply, err := http.Get(s.url)
	if err != nil {
		return err
	}
	defer func() { _ = reply.Body.Close() }()
	body, err := io.ReadAll(reply.Body)
	if err == nil && string(body) != "done" {
		err = errors.New("answered " + string(body))
	}
	return err
}

func TestServe_StopsGracefully(t *testing.T) {
	s := newSlowly(t, time.Minute)
	s.cancel()
	eventually(t, "not ready any more", func() bool {
		status, _ := s.ready.report()
		return status == http.StatusServiceUnavailable
	})
	eventually(t, "no new connection is accepted", func() bool {
		connection, err := net.Dial("tcp", s.listening.Addr().String())
		if err == nil {
			_ = connection.Close()
		}
		return err != nil
	})
	select {
	case err := <-s.ended:
		t.Fatal("it ended with a pending request: ", err)
	default:
	}
	close(s.release)
	if err := errors.Join(<-s.answered, <-s.ended); err != nil {
		t.Error(err)
	}
}

func TestServe_StopIsBoundedInTime(t *testing.T) {
	s := newSlowly(t, 10*time.Millisecond)
	defer close(s.release)
	s.cancel()
	if err := <-s.ended; err == nil || !strings.Contains(err.Error(), "--shutdown-timeout=10ms") {
		t.Errorf("got %v", err)
	}
	if err := <-s.answered; err == nil {
		t.Error("the request was not cut off")
	}
}

func TestServe_EndsWhenListenerFails(t *testing.T) {
	s := newSlowly(t, time.Minute)
	close(s.release)
	if err := errors.Join(<-s.answered, s.listening.Close()); err != nil {
		t.Fatal(err)
	}
	if err := <-s.ended; err == nil || !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}
