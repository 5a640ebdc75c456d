package extauthz_test

import (
	"context"
	"encoding/base64"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/gate/extauthz"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/test/kit"
)

// Keys: of an admin, of a disabled admin, one past its end, an unknown one, of a program, and of a plain user.
const (
	alice   = "correct-horse-battery-staple"
	off     = "the-key-of-a-disabled-admin"
	ended   = "the-key-that-came-to-its-end"
	unknown = "a-key-that-was-never-issued"
	ci      = "the-key-of-a-program-named-ci"
	bobs    = "an-api-key-that-speaks-for-bob"
	// knownSession is the cookie of a session of alice's key.
	knownSession = "the-secret-of-a-session-of-alice"
	// panicking is a session cookie that makes the gate panic.
	panicking = "the-secret-that-is-one-too-many"
)

var now = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// fixture is a server on loopback and a client that behaves like Envoy.
type fixture struct {
	authv3.AuthorizationClient
	connection *grpc.ClientConn
	listener   net.Listener
	config     extauthz.Config
	server     *extauthz.Server
	served     chan error
	view       *view
	log        *kit.Log
	ring       *pepper.Keyring
	index      *verify.Index
}

// view is a view of the cluster with a settable state.
type view struct {
	mu       sync.Mutex
	notReady error
	age      time.Duration
	// looked is called by Age. May be nil.
	looked func()
}

func (v *view) set(change func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change()
}

func (v *view) Ready() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.notReady
}

func (v *view) Age() time.Duration {
	v.mu.Lock()
	age, looked := v.age, v.looked
	v.mu.Unlock()
	if looked != nil {
		looked()
	}
	return age
}

// sessions has one session, and panics on another cookie.
type sessions struct{ digest pepper.Digest }

func (s sessions) Key(cookie string, _ time.Time) *pepper.Digest {
	if cookie == panicking {
		panic("session " + cookie)
	}
	if cookie != knownSession {
		return nil
	}
	return &s.digest
}

func newFixture(tb testing.TB, runtime config.Runtime) *fixture {
	tb.Helper()
	ring, err := pepper.Load(map[string][]byte{pepper.Active: make([]byte, 32)})
	must(tb, err)
	f := &fixture{
		view: &view{}, log: &kit.Log{}, served: make(chan error, 1), ring: ring, index: newIndex(ring),
	}
	log := slog.New(slog.NewJSONHandler(f.log, nil))
	g := gate.New(gate.Config{
		Verifier: verify.NewVerifier(f.index, keyformat.Format{Prefix: keyformat.DefaultPrefix}, ring), View: f.view,
		Sessions: sessions{ring.Digest(alice)}, Now: func() time.Time { return now }, Log: log,
		Registry: prometheus.NewRegistry(),
	})
	rules, err := gate.NewRules(runtime)
	must(tb, err)
	g.Use(rules)
	f.config = extauthz.Config{Gate: g, Ready: g.Ready, Log: log}
	f.server = extauthz.New(f.config)
	f.serve(tb)
	return f
}

func newIndex(ring *pepper.Keyring) *verify.Index {
	index := &verify.Index{}
	put := func(name, plaintext string, standing verify.Reason, expiresAt time.Time) {
		index.Put(verify.ID{Kind: "AdminUser", Namespace: "n", Name: name}, verify.KeyObject{
			Identity: verify.Identity{Username: name, Subject: "User/" + name, Admin: true}, Standing: standing, UID: name,
			Keys: []verify.Key{{Digest: ring.Digest(plaintext), ExpiresAt: expiresAt}},
		})
	}
	put("alice", alice, verify.Accepted, time.Time{})
	put("dave", off, verify.Disabled, time.Time{})
	put("erin", ended, verify.Accepted, now)
	give := func(name, plaintext, username, subject string, scopes ...string) {
		index.Put(verify.ID{Kind: "APIKey", Namespace: "n", Name: name}, verify.KeyObject{
			Identity: verify.Identity{Username: username, Subject: subject}, Standing: verify.Accepted, UID: name,
			Rights: &access.Rights{Scopes: scopes}, Keys: []verify.Key{{Digest: ring.Digest(plaintext)}},
		})
	}
	give("ci", ci, "", "Account/ci", "certs.read", "certs.write")
	give("bobs", bobs, "bob", "User/bob", "certs.read", "certs.write")
	index.PutRole("reader", access.Role{Permissions: []access.Permission{access.Scope("certs.read")}})
	index.PutBinding("readers", access.Binding{Role: "reader", Users: []string{"bob"}})
	return index
}

