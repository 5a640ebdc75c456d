package graphql_test

import (
	"bytes"
	"cmp"
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

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/httpapi/graphql"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/test/fakeobjects"
	"keywright.dev/keywright/test/kit"
)

var now = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// Keys of the callers, and the cookie of a session of alice.
const (
	aliceKey     = fakeobjects.AliceKey
	aliceSession = fakeobjects.AliceSession
	bobKey       = "the-key-of-bob-who-is-a-user"
	ciKey        = "the-key-of-a-program-named-ci"
	// savedName stands for a saved name instead of a key.
	savedName = "saved-name"
)

// held is a key and what the caller wanted of it.
type held struct {
	apikeys.Key
	wanted apikeys.Wanted
	by     manage.Caller
}

// ring is Keys in memory: an admin may manage all keys, and a user their own.
type ring struct {
	mu     sync.Mutex
	keys   []*held
	calls  int
	fail   error
	panics any
	// at is the creation time of new keys.
	at time.Time
}

func (*ring) Account() v1alpha1.Subject {
	return v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "default"}
}

func (r *ring) may(by manage.Caller, subject v1alpha1.Subject) error {
	r.calls++
	if r.panics != nil {
		panic(r.panics)
	}
	isOwn := subject.Kind == v1alpha1.SubjectUser && subject.Name != "" && subject.Name == by.Username
	switch {
	case r.fail != nil:
		return r.fail
	case by.Admin || isOwn:
		return nil
	}
	return &manage.Error{Kind: manage.Forbidden, Text: "API key lacks required permission"}
}

func (r *ring) List(
	_ context.Context, by manage.Caller, subject v1alpha1.Subject, read manage.Read[*apikeys.Query],
) (*apikeys.Page, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.may(by, subject); err != nil {
		return nil, err
	}
	q, err := read()
	if err != nil {
		return nil, err
	}
	page := &apikeys.Page{Items: []apikeys.Key{}}
	isPast := q.After == ""
	for _, e := range r.keys {
		k := e.Key
		if !isPast {
			// The key may be deleted: only its position counts.
			isPast = placeOf(&k) > placeAt(q.After)
		}
		if !isPast {
			continue
		}
		if k.Subject != subject {
			continue
		}
		if len(page.Items) == q.Limit {
			page.More = true
			break
		}
		page.Items = append(page.Items, k)
	}
	if q.After != "" && placeAt(q.After) == "" {
		return nil, &manage.Error{Kind: manage.Invalid, Field: "cursor", Text: "is not the endCursor of a page"}
	}
	return page, nil
}

// placeOf returns a text that sorts like lists: newest first, then by name.
func placeOf(k *apikeys.Key) string {
	return fmt.Sprintf("%020d %s", 1<<40-k.CreatedAt.Unix(), k.Object)
}

func placeAt(cursor string) string {
	for _, c := range everyKey {
		if c.Cursor() == cursor {
			return placeOf(&c)
		}
	}
	return ""
}

// everyKey has deleted keys too, so that their cursors can be read.
var everyKey []apikeys.Key

func (r *ring) Get(_ context.Context, by manage.Caller, subject v1alpha1.Subject, id string) (*apikeys.Key, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, err := r.find(by, subject, id)
	if err != nil {
		return nil, err
	}
	k := e.Key
	return &k, nil
}

func (r *ring) find(by manage.Caller, subject v1alpha1.Subject, id string) (*held, error) {
	if err := r.may(by, subject); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(r.keys, func(e *held) bool {
		return e.ID == id && e.Subject.Kind == subject.Kind && (subject.Name == "" || e.Subject.Name == subject.Name)
	})
	if i < 0 {
		return nil, &manage.Error{Kind: manage.NotFound, Text: "API key not found"}
	}
	return r.keys[i], nil
}

func (r *ring) Create(
	_ context.Context, by manage.Caller, subject v1alpha1.Subject, read manage.Read[*apikeys.Wanted],
) (*apikeys.Issued, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.may(by, subject); err != nil {
		return nil, err
	}
	wanted, err := read()
	if err != nil {
		return nil, err
	}
	if wanted.ExpiresAt != nil && !wanted.ExpiresAt.After(now) {
		return nil, &manage.Error{Kind: manage.Invalid, Field: apikeys.FieldExpiresAt, Text: "must be in the future"}
	}
	return &apikeys.Issued{
		Key: r.add(by, subject, *wanted), Token: manage.NewSecret("a key", plaintextOf(len(r.keys))),
	}, nil
}

func plaintextOf(n int) string { return fmt.Sprintf("ak_the-plaintext-of-key-%d", n) }

