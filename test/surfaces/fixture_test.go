package surfaces

import (
	"bufio"
	"cmp"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/budget"
	"keywright.dev/keywright/internal/auth/credential"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
)

// The key of a program, and another known key.
const (
	ci      = "the-key-of-a-program-named-ci"
	another = "the-key-of-another-program"
	// spent is the key of a program whose budget is used up.
	spent = "the-key-of-a-program-over-budget"
)

// surface is a surface with a gateway in front where it needs one.
type surface struct {
	// folder is its package in internal/gate.
	folder, name string
	// open returns a function that sends one request.
	open func(tb testing.TB, g guard) func(testing.TB, request) outcome
}

// guard is a gate and the forms of keys that it reads, which a gateway is configured with.
type guard struct {
	*gate.Gate
	forms credential.Forms
}

var surfaces = []surface{
	{"forwardauth", "/auth", openForwardAuth},
	{"forwardauth", "path mode", openPathMode},
	{"extauthz", "ext_authz", openExtAuthz(joinHeaders)},
	{"extauthz", "ext_authz with raw headers", openExtAuthz(rawHeaders)},
	{"reverseproxy", "--upstream", openProxy},
}

// request is a client's request.
type request struct {
	method string
	// lines are header lines, in the client's spelling and order.
	lines []string
	// target is /things by default.
	target string
}

// sent returns a request for /things with header lines.
func sent(method string, lines ...string) request { return request{method: method, lines: lines} }

func (r request) path() string { return cmp.Or(r.target, "/things") }

const host = "app.example"

// raw returns the bytes of the request.
func (r request) raw() string {
	lines := append([]string{r.method + " " + r.path() + " HTTP/1.1", "Host: " + host, "Connection: close"}, r.lines...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// header returns the headers as a gateway written in Go reads them.
func (r request) header(tb testing.TB) http.Header {
	tb.Helper()
	read, err := http.ReadRequest(bufio.NewReader(strings.NewReader(r.raw())))
	must(tb, err)
	read.Header.Del("Connection")
	return read.Header
}

// outcome is what the client and the app get.
type outcome struct {
	status int
	// app holds the headers that the app gets. Nil: it gets no request.
	app http.Header
}

// setOrigin sets the headers that every gateway sets itself.
func setOrigin(header http.Header) {
	for _, known := range gate.KnownHeaders() {
		if known.Use == gate.HeaderOrigin {
			header.Set(known.Name, "by the gateway")
		}
	}
}

// always is a complete and current view.
type always struct{}

func (always) Ready() error       { return nil }
func (always) Age() time.Duration { return 0 }

// listed makes decisions depend on the method: only ci may write.
var listed = config.Runtime{AllowedUsers: []string{"Account/ci"}}

// newGate returns a gate with two keys, and one whose budget is used up.
func newGate(tb testing.TB, runtime config.Runtime) guard {
	tb.Helper()
	ring, err := pepper.Load(map[string][]byte{pepper.Active: make([]byte, 32)})
	must(tb, err)
	index := &verify.Index{}
	for name, plaintext := range map[string]string{"ci": ci, "other": another} {
		index.Put(verify.ID{Kind: "APIKey", Name: name}, verify.KeyObject{
			Identity: verify.Identity{Subject: "Account/" + name}, Standing: verify.Accepted, UID: name,
			Rights: &access.Rights{Scopes: []string{"certs.read"}}, Keys: []verify.Key{{Digest: ring.Digest(plaintext)}},
		})
	}
	index.Put(verify.ID{Kind: "APIKey", Name: "spent"}, verify.KeyObject{
		Identity: verify.Identity{Subject: "Account/spent"}, Standing: verify.Accepted, UID: "spent",
		Rights: &access.Rights{}, Keys: []verify.Key{{Digest: ring.Digest(spent)}},
		Budgets: []budget.Budget{{Name: "tiny", Unit: budget.Tokens, Amount: 1, Period: budget.Month}},
	})
	g := gate.New(gate.Config{
		Verifier: verify.NewVerifier(index, keyformat.Format{Prefix: keyformat.DefaultPrefix}, ring), View: always{},
		Now: time.Now, Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry(),
	})
	for _, account := range g.Verifier.Accounts() {
		account.Set(budget.Month, time.Now(), budget.Used{Tokens: 1}, 0)
	}
	rules, err := gate.NewRules(runtime)
	must(tb, err)
	g.Use(rules)
	forms, _ := credential.ParseForms(runtime.Credentials)
	return guard{g, forms}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
