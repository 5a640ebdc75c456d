package apikeys_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/test/fakeobjects"
)

// Keys of APIKeys from manifests.
const (
	bobKey   = "a-key-of-bob-that-manages-keys"
	bobReads = "a-key-of-bob-that-reads-certs"
	aliceAPI = "an-api-key-of-alice-the-admin"
	carolKey = "a-key-of-carol-who-may-own-none"
	ciKey    = "a-key-of-a-program-that-manages"
)

var (
	ctx = context.Background()

	alice = v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "alice"}
	bob   = v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "bob"}
	carol = v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "carol"}
	ci    = v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"}
	lab   = v1alpha1.Subject{Kind: v1alpha1.SubjectIntegration, Name: "lab-1"}
)

type env struct {
	*fakeobjects.Fixture
	*apikeys.Service
}

func newEnv(tb testing.TB) *env {
	tb.Helper()
	p := fakeobjects.NewFixture(tb)
	p.Configure(tb, config.Runtime{TrustProxyHeaders: true})
	for name, k := range map[string]struct {
		subject   v1alpha1.Subject
		plaintext string
		scopes    []v1alpha1.Scope
	}{
		"bob-manages": {bob, bobKey, []v1alpha1.Scope{"certs.read", "apikeys.read", "apikeys.write"}},
		"bob-reads":   {bob, bobReads, []v1alpha1.Scope{"certs.read"}},
		"alice-api":   {alice, aliceAPI, []v1alpha1.Scope{"apikeys.read", "apikeys.write", "certs.write"}},
		"ci-manages":  {ci, ciKey, []v1alpha1.Scope{"apikeys.read", "apikeys.write"}},
	} {
		p.PutKey(name, k.subject, k.plaintext, func(o *v1alpha1.APIKey) { o.Spec.Scopes = k.scopes })
	}
	return &env{p, apikeys.New(apikeys.Config{
		Gate: p.Gate, Verifier: p.Verifier, Store: p.Store, Uses: p.Uses, Trail: p.Trail, Entries: p.Trail,
		Creations: p.Creations,
		Account:   func() string { return "default" },
		Actions:   func() []string { return []string{"certs.read", "certs.export"} },
		Now:       p.Time, Log: p.Logger(),
	})}
}

// by returns the caller with this key.
func (e *env) by(plaintext string) manage.Caller {
	return manage.Caller{Caller: e.Bearer(plaintext), From: "192.0.2.7"}
}

// named returns the caller that a proxy names.
func (e *env) named(name string) manage.Caller {
	return manage.Caller{Caller: e.Caller(http.Header{"X-Forwarded-User": {name}})}
}

func (e *env) admin() manage.Caller { return e.by(fakeobjects.AliceKey) }

// List and Rotate are called with valid input.
func (e *env) List(
	ctx context.Context, by manage.Caller, subject v1alpha1.Subject, q apikeys.Query,
) (*apikeys.Page, error) {
	return e.Service.List(ctx, by, subject, given(q))
}

func (e *env) Rotate(
	ctx context.Context, by manage.Caller, subject v1alpha1.Subject, id string,
) (*apikeys.Issued, error) {
	return e.Service.Rotate(ctx, by, subject, id, given(apikeys.Rotation{}))
}

func given[T any](v T) manage.Read[*T] { return func() (*T, error) { return &v, nil } }

// create creates a key as the admin.
func (e *env) create(tb testing.TB, subject v1alpha1.Subject, w apikeys.Wanted) *apikeys.Issued {
	tb.Helper()
	if w.Name == "" {
		w.Name = "Some key"
	}
	issued, err := e.Create(ctx, e.admin(), subject, given(w))
	if err != nil {
		tb.Fatal(err)
	}
	return issued
}

// kind returns the Kind and the text of an error.
func kind(err error) (k manage.Kind, text string) {
	var why *manage.Error
	if !errors.As(err, &why) {
		return 0, ""
	}
	return why.Kind, why.Error()
}

func want(tb testing.TB, err error, k manage.Kind, text string) {
	tb.Helper()
	if got, said := kind(err); got != k || said != text {
		tb.Errorf("got %d %q (%v), want %d %q", got, said, err, k, text)
	}
}

func anonymous() manage.Caller { return manage.Caller{Caller: &gate.Caller{}} }

func ptr[T any](v T) *T { return &v }

// events returns the events so far as "<reason>: <message>".
func (e *env) events() (texts []string) {
	for _, event := range e.Events() {
		texts = append(texts, event.Reason+": "+event.Message)
	}
	return texts
}
