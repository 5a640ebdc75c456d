package reverseproxy_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/routes"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
)

// grpcFixture is a gRPC server behind the proxy, and a client.
type grpcFixture struct {
	*fixture
	health *health.Server
	client *grpc.ClientConn
	// received is the metadata of the last call at the server.
	received atomic.Pointer[metadata.MD]
	// connections counts those of the client.
	connections atomic.Int64
}

func newGRPC(t *testing.T, o options) *grpcFixture {
	t.Helper()
	g := &grpcFixture{health: health.NewServer()}
	record := func(ctx context.Context) {
		received, _ := metadata.FromIncomingContext(ctx)
		g.received.Store(&received)
	}
	server := grpc.NewServer(
		grpc.UnaryInterceptor(func(
			ctx context.Context, in any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler,
		) (any, error) {
			record(ctx)
			return next(ctx, in)
		}),
		grpc.StreamInterceptor(func(at any, s grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			record(s.Context())
			return next(at, s)
		}),
	)
	grpc_health_v1.RegisterHealthServer(server, g.health)
	reflection.RegisterV1(server)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	o.upstream = "h2c://" + listener.Addr().String()
	g.fixture = newFixture(t, nil, o)
	g.client, err = grpc.NewClient("passthrough:///"+g.address(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			g.connections.Add(1)
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		}))
	must(t, err)
	t.Cleanup(func() { _ = g.client.Close() })
	return g
}

func with(ctx context.Context, key string, more ...string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, append(more, "authorization", "Bearer "+key)...)
}

func (g *grpcFixture) check(ctx context.Context, service string) error {
	_, err := grpc_health_v1.NewHealthClient(g.client).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: service})
	return err
}

// servingStatus is what the app reports.
type servingStatus = grpc_health_v1.HealthCheckResponse_ServingStatus

// watch returns a function that waits for the next report.
func (g *grpcFixture) watch(ctx context.Context, t *testing.T) func() (servingStatus, error) {
	t.Helper()
	stream, err := grpc_health_v1.NewHealthClient(g.client).Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
	must(t, err)
	return func() (servingStatus, error) {
		update, err := stream.Recv()
		return update.GetStatus(), err
	}
}

func TestGRPC_CallsAndStreams(t *testing.T) {
	g := newGRPC(t, options{})
	ctx := with(t.Context(), ci, "x-auth-user", "forged", "x-own", "kept")
	must(t, g.check(ctx, ""))
	received := *g.received.Load()
	for name, want := range map[string]string{"x-auth-subject": "Account/ci", "x-auth-user": "", "x-own": "kept"} {
		if got := received.Get(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q at the app, want %q", name, got, want)
		}
	}
	if got := received.Get("authorization"); got != nil {
		t.Error("the key arrived at the app")
	}
	// The app's own status is in the trailers.
	err := g.check(ctx, "none")
	if status.Code(err) != codes.NotFound || !strings.Contains(err.Error(), "unknown service") {
		t.Errorf("the app's status: %v", err)
	}

	next := g.watch(ctx, t)
	for _, want := range []servingStatus{
		grpc_health_v1.HealthCheckResponse_SERVING, grpc_health_v1.HealthCheckResponse_NOT_SERVING,
	} {
		g.health.SetServingStatus("", want)
		if got, err := next(); err != nil || got != want {
			t.Fatalf("got %s, %v, want %s", got, err, want)
		}
	}

	both, err := grpc_reflection_v1.NewServerReflectionClient(g.client).ServerReflectionInfo(ctx)
	must(t, err)
	for range 3 {
		must(t, both.Send(&grpc_reflection_v1.ServerReflectionRequest{
			MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{},
		}))
		answer, err := both.Recv()
		must(t, err)
		if services := answer.GetListServicesResponse().GetService(); len(services) != 2 {
			t.Errorf("services: %v", services)
		}
	}
	must(t, both.CloseSend())
	must(t, g.check(ctx, ""))
	if got := g.connections.Load(); got != 1 {
		t.Errorf("the client needed %d connections: a reply closed one", got)
	}
}

// gRPC clients make codes of the refusals' status.
func TestGRPC_IsDecidedOnAsAnyRequest(t *testing.T) {
	g := newGRPC(t, options{runtime: config.Runtime{
		AllowedUsers: []string{"Account/ci"},
		Routes: []routes.Route{
			{Match: "POST /grpc.health.v1.Health/Check", Action: "health.check"},
		},
	}})
	const allowed, other = "the-key-of-a-program-that-may-check", "the-key-of-a-program-that-is-not-listed"
	for name, key := range map[string]string{"ci": allowed, "other": other} {
		g.index.Put(verify.ID{Kind: "APIKey", Name: "may-" + name}, verify.KeyObject{
			Identity: verify.Identity{Subject: "Account/" + name}, Standing: verify.Accepted, UID: "may-" + name,
			Rights: &access.Rights{Scopes: []string{"health.check"}}, Keys: []verify.Key{{Digest: g.ring.Digest(key)}},
		})
	}
	for key, want := range map[string]codes.Code{
		unknown: codes.Unauthenticated, ci: codes.PermissionDenied, other: codes.PermissionDenied, allowed: codes.OK,
		alice: codes.OK,
	} {
		if err := g.check(with(t.Context(), key), ""); status.Code(err) != want {
			t.Errorf("%s: %v, want %s", key, err, want)
		}
	}
	if err := g.check(t.Context(), ""); status.Code(err) != codes.Unauthenticated {
		t.Errorf("without a key: %v", err)
	}
}

func TestGRPC_RevocationEndsStream(t *testing.T) {
	g := newGRPC(t, options{recheck: often})
	g.put("bob", "the-key-of-bob-who-stays", verify.Accepted)
	next := g.watch(with(t.Context(), "the-key-of-bob-who-stays"), t)
	if _, err := next(); err != nil {
		t.Fatal(err)
	}
	g.put("bob", "the-key-of-bob-who-stays", verify.Disabled)
	if update, err := next(); err == nil {
		t.Errorf("got %s after the key was disabled", update)
	}
	g.awaitIdle(t)
}

// An app that is reached by HTTP/2 also gets the requests of clients with HTTP/1.1. None can become a websocket.
func TestHTTP2App_TakesOtherClients(t *testing.T) {
	h := newFixture(t, echoAll, options{h2c: true})
	webSocket := []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x"}
	for _, header := range [][]string{nil, webSocket} {
		answer := h.get(t, "/a%2fb?c", append(header, "X-Api-Key: "+ci)...)
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK || answer.Header.Get("X-Target") != "/a%2fb?c" ||
			answer.Header.Get("X-By") != "HTTP/2.0" {
			t.Errorf("%q: %s, %v", header, answer.Status, answer.Header)
		}
	}
	connection := h.dial(t)
	_, err := io.WriteString(connection, request("OPTIONS *"))
	must(t, err)
	answer, err := http.ReadResponse(bufio.NewReader(connection), nil)
	must(t, err)
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK || answer.Header.Get("X-Target") != "*" {
		t.Errorf("OPTIONS *: %s, %v", answer.Status, answer.Header)
	}
}

func TestGRPC_AppIsAway(t *testing.T) {
	g := newGRPC(t, options{})
	g.inner = g.newProxy(t, options{upstream: "h2c://127.0.0.1:1"})
	if err := g.check(with(t.Context(), ci), ""); status.Code(err) != codes.Unavailable {
		t.Error(err)
	}
}
