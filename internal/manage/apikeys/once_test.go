package apikeys_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/idempotency"
	"keywright.dev/keywright/internal/manage/idempotency/creation"
	"keywright.dev/keywright/test/fakeobjects"
)

// once creates a key with an idempotency key.
func (e *env) once(by manage.Caller, subject v1alpha1.Subject, key string) (*apikeys.Issued, error) {
	return e.Create(ctx, by, subject, given(apikeys.Wanted{Name: "CI", Once: key}))
}

// wantMade fails the test unless err is the conflict with the key of this id.
func wantMade(tb testing.TB, err error, id string) {
	tb.Helper()
	var conflict *manage.Error
	if !errors.As(err, &conflict) || conflict.Kind != manage.Conflict || conflict.ID != id ||
		!strings.HasPrefix(conflict.Error(), "was created already as "+id+"; ") {
		tb.Errorf("got %v, want a conflict with %s", err, id)
	}
}

func TestCreate_OnceOnly(t *testing.T) {
	env := newEnv(t)
	first, err := env.once(env.admin(), ci, "form-1")
	if err != nil || !strings.HasPrefix(first.Object.Name, "ci-") {
		t.Fatal(first, err)
	}
	for _, subject := range []v1alpha1.Subject{ci, lab} {
		_, err = env.once(env.admin(), subject, "form-1")
		wantMade(t, err, first.ID)
	}
	if writes := env.Writes(); len(writes) != 1 {
		t.Errorf("%q", writes)
	}
	// Another idempotency key, and the same one of another caller, are other creations.
	if _, err := env.once(env.admin(), ci, "form-2"); err != nil {
		t.Error(err)
	}
	if _, err := env.once(env.by(fakeobjects.BootstrapKey), ci, "form-1"); err != nil {
		t.Error(err)
	}
}

func TestCreate_OnceOnlyAfterDeletion(t *testing.T) {
	for name, remove := range map[string]func(*env, *apikeys.Issued) error{
		"by the API": func(e *env, k *apikeys.Issued) error { return e.Delete(ctx, e.admin(), ci, k.ID) },
		"by kubectl": func(e *env, k *apikeys.Issued) error {
			o, err := e.Store.Key(ctx, objects.ID{Namespace: k.Object.Namespace, Name: k.Object.Name})
			if err != nil {
				return err
			}
			return e.Store.Delete(ctx, o)
		},
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			first, err := env.once(env.admin(), ci, "form-1")
			if err != nil {
				t.Fatal(err)
			}
			if err := remove(env, first); err != nil {
				t.Fatal(err)
			}
			env.Reset()
			for _, pass := range []time.Duration{0, creation.Window - 1} {
				env.Pass(pass)
				_, err = env.once(env.admin(), ci, "form-1")
				wantMade(t, err, first.ID)
			}
			if writes := env.Writes(); len(writes) > 0 {
				t.Errorf("%q", writes)
			}
			env.Pass(1)
			if _, err := env.once(env.admin(), ci, "form-1"); err != nil {
				t.Error(err)
			}
		})
	}
}

// As long as the object exists, its name refuses another one.
func TestCreate_OnceOnlyWhileTheObjectExists(t *testing.T) {
	env := newEnv(t)
	first, err := env.once(env.admin(), ci, "form-1")
	if err != nil {
		t.Fatal(err)
	}
	env.Pass(10 * creation.Window)
	_, err = env.once(env.admin(), ci, "form-1")
	wantMade(t, err, first.ID)
}

func TestCreate_OnceOnlyOfManyAtOnce(t *testing.T) {
	env := newEnv(t)
	var all sync.WaitGroup
	issued, errs := make([]*apikeys.Issued, 8), make([]error, 8)
	for i := range errs {
		all.Go(func() { issued[i], errs[i] = env.once(env.admin(), ci, "form-1") })
	}
	all.Wait()
	id := ""
	for _, k := range issued {
		if k != nil && id != "" {
			t.Fatalf("%s and %s were created", id, k.ID)
		}
		if k != nil {
			id = k.ID
		}
	}
	for i, err := range errs {
		if issued[i] == nil {
			wantMade(t, err, id)
		}
	}
}

