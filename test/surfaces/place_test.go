package surfaces

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/gate/forwardauth"
	"keywright.dev/keywright/internal/gate/introspect"
	"keywright.dev/keywright/internal/gate/reverseproxy"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/httpapi/admin"
	"keywright.dev/keywright/internal/httpapi/graphql"
	"keywright.dev/keywright/internal/httpapi/keys"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/login"
	"keywright.dev/keywright/internal/manage/loginthrottle"
	"keywright.dev/keywright/internal/manage/users"
	"keywright.dev/keywright/test/fakeobjects"
)

// place is a gate with management, and what they record.
type place struct {
	*fakeobjects.Fixture
	management http.Handler
	// froms are the addresses of uses and of seen users, and names are the seen users.
	froms, names []string
	// known is the number of audit entries that do not count any more.
	known int
}

func newPlace(tb testing.TB, settings config.Runtime) *place {
	tb.Helper()
	f := fakeobjects.NewFixture(tb)
	p := &place{Fixture: f}
	f.Gate.Uses, f.Gate.SeenUsers = useLog{p}, nameLog{p}
	f.Configure(tb, settings)
	apiKeys := apikeys.New(apikeys.Config{
		Gate: f.Gate, Verifier: f.Verifier, Store: f.Store, Uses: f.Uses, Trail: f.Trail,
		Account: func() string { return "default" }, Actions: func() []string { return nil },
		Now: f.Time, Log: f.Logger(),
	})
	everybody := users.New(users.Config{
		Gate: f.Gate, Verifier: f.Verifier, Store: f.Store, Seen: database{}, Uses: f.Uses, Sessions: database{},
		Trail: f.Trail, Turns: database{}, Now: f.Time, Log: f.Logger(),
	})
	mux := http.NewServeMux()
	guard := &httpapi.Guard{Gate: f.Gate, Sessions: database{}, Database: database{}, Log: f.Logger()}
	logins := login.New(login.Config{
		Gate: f.Gate, Sessions: database{}, Throttle: loginthrottle.New(), Trail: f.Trail, Now: f.Time,
	})
	httpapi.Mount(
		mux, guard, admin.Login(logins), admin.Users(everybody), keys.New(apiKeys), graphql.New(apiKeys, f.Logger()),
	)
	p.management = mux
	return p
}

