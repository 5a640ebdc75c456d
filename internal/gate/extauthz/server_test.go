package extauthz_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"keywright.dev/keywright/internal/config"
)

// Envoy may let a request pass whose check failed.
func TestService_RefusesAfterPanic(t *testing.T) {
	f := newFixture(t, config.Runtime{})
	r := get("cookie", "keywright_session="+panicking)
	r.http.Path = "/a-path-of-the-request"
	reply := f.ask(t, r)
	denied := reply.GetDeniedResponse()
	if codes.Code(reply.GetStatus().GetCode()) != codes.Internal || denied.GetStatus().GetCode() != 500 ||
		!strings.Contains(denied.GetBody(), "internal error") {
		t.Error(reply)
	}
	log := f.log.String()
	if !strings.Contains(log, "fixture_test.go") || !strings.Contains(log, "ended in a panic") {
		t.Error("the log has no stack")
	}
	if strings.Contains(log, panicking) || strings.Contains(log, r.http.GetPath()) {
		t.Error("the log has a part of the request")
	}
	upstream(t, bearer(alice), f.ask(t, bearer(alice)))
}

// inBytes is a codec that passes messages on unread.
type inBytes struct{}

func (inBytes) Name() string { return "proto" }

func (inBytes) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

func (inBytes) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

// send calls Check with any bytes.
func (f *fixture) send(tb testing.TB, message []byte) ([]byte, error) {
	tb.Helper()
	var reply []byte
	err := f.connection.Invoke(
		tb.Context(), authv3.Authorization_Check_FullMethodName, &message, &reply, grpc.ForceCodecV2(inBytes{}),
	)
	return reply, err
}

func decoded(tb testing.TB, message []byte) *authv3.CheckResponse {
	tb.Helper()
	reply := &authv3.CheckResponse{}
	must(tb, proto.Unmarshal(message, reply))
	must(tb, reply.ValidateAll())
	return reply
}

func TestService_RefusesMalformedMessage(t *testing.T) {
	f := newFixture(t, config.Runtime{AnonymousReads: true})
	whole, err := proto.Marshal(bearer(alice).check())
	must(t, err)
	for name, message := range map[string]string{
		"one that passes, and more": string(whole) + "\xff",
		"no bytes":                  "", "cut off": "\x0a\xff", "no field": "\x00", "an end without a beginning": "\x0c",
		"noise": strings.Repeat("\xff", 100),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := f.send(t, []byte(message))
			must(t, err)
			wantRefusal(t, decoded(t, got), codes.PermissionDenied, unclear)
		})
	}
}

// A client may send text that is not UTF-8. If the call failed for that, Envoy might let the request pass.
func TestService_DecidesOnTextThatIsNotUTF8(t *testing.T) {
	f := newFixture(t, config.Runtime{})
	for name, c := range map[string]struct {
		request
		pass bool
	}{
		"in a key":           {bearer("####" + alice), false},
		"in another header":  {get("authorization", "Bearer "+alice, "accept", "####"), true},
		"in a header's name": {get("authorization", "Bearer "+alice, "####", ""), true},
		"in a cookie":        {get("authorization", "Bearer "+alice, "cookie", "a=####; keywright_session=x"), true},
	} {
		t.Run(name, func(t *testing.T) {
			message, err := proto.Marshal(c.check())
			must(t, err)
			got, err := f.send(t, bytes.ReplaceAll(message, []byte("####"), []byte("\xff\xfe\x80\xc0")))
			must(t, err)
			if reply := decoded(t, got); (reply.GetOkResponse() != nil) != c.pass {
				t.Error(reply)
			}
		})
	}
}

func TestServer_RejectsOversizedMessage(t *testing.T) {
	f := newFixture(t, config.Runtime{})
	r := bearer(alice)
	r.http.RawBody = make([]byte, 1000<<10)
	upstream(t, r, f.ask(t, r))
	r.http.RawBody = make([]byte, 1<<20)
	if _, err := f.Check(t.Context(), r.check()); status.Code(err) != codes.ResourceExhausted {
		t.Error(err)
	}
	upstream(t, bearer(alice), f.ask(t, bearer(alice)))
}

