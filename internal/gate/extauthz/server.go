package extauthz

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"keywright.dev/keywright/internal/gate"
)

// Limits for one client.
const (
	// maxMessage bounds a message in bytes: all headers, and the part of the body that Envoy may be configured to send.
	maxMessage = 1 << 20
	// maxMetadata bounds the headers of the call itself in bytes.
	maxMetadata = 64 << 10
	// maxStreams bounds concurrent calls on one connection. Each of Envoy's threads has its own connection.
	maxStreams = 1024
	// handshakeTimeout bounds the time until a connection has begun to use HTTP/2.
	handshakeTimeout = 10 * time.Second
	// idleTimeout closes a connection without calls. Envoy opens another when it needs one.
	idleTimeout = 15 * time.Minute
	// probeAfter is how long a client may be silent until it gets a ping.
	probeAfter = time.Minute
	// probeTimeout bounds the reply to that ping.
	probeTimeout = 20 * time.Second
	// minPing is the shortest interval of a client's own pings, with or without calls in progress.
	minPing = 5 * time.Second
)

// Config is what a server needs.
type Config struct {
	Gate *gate.Gate
	// Ready returns an error while requests should go to another replica.
	Ready func() error
	// TLS is nil for connections without TLS.
	TLS *tls.Config
	Log *slog.Logger
}

// Server serves Authorization and grpc.health.v1.Health. It offers no reflection.
type Server struct {
	grpc *grpc.Server
}

// New returns a server that does not listen yet.
func New(c Config) *Server {
	transport := insecure.NewCredentials()
	if c.TLS != nil {
		transport = credentials.NewTLS(c.TLS)
	}
	s := grpc.NewServer(
		grpc.Creds(transport),
		grpc.ForceServerCodecV2(newCodec()),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxHeaderListSize(maxMetadata),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionIdle: idleTimeout, Time: probeAfter, Timeout: probeTimeout,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPing, PermitWithoutStream: true}),
	)
	s.RegisterService(&description, &service{gate: c.Gate, log: c.Log})
	healthv1.RegisterHealthServer(s, health{ready: c.Ready})
	return &Server{s}
}

// Serve serves connections from the listener and closes it at the end. It returns when the listener fails or the server
// stops, always with an error: grpc.ErrServerStopped after Shutdown or Close.
func (s *Server) Serve(l net.Listener) error {
	if err := s.grpc.Serve(l); err != nil {
		return err
	}
	return grpc.ErrServerStopped
}

// Shutdown accepts no more calls and lets those in progress finish. It returns the error of ctx if that ends first; the
// remaining calls then go on until Close.
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

// Close interrupts the calls in progress.
func (s *Server) Close() error { //nolint:unparam // the signature of http.Server, so that one list can hold both
	s.grpc.Stop()
	return nil
}

// health is grpc.health.v1.Health, for Envoy's health checks and the kubelet's probes. It does not offer Watch: some
// clients take an open stream for a healthy server.
type health struct {
	healthv1.UnimplementedHealthServer
	ready func() error
}

// Check returns SERVING while the gate decides on requests. /readyz has the reason when it does not.
func (h health) Check(_ context.Context, r *healthv1.HealthCheckRequest) (*healthv1.HealthCheckResponse, error) {
	switch r.GetService() {
	case "", authv3.Authorization_ServiceDesc.ServiceName:
		return &healthv1.HealthCheckResponse{Status: h.state()}, nil
	}
	return nil, status.Error(codes.NotFound, "there is no such service")
}

func (h health) state() healthv1.HealthCheckResponse_ServingStatus {
	if h.ready() != nil {
		return healthv1.HealthCheckResponse_NOT_SERVING
	}
	return healthv1.HealthCheckResponse_SERVING
}