// The first one is deleted before it is recorded, so that the name is free again. The record decides.
func TestCreate_OnceOnlyWhateverIsDeletedMeanwhile(t *testing.T) {
	env := newEnv(t)
	var second *apikeys.Issued
	env.Made.BeforeKeep = func() {
		env.Made.BeforeKeep = nil
		all, err := env.Keys(ctx, ci)
		if err != nil {
			t.Fatal(err)
		}
		for i := range all {
			if strings.HasPrefix(all[i].Name, "ci-") && all[i].Name != "ci-manages" {
				err = errors.Join(err, env.Store.Delete(ctx, &all[i]))
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		if second, err = env.once(env.admin(), ci, "form-1"); err != nil {
			t.Fatal(err)
		}
	}
	first, err := env.once(env.admin(), ci, "form-1")
	if second == nil || first != nil {
		t.Fatal(first, second)
	}
	wantMade(t, err, second.ID)
}

// Keys of different names have different objects. The record decides between them, too.
func TestCreate_OnceOnlyOfTwoNamesAtOnce(t *testing.T) {
	env := newEnv(t)
	named := func(name string) (*apikeys.Issued, error) {
		return env.Create(ctx, env.admin(), ci, given(apikeys.Wanted{Name: name, Once: "form-1"}))
	}
	var second *apikeys.Issued
	env.Made.BeforeKeep = func() {
		env.Made.BeforeKeep = nil
		var err error
		if second, err = named("second"); err != nil {
			t.Fatal(err)
		}
	}
	_, err := named("first")
	wantMade(t, err, second.ID)
	if writes := env.Writes(); len(writes) != 3 || !strings.HasPrefix(writes[2], "discard first-") {
		t.Errorf("%q", writes)
	}
}

func TestCreate_FailureLeavesNoRecord(t *testing.T) {
	unavailable := &manage.Error{Kind: manage.Unavailable}
	for name, c := range map[string]struct {
		fail func(*env)
		body apikeys.Wanted
		kind manage.Kind
	}{
		"an API server that is away": {
			fail: func(e *env) { e.Fail = fakeobjects.FailCall("Create", objects.ErrUnavailable) }, kind: manage.Unavailable,
		},
		"an object that the API server refuses": {
			fail: func(e *env) { e.Fail = fakeobjects.FailCall("Create", &objects.Invalid{Field: "spec.scopes[0]"}) },
			kind: manage.Invalid,
		},
		"a policy of the cluster": {
			fail: func(e *env) { e.Fail = fakeobjects.FailCall("Create", &objects.Refused{}) }, kind: manage.Conflict,
		},
		"a bad body":       {body: apikeys.Wanted{Name: "CI", Roles: []string{"none"}}, kind: manage.Invalid},
		"a right too many": {body: apikeys.Wanted{Name: "CI", Scopes: []string{"certs.write"}}, kind: manage.Forbidden},
		"a record that can't be read": {
			fail: func(e *env) { e.Made.Fail = fakeobjects.FailCall("Made", unavailable) }, kind: manage.Unavailable,
		},
		"a record that can't be kept": {
			fail: func(e *env) { e.Made.Fail = fakeobjects.FailCall("Keep", unavailable) }, kind: manage.Unavailable,
		},
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			before, err := env.Keys(ctx, bob)
			if err != nil {
				t.Fatal(err)
			}
			if c.fail != nil {
				c.fail(env)
			}
			if c.body.Name == "" {
				c.body.Name = "CI"
			}
			c.body.Once = "form-1"
			issued, err := env.Create(ctx, env.by(bobKey), bob, given(c.body))
			if issued != nil || !manage.Is(err, c.kind) {
				t.Fatal(issued, err)
			}
			if after, err := env.Keys(ctx, bob); err != nil || len(after) != len(before) {
				t.Errorf("an object is left: %v %v", after, err)
			}
			if events := env.events(); len(events) > 0 {
				t.Errorf("%q", events)
			}
			env.Fail, env.Made.Fail = nil, nil
			if _, err := env.once(env.by(bobKey), bob, "form-1"); err != nil {
				t.Error(err)
			}
		})
	}
}

// The object that can't be discarded still refuses a second one.
func TestCreate_OnceOnlyBesideObjectThatIsLeft(t *testing.T) {
	env := newEnv(t)
	env.Made.Fail = fakeobjects.FailCall("Keep", errors.New("down"))
	env.Fail = fakeobjects.FailCall("Discard", objects.ErrUnavailable)
	if _, err := env.once(env.admin(), ci, "form-1"); !manage.Is(err, manage.Unavailable) {
		t.Fatal(err)
	}
	env.Fail, env.Made.Fail = nil, nil
	if _, err := env.once(env.admin(), ci, "form-1"); !manage.Is(err, manage.Conflict) {
		t.Error(err)
	}
}

// A request without the header needs no record.
func TestCreate_WithoutIdempotencyKey(t *testing.T) {
	env := newEnv(t)
	env.Made.Fail = func(call string) error { return errors.New(call + " was called") }
	env.create(t, ci, apikeys.Wanted{})
}

// The manifest creates nothing.
func TestManifest_OfFormThatHasCreated(t *testing.T) {
	env := newEnv(t)
	if _, err := env.once(env.admin(), ci, "form-1"); err != nil {
		t.Fatal(err)
	}
	if _, err := env.Manifest(ctx, env.admin(), ci, given(apikeys.Wanted{Name: "CI", Once: "form-1"})); err != nil {
		t.Error(err)
	}
}

func TestCreate_RefusesIdempotencyKeys(t *testing.T) {
	env := newEnv(t)
	for _, bad := range []string{
		strings.Repeat("x", idempotency.MaxLength+1), "a b", "a\tb", "a\nb", "ü", "\x00", "\x7f", " ",
	} {
		_, err := env.once(env.admin(), ci, bad)
		want(t, err, manage.Invalid, "Idempotency-Key: must be 1-255 visible ASCII characters")
	}
	if len(env.Writes()) != 0 {
		t.Error(env.Writes())
	}
	for _, good := range []string{strings.Repeat("x", idempotency.MaxLength), "~", "!"} {
		if _, err := env.once(env.admin(), ci, good); err != nil {
			t.Error(err)
		}
	}
}
