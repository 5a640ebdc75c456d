package apikeys_test

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/audit"
)

func TestErrors_OfStoreAreTranslated(t *testing.T) {
	calls := map[string]func(*env, string) error{
		"Keys": func(env *env, _ string) error { _, err := env.List(ctx, env.admin(), ci, apikeys.Query{}); return err },
		"Create": func(env *env, _ string) error {
			_, err := env.Create(ctx, env.admin(), ci, given(apikeys.Wanted{Name: "a"}))
			return err
		},
		"Roles": func(env *env, _ string) error {
			_, err := env.Create(ctx, env.admin(), ci, given(apikeys.Wanted{Name: "a", Roles: []string{"reader"}}))
			return err
		},
		"Change": func(env *env, id string) error {
			_, err := env.Change(ctx, env.admin(), ci, id, given(apikeys.Change{Name: ptr("a")}))
			return err
		},
		"Record": func(env *env, id string) error { _, err := env.Rotate(ctx, env.admin(), ci, id); return err },
		"Delete": func(env *env, id string) error { return env.Delete(ctx, env.admin(), ci, id) },
	}
	for call, do := range calls {
		for name, c := range map[string]struct {
			err  error
			kind manage.Kind
			text string
		}{
			"away": {
				fmt.Errorf("list: %w: connection refused", objects.ErrUnavailable), manage.Unavailable,
				"The API server is unavailable",
			},
			"gone":  {objects.ErrGone, manage.NotFound, "API key not found"},
			"there": {objects.ErrExists, manage.Conflict, "an API key of that name exists already"},
			"invalid": {
				&objects.Invalid{Field: "spec.policy.permissions[0].effect", Problem: "must be ALLOW or DENY"},
				manage.Invalid, "policy.permissions[0].effect: must be ALLOW or DENY",
			},
			"refused": {
				fmt.Errorf("record the key: %w", &objects.Refused{Message: "exceeded quota"}), manage.Conflict,
				"The API server refuses it: exceeded quota",
			},
			"unexpected": {errors.New("something odd"), manage.Failed, "internal error"},
		} {
			if call == "Keys" && name == "invalid" {
				continue // nothing is written, so nothing is invalid
			}
			t.Run(call+" "+name, func(t *testing.T) {
				env := newEnv(t)
				id := env.create(t, ci, apikeys.Wanted{}).ID
				env.Fail = func(what string) error {
					if what == call {
						return c.err
					}
					return nil
				}
				want(t, do(env, id), c.kind, c.text)
			})
		}
	}
	env := newEnv(t)
	env.Uses.Err = errors.New("the database is away")
	_, err := env.List(ctx, env.admin(), ci, apikeys.Query{})
	want(t, err, manage.Unavailable, "The database is unavailable")
	// The token of a new key is returned anyway: this reply is the only place for it.
	if issued, err := env.Create(ctx, env.admin(), ci, given(apikeys.Wanted{Name: "a"})); err != nil ||
		issued.Token.Plaintext() == "" {
		t.Error(err)
	} else if issued, err := env.Rotate(ctx, env.admin(), ci, issued.ID); err != nil || issued.Token.Plaintext() == "" {
		t.Error(err)
	}
}

func TestErrors_NameInputFields(t *testing.T) {
	for path, name := range map[string]string{
		"spec.displayName": "name", "spec.expiresAt": "expires_at", "spec.ttl": "expires_in_seconds",
		"spec.scopes[3]":    "scopes[3]",
		"spec.subject.name": "account", "spec.subject": "account", "spec.description": "description",
		"metadata.name": "metadata.name", "": "",
	} {
		env := newEnv(t)
		env.Fail = func(string) error { return &objects.Invalid{Field: path, Problem: "is wrong"} }
		_, err := env.Create(ctx, env.admin(), ci, given(apikeys.Wanted{Name: "a"}))
		var why *manage.Error
		if !errors.As(err, &why) || why.Field != name {
			t.Errorf("%q is reported as %+v", path, why)
		}
	}
}

