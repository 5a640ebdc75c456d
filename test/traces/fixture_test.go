package traces

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/gate/extauthz"
	"keywright.dev/keywright/internal/gate/forwardauth"
	"keywright.dev/keywright/internal/gate/introspect"
	"keywright.dev/keywright/internal/gate/reverseproxy"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/httpapi/admin"
	"keywright.dev/keywright/internal/telemetry/traces"
	"keywright.dev/keywright/internal/telemetry/traces/otlp"
	"keywright.dev/keywright/test/collector"
	"keywright.dev/keywright/test/fakeobjects"
)

// Keys of an Account, one that is accepted and one of a disabled APIKey.
const (
	ciKey       = "the-key-of-the-continuous-integration"
	disabledKey = "a-key-of-the-account-that-is-disabled"
	unknownKey  = "a-key-that-no-object-has-ever-recorded"
)

// secrets are what no span may contain. The last ones are parts of queries and paths.
var secrets = []string{
	ciKey, disabledKey, unknownKey, fakeobjects.AliceKey, fakeobjects.AliceSession, fakeobjects.BootstrapKey,
	ciKey[:12], unknownKey[:12], fakeobjects.AliceKey[:12], "reset-token", "a-customer",
}

// Trace contexts of a gateway.
const (
	traceID = "0af7651916cd43dd8448eb211c80319c"
	spanID  = "b7ad6b7169203331"
	parent  = "00-" + traceID + "-" + spanID + "-01"
	state   = "vendor=42"
)

// env is everything that serves requests, on objects in memory.
type env struct {
	*fakeobjects.Fixture
	collector *collector.Collector
	sender    *otlp.Sender
	main      http.Handler
	proxy     *httptest.Server
	envoy     authv3.AuthorizationClient
	// proxying counts the requests in the proxy: a connection that switched protocols outlives its server.
	proxying sync.WaitGroup
	// received has the headers of the last request that the app received.
	received atomic.Pointer[http.Header]
}

func newEnv(t *testing.T, isTraced bool) *env {
	t.Helper()
	e := &env{Fixture: fakeobjects.NewFixture(t), collector: collector.Start(t)}
	ci := v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"}
	e.PutKey("ci", ci, ciKey, func(k *v1alpha1.APIKey) { k.Spec.Scopes = []v1alpha1.Scope{introspect.Action} })
	e.PutKey("disabled", ci, disabledKey, func(k *v1alpha1.APIKey) { k.Spec.State = v1alpha1.StateDisabled })
	if isTraced {
		t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", e.collector.HTTP)
		sender, err := otlp.Open(t.Context(), &otlp.Program{Name: "keywright-server"}, e.Logger())
		must(t, err)
		e.sender = sender
		t.Cleanup(func() { sender.Close(context.Background()) })
	}
	e.Gate.Tracer = e.sender.Tracer()
	e.serveManagement()
	e.startProxy(t)
	e.startExtAuthz(t)
	return e
}

// noDatabase is a database that answers and has no sessions.
type noDatabase struct{}

func (noDatabase) Err() error                         { return nil }
func (noDatabase) Touch(context.Context, string) bool { return false }

func (e *env) serveManagement() {
	mux := http.NewServeMux()
	mux.Handle("/auth", forwardauth.New(e.Gate))
	mux.Handle("/authz/", forwardauth.NewPathMode(e.Gate))
	mux.Handle("/introspect", introspect.New(e.Gate))
	show := func(c *httpapi.Call) { c.W.WriteHeader(http.StatusNoContent) }
	guard := &httpapi.Guard{Gate: e.Gate, Sessions: noDatabase{}, Database: noDatabase{}, Log: e.Logger()}
	httpapi.Mount(mux, guard, httpapi.Group{API: admin.API, Routes: []httpapi.Route{
		{Method: http.MethodPut, Path: "proven/{name}", Serve: show},
		{Method: http.MethodGet, Path: "lenient/{name}", Identification: httpapi.Lenient, Serve: show},
	}})
	e.main = mux
}

func (e *env) startProxy(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.received.Store(&r.Header)
		if r.Header.Get("Upgrade") != "" {
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", "websocket")
			w.WriteHeader(http.StatusSwitchingProtocols)
			return
		}
		w.WriteHeader(http.StatusTeapot)
	}))
	t.Cleanup(app.Close)
	upstream, err := reverseproxy.ParseUpstream(app.URL)
	must(t, err)
	proxy := reverseproxy.New(reverseproxy.Config{Gate: e.Gate, Upstream: upstream, Log: e.Logger()})
	e.proxy = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.proxying.Add(1)
		defer e.proxying.Done()
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(e.proxy.Close)
}

func (e *env) startExtAuthz(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	server := extauthz.New(extauthz.Config{Gate: e.Gate, Ready: e.Gate.Ready, Log: slog.New(slog.DiscardHandler)})
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	connection, err := grpc.NewClient(
		listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()),
	)
	must(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	e.envoy = authv3.NewAuthorizationClient(connection)
}

// app returns the headers of the last request that the app received.
func (e *env) app() http.Header { return *e.received.Load() }

// ask sends a request to the main listener. headers are names and values.
func (e *env) ask(method, target, body string, headers ...string) {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	e.main.ServeHTTP(httptest.NewRecorder(), r)
}

// askProxy sends a request to the proxy, and waits for the end of the connection.
func (e *env) askProxy(t *testing.T, method string, headers ...string) {
	t.Helper()
	connection, err := net.Dial("tcp", e.proxy.Listener.Addr().String())
	must(t, err)
	defer func() { _ = connection.Close() }()
	lines := method + " /things?token=reset-token HTTP/1.1\r\nHost: app\r\n"
	for i := 0; i < len(headers); i += 2 {
		lines += headers[i] + ": " + headers[i+1] + "\r\n"
	}
	_, err = io.WriteString(connection, lines+"\r\n")
	must(t, err)
	reply, err := http.ReadResponse(bufio.NewReader(connection), nil)
	must(t, err)
	defer func() { _ = reply.Body.Close() }()
	if reply.StatusCode != http.StatusSwitchingProtocols {
		_, err = io.Copy(io.Discard, reply.Body)
		must(t, err)
	}
}

// check sends a check as Envoy does. call are headers of the call itself.
func (e *env) check(t *testing.T, headers map[string]string, call ...string) {
	t.Helper()
	ctx := metadata.AppendToOutgoingContext(t.Context(), call...)
	_, err := e.envoy.Check(ctx, &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Method: "GET", Path: "/things?token=reset-token", Host: "app", Headers: headers,
		}},
	}})
	must(t, err)
}

// spans stops the servers, so that every span has ended, and returns the spans.
func (e *env) spans() []collector.Span {
	e.proxy.Close()
	e.proxying.Wait()
	e.sender.Close(context.Background())
	return e.collector.Spans()
}

// attributes returns the attributes of a span, but for those that its name has.
func attributes(s *collector.Span) map[string]string {
	all := map[string]string{}
	for name, value := range s.Attributes().All() {
		all[strings.TrimPrefix(name, "keywright.")] = value.AsString()
	}
	delete(all, string(traces.Surface)[len("keywright."):])
	return all
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
