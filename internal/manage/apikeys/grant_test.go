package apikeys_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/test/fakeobjects"
)

// Keys and users give only rights that they hold.
func TestGrant_IsLimitedToOwnRights(t *testing.T) {
	const beyond = "API key lacks required permission: a caller can only give what it holds"
	everything := apikeys.Wanted{Everything: true}
	read, write := apikeys.Wanted{Scopes: []string{"certs.read"}}, apikeys.Wanted{Scopes: []string{"certs.write"}}
	for name, c := range map[string]struct {
		by      func(*env) manage.Caller
		subject v1alpha1.Subject
		wanted  apikeys.Wanted
		may     bool
	}{
		"an admin, everything": {(*env).admin, ci, everything, true},
		"an admin's API key, what it has": {
			func(env *env) manage.Caller { return env.by(aliceAPI) }, ci, write, true,
		},
		"an admin's API key, what it has not": {
			func(env *env) manage.Caller { return env.by(aliceAPI) }, ci, read, false,
		},
		"an admin's API key, everything": {
			func(env *env) manage.Caller { return env.by(aliceAPI) }, alice, everything, false,
		},
		"an admin's API key, a role": {
			func(env *env) manage.Caller { return env.by(aliceAPI) }, bob,
			apikeys.Wanted{Roles: []string{"reader"}}, false,
		},
		"a user's key, what it has": {func(env *env) manage.Caller { return env.by(bobKey) }, bob, read, true},
		"a user's key, what it has not": {
			func(env *env) manage.Caller { return env.by(bobKey) }, bob, write, false,
		},
		"a user's key, a role of the user": {
			func(env *env) manage.Caller { return env.by(bobKey) }, bob, apikeys.Wanted{Roles: []string{"reader"}},
			false,
		},
		"a user's key, everything the user may": {
			func(env *env) manage.Caller { return env.by(bobKey) }, bob, everything, false,
		},
		"the user, everything they may": {
			func(env *env) manage.Caller { return env.named("bob") }, bob, everything, true,
		},
		"the user, nothing": {
			func(env *env) manage.Caller { return env.named("bob") }, bob, apikeys.Wanted{}, true,
		},
		"an admin, everything a user may": {(*env).admin, bob, everything, true},
		"the bootstrap key, to an unknown user": {
			func(env *env) manage.Caller { return env.by(fakeobjects.BootstrapKey) },
			v1alpha1.Subject{Kind: "User", Name: "someone.new"}, read, true,
		},
		"an admin, to a user without keys":  {(*env).admin, carol, read, false},
		"an admin, a role that was deleted": {(*env).admin, bob, apikeys.Wanted{Roles: []string{"reader"}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			c.wanted.Name = "Some key"
			issued, err := env.Create(ctx, c.by(env), c.subject, given(c.wanted))
			switch {
			case c.may && err != nil:
				t.Fatal(err)
			case c.may:
				if issued.Token.Plaintext() == "" || !issued.Active {
					t.Errorf("%+v", issued.Key)
				}
			case c.subject == carol:
				want(
					t, err, manage.Forbidden,
					"User carol may not own API keys: every AccessRoleBinding that lists the user says apiKeys: Denied",
				)
			default:
				want(t, err, manage.Forbidden, beyond)
			}
			if !c.may && len(env.Writes()) != 0 {
				t.Error("the key was written")
			}
		})
	}
}

// A key can read, disable and describe another key of its user that has more rights, and nothing else.
func TestGrant_LimitedKeyChangesAnother(t *testing.T) {
	const beyond = "API key lacks required permission: a caller can only give what it holds"
	env := newEnv(t)
	id := env.create(t, bob, apikeys.Wanted{Scopes: []string{"certs.read", "certs.write"}}).ID
	by := env.by(bobKey)
	for name, c := range map[string]struct {
		change apikeys.Change
		may    bool
	}{
		"change the name": {apikeys.Change{Name: ptr("Other")}, true},
		"describe it":     {apikeys.Change{Description: ptr("It is old.")}, true},
		"disable it":      {apikeys.Change{Enabled: ptr(false)}, true},
		"enable it":       {apikeys.Change{Enabled: ptr(true)}, false},
		"prolong it":      {apikeys.Change{NoEnd: true}, false},
		"end it":          {apikeys.Change{TTL: 1e12}, false},
		"widen it":        {apikeys.Change{Scopes: &[]string{"certs.read", "certs.write", "x.y"}}, false},
		"narrow it":       {apikeys.Change{Scopes: &[]string{"certs.read"}}, true},
		"say the same":    {apikeys.Change{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			id := env.create(t, bob, apikeys.Wanted{Scopes: []string{"certs.read", "certs.write"}}).ID
			_, err := env.Change(ctx, env.by(bobKey), bob, id, given(c.change))
			switch {
			case c.may && err != nil:
				t.Error(err)
			case !c.may:
				want(t, err, manage.Forbidden, beyond)
			}
		})
	}
	_, err := env.Rotate(ctx, by, bob, id)
	want(t, err, manage.Forbidden, beyond)
	if _, err := env.Get(ctx, by, bob, id); err != nil {
		t.Error(err)
	}
	if _, err := env.Revoke(ctx, by, bob, id); err != nil {
		t.Error(err)
	}
	if err := env.Delete(ctx, by, bob, id); err != nil {
		t.Error(err)
	}
}

