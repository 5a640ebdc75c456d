package extauthz

import (
	"context"
	"log/slog"
	"net"
	"time"

	"google.golang.org/grpc"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"

	"keywright.dev/keywright/internal/gate"
)

// Bounds of what one client may ask of the server.
const (
	// maxMessage is for all headers, and for what Envoy sends of the body if it is told to, in bytes.
	maxMessage = 1 << 20
	// maxMetadata is for the headers of the call itself, in bytes.
	maxMetadata = 64 << 10
	// maxStreams is how many calls may be under way on one connection. Each of Envoy's threads has its own.
	maxStreams = 1024
	// handshakeTimeout is until a connection has said that it speaks HTTP/2.
	handshakeTimeout = 10 * time.Second
	// idleTimeout is until a connection without calls is closed. Envoy opens another when it needs one.
	idleTimeout = 15 * time.Minute
	// A client that says nothing for probeAfter is asked whether it is there.
	probeAfter = time.Minute
	// probeTimeout is how long it may take to say so.
	probeTimeout = 20 * time.Second
	// leastPing is how often a client may ask the same, with calls under way or without.
	leastPing = 5 * time.Second
)

// Config is what a server works with.
type Config struct {
	Gate *gate.Gate
	// Ready is an error while requests should go elsewhere.
	Ready func() error
	Log   *slog.Logger
}

// Server serves Envoy's questions, and grpc.health.v1.Health. It offers no reflection.
type Server struct {
	grpc *grpc.Server
}

// New makes a server that listens nowhere yet.
func New(c Config) *Server {
	s := grpc.NewServer(
		grpc.ForceServerCodecV2(newCodec()),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxHeaderListSize(maxMetadata),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: idleTimeout, Time: probeAfter, Timeout: probeTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: leastPing, PermitWithoutStream: true}),
	)
	s.RegisterService(&description, &service{gate: c.Gate, log: c.Log})
	healthv1.RegisterHealthServer(s, health{ready: c.Ready})
	return &Server{s}
}

// Serve answers what comes through the listener, and closes it in the end. It returns when the listener fails or the
// server is stopped, always with an error: grpc.ErrServerStopped after Shutdown or Close.
func (s *Server) Serve(l net.Listener) error {
	if err := s.grpc.Serve(l); err != nil {
		return err
	}
	return grpc.ErrServerStopped
}

// Shutdown takes no more calls and lets those under way finish. It returns the error of ctx when that ends first; what
// is still under way then goes on until Close.
func (s *Server) Shutdown(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.grpc.GracefulStop()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close cuts off what is under way.
func (s *Server) Close() error { //nolint:unparam // as http.Server has it, so that one list can hold both
	s.grpc.Stop()
	return nil
}
