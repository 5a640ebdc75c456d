package claims_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/claims"
	"keywright.dev/keywright/internal/manage/claims/link"
	"keywright.dev/keywright/internal/manage/loginthrottle"
	"keywright.dev/keywright/internal/manage/seenusers"
	"keywright.dev/keywright/internal/manage/users"
	"keywright.dev/keywright/test/fakeobjects"
)

// bobKey manages the keys of bob, a plain user.
const bobKey = "a-key-of-bob-that-manages-keys"

var (
	ci  = v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"}
	bob = v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "bob"}
)

// env is the use cases on objects in memory and a database in a file.
type env struct {
	*fakeobjects.Fixture
	*claims.Service
	// links is the store of the service.
	links *faulty
	users *users.Service
	keys  *apikeys.Service
}

func newEnv(tb testing.TB) *env {
	tb.Helper()
	f := fakeobjects.NewFixture(tb)
	f.PutKey("bob-manages", bob, bobKey, func(k *v1alpha1.APIKey) {
		k.Spec.Scopes = []v1alpha1.Scope{"apikeys.read", "apikeys.write"}
	})
	db, err := database.Open(tb.Context(), filepath.Join(tb.TempDir(), "keywright.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	e := &env{Fixture: f, links: &faulty{Store: db.Claims()}}
	e.keys = apikeys.New(apikeys.Config{
		Gate: f.Gate, Verifier: f.Verifier, Store: f.Store, Uses: f.Uses, Trail: f.Trail,
		Account: func() string { return "default" }, Actions: func() []string { return nil },
		Creations: f.Creations, Now: f.Time, Log: f.Logger(),
	})
	e.users = users.New(users.Config{
		Gate: f.Gate, Verifier: f.Verifier, Store: f.Store, Seen: nothing{}, Uses: f.Uses, Sessions: nothing{},
		Trail: f.Trail, Turns: nothing{}, Creations: f.Creations, Now: f.Time, Log: f.Logger(),
	})
	e.Service = e.replica()
	return e
}

// replica returns another service on the same objects and links.
func (e *env) replica() *claims.Service {
	return claims.New(claims.Config{
		Gate: e.Gate, Verifier: e.Verifier, Users: e.users, Keys: e.keys, Store: e.links, Objects: e.Store,
		Throttle: loginthrottle.New(), Trail: e.Trail, Creations: e.Creations, Now: e.Time, Log: e.Logger(),
	})
}

// nothing is what the services need of sessions, seen users and turns.
type nothing struct{}

func (nothing) All(context.Context) ([]seenusers.User, error)         { return nil, nil }
func (nothing) Find(context.Context, string) (*seenusers.User, error) { return nil, nil }
func (nothing) Remove(context.Context, string) (bool, error)          { return false, nil }
func (nothing) EndForUser(context.Context, string) error              { return nil }
func (nothing) Turn(ctx context.Context, _ string, do func(context.Context) error) error {
	return do(ctx)
}

var errDown = errors.New("the database is down")

// faulty is a store whose calls fail on request.
type faulty struct {
	link.Store
	failAdd, failUse bool
}

func (f *faulty) Add(ctx context.Context, l *link.Link, token link.Hash) (bool, error) {
	if f.failAdd {
		return false, errDown
	}
	return f.Store.Add(ctx, l, token)
}

func (f *faulty) Use(ctx context.Context, id, attempt string, now time.Time) (bool, error) {
	if f.failUse {
		return false, errDown
	}
	return f.Store.Use(ctx, id, attempt, now)
}

// by returns the caller with this key.
func (e *env) by(plaintext string) manage.Caller {
	return manage.Caller{Caller: e.Bearer(plaintext), From: "192.0.2.7"}
}

func (e *env) admin() manage.Caller { return e.by(fakeobjects.AliceKey) }

// claimant is a caller with an address only.
func (e *env) claimant() manage.Caller {
	return manage.Caller{Caller: e.Caller(nil), From: "198.51.100.4", Reason: "my new laptop"}
}

func given[T any](v T) manage.Read[T] { return func() (T, error) { return v, nil } }

// create creates a link as an admin.
func (e *env) create(tb testing.TB, w claims.Wanted) *claims.Created {
	tb.Helper()
	created, err := e.Create(tb.Context(), e.admin(), given(&w))
	if err != nil {
		tb.Fatal(err)
	}
	return created
}

func (e *env) claim(tb testing.TB, c *claims.Created) (*claims.Claimed, error) {
	tb.Helper()
	return e.Claim(tb.Context(), e.claimant(), given(c.Token.Plaintext()))
}

func (e *env) mustClaim(tb testing.TB, c *claims.Created) *claims.Claimed {
	tb.Helper()
	claimed, err := e.claim(tb, c)
	if err != nil {
		tb.Fatal(err)
	}
	return claimed
}

// forKey is a link that hands over an API key.
func forKey(subject v1alpha1.Subject) claims.Wanted {
	return claims.Wanted{Subject: subject, Key: &apikeys.Wanted{Name: "Nightly builds", Scopes: []string{"certs.read"}}}
}

// kinds has a link of each kind.
var kinds = map[link.Kind]claims.Wanted{link.User: {Username: "Zoe"}, link.Key: forKey(ci)}

// onEach runs a test with a link of each kind.
func onEach(t *testing.T, test func(t *testing.T, e *env, c *claims.Created)) {
	t.Helper()
	for kind, wanted := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			e := newEnv(t)
			test(t, e, e.create(t, wanted))
		})
	}
}

// want fails the test unless err has this kind, and a text with this beginning.
func want(tb testing.TB, err error, kind manage.Kind, text string) {
	tb.Helper()
	var why *manage.Error
	if !errors.As(err, &why) || why.Kind != kind || len(why.Error()) < len(text) || why.Error()[:len(text)] != text {
		tb.Errorf("got %v, want %d %q", err, kind, text)
	}
}

func (e *env) expect(tb testing.TB, plaintext string, reason verify.Reason) {
	tb.Helper()
	if got := e.Verifier.Verify(plaintext, e.Time()).Reason; got != reason {
		tb.Errorf("the key is %s, want %s", got, reason)
	}
}

// state returns the state of a link.
func (e *env) state(tb testing.TB, c *claims.Created) link.State {
	tb.Helper()
	l, err := e.links.ByID(tb.Context(), c.ID)
	if err != nil || l == nil {
		tb.Fatal(l, err)
	}
	return l.State
}

// exists reports whether the object of a link exists.
func (e *env) exists(tb testing.TB, c *claims.Created) bool {
	tb.Helper()
	if c.Kind == link.User {
		return e.AdminUser("Zoe") != nil
	}
	found, err := e.Fixture.Store.Keys(tb.Context(), ci)
	if err != nil {
		tb.Fatal(err)
	}
	return len(found) > 0
}

const (
	noLink  = "This claim link can't be used"
	inUse   = "This claim link is in use at this moment"
	creator = "The creator of this claim link may not issue the key any more"
)