// addresses returns every address that was recorded, each once.
func (p *place) addresses() []string {
	all := slices.Clone(p.froms)
	for _, entry := range p.Trail.Entries()[p.known:] {
		all = append(all, entry.From)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// forget makes the next request the first.
func (p *place) forget() {
	p.froms, p.names, p.known = nil, nil, len(p.Trail.Entries())
	p.Pass(time.Hour)
}

type useLog struct{ *place }

func (l useLog) Record(u verify.Use)   { l.froms = append(l.froms, u.From) }
func (useLog) Interval() time.Duration { return verify.UseInterval }

type nameLog struct{ *place }

func (l nameLog) Record(name, from string, _ time.Time) {
	l.names, l.froms = append(l.names, name), append(l.froms, from)
}

// database has nothing.
type database = fakeobjects.EmptyDatabase

// sender is who sends a request: the address of the peer, as net/http has it, and headers.
type sender struct {
	peer   string
	header http.Header
}

// request returns a request by the sender.
func (s sender) request(method, target, body string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.RemoteAddr = s.peer
	for name, values := range s.header {
		r.Header[name] = values
	}
	return r
}

// reporters are all surfaces that record an address.
var reporters = []struct {
	name string
	// isGateway is true if the peer is a gateway, and not the client of Keywright.
	isGateway bool
	// takesNames is true if every caller may send the request.
	takesNames bool
	report     func(tb testing.TB, p *place, s sender)
}{
	{"/auth", true, true, func(_ testing.TB, p *place, s sender) {
		forwardauth.New(p.Gate).ServeHTTP(httptest.NewRecorder(), s.request("GET", "/auth", ""))
	}},
	{"path mode", true, true, func(_ testing.TB, p *place, s sender) {
		forwardauth.NewPathMode(p.Gate).ServeHTTP(httptest.NewRecorder(), s.request("GET", "/authz/", ""))
	}},
	{"ext_authz", false, true, func(tb testing.TB, p *place, s sender) { check(tb, p, s, joinHeaders) }},
	{"ext_authz with raw headers", false, true, func(tb testing.TB, p *place, s sender) { check(tb, p, s, rawHeaders) }},
	{"--upstream", false, true, throughProxy},
	{"/introspect", false, false, func(_ testing.TB, p *place, s sender) {
		r := s.request("POST", "/introspect", "token=a-key-that-was-never-issued")
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		introspect.New(p.Gate).ServeHTTP(httptest.NewRecorder(), r)
	}},
	{"who I am", false, true, managing("GET", "/api/auth/me", "")},
	{"login", false, false, managing("POST", "/api/auth/login",
		`{"username":"alice","api_key":"`+fakeobjects.AliceKey+`"}`)},
	{"a refused login", false, false, managing("POST", "/api/auth/login",
		`{"username":"alice","api_key":"a-key-that-was-never-issued"}`)},
	{"logout", false, false, func(tb testing.TB, p *place, s sender) {
		s.header.Set("Cookie", "keywright_session="+fakeobjects.AliceSession)
		managing("POST", "/api/auth/logout", "")(tb, p, s)
	}},
	{"users", false, false, managing("POST", "/api/admin/users", `{"username":"newcomer"}`)},
	{"keys", false, false, managing("POST", "/apiv1/users/me/apikeys", `{"name":"new"}`)},
	{"GraphQL", false, false, managing("POST", "/graphql",
		`{"query":"mutation { createCurrentUserToken(input: {name: \"new\", expiresAt: 1900000000000}) { id } }"}`)},
}

func managing(method, target, body string) func(tb testing.TB, p *place, s sender) {
	return func(_ testing.TB, p *place, s sender) {
		r := s.request(method, target, body)
		r.Header.Set("Content-Type", "application/json")
		p.management.ServeHTTP(httptest.NewRecorder(), r)
	}
}

// check asks as Envoy does. Its peer is the client of Envoy.
func check(
	tb testing.TB, p *place, s sender, add func(to *authv3.AttributeContext_HttpRequest, name, value string),
) {
	tb.Helper()
	sent := &authv3.AttributeContext_HttpRequest{
		Method: "GET", Path: "/things", Host: host, Headers: map[string]string{}, HeaderMap: &corev3.HeaderMap{},
	}
	for name, values := range s.header {
		for _, value := range values {
			add(sent, strings.ToLower(name), value)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := startExtAuthz(tb, p.Gate).Check(ctx, &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source:  &authv3.AttributeContext_Peer{Address: peerAddress(s.peer)},
		Request: &authv3.AttributeContext_Request{Http: sent},
	}})
	must(tb, err)
}

// peerAddress returns the address of a peer as Envoy reports it: a path for a Unix socket.
func peerAddress(peer string) *corev3.Address {
	ip, err := netip.ParseAddrPort(peer)
	switch {
	case err == nil:
		peer = ip.Addr().String()
	case !strings.ContainsAny(peer, ".:"):
		return &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: peer}}}
	}
	return &corev3.Address{Address: &corev3.Address_SocketAddress{
		SocketAddress: &corev3.SocketAddress{Address: peer},
	}}
}

// throughProxy sends a request through the reverse proxy, and expects the app to get the recorded address.
func throughProxy(tb testing.TB, p *place, s sender) {
	tb.Helper()
	asked := make(chan string, 1)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- r.Header.Get(gate.RealIP)
	}))
	defer app.Close()
	upstream, err := reverseproxy.ParseUpstream(app.URL)
	must(tb, err)
	proxy := reverseproxy.New(reverseproxy.Config{Gate: p.Gate, Upstream: upstream, Log: p.Logger()})
	proxy.ServeHTTP(httptest.NewRecorder(), s.request("GET", "/things", ""))
	select {
	case got := <-asked:
		if recorded := p.addresses(); !slices.Equal(recorded, []string{got}) {
			tb.Errorf("the app gets %q, and %q is recorded", got, recorded)
		}
	default: // The request was refused.
	}
}
