package apikeys_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/test/fakeobjects"
)

func TestCreate_AsRequested(t *testing.T) {
	env := newEnv(t)
	end := env.Time().Add(90*time.Minute + 700*time.Millisecond)
	policy := &v1alpha1.Policy{Permissions: []v1alpha1.Permission{{
		Effect: v1alpha1.EffectAllow, Actions: []v1alpha1.Action{"dashboard:View"},
		Resources: []v1alpha1.Resource{"dashboard:1"},
	}}}
	issued, err := env.Create(ctx, env.admin(), ci, given(apikeys.Wanted{
		Name: "CI Pipeline", Description: "Builds.\nAnd tests.", Category: "build", Scopes: []string{"certs.read"},
		Roles:  []string{"reader"},
		Policy: policy, ExpiresAt: &end, Disabled: true,
	}))
	if err != nil {
		t.Fatal(err)
	}
	k := issued.Key
	switch {
	case k.Name != "CI Pipeline" || k.Description != "Builds.\nAnd tests." || k.Category != "build" || k.Subject != ci:
		t.Errorf("%+v", k)
	case !slices.Equal(k.Scopes, []string{"certs.read"}) || !slices.Equal(k.Roles, []string{"reader"}) ||
		k.Policy.Permissions[0].Actions[0] != "dashboard:View":
		t.Errorf("%+v", k)
	case k.Enabled || k.Active || k.Reason != "disabled" || k.Revoked || k.Source != apikeys.FromAPI || k.Secret != nil:
		t.Errorf("%+v", k)
	case !k.ExpiresAt.Equal(env.Time().Add(90 * time.Minute)):
		t.Errorf("it ends at %s, with a fraction of a second", k.ExpiresAt)
	case !strings.HasPrefix(issued.Token.Plaintext(), k.Prefix) || len(k.Prefix) != 12 || k.ID == "" ||
		k.Object.Namespace != fakeobjects.Namespace:
		t.Errorf("%+v", k)
	}
	got, err := env.Get(ctx, env.admin(), ci, k.ID)
	if err != nil || got.ID != k.ID || got.Category != "build" {
		t.Errorf("%+v %v", got, err)
	}
}

func TestCreate_EmptyListsAreNotNil(t *testing.T) {
	env := newEnv(t)
	k := env.create(t, lab, apikeys.Wanted{})
	if k.Scopes == nil || k.Roles == nil || k.Policy != nil || k.ExpiresAt != nil || k.LastUsedAt != nil ||
		!k.Active || k.Reason != "accepted" {
		t.Errorf("%+v", k.Key)
	}
}

func TestCreate_EverythingIsCeilingOfUser(t *testing.T) {
	env := newEnv(t)
	issued, err := env.Create(ctx, env.named("bob"), bob, given(apikeys.Wanted{Name: "mine", Everything: true}))
	if err != nil {
		t.Fatal(err)
	}
	if !env.May(issued.Token.Plaintext(), "certs.read", "certificate:1") ||
		env.May(issued.Token.Plaintext(), "certs.write", "certificate:1") {
		t.Error("the key does not have the rights of bob")
	}
	if env.Account() != (v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "default"}) {
		t.Error(env.Account())
	}
}

// The first end is shown, and is in force.
func TestCreate_EndIsTheFirst(t *testing.T) {
	in := func(d time.Duration) *time.Time { return ptr(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).Add(d)) }
	for name, c := range map[string]struct {
		wanted apikeys.Wanted
		want   time.Duration
	}{
		"at an instant":                  {apikeys.Wanted{ExpiresAt: in(time.Minute)}, time.Minute},
		"after a while":                  {apikeys.Wanted{TTL: 90 * time.Second}, 90 * time.Second},
		"by a role":                      {apikeys.Wanted{Roles: []string{"short"}}, time.Hour},
		"at an instant before the role":  {apikeys.Wanted{Roles: []string{"short"}, ExpiresAt: in(time.Minute)}, time.Minute},
		"at an instant after the role":   {apikeys.Wanted{Roles: []string{"short"}, ExpiresAt: in(2 * time.Hour)}, time.Hour},
		"after a while, after the role":  {apikeys.Wanted{Roles: []string{"short"}, TTL: 2 * time.Hour}, time.Hour},
		"after a while, before the role": {apikeys.Wanted{Roles: []string{"short"}, TTL: time.Second}, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			issued := env.create(t, ci, c.wanted)
			if issued.ExpiresAt == nil || issued.ExpiresAt.Sub(env.Time()) != c.want {
				t.Fatalf("shown %v", issued.ExpiresAt)
			}
			before := env.Verifier.Verify(issued.Token.Plaintext(), issued.ExpiresAt.Add(-time.Microsecond))
			after := env.Verifier.Verify(issued.Token.Plaintext(), *issued.ExpiresAt)
			if !before.Accepted() || after.Accepted() {
				t.Errorf("%s before, %s then", before.Reason, after.Reason)
			}
		})
	}
}

