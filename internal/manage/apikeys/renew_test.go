package apikeys_test

import (
	"net/http"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/test/fakeobjects"
)

// renewable is a key that may renew itself, and nothing else.
var renewable = apikeys.Wanted{Scopes: []string{"apikeys.renew-self"}, TTL: time.Hour}

// A program may renew its key again and again, and never for longer than the ttl.
func TestRenewSelf_StartsTTLAgain(t *testing.T) {
	env := newEnv(t)
	for _, subject := range []v1alpha1.Subject{ci, lab, alice} {
		issued := env.create(t, subject, renewable)
		for range 3 {
			env.Pass(50 * time.Minute)
			next, err := env.Rotate(ctx, env.by(issued.Token.Plaintext()), subject, issued.ID)
			if err != nil || next.ExpiresAt.Sub(env.Time()) != time.Hour || next.Token.Plaintext() == "" {
				t.Fatalf("%+v %v", next, err)
			}
			if env.Verifier.Verify(issued.Token.Plaintext(), env.Time()).Accepted() {
				t.Error("the former key is accepted")
			}
			issued = next
		}
	}
}

// An instant in the spec, and the maxTTL of a role, bound every renewal.
func TestRenewSelf_StaysWithinSpec(t *testing.T) {
	env := newEnv(t)
	end := env.Time().Add(80 * time.Minute)
	k := env.PutKey("renews", ci, "a-key-that-ends-and-renews-itself", func(k *v1alpha1.APIKey) {
		ttl := v1alpha1.Duration("2h")
		k.Spec.TTL, k.Spec.ExpiresAt = &ttl, &metav1.Time{Time: end}
		k.Spec.Scopes, k.Spec.Roles = []v1alpha1.Scope{"apikeys.renew-self"}, []v1alpha1.RoleName{"short"}
		k.Spec.Delivery = v1alpha1.DeliveryResponse
		k.Status.Keys[0].IssuedAt = metav1.NewTime(env.Time())
	})
	env.Pass(10 * time.Minute)
	next, err := env.Rotate(ctx, env.by("a-key-that-ends-and-renews-itself"), ci, string(k.UID))
	if err != nil || next.ExpiresAt.Sub(env.Time()) != time.Hour {
		t.Fatalf("%+v %v", next, err)
	}
	env.Pass(50 * time.Minute)
	next, err = env.Rotate(ctx, env.by(next.Token.Plaintext()), ci, string(k.UID))
	if err != nil || !next.ExpiresAt.Equal(end) {
		t.Errorf("%+v %v", next, err)
	}
}

func TestRenewSelf_RequestsRotationOfKeyInSecret(t *testing.T) {
	env := newEnv(t)
	k := env.PutKey("renews", ci, "a-key-in-a-secret-that-renews-itself", func(k *v1alpha1.APIKey) {
		ttl := v1alpha1.Duration("48h")
		k.Spec.TTL, k.Spec.Scopes = &ttl, []v1alpha1.Scope{"apikeys.renew-self"}
	})
	issued, err := env.Rotate(ctx, env.by("a-key-in-a-secret-that-renews-itself"), ci, string(k.UID))
	if err != nil || issued.Token.Plaintext() != "" || issued.Secret == nil {
		t.Errorf("%+v %v", issued, err)
	}
}

// The right is for the caller's own key, and for rotating it. Nothing else comes with it.
func TestRenewSelf_IsForOwnKeyOnly(t *testing.T) {
	env := newEnv(t)
	own, other := env.create(t, ci, renewable), env.create(t, ci, renewable)
	by := env.by(own.Token.Plaintext())
	env.Reset()
	for name, do := range map[string]func() error{
		"another of its subject": func() error { _, err := env.Rotate(ctx, by, ci, other.ID); return err },
		"another subject":        func() error { _, err := env.Rotate(ctx, by, lab, own.ID); return err },
		"every subject": func() error {
			_, err := env.Rotate(ctx, by, v1alpha1.Subject{Kind: v1alpha1.SubjectAccount}, own.ID)
			return err
		},
		"no key": func() error { _, err := env.Rotate(ctx, by, ci, ""); return err },
		"change": func() error {
			_, err := env.Change(ctx, by, ci, own.ID, given(apikeys.Change{NoEnd: true}))
			return err
		},
		"revoke": func() error { _, err := env.Revoke(ctx, by, ci, own.ID); return err },
		"delete": func() error { return env.Delete(ctx, by, ci, own.ID) },
		"create": func() error { _, err := env.Create(ctx, by, ci, given(renewable)); return err },
		"read":   func() error { _, err := env.Get(ctx, by, ci, own.ID); return err },
	} {
		want(t, do(), manage.Forbidden, apikeys.NotPermitted)
		if len(env.Writes()) > 0 {
			t.Errorf("%s: writes %q", name, env.Writes())
		}
	}
	// A DENY takes the right away.
	denied := env.PutKey("denied", ci, "a-key-that-must-not-renew-itself", func(k *v1alpha1.APIKey) {
		k.Spec.Scopes = []v1alpha1.Scope{"apikeys.renew-self"}
		k.Spec.Policy = &v1alpha1.Policy{Permissions: []v1alpha1.Permission{{
			Effect: v1alpha1.EffectDeny, Actions: []v1alpha1.Action{"apikeys.renew-self"},
			Resources: []v1alpha1.Resource{"account:ci"},
		}}}
	})
	_, err := env.Rotate(ctx, env.by("a-key-that-must-not-renew-itself"), ci, string(denied.UID))
	want(t, err, manage.Forbidden, apikeys.NotPermitted)
}

