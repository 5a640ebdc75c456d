package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Bounds of what one client may ask of the server.
const (
	maxHeaderBytes    = 64 << 10
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 30 * time.Second
	idleTimeout       = 2 * time.Minute
)

// server answers what comes through a listener.
type server interface {
	// Serve returns when the listener fails or Shutdown is called; then with an error too.
	Serve(net.Listener) error
	// Shutdown lets what is under way finish, until ctx ends.
	Shutdown(ctx context.Context) error
	// Close cuts off what is under way.
	Close() error
}

// door is one listener and its server.
type door struct {
	listener net.Listener
	server   server
}

// doors are all listeners, the main one first.
type doors []door

// off is the address of a door that is not to be opened.
const off = "0"

// doorway is where a door is to be.
type doorway struct {
	flag, address string
	server        server
}

// open listens everywhere, or nowhere.
func open(ctx context.Context, doorways []doorway) (doors, error) {
	var all doors
	for _, d := range doorways {
		if d.address == off {
			continue
		}
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", d.address)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s %s: %w", d.flag, d.address, err), all.close())
		}
		all = append(all, door{listener, d.server})
	}
	return all, nil
}

// newServer is for answers that take no time.
func newServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		MaxHeaderBytes:    maxHeaderBytes,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

func (all doors) address() string { return all[0].listener.Addr().String() }

// serve answers until ctx ends; then it says that it is not ready any more and lets requests under way finish,
// for as long as timeout allows. A listener that fails ends it.
func (all doors) serve(ctx context.Context, ready *readiness, timeout time.Duration) error {
	failed := make(chan error, len(all))
	for _, d := range all {
		go func() { failed <- d.server.Serve(d.listener) }()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	ready.stopping.Store(true)
	return errors.Join(err, all.shutdown(timeout))
}

// shutdown cuts what is still under way when the time is up.
func (all doors) shutdown(timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var cut bool
	for _, d := range all {
		if d.server.Shutdown(ctx) != nil {
			cut = true
			_ = d.server.Close()
		}
	}
	if cut {
		return fmt.Errorf("requests that were still under way after --shutdown-timeout=%s were cut off", timeout)
	}
	return nil
}

func (all doors) close() error {
	var errs []error
	for _, d := range all {
		errs = append(errs, d.listener.Close())
	}
	return errors.Join(errs...)
}