func TestCreate_Refuses(t *testing.T) {
	past, now, far := time.Date(2029, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(
		2030, 1, 1, 0, 0, 0, 999, time.UTC,
	), time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -3600*2))
	for name, c := range map[string]struct {
		subject v1alpha1.Subject
		wanted  apikeys.Wanted
		text    string
	}{
		"no name":                  {ci, apikeys.Wanted{Name: " \t"}, "name: is required"},
		"a name with a line break": {ci, apikeys.Wanted{Name: "a\nb"}, "name: must not have control characters"},
		"a name without width":     {ci, apikeys.Wanted{Name: "\u200b\u2060"}, "name: must have a character that is visible"},
		"a name of a blank letter": {ci, apikeys.Wanted{Name: "\u3164"}, "name: must have a character that is visible"},
		"a name of a blank sign":   {ci, apikeys.Wanted{Name: "\u2800"}, "name: must have a character that is visible"},
		"a name of an accent":      {ci, apikeys.Wanted{Name: "\u0301"}, "name: must have a character that is visible"},
		"a name of a mark":         {ci, apikeys.Wanted{Name: "\u200e\ufeff"}, "name: must have a character that is visible"},
		"NUL": {
			ci, apikeys.Wanted{Name: "a", Description: "\x00"}, "description: must not have control characters",
		},
		"escape": {
			ci, apikeys.Wanted{Name: "a", Category: "\x1b[2J"}, "category: must not have control characters",
		},
		"a name with a direction mark": {
			ci, apikeys.Wanted{Name: "a\u202eb"}, "name: must not have characters that change the text direction",
		},
		"a line with a direction mark": {
			ci, apikeys.Wanted{Name: "a", Description: "\u2066b"},
			"description: must not have characters that change the text direction",
		},
		"a category, too": {
			ci, apikeys.Wanted{Name: "a", Category: "\u2069"},
			"category: must not have characters that change the text direction",
		},
		"in the past":      {ci, apikeys.Wanted{Name: "a", ExpiresAt: &past}, "expires_at: must be in the future"},
		"now":              {ci, apikeys.Wanted{Name: "a", ExpiresAt: &now}, "expires_at: must be in the future"},
		"beyond all years": {ci, apikeys.Wanted{Name: "a", ExpiresAt: &far}, "expires_at: must be before the year 10000"},
		"no time": {
			ci, apikeys.Wanted{Name: "a", TTL: time.Millisecond},
			"expires_in_seconds: must be from 1 to 359999999",
		},
		"for ages": {ci, apikeys.Wanted{Name: "a", TTL: 1 << 62}, "expires_in_seconds: must be from 1 to 359999999"},
		"back in time": {
			ci, apikeys.Wanted{Name: "a", TTL: -time.Hour}, "expires_in_seconds: must be from 1 to 359999999",
		},
		"an unknown role": {ci, apikeys.Wanted{Name: "a", Roles: []string{"reader", "wrong \"un\""}}, `roles: unknown role "wrong \"un\""`},
		"a malformed username": {
			v1alpha1.Subject{Kind: "User", Name: "x"}, apikeys.Wanted{Name: "a"},
			"user: must be a username: 2-50 letters, digits, '.', '_', '-', a letter or digit first",
		},
		"admin": {
			v1alpha1.Subject{Kind: "User", Name: "aDMin"}, apikeys.Wanted{Name: "a"},
			"user: username 'admin' is reserved",
		},
		"an unknown kind": {
			v1alpha1.Subject{Kind: "Robot", Name: "ci"}, apikeys.Wanted{Name: "a"},
			"subject: must be User/<name>, Account/<name> or Integration/<name>",
		},
		"no account's": {
			v1alpha1.Subject{Kind: "Account", Name: "-x"}, apikeys.Wanted{Name: "a"},
			"account: must be 1-63 letters, digits, '.', '_', '-', a letter or digit first",
		},
		"no integration's": {
			v1alpha1.Subject{Kind: "Integration", Name: "ü"}, apikeys.Wanted{Name: "a"},
			"integration: must be 1-63 letters, digits, '.', '_', '-', a letter or digit first",
		},
		"all accounts'": {
			v1alpha1.Subject{Kind: "Account"}, apikeys.Wanted{Name: "a"},
			"account: must be 1-63 letters, digits, '.', '_', '-', a letter or digit first",
		},
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			_, err := env.Create(ctx, env.admin(), c.subject, given(c.wanted))
			want(t, err, manage.Invalid, c.text)
			if len(env.Writes()) != 0 {
				t.Error("the key was written")
			}
		})
	}
}