func TestServer_BoundsMetadata(t *testing.T) {
	f := newFixture(t, config.Runtime{})
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x", strings.Repeat("x", 70<<10))
	if _, err := f.Check(ctx, bearer(alice).check()); err == nil {
		t.Error("70 KB of metadata passed")
	}
	upstream(t, bearer(alice), f.ask(t, bearer(alice)))
}

func TestHealth_FollowsReadiness(t *testing.T) {
	f := newFixture(t, config.Runtime{})
	client := healthv1.NewHealthClient(f.connection)
	for _, service := range []string{"", "envoy.service.auth.v3.Authorization"} {
		for want, err := range map[healthv1.HealthCheckResponse_ServingStatus]error{
			healthv1.HealthCheckResponse_SERVING: nil, healthv1.HealthCheckResponse_NOT_SERVING: errors.New("not yet"),
		} {
			f.view.set(func() { f.view.notReady = err })
			if got, err := client.Check(t.Context(), &healthv1.HealthCheckRequest{Service: service}); err != nil ||
				got.GetStatus() != want {
				t.Errorf("%q: %v, %v, want %v", service, got, err, want)
			}
		}
	}
	_, err := client.Check(t.Context(), &healthv1.HealthCheckRequest{Service: "other"})
	if status.Code(err) != codes.NotFound {
		t.Error(err)
	}
}

func TestServer_OffersNoOtherMethod(t *testing.T) {
	f := newFixture(t, config.Runtime{})
	for _, method := range []string{
		"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "/envoy.service.auth.v3.Authorization/Other", "/",
	} {
		var message, reply []byte
		if err := f.connection.Invoke(t.Context(), method, &message, &reply, grpc.ForceCodecV2(inBytes{})); err == nil {
			t.Errorf("%q is offered", method)
		}
	}
}

// blocked makes the gate wait in the middle of a check, and returns a function that lets it continue.
func (f *fixture) blocked(t *testing.T) (reply chan error, goOn func()) {
	t.Helper()
	asked, release := make(chan struct{}), make(chan struct{})
	f.view.set(func() { f.view.looked = sync.OnceFunc(func() { close(asked); <-release }) })
	reply = make(chan error, 1)
	go func() {
		_, err := f.Check(context.Background(), bearer(alice).check())
		reply <- err
	}()
	<-asked
	return reply, func() { close(release) }
}

// awaitClosed returns once the listener refuses connections.
func (f *fixture) awaitClosed() {
	for {
		connection, err := net.Dial("tcp", f.listener.Addr().String())
		if err != nil {
			return
		}
		_ = connection.Close()
	}
}

func TestShutdown_FinishesCallsInProgress(t *testing.T) {
	f := newFixture(t, config.Runtime{StaleAfter: time.Hour})
	reply, goOn := f.blocked(t)
	stopped := make(chan error, 1)
	go func() { stopped <- f.server.Shutdown(context.Background()) }()
	f.awaitClosed()
	goOn()
	must(t, <-reply)
	must(t, <-stopped)
	if err := <-f.served; !errors.Is(err, grpc.ErrServerStopped) {
		t.Error(err)
	}
}

func TestShutdown_EndsWithContextAndCloseInterrupts(t *testing.T) {
	f := newFixture(t, config.Runtime{StaleAfter: time.Hour})
	reply, goOn := f.blocked(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := f.server.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	must(t, f.server.Close())
	if err := <-reply; status.Code(err) != codes.Unavailable {
		t.Error(err)
	}
	goOn()
	if err := <-f.served; !errors.Is(err, grpc.ErrServerStopped) {
		t.Error(err)
	}
}

func TestServe_ReturnsListenerError(t *testing.T) {
	f := newFixture(t, config.Runtime{})
	must(t, f.listener.Close())
	if err := <-f.served; err == nil || errors.Is(err, grpc.ErrServerStopped) {
		t.Error(err)
	}
}
