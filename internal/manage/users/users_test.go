package users

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/seenusers"
	"keywright.dev/keywright/test/fakeobjects"
	"keywright.dev/keywright/test/kit"
)

// env is everything that a service needs except a store. Deleting what is left of a user fails.
type env struct {
	entries []audit.Entry
	// beforeTurn runs when a turn begins, if it is not nil.
	beforeTurn func()
	// alice is the caller.
	alice manage.Caller
}

func (*env) All(context.Context) ([]seenusers.User, error)         { return nil, nil }
func (*env) Find(context.Context, string) (*seenusers.User, error) { return nil, nil }
func (*env) Remove(context.Context, string) (bool, error)          { return false, errors.New("down") }
func (*env) EndForUser(context.Context, string) error              { return errors.New("down") }
func (e *env) Record(_ context.Context, entry audit.Entry)         { e.entries = append(e.entries, entry) }
func (e *env) Turn(ctx context.Context, _ string, do func(context.Context) error) error {
	if e.beforeTurn != nil {
		e.beforeTurn()
	}
	return do(ctx)
}

type upToDate struct{}

func (upToDate) Ready() error       { return nil }
func (upToDate) Age() time.Duration { return 0 }

const aliceKey = "the-key-of-alice"

func newService(tb testing.TB, out *kit.Log) (*Service, *fakeobjects.Store, *env) {
	tb.Helper()
	fake, e := fakeobjects.New(time.Now), &env{}
	for _, name := range []string{"alice", "bob"} {
		u := v1alpha1.AdminUser{Spec: v1alpha1.AdminUserSpec{Username: name, Delivery: v1alpha1.DeliveryResponse}}
		u.Labels = map[string]string{v1alpha1.LabelCreatedBy: v1alpha1.CreatedByAPI}
		fake.PutUser(u, "the-key-of-"+name)
	}
	log := slog.New(slog.NewJSONHandler(out, nil))
	verifier := verify.NewVerifier(fake.Index, fake.Format, fake.Ring)
	g := gate.New(gate.Config{
		Verifier: verifier, View: upToDate{}, Now: time.Now, Log: log, Registry: prometheus.NewRegistry(),
	})
	rules, err := gate.NewRules(config.Runtime{})
	if err != nil {
		tb.Fatal(err)
	}
	g.Use(rules)
	d := g.Authenticate(aliceKey, "::1")
	e.alice = manage.Caller{Caller: &d.Caller, From: "::1"}
	return New(Config{
		Gate: g, Verifier: verifier, Store: fake, Seen: e, Sessions: e, Trail: e, Turns: e, Now: time.Now, Log: log,
	}), fake, e
}

func no() (bool, error) { return false, nil }

// While the operator is away, the server removes no admin on its own count, and does not wait forever.
func TestRemoveAdmin_GivesUpAfterConditionLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, fake, env := newService(t, &kit.Log{})
		fake.LastAdminLags = 1_000_000
		began := time.Now()
		_, err := s.Delete(t.Context(), env.alice, "bob", no)
		var refusal *manage.Error
		if !errors.As(err, &refusal) || refusal.Kind != manage.Unavailable || time.Since(began) != conditionLag {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		if fake.AdminUser("bob") == nil || env.entries[0].Outcome != audit.Failed {
			t.Errorf("%+v", env.entries)
		}
	})
}

func TestRemoveAdmin_StopsWaitingWithCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, fake, env := newService(t, &kit.Log{})
		fake.LastAdminLags = 1_000_000
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if _, err := s.Delete(ctx, env.alice, "bob", no); err == nil || time.Since(began) != time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

// The other admin may be removed by other means during the wait.
func TestRemoveAdmin_CountsAgainOnEachTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, fake, env := newService(t, &kit.Log{})
		fake.LastAdminLags = 1_000_000
		time.AfterFunc(time.Second, func() {
			disable := func(o objects.Object) { o.(*v1alpha1.AdminUser).Spec.State = v1alpha1.StateDisabled }
			if err := fake.Change(t.Context(), fake.AdminUser("alice"), disable); err != nil {
				t.Error(err)
			}
		})
		began := time.Now()
		_, err := s.Delete(t.Context(), env.alice, "bob", no)
		var refusal *manage.Error
		if !errors.As(err, &refusal) || refusal.Kind != manage.Invalid || time.Since(began) > 2*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

// A failed cleanup is logged, and the deletion succeeds.
func TestDelete_SucceedsWhenCleanupFails(t *testing.T) {
	var log kit.Log
	s, fake, env := newService(t, &log)
	if keys, err := s.Delete(t.Context(), env.alice, "bob", no); err != nil || keys != 0 || fake.AdminUser("bob") != nil {
		t.Error(err)
	}
	if len(log.Lines("bob")) != 2 {
		t.Error(log.String())
	}
}

// The user may be promoted just before the turn.
func TestDelete_ChecksRoleWithinTurn(t *testing.T) {
	s, fake, env := newService(t, &kit.Log{})
	be := func(role v1alpha1.Role) {
		if err := fake.Change(t.Context(), fake.AdminUser("bob"), setRole(role)); err != nil {
			t.Error(err)
		}
	}
	be(v1alpha1.RoleUser)
	env.beforeTurn = func() { be(v1alpha1.RoleAdmin) }
	_, err := s.Delete(t.Context(), env.alice, "bob", func() (bool, error) { return true, nil })
	var refusal *manage.Error
	if !errors.As(err, &refusal) || refusal.Kind != manage.Conflict || fake.AdminUser("bob") == nil {
		t.Error(err)
	}
}

func TestIssued_HidesKeyWhenPrinted(t *testing.T) {
	const secret = "correct-horse-battery-staple"
	issued := &Issued{Username: "bob", Key: manage.NewSecret("a key of User/bob", secret)}
	var log kit.Log
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "issued", issued)
	printed := []string{log.String()}
	for _, verb := range []string{"%+v", "%#v", "%d"} {
		printed = append(printed, fmt.Sprintf(verb, issued))
	}
	for _, text := range printed {
		if strings.Contains(text, secret) || !strings.Contains(text, "User/bob") {
			t.Error(text)
		}
	}
}

func TestShown_CutsBetweenCharacters(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"bob", "bob"}, {strings.Repeat("x", 200), strings.Repeat("x", 100) + "…"}, {
			"x" + strings.Repeat("ü", 100), "x" + strings.Repeat("ü", 49) + "…",
		},
	} {
		if got := shown(c.name); got != c.want {
			t.Errorf("%q", got)
		}
	}
}

func TestManifest_OfUsers(t *testing.T) {
	out := &kit.Log{}
	s, fake, e := newService(t, out)
	read := func(name string) manage.Read[string] { return func() (string, error) { return name, nil } }
	got, err := s.Manifest(t.Context(), e.alice, read(" Dana_Fox "))
	if err != nil || !strings.Contains(got, "kind: AdminUser") || !strings.Contains(got, "username: Dana_Fox") {
		t.Errorf("%v\n%s", err, got)
	}
	if _, err := s.Manifest(t.Context(), e.alice, read("admin")); !manage.Is(err, manage.Invalid) {
		t.Error(err)
	}
	anonymous := manage.Caller{Caller: &gate.Caller{}}
	if _, err := s.Manifest(t.Context(), anonymous, read("x")); !manage.Is(err, manage.Forbidden) {
		t.Error(err)
	}
	if len(fake.Writes())+len(e.entries) > 0 {
		t.Error(fake.Writes(), e.entries)
	}
}
