package apikeys_test

import (
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
)

// A lifetime that no key can reach is refused by every verb that sets one, and what applies is in every reply.
func TestLimits_RefuseWhatNoKeyCanReach(t *testing.T) {
	const tooLong = "expires_in_seconds: must be at most 36000: MAX_TTL of this instance is 10h"
	const tooLate = "expires_at: must be no later than 2030-01-01T10:00:00Z: MAX_TTL of this instance is 10h"
	env := newEnv(t)
	existing := env.create(t, ci, apikeys.Wanted{})
	env.Index.SetLimits(lifecycle.Limits{MaxTTL: 10 * time.Hour})
	end := env.Time().Add(10*time.Hour + time.Second)
	env.Reset()
	for text, c := range map[string]struct {
		at  *time.Time
		ttl time.Duration
	}{tooLong: {nil, 10*time.Hour + time.Second}, tooLate: {&end, 0}} {
		for verb, do := range map[string]func() error{
			"create": func() error {
				_, err := env.Create(ctx, env.admin(), ci, given(apikeys.Wanted{Name: "x", ExpiresAt: c.at, TTL: c.ttl}))
				return err
			},
			"manifest": func() error {
				_, err := env.Manifest(ctx, env.admin(), ci, given(apikeys.Wanted{Name: "x", ExpiresAt: c.at, TTL: c.ttl}))
				return err
			},
			"change": func() error {
				_, err := env.Change(ctx, env.admin(), ci, existing.ID, given(apikeys.Change{ExpiresAt: c.at, TTL: c.ttl}))
				return err
			},
		} {
			want(t, do(), manage.Invalid, text)
			if len(env.Writes()) > 0 {
				t.Errorf("%s: %q", verb, env.Writes())
			}
		}
	}
}

func TestLimits_AreInReplies(t *testing.T) {
	for name, c := range map[string]struct {
		wanted apikeys.Wanted
		ends   time.Duration
		from   string
	}{
		"nothing":       {apikeys.Wanted{}, 5 * time.Hour, "DEFAULT_TTL"},
		"a ttl":         {apikeys.Wanted{TTL: 7 * time.Hour}, 7 * time.Hour, "spec.ttl"},
		"the whole ttl": {apikeys.Wanted{TTL: 10 * time.Hour}, 10 * time.Hour, "spec.ttl"},
		"a role":        {apikeys.Wanted{Roles: []string{"short"}}, time.Hour, "AccessRole/short"},
	} {
		env := newEnv(t)
		env.Index.SetLimits(lifecycle.Limits{MaxTTL: 10 * time.Hour, DefaultTTL: 5 * time.Hour})
		check := func(verb string, k *apikeys.Key) {
			t.Helper()
			if k.ExpiresAt == nil || k.ExpiresAt.Sub(env.Time()) != c.ends || k.ExpiresFrom != c.from {
				t.Errorf("%s: %s: %v from %q", name, verb, k.ExpiresAt, k.ExpiresFrom)
			}
		}
		issued := env.create(t, ci, c.wanted)
		check("create", &issued.Key)
		env.Pass(30 * time.Minute)
		rotated, err := env.Rotate(ctx, env.admin(), ci, issued.ID)
		if err != nil {
			t.Fatal(err)
		}
		check("rotate", &rotated.Key)
		got, err := env.Get(ctx, env.admin(), ci, issued.ID)
		if err != nil {
			t.Fatal(err)
		}
		check("get", got)
	}
}

// A key that is older than a new limit is refused at once, is in the list of ended keys, and a rotation cures it.
func TestLimits_EndOlderKeys(t *testing.T) {
	env := newEnv(t)
	issued := env.create(t, ci, apikeys.Wanted{})
	env.Pass(3 * time.Hour)
	accepted := func(plaintext string) bool { return env.Verifier.Verify(plaintext, env.Time()).Accepted() }
	for _, c := range []struct {
		limits lifecycle.Limits
		want   bool
	}{
		{lifecycle.Limits{MaxTTL: 4 * time.Hour}, true}, {lifecycle.Limits{MaxTTL: 3 * time.Hour}, false},
		{lifecycle.Limits{}, true}, {lifecycle.Limits{DefaultTTL: 3 * time.Hour}, false},
	} {
		env.Index.SetLimits(c.limits)
		k, err := env.Get(ctx, env.admin(), ci, issued.ID)
		if err != nil || accepted(issued.Token.Plaintext()) != c.want || k.Active != c.want ||
			!c.want && k.Reason != "expired" {
			t.Errorf("%+v: %+v %v", c.limits, k, err)
		}
	}
	rotated, err := env.Rotate(ctx, env.admin(), ci, issued.ID)
	if err != nil || !accepted(rotated.Token.Plaintext()) {
		t.Error(rotated, err)
	}
}

func TestLimits_AreInManifest(t *testing.T) {
	env := newEnv(t)
	env.Index.SetLimits(lifecycle.Limits{MaxTTL: 10 * time.Hour, DefaultTTL: 5 * time.Hour})
	const comment = "# DEFAULT_TTL of this instance ends each key 5h after its issue.\n"
	for w, want := range map[time.Duration]bool{0: true, time.Hour: false} {
		text, err := env.Manifest(ctx, env.admin(), v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"},
			given(apikeys.Wanted{Name: "x", TTL: w}))
		if err != nil || strings.Contains(text, comment) != want {
			t.Errorf("%v\n%s", err, text)
		}
	}
}
