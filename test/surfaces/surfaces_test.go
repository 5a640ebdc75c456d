package surfaces

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"keywright.dev/keywright/internal/auth/credential"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/gate/extauthz"
	"keywright.dev/keywright/internal/gate/forwardauth"
	"keywright.dev/keywright/internal/gate/reverseproxy"
)

// A surface is a package that asks for decisions about requests to apps.
func TestSurfaces_ListsEverySurface(t *testing.T) {
	listed := map[string]bool{}
	for _, s := range surfaces {
		listed[s.folder] = true
	}
	files, err := filepath.Glob("../../internal/gate/*/*.go")
	must(t, err)
	if len(files) == 0 {
		t.Fatal("internal/gate has moved")
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		must(t, err)
		folder := filepath.Base(filepath.Dir(file))
		isSurface := !strings.HasSuffix(file, "_test.go") && strings.Contains(string(source), ".Decide(")
		if isSurface && !listed[folder] {
			t.Errorf("%s: its surface is missing in the list", file)
		}
	}
}

// openForwardAuth puts a gateway in front of /auth that is configured as docs/gateways.md shows. It keeps headers in
// other spellings.
func openForwardAuth(_ testing.TB, g guard) func(testing.TB, request) outcome {
	auth := forwardauth.New(g.Gate)
	return func(tb testing.TB, r request) outcome {
		app := r.header(tb)
		setOrigin(app)
		asked := httptest.NewRequest(http.MethodGet, "/auth", nil)
		asked.Header = app.Clone()
		describe(asked.Header, r)
		return forwarded(auth, asked, app, g.forms)
	}
}

// openPathMode puts Envoy in front, which adds the prefix to the path and describes the request in no header.
func openPathMode(_ testing.TB, g guard) func(testing.TB, request) outcome {
	authz := forwardauth.NewPathMode(g.Gate)
	return func(tb testing.TB, r request) outcome {
		app := r.header(tb)
		setOrigin(app)
		asked := httptest.NewRequest(r.method, forwardauth.PathPrefix+r.path(), nil)
		asked.Host, asked.Header = host, app.Clone()
		reply := httptest.NewRecorder()
		authz.ServeHTTP(reply, asked)
		if reply.Code != http.StatusOK {
			return outcome{status: reply.Code}
		}
		for _, name := range gate.IdentityHeaders {
			app[name] = reply.Header().Values(name)
		}
		// As Envoy does.
		for name := range strings.SplitSeq(reply.Header().Get("X-Envoy-Auth-Headers-To-Remove"), ",") {
			app.Del(name)
		}
		return outcome{status: http.StatusOK, app: app}
	}
}

// forwarded asks whether a request may pass. If so, the app gets it with the identity headers in place of its own.
func forwarded(auth http.Handler, asked *http.Request, app http.Header, forms credential.Forms) outcome {
	reply := httptest.NewRecorder()
	auth.ServeHTTP(reply, asked)
	if reply.Code != http.StatusOK {
		return outcome{status: reply.Code}
	}
	for _, known := range gate.KnownHeaders() {
		switch {
		case known.Use == gate.HeaderIdentity:
			app[known.Name] = reply.Header().Values(known.Name)
		case known.Use == gate.HeaderOrigin, known.Use == gate.HeaderCookie:
		case known.Use == gate.HeaderMethodOverride, !known.IsForApp(forms):
			app.Del(known.Name)
		}
	}
	return outcome{status: http.StatusOK, app: app}
}

// describe sets the headers in which a gateway describes a request.
func describe(header http.Header, r request) {
	header.Set("X-Forwarded-Method", r.method)
	header.Set("X-Forwarded-Host", host)
	header.Set("X-Forwarded-Uri", r.path())
	for _, name := range []string{"X-Original-Method", "X-Original-Url", "X-Original-Uri"} {
		header.Del(name)
	}
}

// joinHeaders sends headers as Envoy does by default.
func joinHeaders(to *authv3.AttributeContext_HttpRequest, name, value string) {
	separator := ","
	if name == "cookie" {
		separator = "; "
	}
	if before, found := to.Headers[name]; found {
		value = before + separator + value
	}
	to.Headers[name] = value
}

