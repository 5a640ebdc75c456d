package tokenusage_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/tokenusage"
	"keywright.dev/keywright/internal/manage/usage"
	"keywright.dev/keywright/test/fakeobjects"
)

// bothKey is an APIKey that may read and report usage.
const bothKey = "an-api-key-of-a-program-that-may-read-and-report"

// repricingStore has two records, and adds up what becomes of them.
type repricingStore struct {
	usage.Store
	records []usage.Record
	err     error
	// begun is closed when Reprice begins, which waits for hold. May be nil.
	begun, hold chan struct{}
	dryRun      bool
}

func (s *repricingStore) Reprice(
	_ context.Context, since time.Time, dryRun bool, cost func(*usage.Record),
) (result usage.Repriced, err error) {
	if s.begun != nil {
		close(s.begun)
		<-s.hold
	}
	s.dryRun = dryRun
	for _, r := range s.records {
		if r.At.Before(since) {
			continue
		}
		before := r.Price
		cost(&r)
		result.Records++
		if r.Price != before {
			result.Changed++
			result.After += *r.Cost
		}
	}
	return result, s.err
}

// known has a price for one model.
type known string

func (k known) Price(r *usage.Record) {
	if r.Model == string(k) && r.Cost == nil {
		r.Cost, r.Price = new(usage.Dollar), "new"
	}
}

type repricingEnv struct {
	*fakeobjects.Fixture
	*tokenusage.Service
	store *repricingStore
}

func newRepricingEnv(tb testing.TB) *repricingEnv {
	tb.Helper()
	e := &repricingEnv{Fixture: fakeobjects.NewFixture(tb)}
	old := usage.Money(5)
	e.store = &repricingStore{records: []usage.Record{
		{Model: "known", At: e.Time(), Cost: &old, Price: "old"}, {Model: "gone", At: e.Time(), Cost: &old, Price: "old"},
		{Model: "known", At: e.Time()}, {Model: "known", At: e.Time().Add(-time.Hour)},
	}}
	e.Service = tokenusage.New(tokenusage.Config{
		Gate: e.Gate, Store: e.store, Pricer: known("known"), Trail: e.Trail,
	})
	for key, scopes := range map[string][]v1alpha1.Scope{
		reporterKey: {"usage.write"}, readerKey: {"usage.read"}, bothKey: {"usage.read", "usage.write"},
	} {
		subject := v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"}
		e.PutKey(key[len(key)-8:], subject, key, func(k *v1alpha1.APIKey) { k.Spec.Scopes = scopes })
	}
	return e
}

func (e *repricingEnv) by(key string) manage.Caller {
	return manage.Caller{Caller: e.Bearer(key), From: "192.0.2.1", Reason: "new contract"}
}

func (e *repricingEnv) input(dryRun bool) manage.Read[tokenusage.Repricing] {
	return func() (tokenusage.Repricing, error) {
		return tokenusage.Repricing{Since: e.Time(), DryRun: dryRun}, nil
	}
}

func TestReprice_ChangesKnownPrices(t *testing.T) {
	for _, dryRun := range []bool{true, false} {
		e := newRepricingEnv(t)
		got, err := e.Reprice(t.Context(), e.by(bothKey), e.input(dryRun))
		want := usage.Repriced{Records: 3, Changed: 2, After: 2 * usage.Dollar}
		if err != nil || got != want || e.store.dryRun != dryRun {
			t.Errorf("dry run %t: %+v, %v", dryRun, got, err)
		}
		entries := e.Trail.Entries()
		if dryRun {
			if len(entries) > 0 {
				t.Errorf("a dry run is recorded: %+v", entries)
			}
			continue
		}
		want1 := audit.Entry{
			Actor: "Account/ci", KeyID: e.by(bothKey).KeyID, From: "192.0.2.1", Action: "usage.reprice", Target: "TokenUsage",
			Outcome: audit.Done, Detail: "since 2030-01-01T00:00:00Z: 2 of 3 records changed, from $0 to $2 in all",
			Reason: "new contract",
		}
		if len(entries) != 1 || !reflect.DeepEqual(entries[0], want1) {
			t.Errorf("got %+v, want %+v", entries, want1)
		}
	}
}

func TestReprice_NeedsBothRights(t *testing.T) {
	e := newRepricingEnv(t)
	unread := func() (r tokenusage.Repricing, err error) { t.Error("the body was read"); return r, nil }
	for name, caller := range map[string]manage.Caller{
		"without a caller": {}, "anonymous": e.by("a-key-that-was-never-issued"),
		"a reporter": e.by(reporterKey), "a reader": e.by(readerKey),
	} {
		if _, err := e.Reprice(t.Context(), caller, unread); !manage.Is(err, manage.Forbidden) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Callers without a key leave no entry.
	if entries := e.Trail.Entries(); len(entries) != 2 || entries[0].Outcome != audit.Refused {
		t.Errorf("%+v", entries)
	}
	for _, key := range []string{bothKey, fakeobjects.AliceKey, fakeobjects.BootstrapKey} {
		if _, err := e.Reprice(t.Context(), e.by(key), e.input(true)); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestReprice_Refused(t *testing.T) {
	e := newRepricingEnv(t)
	invalid := manage.InvalidField("since", "is required")
	_, err := e.Reprice(t.Context(), e.by(bothKey), func() (r tokenusage.Repricing, err error) { return r, invalid })
	if !manage.Is(err, manage.Invalid) {
		t.Error(err)
	}
	e.store.err = errors.New("secret location")
	if _, err := e.Reprice(t.Context(), e.by(bothKey), e.input(false)); !manage.Is(err, manage.Unavailable) {
		t.Error(err)
	}
	want := []string{audit.Refused + " since: is required", audit.Failed + " The server can't do this now"}
	for i, entry := range e.Trail.Entries() {
		if i >= len(want) || entry.Outcome+" "+entry.Detail != want[i] {
			t.Errorf("entry %d: %+v", i, entry)
		}
	}
}

func TestReprice_OneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newRepricingEnv(t)
		e.store.begun, e.store.hold = make(chan struct{}), make(chan struct{})
		done := make(chan error)
		go func() {
			_, err := e.Reprice(t.Context(), e.by(bothKey), e.input(false))
			done <- err
		}()
		<-e.store.begun
		if _, err := e.Reprice(t.Context(), e.by(bothKey), e.input(false)); !manage.Is(err, manage.Conflict) {
			t.Error(err)
		}
		close(e.store.hold)
		if err := <-done; err != nil {
			t.Error(err)
		}
		e.store.begun = nil
		if _, err := e.Reprice(t.Context(), e.by(bothKey), e.input(false)); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}
