package apikeys_test

import (
	"testing"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
)

func TestChange_OnlyNamedFields(t *testing.T) {
	env := newEnv(t)
	end := env.Time().Add(time.Hour)
	first := env.create(
		t, ci,
		apikeys.Wanted{
			Name: "CI", Description: "old", Scopes: []string{"certs.read"}, Roles: []string{"reader"},
			Everything: true, ExpiresAt: &end,
		},
	)
	change := func(c apikeys.Change) *apikeys.Key {
		t.Helper()
		k, err := env.Change(ctx, env.admin(), ci, first.ID, given(c))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	if k := change(apikeys.Change{}); k.Name != "CI" || k.Description != "old" || len(k.Scopes) != 1 ||
		len(k.Roles) != 1 || k.Policy == nil || !k.ExpiresAt.Equal(end) || !k.Enabled {
		t.Errorf("nothing was named: %+v", k)
	}
	if k := change(apikeys.Change{Name: ptr("CI 2"), Description: ptr("")}); k.Name != "CI 2" ||
		k.Description != "" || len(k.Scopes) != 1 {
		t.Errorf("%+v", k)
	}
	if k := change(apikeys.Change{Scopes: &[]string{}, Roles: &[]string{}}); len(k.Scopes)+len(k.Roles) != 0 ||
		k.Policy == nil {
		t.Errorf("%+v", k)
	}
	if k := change(apikeys.Change{NoPolicy: true, NoEnd: true}); k.Policy != nil || k.ExpiresAt != nil {
		t.Errorf("%+v", k)
	}
	if k := change(apikeys.Change{TTL: 90 * time.Second}); k.ExpiresAt.Sub(env.Time()) != 90*time.Second {
		t.Errorf("%+v", k)
	}
	if k := change(apikeys.Change{Enabled: ptr(false)}); k.Enabled || k.Active || k.Reason != "disabled" {
		t.Errorf("%+v", k)
	}
	if k := change(apikeys.Change{Enabled: ptr(true)}); !k.Enabled || !k.Active ||
		!env.Verifier.Verify(first.Token.Plaintext(), env.Time()).Accepted() {
		t.Errorf("%+v", k)
	}
	past := env.Time()
	_, err := env.Change(ctx, env.admin(), ci, first.ID, given(apikeys.Change{ExpiresAt: &past}))
	want(t, err, manage.Invalid, "expires_at: must be in the future")
	_, err = env.Change(ctx, env.admin(), ci, first.ID, given(apikeys.Change{Roles: &[]string{"none"}}))
	want(t, err, manage.Invalid, `roles: unknown role "none"`)
	_, err = env.Change(ctx, env.admin(), ci, first.ID, given(apikeys.Change{Name: ptr("")}))
	want(t, err, manage.Invalid, "name: is required")
	_, err = env.Change(ctx, env.admin(), ci, first.ID, given(apikeys.Change{Description: ptr("\u202a")}))
	want(t, err, manage.Invalid, "description: must not have characters that change the text direction")
}

// A lifetime means the same in a creation and in a change: it counts from each issue.
func TestChange_TTLCountsFromIssue(t *testing.T) {
	env := newEnv(t)
	issued := env.create(t, ci, apikeys.Wanted{TTL: time.Minute})
	start := env.Time()
	change := func(c apikeys.Change) (*apikeys.Key, error) {
		return env.Change(ctx, env.admin(), ci, issued.ID, given(c))
	}
	env.Pass(2 * time.Minute)
	for _, over := range []time.Duration{time.Minute, 2 * time.Minute} {
		_, err := change(apikeys.Change{TTL: over})
		want(t, err, manage.Invalid, "expires_in_seconds: counts from the issue of the key, at 2030-01-01T00:00:00Z, "+
			"and is over: give expires_at, or rotate the key first")
	}
	k, err := change(apikeys.Change{TTL: time.Hour})
	if err != nil || !k.Active || !k.ExpiresAt.Equal(start.Add(time.Hour)) {
		t.Fatalf("%+v %v", k, err)
	}
	rotated, err := env.Rotate(ctx, env.admin(), ci, issued.ID)
	if err != nil || !rotated.ExpiresAt.Equal(env.Time().Add(time.Hour)) {
		t.Fatalf("%+v %v", rotated, err)
	}
	at := env.Time().Add(time.Minute)
	if k, err = change(apikeys.Change{ExpiresAt: &at}); err != nil || !k.ExpiresAt.Equal(at) {
		t.Fatalf("%+v %v", k, err)
	}
	if k, err = change(apikeys.Change{TTL: time.Hour}); err != nil || !k.ExpiresAt.Equal(env.Time().Add(time.Hour)) {
		t.Fatalf("%+v %v", k, err)
	}
}

// A TTL starts again with each issue; an end at an instant stays.
func TestRotate_ReplacesKey(t *testing.T) {
	env := newEnv(t)
	rotate := func(id string) *apikeys.Issued {
		t.Helper()
		issued, err := env.Rotate(ctx, env.admin(), ci, id)
		if err != nil {
			t.Fatal(err)
		}
		return issued
	}
	end := env.Time().Add(time.Hour)
	byTTL, byEnd := env.create(t, ci, apikeys.Wanted{TTL: time.Hour}), env.create(t, ci, apikeys.Wanted{ExpiresAt: &end})
	env.Pass(50 * time.Minute)
	if next := rotate(byTTL.ID); next.ID != byTTL.ID || next.ExpiresAt.Sub(env.Time()) != time.Hour ||
		next.Token.Plaintext() == byTTL.Token.Plaintext() || next.Prefix == byTTL.Prefix {
		t.Errorf("%+v", next.Key)
	} else if env.Verifier.Verify(
		byTTL.Token.Plaintext(), env.Time(),
	).Accepted() || !env.Verifier.Verify(next.Token.Plaintext(), env.Time()).Accepted() {
		t.Error("the old key is accepted, or the new one is refused")
	}
	if next := rotate(byEnd.ID); !next.ExpiresAt.Equal(end) {
		t.Errorf("%+v", next.Key)
	}
	env.Pass(3 * time.Hour)
	if next := rotate(byTTL.ID); !next.Active {
		t.Error("a new key is refused after the end of the old one")
	}
	_, err := env.Rotate(ctx, env.admin(), ci, byEnd.ID)
	want(
		t, err, manage.Conflict,
		"API key Some key ended at 2030-01-01T01:00:00Z, and so would a new one: set another end first",
	)
}

func TestRotate_KeepsOverlapOfSpec(t *testing.T) {
	env := newEnv(t)
	overlap := v1alpha1.Duration("10m")
	k := env.PutKey("returned", ci, "a-key-that-was-returned-in-a-reply", func(k *v1alpha1.APIKey) {
		k.Spec.Delivery, k.Spec.Rotation = v1alpha1.DeliveryResponse, &v1alpha1.Rotation{Overlap: &overlap}
	})
	issued, err := env.Rotate(ctx, env.admin(), ci, string(k.UID))
	if err != nil || issued.Token.Plaintext() == "" || issued.Secret != nil || issued.Source != apikeys.FromManifest {
		t.Fatalf("%+v %v", issued, err)
	}
	for at, want := range map[time.Duration]bool{0: true, 9 * time.Minute: true, 10 * time.Minute: false} {
		if got := env.Verifier.Verify("a-key-that-was-returned-in-a-reply", env.Time().Add(at)).Accepted(); got != want {
			t.Errorf("after %s the old one is accepted: %t", at, got)
		}
	}
}

func TestManifestKey_IsOnlyRotated(t *testing.T) {
	env := newEnv(t)
	text := "API key ci-manages comes from a manifest: change it where that is kept (team/ci-manages)"
	never := func() (*apikeys.Change, error) { panic("the input is read although the operation is refused") }
	_, err := env.Change(ctx, env.admin(), ci, "uid-of-ci-manages", given(apikeys.Change{}))
	want(t, err, manage.Conflict, text)
	_, err = env.Revoke(ctx, env.admin(), ci, "uid-of-ci-manages")
	want(t, err, manage.Conflict, text)
	want(t, env.Delete(ctx, env.admin(), ci, "uid-of-ci-manages"), manage.Conflict, text)
	if len(env.Writes()) != 0 {
		t.Error("something was written")
	}
	issued, err := env.Rotate(ctx, env.admin(), ci, "uid-of-ci-manages")
	if err != nil || issued.Token.Plaintext() != "" ||
		*issued.Secret != (apikeys.Ref{Namespace: "team", Name: "ci-manages-api-key"}) ||
		issued.Source != apikeys.FromManifest {
		t.Errorf("%+v %v", issued, err)
	}
	keys, err := env.Keys(ctx, ci)
	if err != nil || keys[0].Annotations[v1alpha1.AnnotationRotate] == "" {
		t.Error("no rotation is requested")
	}
	// A caller without the right learns nothing.
	_, err = env.Change(ctx, env.by(bobKey), ci, "uid-of-ci-manages", never)
	want(t, err, manage.Forbidden, apikeys.NotPermitted)
}

func TestRevoke_KeepsObject(t *testing.T) {
	env := newEnv(t)
	issued := env.create(t, ci, apikeys.Wanted{Scopes: []string{"certs.read"}})
	for range 2 {
		k, err := env.Revoke(ctx, env.admin(), ci, issued.ID)
		if err != nil || !k.Revoked || k.Active || k.Reason != "revoked" {
			t.Fatalf("%+v %v", k, err)
		}
	}
	if env.Verifier.Verify(issued.Token.Plaintext(), env.Time()).Accepted() {
		t.Error("the key is accepted")
	}
	const text = "API key Some key is revoked for good: create another"
	_, err := env.Rotate(ctx, env.admin(), ci, issued.ID)
	want(t, err, manage.Conflict, text)
	_, err = env.Change(ctx, env.admin(), ci, issued.ID, given(apikeys.Change{Enabled: ptr(true)}))
	want(t, err, manage.Conflict, text)
	if k, err := env.Change(
		ctx, env.admin(), ci, issued.ID, given(apikeys.Change{Description: ptr("Leaked.")}),
	); err != nil || !k.Revoked {
		t.Error(k, err)
	}
	if err := env.Delete(ctx, env.admin(), ci, issued.ID); err != nil {
		t.Error(err)
	}
	_, err = env.Get(ctx, env.admin(), ci, issued.ID)
	want(t, err, manage.NotFound, "API key not found")
}