// rawHeaders sends headers as Envoy does with encode_raw_headers.
func rawHeaders(to *authv3.AttributeContext_HttpRequest, name, value string) {
	to.HeaderMap.Headers = append(to.HeaderMap.Headers, &corev3.HeaderValue{Key: name, RawValue: []byte(value)})
}

// openExtAuthz starts a server with a client that behaves like Envoy.
func openExtAuthz(
	add func(to *authv3.AttributeContext_HttpRequest, name, value string),
) func(testing.TB, guard) func(testing.TB, request) outcome {
	return func(tb testing.TB, g guard) func(testing.TB, request) outcome {
		envoy := startExtAuthz(tb, g.Gate)
		return func(tb testing.TB, r request) outcome { return askEnvoy(tb, envoy, r, add) }
	}
}

// startExtAuthz starts a server and returns its client.
func startExtAuthz(tb testing.TB, g *gate.Gate) authv3.AuthorizationClient {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(tb, err)
	server := extauthz.New(extauthz.Config{Gate: g, Ready: g.Ready, Log: slog.New(slog.DiscardHandler)})
	go func() { _ = server.Serve(listener) }()
	tb.Cleanup(func() { _ = server.Close() })
	connection, err := grpc.NewClient(
		listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()),
	)
	must(tb, err)
	tb.Cleanup(func() { _ = connection.Close() })
	return authv3.NewAuthorizationClient(connection)
}

func askEnvoy(
	tb testing.TB, envoy authv3.AuthorizationClient, r request,
	add func(to *authv3.AttributeContext_HttpRequest, name, value string),
) outcome {
	tb.Helper()
	sent := &authv3.AttributeContext_HttpRequest{
		Method: r.method, Path: r.path(), Host: host, Headers: map[string]string{}, HeaderMap: &corev3.HeaderMap{},
	}
	app := http.Header{}
	for _, line := range r.lines {
		name, value, _ := strings.Cut(line, ":")
		name, value = strings.ToLower(name), strings.TrimSpace(value)
		add(sent, name, value)
		app[name] = append(app[name], value)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	reply, err := envoy.Check(ctx, &authv3.CheckRequest{
		Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{Http: sent}},
	})
	must(tb, err)
	must(tb, reply.ValidateAll())
	if denied := reply.GetDeniedResponse(); denied != nil {
		return outcome{status: int(denied.GetStatus().GetCode())}
	}
	for _, option := range reply.GetOkResponse().GetHeaders() {
		app[option.GetHeader().GetKey()] = []string{option.GetHeader().GetValue()}
	}
	for _, name := range reply.GetOkResponse().GetHeadersToRemove() {
		delete(app, name)
	}
	for _, known := range gate.KnownHeaders() {
		if known.Use == gate.HeaderOrigin {
			app[strings.ToLower(known.Name)] = []string{"by the gateway"}
		}
	}
	return outcome{status: http.StatusOK, app: app}
}

// openProxy starts the proxy and an app behind it.
func openProxy(tb testing.TB, g guard) func(testing.TB, request) outcome {
	asked := make(chan http.Header, 1)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.Header }))
	tb.Cleanup(app.Close)
	upstream, err := reverseproxy.ParseUpstream(app.URL)
	must(tb, err)
	proxy := httptest.NewServer(reverseproxy.New(reverseproxy.Config{
		Gate: g.Gate, Upstream: upstream, Log: slog.New(slog.DiscardHandler),
	}))
	tb.Cleanup(proxy.Close)
	return func(tb testing.TB, r request) outcome {
		connection, err := net.Dial("tcp", proxy.Listener.Addr().String())
		must(tb, err)
		defer func() { _ = connection.Close() }()
		_, err = io.WriteString(connection, r.raw())
		must(tb, err)
		reply, err := io.ReadAll(connection)
		must(tb, err)
		got := outcome{status: statusOf(tb, string(reply))}
		select {
		case got.app = <-asked:
		default:
		}
		return got
	}
}