func TestAudit_HidesKeySentAsIDOrSubject(t *testing.T) {
	env := newEnv(t)
	_ = env.Delete(ctx, env.admin(), ci, bobKey)
	_, _ = env.Create(
		ctx, env.by(bobKey), v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: bobKey},
		given(apikeys.Wanted{Name: "a"}),
	)
	kept := fmt.Sprintf("%+v", env.Trail.Entries())
	if strings.Contains(kept, bobKey) || strings.Count(kept, "(a key)") != 2 {
		t.Error(kept)
	}
}

func TestAudit_RecordsEveryOperation(t *testing.T) {
	env := newEnv(t)
	issued := env.create(t, ci, apikeys.Wanted{Name: "CI"})
	id := issued.ID
	_, _ = env.Change(ctx, env.admin(), ci, id, given(apikeys.Change{Enabled: ptr(false), Name: ptr("CI")}))
	next, _ := env.Rotate(ctx, env.admin(), ci, id)
	_, _ = env.Revoke(ctx, env.admin(), ci, id)
	_ = env.Delete(ctx, env.admin(), ci, id)
	_, _ = env.Create(ctx, env.by(bobKey), ci, given(apikeys.Wanted{Name: "CI"}))
	_ = env.Delete(ctx, env.admin(), ci, "uid-of-ci-manages")
	_ = env.Delete(ctx, env.admin(), ci, "no such id")
	_ = env.Delete(ctx, anonymous(), ci, id)
	env.Fail = func(string) error { return objects.ErrUnavailable }
	_, _ = env.Create(ctx, env.admin(), ci, given(apikeys.Wanted{Name: "CI"}))
	_, _ = env.List(ctx, env.admin(), ci, apikeys.Query{})
	var said []string
	for _, e := range env.Trail.Entries() {
		if e.At != env.Time() || e.From != "192.0.2.7" || e.KeyID == "" {
			t.Errorf("%+v", e)
		}
		said = append(said, strings.Join([]string{e.Actor, e.Action, e.Target, e.Outcome, e.Detail}, " | "))
	}
	object := "APIKey/keywright-system/key-00001"
	wanted := []string{
		"User/alice | key.create | " + object + " | done | Account/ci",
		"User/alice | key.change | " + object + " | done | Account/ci name disabled",
		"User/alice | key.rotate | " + object + " | done | Account/ci",
		"User/alice | key.revoke | " + object + " | done | Account/ci",
		"User/alice | key.delete | " + object + " | done | Account/ci",
		"User/bob | key.create | Account/ci | refused | API key lacks required permission",
		"User/alice | key.delete | APIKey/team/ci-manages | refused | Account/ci: API key ci-manages comes from " +
			"a manifest: change it where that is kept (team/ci-manages)",
		"User/alice | key.delete | Account/ci | refused | no such id: API key not found",
		"User/alice | key.create | Account/ci | failed | The API server is unavailable",
	}
	if !slices.Equal(said, wanted) {
		t.Errorf("the trail:\n%s\nwant:\n%s", strings.Join(said, "\n"), strings.Join(wanted, "\n"))
	}
	events := []string{
		"Created: Created by User/alice through the API", "Changed: Changed by User/alice through the API",
		"KeyRotated: Rotated by User/alice through the API", "KeyRevoked: Revoked by User/alice through the API",
		"Deleted: Deleted by User/alice through the API",
	}
	if !slices.Equal(env.events(), events) {
		t.Errorf("events %q", env.events())
	}
	if audit.Done != "done" || next == nil {
		t.Error("nothing was rotated")
	}
	// No key is in what is stored or logged.
	kept := fmt.Sprintf("%+v", env.Trail.Entries()) + strings.Join(env.events(), " ") + env.Log.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		kept += fmt.Sprintf(verb, issued) + fmt.Sprintf(verb, *issued)
	}
	slog.New(slog.NewTextHandler(env.Log, nil)).Info("issued", "issued", issued)
	for _, secret := range []string{issued.Token.Plaintext(), next.Token.Plaintext()} {
		if strings.Contains(kept+env.Log.String(), secret) {
			t.Error("a key was recorded")
		}
	}
}