// A key that manages the keys of its subject needs the right of its own to renew itself.
func TestRotate_OwnKeyNeedsRenewSelf(t *testing.T) {
	env := newEnv(t)
	manages := []string{"apikeys.read", "apikeys.write"}
	hour := env.create(t, bob, apikeys.Wanted{Scopes: manages, TTL: time.Hour})
	env.Pass(time.Minute)
	_, err := env.Rotate(ctx, env.by(hour.Token.Plaintext()), bob, hour.ID)
	want(t, err, manage.Forbidden, "API key lacks required permission: a caller can only give what it holds: "+
		"the end must be no later than the end of the caller's key, 2030-01-01T01:00:00Z: "+
		"a key needs apikeys.renew-self to renew itself")
	// The end of these two stays as it is.
	end := env.Time().Add(time.Hour)
	for _, w := range []apikeys.Wanted{{Scopes: manages}, {Scopes: manages, ExpiresAt: &end}} {
		issued := env.create(t, bob, w)
		if _, err := env.Rotate(ctx, env.by(issued.Token.Plaintext()), bob, issued.ID); err != nil {
			t.Error(err)
		}
	}
}

// A key that another has succeeded is near its end, and must not come back to life. The server may not know of the
// successor yet.
func TestRenewSelf_RefusesSucceededKey(t *testing.T) {
	const former = "the-former-key-of-ci-that-renews-itself"
	renews := func(env *env) *v1alpha1.APIKey {
		overlap := v1alpha1.Duration("10m")
		return env.PutKey("renews", ci, former, func(k *v1alpha1.APIKey) {
			k.Spec.Scopes, k.Spec.Delivery = []v1alpha1.Scope{"apikeys.renew-self"}, v1alpha1.DeliveryResponse
			k.Spec.Rotation = &v1alpha1.Rotation{Overlap: &overlap}
		})
	}
	t.Run("in the overlap", func(t *testing.T) {
		env := newEnv(t)
		id := string(renews(env).UID)
		if _, err := env.Rotate(ctx, env.by(former), ci, id); err != nil {
			t.Fatal(err)
		}
		env.Reset()
		_, err := env.Rotate(ctx, env.by(former), ci, id)
		want(t, err, manage.Forbidden, apikeys.NotPermitted)
		if len(env.Writes()) > 0 {
			t.Error(env.Writes())
		}
	})
	t.Run("unknown to the server", func(t *testing.T) {
		env := newEnv(t)
		k := renews(env)
		stale, _ := convert.KeyObject(k)
		if _, err := env.Rotate(ctx, env.admin(), ci, string(k.UID)); err != nil {
			t.Fatal(err)
		}
		env.Reset()
		env.Index.Put(verify.ID{Kind: "APIKey", Namespace: k.Namespace, Name: k.Name}, stale)
		_, err := env.Rotate(ctx, env.by(former), ci, string(k.UID))
		want(t, err, manage.Forbidden, apikeys.NotPermitted+": another key has succeeded the caller's")
		if len(env.Writes()) > 0 {
			t.Error(env.Writes())
		}
	})
}

// Callers without a key of the object do not renew it.
func TestRenewSelf_NeedsKey(t *testing.T) {
	env := newEnv(t)
	issued := env.create(t, bob, renewable)
	for name, by := range map[string]manage.Caller{
		"anonymous":          anonymous(),
		"no caller":          {},
		"a saved name":       {Caller: env.Caller(http.Header{"Cookie": {"keywright_user=bob"}})},
		"another of its own": env.by(bobReads),
	} {
		_, err := env.Rotate(ctx, by, bob, issued.ID)
		if k, _ := kind(err); k != manage.Unauthorized && k != manage.Forbidden {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := env.Rotate(ctx, env.by(fakeobjects.BootstrapKey), bob, issued.ID); err != nil {
		t.Error(err)
	}
}