// A key with an end can neither remove it nor create a key that outlasts it.
func TestGrant_EndIsLimitedToOwnEnd(t *testing.T) {
	const beyond = "API key lacks required permission: a caller can only give what it holds: " +
		"the end must be no later than the end of the caller's key, 2030-01-01T01:00:00Z"
	const bobEnds, aliceEnds = "a-key-of-bob-that-ends-in-an-hour", "a-key-of-alice-that-ends-in-an-hour"
	manages := []v1alpha1.Scope{"apikeys.read", "apikeys.write"}
	open := func(t *testing.T) *env {
		t.Helper()
		env := newEnv(t)
		end := metav1.NewTime(env.Time().Add(time.Hour))
		env.PutKey("bob-ends", bob, bobEnds, func(k *v1alpha1.APIKey) { k.Spec.Scopes, k.Spec.ExpiresAt = manages, &end })
		env.PutKey(
			"alice-ends", alice, aliceEnds,
			func(k *v1alpha1.APIKey) { k.Spec.Scopes, k.Spec.ExpiresAt = manages, &end },
		)
		return env
	}
	in := func(d time.Duration) *time.Time { return ptr(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).Add(d)) }
	for name, c := range map[string]struct {
		wanted apikeys.Wanted
		may    bool
	}{
		"never":                    {apikeys.Wanted{}, false},
		"at the same time":         {apikeys.Wanted{ExpiresAt: in(time.Hour)}, true},
		"before":                   {apikeys.Wanted{ExpiresAt: in(time.Minute)}, true},
		"after":                    {apikeys.Wanted{ExpiresAt: in(time.Hour + time.Second)}, false},
		"after a while, in time":   {apikeys.Wanted{TTL: time.Hour}, true},
		"after a while, too late":  {apikeys.Wanted{TTL: time.Hour + time.Second}, false},
		"never, and it is refused": {apikeys.Wanted{Disabled: true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			env := open(t)
			c.wanted.Name = "Some key"
			for by, subject := range map[string]v1alpha1.Subject{bobEnds: bob, aliceEnds: ci} {
				_, err := env.Create(ctx, env.by(by), subject, given(c.wanted))
				if !c.may {
					want(t, err, manage.Forbidden, beyond)
				} else if err != nil {
					t.Error(err)
				}
				wants := apikeys.Change{
					ExpiresAt: c.wanted.ExpiresAt, TTL: c.wanted.TTL,
					NoEnd: c.wanted.ExpiresAt == nil && c.wanted.TTL == 0,
				}
				for _, before := range []apikeys.Wanted{{}, {ExpiresAt: in(time.Minute)}} {
					id := env.create(t, subject, before).ID
					_, err = env.Change(ctx, env.by(by), subject, id, given(wants))
					if !c.may {
						want(t, err, manage.Forbidden, beyond)
					} else if err != nil {
						t.Error(err)
					}
				}
			}
			for _, by := range []manage.Caller{env.admin(), env.by(aliceAPI)} {
				if _, err := env.Create(ctx, by, ci, given(c.wanted)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	t.Run("by a role that it leaves", func(t *testing.T) {
		env := open(t)
		issued := env.create(
			t, bob, apikeys.Wanted{Scopes: []string{"apikeys.read", "apikeys.write"}, Roles: []string{"short"}},
		)
		by := env.by(issued.Token.Plaintext())
		_, err := env.Change(ctx, by, bob, issued.ID, given(apikeys.Change{Roles: &[]string{}}))
		want(t, err, manage.Forbidden, beyond)
		if _, err := env.Change(
			ctx, by, bob, issued.ID, given(apikeys.Change{Roles: &[]string{}, TTL: time.Hour}),
		); err != nil {
			t.Error(err)
		}
	})
	t.Run("another thing than the end", func(t *testing.T) {
		env := open(t)
		id := env.create(t, bob, apikeys.Wanted{}).ID
		// What a key gives to another outlives it, unless the other ends.
		gives := apikeys.Change{Name: ptr("Other"), Scopes: &[]string{"apikeys.read"}}
		_, err := env.Change(ctx, env.by(bobEnds), bob, id, given(gives))
		want(t, err, manage.Forbidden, beyond)
		gives.TTL = time.Hour
		if _, err := env.Change(ctx, env.by(bobEnds), bob, id, given(gives)); err != nil {
			t.Error(err)
		}
	})
}
