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

// server serves the connections of a listener.
type server interface {
	// Serve returns an error when the listener fails, and also after Shutdown.
	Serve(net.Listener) error
	// Shutdown lets requests finish until ctx ends.
	Shutdown(ctx context.Context) error
	// Close cuts off all requests.
	Close() error
}

// listener is an open listener and its server.
type listener struct {
	net.Listener
	server server
}

// listeners are all open listeners, the main one first.
type listeners []listener

// off is the address of a listener that is turned off.
const off = "0"

// listenerSpec is where to open a listener, and for which server.
type listenerSpec struct {
	flag, address string
	server        server
}

// open opens all listeners or none.
func open(ctx context.Context, specs []listenerSpec) (listeners, error) {
	var all listeners
	for _, spec := range specs {
		if spec.address == off {
			continue
		}
		opened, err := new(net.ListenConfig).Listen(ctx, "tcp", spec.address)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s %s: %w", spec.flag, spec.address, err), all.close())
		}
		all = append(all, listener{opened, spec.server})
	}
	return all, nil
}

// newServer returns a server for handlers that reply quickly.
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

func (all listeners) address() string { return all[0].Addr().String() }

// serve serves until ctx ends or a listener fails. Then it reports not ready, and lets requests finish within timeout.
func (all listeners) serve(ctx context.Context, ready *readiness, timeout time.Duration) error {
	failed := make(chan error, len(all))
	for _, l := range all {
		go func() { failed <- l.server.Serve(l.Listener) }()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	ready.stopping.Store(true)
	return errors.Join(err, all.shutdown(timeout))
}

// shutdown cuts off the requests that are not finished within timeout.
func (all listeners) shutdown(timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var cut bool
	for _, l := range all {
		if l.server.Shutdown(ctx) != nil {
			cut = true
			_ = l.server.Close()
		}
	}
	if cut {
		return fmt.Errorf("requests that were not finished after --shutdown-timeout=%s were cut off", timeout)
	}
	return nil
}

func (all listeners) close() error {
	var errs []error
	for _, l := range all {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}
