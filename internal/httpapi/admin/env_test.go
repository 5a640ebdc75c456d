package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/httpapi/admin"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/auditlog"
	"keywright.dev/keywright/internal/manage/lastuse"
	"keywright.dev/keywright/internal/manage/login"
	"keywright.dev/keywright/internal/manage/loginthrottle"
	"keywright.dev/keywright/internal/manage/seenusers"
	"keywright.dev/keywright/internal/manage/tokenusage"
	"keywright.dev/keywright/internal/manage/usage"
	"keywright.dev/keywright/internal/manage/users"
	"keywright.dev/keywright/test/fakeobjects"
	"keywright.dev/keywright/test/kit"
)

// Keys of the callers.
const (
	bootstrapKey = "the-bootstrap-key-of-this-place"
	aliceKey     = "the-key-of-alice-the-admin"
	bobKey       = "the-key-of-bob-another-admin"
	writerKey    = "an-api-key-of-alice-that-may-write-users"
	readerKey    = "a-key-of-a-program-that-may-read-users"
	plainKey     = "a-key-that-may-do-nothing-at-all"
	reporterKey  = "a-key-of-a-program-that-reports-usage"
	usageKey     = "a-key-of-a-program-that-may-read-usage"
	offKey       = "the-key-of-a-disabled-admin"
	gitKey       = "the-key-of-an-admin-in-git"
)

// longKey is longer than names are repeated.
var longKey = strings.Repeat("a-key-as-long-as-keys-may-be-", 5)

// secrets must not appear in the log or the audit trail.
var secrets = []string{longKey, bootstrapKey, aliceKey, bobKey, writerKey, readerKey, plainKey, reporterKey, usageKey,
	offKey, gitKey}

var begin = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

// view is a view of a cluster that is ready unless err is set.
type view struct{ err error }

func (v *view) Ready() error     { return v.err }
func (*view) Age() time.Duration { return 0 }

// env is /api on services in memory.
type env struct {
	http.Handler
	registry  *fakeobjects.Store
	gate      *gate.Gate
	view      *view
	memory    *memory
	usage     *usageMemory
	repricing *repricingStore
	log       *kit.Log
	now       time.Time
}

func newEnv(tb testing.TB) *env {
	tb.Helper()
	memory := &usageMemory{}
	e := newEnvWithUsage(tb, memory)
	e.usage = memory
	return e
}

