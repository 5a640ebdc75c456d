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

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/seenusers"
	"keywright.dev/keywright/test/fakeusers"
	"keywright.dev/keywright/test/kit"
)

// world is what a service needs beside a registry: somebody who may do all, and nothing else.
type world struct {
	entries []audit.Entry
	// before is done when a turn begins, if it is not nil.
	before func()
}

func (*world) May(*gate.Caller, access.Request) bool                 { return true }
func (*world) IsKey(string) bool                                     { return false }
func (*world) CanonicalName(string) string                           { return "" }
func (*world) All(context.Context) ([]seenusers.User, error)         { return nil, nil }
func (*world) Find(context.Context, string) (*seenusers.User, error) { return nil, nil }
func (*world) Remove(context.Context, string) (bool, error)          { return false, errors.New("down") }
func (*world) EndForUser(context.Context, string) error              { return errors.New("down") }
func (w *world) Record(_ context.Context, e audit.Entry)             { w.entries = append(w.entries, e) }
func (w *world) Turn(ctx context.Context, _ string, do func(context.Context) error) error {
	if w.before != nil {
		w.before()
	}
	return do(ctx)
}

func newService(log *kit.Log) (*Service, *fakeusers.Registry, *world) {
	fake, w := fakeusers.New(time.Now), &world{}
	for _, name := range []string{"alice", "bob"} {
		u := v1alpha1.AdminUser{Spec: v1alpha1.AdminUserSpec{Username: name, Delivery: v1alpha1.DeliveryResponse}}
		u.Annotations = map[string]string{v1alpha1.AnnotationCreatedBy: v1alpha1.CreatedByAPI}
		fake.Put(u, "the-key-of-somebody-named-"+name)
	}
	return New(Config{
		Gate: w, Registry: fake, Names: w, Seen: w, Sessions: w, Trail: w, Turns: w, Now: time.Now,
		Log: slog.New(slog.NewJSONHandler(log, nil)),
	}), fake, w
}

var alice = By{Caller: &gate.Caller{Username: "alice", Subject: "User/alice", Admin: true}, From: "::1"}

func no() (bool, error) { return false, nil }

// The operator may be away: then nothing is taken away on the server's word alone, and not for ever waited.
func TestAMarkThatStaysIsNotWaitedForLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, fake, w := newService(&kit.Log{})
		fake.LastAdminLags = 1_000_000
		began := time.Now()
		err := s.Delete(t.Context(), alice, "bob", no)
		var refusal *Error
		if !errors.As(err, &refusal) || refusal.Kind != Unavailable || time.Since(began) != markLags {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		if fake.Get("bob") == nil || w.entries[0].Outcome != audit.Failed {
			t.Errorf("%+v", w.entries)
		}
	})
}

// The caller who goes away is not waited for either.
func TestAMarkThatStaysIsWaitedForNoLongerThanTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, fake, _ := newService(&kit.Log{})
		fake.LastAdminLags = 1_000_000
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if err := s.Delete(ctx, alice, "bob", no); err == nil || time.Since(began) != time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

// While it waits it goes on counting: the other admin may go meanwhile, by another way.
func TestTheLastAdminIsCountedAnewAfterEachTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, fake, _ := newService(&kit.Log{})
		fake.LastAdminLags = 1_000_000
		time.AfterFunc(time.Second, func() {
			disable := func(o objects.Object) { o.(*v1alpha1.AdminUser).Spec.Enabled = new(false) }
			if err := fake.Change(t.Context(), fake.Get("alice"), disable); err != nil {
				t.Error(err)
			}
		})
		began := time.Now()
		err := s.Delete(t.Context(), alice, "bob", no)
		var refusal *Error
		if !errors.As(err, &refusal) || refusal.Kind != Invalid || time.Since(began) > 2*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

// What can't be cleaned up is in the log, and is no reason to say that the user is still there.
func TestADeletionIsDoneWhateverBecomesOfItsTraces(t *testing.T) {
	var log kit.Log
	s, fake, _ := newService(&log)
	if err := s.Delete(t.Context(), alice, "bob", no); err != nil || fake.Get("bob") != nil {
		t.Error(err)
	}
	if len(log.Lines("bob")) != 2 {
		t.Error(log.String())
	}
}

// Whoever is made an admin meanwhile is no plain user any more.
func TestWhoIsForgottenIsLookedAtInTheTurn(t *testing.T) {
	s, fake, w := newService(&kit.Log{})
	be := func(role v1alpha1.Role) {
		if err := fake.Change(t.Context(), fake.Get("bob"), setRole(role)); err != nil {
			t.Error(err)
		}
	}
	be(v1alpha1.RoleUser)
	w.before = func() { be(v1alpha1.RoleAdmin) }
	err := s.Delete(t.Context(), alice, "bob", func() (bool, error) { return true, nil })
	var refusal *Error
	if !errors.As(err, &refusal) || refusal.Kind != Conflict || fake.Get("bob") == nil {
		t.Error(err)
	}
}

func TestAnIssuedKeyIsNotPrinted(t *testing.T) {
	const secret = "correct-horse-battery-staple"
	issued := &Issued{Username: "bob", Key: secret}
	var log kit.Log
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "issued", issued)
	for _, text := range []string{fmt.Sprintf("%+v", issued), fmt.Sprintf("%#v", issued), fmt.Sprintf("%d", issued), log.String()} {
		if strings.Contains(text, secret) || !strings.Contains(text, "User/bob") {
			t.Error(text)
		}
	}
}

func TestLongNamesAreCutBetweenCharacters(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"bob", "bob"}, {strings.Repeat("x", 200), strings.Repeat("x", 100) + "…"}, {"x" + strings.Repeat("ü", 100), "x" + strings.Repeat("ü", 49) + "…"},
	} {
		if got := shown(c.name); got != c.want {
			t.Errorf("%q", got)
		}
	}
}