func (f *fixture) serve(tb testing.TB) {
	tb.Helper()
	var err error
	f.listener, err = net.Listen("tcp", "127.0.0.1:0")
	must(tb, err)
	go func() { f.served <- f.server.Serve(f.listener) }()
	tb.Cleanup(func() { must(tb, f.server.Close()) })
	f.connection, err = grpc.NewClient(
		f.listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()),
	)
	must(tb, err)
	tb.Cleanup(func() { _ = f.connection.Close() })
	f.AuthorizationClient = authv3.NewAuthorizationClient(f.connection)
}

// failer is a *testing.T or a *rapid.T.
type failer interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func must(tb failer, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// request is the request that Envoy asks about.
type request struct {
	http *authv3.AttributeContext_HttpRequest
}

// get returns a GET of /certs with these headers: name, value, name, value.
func get(header ...string) request {
	r := request{&authv3.AttributeContext_HttpRequest{
		Id: "1", Method: http.MethodGet, Path: "/certs", Host: "app.example.com", Scheme: "https", Protocol: "HTTP/2",
		Headers: map[string]string{":method": http.MethodGet, ":path": "/certs", ":authority": "app.example.com"},
	}}
	for i := 0; i < len(header); i += 2 {
		r.http.Headers[header[i]] = header[i+1]
	}
	return r
}

// raw adds a header as Envoy does with encode_raw_headers.
func (r request) raw(name string, value []byte) request {
	if r.http.HeaderMap == nil {
		r.http.HeaderMap = &corev3.HeaderMap{}
	}
	r.http.HeaderMap.Headers = append(r.http.HeaderMap.Headers, &corev3.HeaderValue{Key: name, RawValue: value})
	return r
}

func bearer(presented string) request { return get("authorization", "Bearer "+presented) }

func basic(password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte("bot:"+password))
}

func (r request) check() *authv3.CheckRequest {
	return &authv3.CheckRequest{
		Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{Http: r.http}},
	}
}

// ask returns the reply and fails if Envoy's own validation finds a fault with it.
func (f *fixture) ask(tb failer, r request) *authv3.CheckResponse {
	tb.Helper()
	return f.askAll(tb, r.check())
}

func (f *fixture) askAll(tb failer, r *authv3.CheckRequest) *authv3.CheckResponse {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	reply, err := f.Check(ctx, r)
	must(tb, err)
	must(tb, reply.ValidateAll())
	if len(reply.ProtoReflect().GetUnknown()) > 0 || len(reply.GetOkResponse().ProtoReflect().GetUnknown()) > 0 {
		tb.Fatal("the reply has fields that Envoy does not know")
	}
	return reply
}

// upstream returns the headers that the app gets for an admitted request. Envoy sets first and removes last, and names
// are in lower case.
func upstream(tb failer, r request, reply *authv3.CheckResponse) map[string]string {
	tb.Helper()
	ok := reply.GetOkResponse()
	if reply.GetStatus().GetCode() != 0 || ok == nil {
		tb.Fatalf("refused: %v", reply)
	}
	header := maps.Clone(r.http.GetHeaders())
	for _, raw := range r.http.GetHeaderMap().GetHeaders() {
		header[strings.ToLower(raw.GetKey())] = string(raw.GetRawValue())
	}
	for _, option := range ok.GetHeaders() {
		if option.GetAppendAction() != corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD || hasAppend(option) {
			tb.Errorf("%s would be added to the client's own", option.GetHeader().GetKey())
		}
		header[strings.ToLower(option.GetHeader().GetKey())] = option.GetHeader().GetValue()
	}
	for _, name := range ok.GetHeadersToRemove() {
		delete(header, strings.ToLower(name))
	}
	return header
}

// hasAppend reports whether an option has the older field for append_action.
func hasAppend(option *corev3.HeaderValueOption) bool {
	return option.GetAppend() != nil //nolint:staticcheck // deprecated, and has to be absent
}

// downstream returns the headers that the client gets with a refusal: from Envoy up to 1.36, which first removes all
// headers of that name and then adds each, and from later versions, which follow append_action.
func downstream(reply *authv3.CheckResponse) (older, later http.Header) {
	older, later = http.Header{}, http.Header{"Content-Type": {"text/plain"}}
	for _, option := range reply.GetDeniedResponse().GetHeaders() {
		name, value := option.GetHeader().GetKey(), option.GetHeader().GetValue()
		if hasAppend(option) {
			continue
		}
		older.Add(name, value)
		if option.GetAppendAction() == corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD {
			later.Add(name, value)
		} else {
			later.Set(name, value)
		}
	}
	return older, later
}