// newEnvWithUsage returns an env with another store of token usage.
func newEnvWithUsage(tb testing.TB, store usage.Store) *env {
	tb.Helper()
	e := &env{view: &view{}, repricing: &repricingStore{}, log: &kit.Log{}, now: begin}
	now := func() time.Time { return e.now }
	e.registry = fakeobjects.New(now)
	e.memory = &memory{sessions: map[string]pepper.Digest{}, named: map[string]string{}}
	bootstrap := e.registry.Ring.Digest(bootstrapKey)
	e.registry.Index.SetBootstrap(&bootstrap)
	e.populate()
	log := slog.New(slog.NewJSONHandler(e.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	verifier := verify.NewVerifier(e.registry.Index, e.registry.Format, e.registry.Ring)
	e.gate = gate.New(gate.Config{
		Verifier: verifier, View: e.view, Sessions: e.memory, Now: now, Log: log, Registry: prometheus.NewRegistry(),
	})
	e.use(tb, config.Runtime{})
	service := users.New(users.Config{
		Gate: e.gate, Verifier: verifier, Store: e.registry, Seen: e.memory, Uses: e.memory, Sessions: e.memory,
		Trail: e.memory, Turns: e.memory, Now: now, Log: log,
	})
	mux := http.NewServeMux()
	httpapi.Mount(mux, &httpapi.Guard{Gate: e.gate, Sessions: e.memory, Database: e.memory, Log: log},
		admin.Login(login.New(login.Config{
			Gate: e.gate, Sessions: e.memory, Throttle: loginthrottle.New(), Trail: e.memory, Now: now,
		})),
		admin.Users(service),
		admin.Audit(auditlog.New(e.gate, e.memory)),
		admin.Usage(tokenusage.New(tokenusage.Config{Gate: e.gate, Store: store, Now: now}), newBodies()),
		admin.Reprice(tokenusage.New(tokenusage.Config{Gate: e.gate, Store: e.repricing, Trail: e.memory})),
		admin.BudgetsOf(twoBudgets{}),
		admin.Settings(e.instance()),
	)
	e.Handler = unmounted(mux, "/api/")
	tb.Cleanup(func() { e.keepsSecrets(tb) })
	return e
}

func (e *env) populate() {
	byAPI := map[string]string{v1alpha1.LabelCreatedBy: v1alpha1.CreatedByAPI}
	put := func(name, plaintext string, change func(*v1alpha1.AdminUser)) {
		u := v1alpha1.AdminUser{Spec: v1alpha1.AdminUserSpec{Username: name, Delivery: v1alpha1.DeliveryResponse}}
		u.Labels = byAPI
		if change != nil {
			change(&u)
		}
		e.registry.PutUser(u, plaintext)
	}
	put("alice", aliceKey, nil)
	put("bob", bobKey, nil)
	put("plain", "", func(u *v1alpha1.AdminUser) { u.Spec.Role = v1alpha1.RoleUser })
	put("off", offKey, func(u *v1alpha1.AdminUser) { u.Spec.State = v1alpha1.StateDisabled })
	put("git", gitKey, func(u *v1alpha1.AdminUser) { u.Labels, u.Spec.Delivery = nil, v1alpha1.DeliverySecret })
	put("gitplain", "", func(u *v1alpha1.AdminUser) { u.Labels, u.Spec.Role = nil, v1alpha1.RoleUser })
	e.memory.seen = []seenusers.User{
		{ID: 1, Username: "sam", FirstSeen: begin.Add(-time.Hour), LastSeen: begin.Add(-time.Minute)},
		{ID: 2, Username: "a b", FirstSeen: begin.Add(-2 * time.Hour), LastSeen: begin.Add(-time.Minute)},
	}
	apiKey := func(username, subject, plaintext string, scopes ...string) {
		e.registry.Index.Put(verify.ID{Kind: "APIKey", Name: plaintext}, verify.KeyObject{
			Identity: verify.Identity{Username: username, Subject: subject}, Standing: verify.Accepted, UID: plaintext,
			Rights: &access.Rights{Scopes: scopes}, Keys: []verify.Key{{Digest: e.registry.Ring.Digest(plaintext)}},
		})
	}
	apiKey("alice", "User/alice", writerKey, "users.write", "users.read")
	apiKey("", "Account/reader", readerKey, "users.read")
	apiKey("", "Account/plain", plainKey)
	apiKey("", "Account/reporter", reporterKey, tokenusage.ActionWrite)
	apiKey("", "Account/controller", usageKey, tokenusage.ActionRead)
	apiKey("", "Account/long", longKey)
}

func (e *env) use(tb testing.TB, runtime config.Runtime) {
	tb.Helper()
	rules, err := gate.NewRules(runtime)
	if err != nil {
		tb.Fatal(err)
	}
	e.gate.Use(rules)
}

// keepsSecrets checks that no key is in the log or the audit trail.
func (e *env) keepsSecrets(tb testing.TB) {
	written := e.log.String() + fmt.Sprintf("%+v", e.memory.entries)
	for _, secret := range secrets {
		if strings.Contains(written, secret) {
			tb.Errorf("a key was recorded: %s", secret)
		}
	}
}

// unmounted returns the handler of a path of mux, so that it gets paths that mux would redirect.
func unmounted(mux *http.ServeMux, path string) http.Handler {
	h, _ := mux.Handler(httptest.NewRequest(http.MethodGet, path, http.NoBody))
	return h
}

// ask sends a request, with a key if it is not empty.
func (e *env) ask(method, path, key, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	return e.serve(r)
}

func (e *env) serve(r *http.Request) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	e.ServeHTTP(recorder, r)
	return recorder
}

// detail returns the error text of a reply.
func detail(r *httptest.ResponseRecorder) string {
	var said struct{ Detail string }
	_ = json.Unmarshal(r.Body.Bytes(), &said)
	return said.Detail
}

// field returns a field of a reply.
func field(tb testing.TB, r *httptest.ResponseRecorder, name string) string {
	tb.Helper()
	var said map[string]any
	if err := json.Unmarshal(r.Body.Bytes(), &said); err != nil {
		tb.Fatalf("%d %s", r.Code, r.Body)
	}
	text, _ := said[name].(string)
	return text
}

// memory keeps what the database keeps in the server.
type memory struct {
	mu       sync.Mutex
	turn     sync.Mutex
	down     error
	sessions map[string]pepper.Digest
	named    map[string]string
	renew    bool
	seen     []seenusers.User
	uses     map[string]lastuse.Use
	entries  []audit.Entry
	filters  []audit.Filter
}

var errDown = errors.New("down")

func (m *memory) Err() error { return m.down }

func (m *memory) Turn(ctx context.Context, _ string, do func(context.Context) error) error {
	m.turn.Lock()
	defer m.turn.Unlock()
	return do(ctx)
}

func (m *memory) Key(cookie string, _ time.Time) *pepper.Digest {
	m.mu.Lock()
	defer m.mu.Unlock()
	if digest, ok := m.sessions[cookie]; ok {
		return &digest
	}
	return nil
}

func (m *memory) Begin(_ context.Context, username string, key pepper.Digest) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	cookie := fmt.Sprintf("session-%d", len(m.named))
	m.sessions[cookie], m.named[cookie] = key, username
	return cookie, nil
}

func (m *memory) Touch(context.Context, string) bool { return m.renew }

func (m *memory) End(_ context.Context, cookie string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.sessions, cookie)
	return nil
}

func (m *memory) EndForUser(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for cookie, of := range m.named {
		if of == name {
			delete(m.sessions, cookie)
		}
	}
	return nil
}

func (m *memory) All(context.Context) ([]seenusers.User, error) { return m.seen, m.down }

func (m *memory) Find(_ context.Context, name string) (*seenusers.User, error) {
	for i := range m.seen {
		if m.seen[i].Username == name {
			return &m.seen[i], nil
		}
	}
	return nil, m.down
}

func (m *memory) Remove(_ context.Context, name string) (bool, error) {
	before := len(m.seen)
	m.seen = slices.DeleteFunc(m.seen, func(u seenusers.User) bool { return u.Username == name })
	return len(m.seen) < before, m.down
}

func (m *memory) LastUses(context.Context, []string) (map[string]lastuse.Use, error) {
	return m.uses, m.down
}

func (m *memory) AddressUses(context.Context, string) ([]lastuse.AddressUse, error) {
	return nil, m.down
}

func (m *memory) Record(_ context.Context, e audit.Entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e.ID = int64(len(m.entries) + 1)
	m.entries = append(m.entries, e)
}

func (m *memory) List(_ context.Context, f audit.Filter) ([]audit.Entry, error) {
	m.filters = append(m.filters, f)
	newest := slices.Clone(m.entries)
	slices.Reverse(newest)
	return newest[:min(len(newest), f.Size())], m.down
}

// events returns the events so far as "<name> <reason>".
func (e *env) events() (texts []string) {
	for _, event := range e.registry.Events() {
		texts = append(texts, event.Name+" "+event.Reason)
	}
	return texts
}
