package users

import (
	"errors"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/idempotency"
	"keywright.dev/keywright/internal/manage/idempotency/creation"
	"keywright.dev/keywright/test/fakeobjects"
	"keywright.dev/keywright/test/kit"
)

// onceEnv is a service with a record of idempotency keys, and a time.
type onceEnv struct {
	*Service
	store *fakeobjects.Store
	made  *fakeobjects.Creations
	alice manage.Caller
	now   time.Time
}

func newOnceEnv(t *testing.T) *onceEnv {
	t.Helper()
	s, fake, e := newService(t, &kit.Log{})
	once := &onceEnv{Service: s, store: fake, made: &fakeobjects.Creations{}, alice: e.alice, now: time.Now()}
	s.Creations = &idempotency.Creations{Store: once.made, Now: func() time.Time { return once.now }}
	return once
}

func (e *onceEnv) create(t *testing.T, name, key string) (*Issued, error) {
	t.Helper()
	return e.Create(t.Context(), e.alice, func() (Wanted, error) { return Wanted{Username: name, Once: key}, nil })
}

// wantConflict fails the test unless err is a conflict with the user of this id, and a text with this beginning.
func wantConflict(t *testing.T, err error, id, text string) {
	t.Helper()
	var conflict *manage.Error
	if !errors.As(err, &conflict) || conflict.Kind != manage.Conflict || conflict.ID != id ||
		!strings.HasPrefix(conflict.Error(), text) {
		t.Errorf("got %+v, want a conflict with %q, %q", conflict, id, text)
	}
}

func TestCreate_OnceOnly(t *testing.T) {
	e := newOnceEnv(t)
	if _, err := e.create(t, "zoe", "form-1"); err != nil {
		t.Fatal(err)
	}
	zoe := e.store.AdminUser("zoe")
	made := "was created already as " + string(zoe.UID) + "; its key or claim link was shown then."
	for _, name := range []string{"zoe", " Zoe ", "yan"} {
		_, err := e.create(t, name, "form-1")
		wantConflict(t, err, string(zoe.UID), made)
	}
	if err := e.store.Delete(t.Context(), zoe); err != nil {
		t.Fatal(err)
	}
	_, err := e.create(t, "zoe", "form-1")
	wantConflict(t, err, string(zoe.UID), made)
	e.now = e.now.Add(creation.Window)
	if _, err := e.create(t, "zoe", "form-1"); err != nil {
		t.Error(err)
	}
}

// The reply to a request without the header is as it was: it has no id.
func TestCreate_NameIsTaken(t *testing.T) {
	e := newOnceEnv(t)
	_, err := e.create(t, "Bob", "")
	wantConflict(t, err, "", "User 'bob' already exists")
	// The first of two at once may not be recorded yet.
	_, err = e.create(t, "Bob", "form-1")
	wantConflict(t, err, string(e.store.AdminUser("bob").UID), "User 'bob' already exists")
}

// Two at once with different usernames: the record decides, and the other user is discarded.
func TestCreate_OnceOnlyOfTwoAtOnce(t *testing.T) {
	e := newOnceEnv(t)
	e.made.BeforeKeep = func() {
		e.made.BeforeKeep = nil
		if _, err := e.create(t, "yan", "form-1"); err != nil {
			t.Error(err)
		}
	}
	_, err := e.create(t, "zoe", "form-1")
	wantConflict(t, err, string(e.store.AdminUser("yan").UID), "was created already as")
	if e.store.AdminUser("zoe") != nil {
		t.Error("both were created")
	}
}

func TestCreate_FailureLeavesNoRecord(t *testing.T) {
	down := errors.New("down")
	for name, fail := range map[string]func(*onceEnv){
		"without the record that can be read": func(e *onceEnv) { e.made.Fail = fakeobjects.FailCall("Made", down) },
		"without the record that can be kept": func(e *onceEnv) { e.made.Fail = fakeobjects.FailCall("Keep", down) },
		"without the object": func(e *onceEnv) {
			e.store.Fail = fakeobjects.FailCall("Create", objects.ErrUnavailable)
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newOnceEnv(t)
			fail(e)
			if _, err := e.create(t, "zoe", "form-1"); !manage.Is(err, manage.Unavailable) || e.store.AdminUser("zoe") != nil {
				t.Fatal(err)
			}
			if events := e.store.Events(); len(events) > 0 {
				t.Errorf("%+v", events)
			}
			e.made.Fail, e.store.Fail = nil, nil
			if _, err := e.create(t, "zoe", "form-1"); err != nil {
				t.Error(err)
			}
		})
	}
}

// A request without the header needs no record.
func TestCreate_WithoutIdempotencyKey(t *testing.T) {
	e := newOnceEnv(t)
	e.Creations = nil
	if _, err := e.create(t, "zoe", ""); err != nil {
		t.Error(err)
	}
}
