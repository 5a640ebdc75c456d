package apikeys_test

import (
	"strings"
	"testing"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/test/fakeobjects"
)

func TestCreate_OnceOnly(t *testing.T) {
	env := newEnv(t)
	create := func(by manage.Caller, subject v1alpha1.Subject, once string) (*apikeys.Issued, error) {
		return env.Create(ctx, by, subject, given(apikeys.Wanted{Name: "CI", Once: once}))
	}
	first, err := create(env.admin(), ci, "form-1")
	if err != nil || !strings.HasPrefix(first.Object.Name, "key-") {
		t.Fatal(first, err)
	}
	text := "was created already as " + first.ID + "; its key was shown then. Rotate it if the key was lost"
	for _, subject := range []v1alpha1.Subject{ci, lab} {
		_, err = create(env.admin(), subject, "form-1")
		want(t, err, manage.Conflict, text)
	}
	if writes := env.Writes(); len(writes) != 1 {
		t.Errorf("%q", writes)
	}
	// Another idempotency key, and the same one of another caller, are other creations.
	if _, err := create(env.admin(), ci, "form-2"); err != nil {
		t.Error(err)
	}
	if _, err := create(env.by(fakeobjects.BootstrapKey), ci, "form-1"); err != nil {
		t.Error(err)
	}
	// Once the object is gone, so is the record of its creation.
	if err := env.Delete(ctx, env.admin(), ci, first.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := create(env.admin(), ci, "form-1"); err != nil {
		t.Error(err)
	}
}

func TestCreate_RefusesIdempotencyKeys(t *testing.T) {
	env := newEnv(t)
	for _, bad := range []string{
		strings.Repeat("x", apikeys.MaxOnce+1), "a b", "a\tb", "a\nb", "ü", "\x00", "\x7f", " ",
	} {
		_, err := env.Create(ctx, env.admin(), ci, given(apikeys.Wanted{Name: "CI", Once: bad}))
		want(t, err, manage.Invalid, "Idempotency-Key: must be 1-255 visible ASCII characters")
	}
	if len(env.Writes()) != 0 {
		t.Error(env.Writes())
	}
	for _, good := range []string{strings.Repeat("x", apikeys.MaxOnce), "~", "!"} {
		if _, err := env.Create(ctx, env.admin(), ci, given(apikeys.Wanted{Name: "CI", Once: good})); err != nil {
			t.Error(err)
		}
	}
}