func (r *ring) add(by manage.Caller, subject v1alpha1.Subject, wanted apikeys.Wanted) apikeys.Key {
	n := len(everyKey) + 1
	k := apikeys.Key{
		ID: fmt.Sprintf("uid-%d", n), Object: apikeys.Ref{
			Namespace: "ns", Name: fmt.Sprintf("key-%03d", n),
		}, Name: wanted.Name, Category: wanted.Category,
		Subject: subject, Policy: wanted.Policy, ExpiresAt: wanted.ExpiresAt, CreatedAt: cmpTime(r.at), Enabled: true,
	}
	r.keys = append(r.keys, &held{Key: k, wanted: wanted, by: by})
	slices.SortFunc(r.keys, func(a, b *held) int { return cmp.Compare(placeOf(&a.Key), placeOf(&b.Key)) })
	everyKey = append(everyKey, k)
	return k
}

func cmpTime(at time.Time) time.Time {
	if at.IsZero() {
		return now
	}
	return at
}

func (r *ring) Revoke(_ context.Context, by manage.Caller, subject v1alpha1.Subject, id string) (*apikeys.Key, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, err := r.find(by, subject, id)
	if err != nil {
		return nil, err
	}
	e.Revoked = true
	k := e.Key
	return &k, nil
}

// backing is the sessions and the database.
type backing struct {
	renews  bool
	touched []string
	down    error
}

func (b *backing) Touch(_ context.Context, cookie string) bool {
	b.touched = append(b.touched, cookie)
	return b.renews
}

func (b *backing) Err() error { return b.down }

// env is /graphql on keys in memory.
type env struct {
	http.Handler
	ring    *ring
	backing *backing
	log     *kit.Log
}

func newEnv(tb testing.TB) *env {
	tb.Helper()
	place := fakeobjects.NewFixture(tb)
	place.Configure(tb, config.Runtime{TrustProxyHeaders: true, TrustUsernames: true})
	place.PutKey("bob", v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "bob"}, bobKey, nil)
	place.PutKey("ci", v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"}, ciKey, nil)
	e := &env{ring: &ring{}, backing: &backing{}, log: &kit.Log{}}
	e.mount(place.Gate, e.ring, slog.New(slog.NewJSONHandler(e.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	everyKey = nil
	return e
}

func (e *env) mount(g *gate.Gate, keys graphql.Keys, log *slog.Logger) {
	mux := http.NewServeMux()
	httpapi.Mount(mux, &httpapi.Guard{Gate: g, Sessions: e.backing, Database: e.backing, Log: log}, graphql.New(keys, log))
	e.Handler = mux
}

func newRequest(key, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	switch key {
	case "":
	case savedName:
		r.Header.Set("Cookie", "keywright_user=bob")
	default:
		r.Header.Set("Authorization", "Bearer "+key)
	}
	return r
}

func (e *env) serve(r *http.Request) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	e.ServeHTTP(recorder, r)
	return recorder
}

type told struct {
	Message    string
	Path       []any
	Extensions struct {
		Code  int
		Field string
	}
}

type reply struct {
	Data   json.RawMessage
	Errors []told
}

func document(tb testing.TB, query string, variables any) string {
	tb.Helper()
	var body bytes.Buffer
	if err := json.NewEncoder(&body).Encode(map[string]any{"query": query, "variables": variables}); err != nil {
		tb.Fatal(err)
	}
	return body.String()
}

// ask expects status 200 and decodes the data into v.
func (e *env) ask(tb testing.TB, key, query string, variables, v any) []told {
	tb.Helper()
	recorder := e.serve(newRequest(key, document(tb, query, variables)))
	if recorder.Code != http.StatusOK || recorder.Header().Get("Cache-Control") != "no-store" ||
		recorder.Header().Get("Content-Type") != "application/json" {
		tb.Fatalf("%d %q %s", recorder.Code, recorder.Header(), recorder.Body)
	}
	var got reply
	if err := json.Unmarshal(recorder.Body.Bytes(), &got); err != nil {
		tb.Fatalf("%v: %s", err, recorder.Body)
	}
	if v != nil && len(got.Data) > 0 {
		if err := json.Unmarshal(got.Data, v); err != nil {
			tb.Fatalf("%v: %s", err, recorder.Body)
		}
	}
	return got.Errors
}

// get expects no errors.
func (e *env) get(tb testing.TB, key, query string, variables, v any) {
	tb.Helper()
	if problems := e.ask(tb, key, query, variables, v); len(problems) > 0 {
		tb.Fatalf("%+v", problems)
	}
}

// refused expects one error.
func (e *env) refused(tb testing.TB, key, query string, variables any, code int, message string) {
	tb.Helper()
	problems := e.ask(tb, key, query, variables, nil)
	if len(problems) != 1 || problems[0].Extensions.Code != code || problems[0].Message != message {
		tb.Errorf("got %+v, want %d %s", problems, code, message)
	}
}

type tokenReply struct {
	ID, Name                string
	Category, Policy, Token *string
	Revoked                 bool
	CreatedAt               json.Number
	ExpiresAt               *json.Number
	TokenID                 string
	Typename                string `json:"__typename"`
}

func value(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}

var errSecret = errors.New("something with the-secret-of-a-cause")
