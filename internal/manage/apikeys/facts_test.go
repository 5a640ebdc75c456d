package apikeys_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/lastuse"
)

func (e *env) explain(
	by manage.Caller, subject v1alpha1.Subject, id string, r access.Request,
) (allowed bool, why string, err error) {
	a, err := e.Explain(ctx, by, subject, id, given(r))
	if err != nil {
		return false, "", err
	}
	return a.Allowed, strings.Join(a.Why, "; "), nil
}

func TestExplain_NamesWhatDecides(t *testing.T) {
	env := newEnv(t)
	env.Configure(t, config.Runtime{AllowedUsers: []string{"alice"}})
	off := env.create(t, bob, apikeys.Wanted{Scopes: []string{"certs.read"}, Disabled: true})
	env.PutKey("lacking", ci, "a-key-whose-role-is-gone", func(k *v1alpha1.APIKey) {
		k.Spec.Roles = []v1alpha1.RoleName{"reader", "none"}
	})
	env.PutKey("empty", ci, "no-key-at-all-of-this", func(k *v1alpha1.APIKey) { k.Status.Keys = nil })
	const notListed = "the allow list: User/bob is not on it: requests that write are refused"
	for name, c := range map[string]struct {
		subject v1alpha1.Subject
		id      string
		request access.Request
		allowed bool
		why     string
	}{
		"allowed": {
			bob, "uid-of-bob-reads", access.Request{Action: "certs.read"}, true,
			"the key: scope certs.read allows it; its owner bob: permission 1 of AccessRole reader allows it; " + notListed,
		},
		"nothing allows it": {
			bob, "uid-of-bob-reads", access.Request{Action: "apikeys.read", Resource: "user:bob"}, false,
			"the key: nothing allows it; its owner bob: permission 2 of AccessRole reader allows it; " + notListed,
		},
		"disabled": {bob, off.ID, access.Request{Action: "certs.read"}, false, "the key is refused: disabled"},
		"a missing role": {
			ci, "uid-of-lacking", access.Request{Action: "certs.read"}, false,
			"the key is refused: unknown_role; a role that it names does not exist: none",
		},
		"no key": {ci, "uid-of-empty", access.Request{Action: "certs.read"}, false, "no key has been issued yet"},
	} {
		t.Run(name, func(t *testing.T) {
			allowed, why, err := env.explain(env.admin(), c.subject, c.id, c.request)
			if err != nil || allowed != c.allowed || why != c.why {
				t.Errorf("%t %q %v", allowed, why, err)
			}
		})
	}
}

// Explain answers as the gate decides.
func TestExplain_AgreesWithGate(t *testing.T) {
	env := newEnv(t)
	for _, action := range []string{"certs.read", "certs.write", "apikeys.write", "*"} {
		allowed, why, err := env.explain(env.admin(), bob, "uid-of-bob-manages", access.Request{Action: action})
		if err != nil || allowed != env.May(bobKey, action, access.Any) {
			t.Errorf("%s: %t %s %v", action, allowed, why, err)
		}
	}
}

func TestExplain_RefusesBadQuestions(t *testing.T) {
	env := newEnv(t)
	many := map[string]string{}
	for i := range 17 {
		many[strings.Repeat("a", i+1)] = ""
	}
	for name, c := range map[string]struct {
		request access.Request
		text    string
	}{
		"no action":     {access.Request{Action: " "}, "action: is required: such as certs.read"},
		"a long action": {access.Request{Action: strings.Repeat("a", 257)}, "action: must be at most 256 bytes"},
		"a long resource": {
			access.Request{Action: "a", Resource: strings.Repeat("a", 513)}, "resource: must be at most 512 bytes",
		},
		"many properties": {access.Request{Action: "a", Properties: many}, "property: can be given at most 16 times"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := env.explain(env.admin(), bob, "uid-of-bob-reads", c.request)
			want(t, err, manage.Invalid, c.text)
		})
	}
	for _, property := range []string{"env", "=prod"} {
		_, err := apikeys.Question("a", "", []string{property})
		want(t, err, manage.Invalid, "property: must be <name>=<value>: env=prod")
	}
	_, err := apikeys.Question("a", "", []string{"env=prod", "env=test"})
	want(t, err, manage.Invalid, "property: is given twice for the same name")
}

// The owner and admins read what is known about a key; others do not learn that it exists.
func TestFacts_NeedRightToRead(t *testing.T) {
	env := newEnv(t)
	for name, c := range map[string]struct {
		caller manage.Caller
		kind   manage.Kind
	}{
		"an admin":        {env.admin(), 0},
		"the owner":       {env.by(bobKey), 0},
		"without a right": {env.by(bobReads), manage.Forbidden},
		"another subject": {env.by(ciKey), manage.Forbidden},
		"a saved name":    {env.named("carol"), manage.Forbidden},
		"anonymous":       {anonymous(), manage.Unauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			const id = "uid-of-bob-reads"
			_, facts := env.Facts(ctx, c.caller, bob, id)
			_, uses := env.AddressUses(ctx, c.caller, bob, id)
			_, _, answer := env.explain(c.caller, bob, id, access.Request{Action: "certs.read"})
			for _, err := range []error{facts, uses, answer} {
				if got, _ := kind(err); got != c.kind {
					t.Errorf("got %v, want kind %d", err, c.kind)
				}
			}
		})
	}
	for _, id := range []string{"uid-of-ci-manages", "", "x"} {
		_, err := env.Facts(ctx, env.by(bobKey), bob, id)
		want(t, err, manage.NotFound, "API key not found")
	}
}

func TestFacts_Complete(t *testing.T) {
	env := newEnv(t)
	issued := env.create(t, bob, apikeys.Wanted{Scopes: []string{"certs.read"}, Roles: []string{"reader"}})
	use := lastuse.AddressUse{UID: issued.ID, Day: env.Time(), Address: "192.0.2.9", First: env.Time(), Last: env.Time()}
	env.Uses.Addresses = map[string][]lastuse.AddressUse{issued.ID: {use}}
	f, err := env.Facts(ctx, env.admin(), bob, issued.ID)
	if err != nil {
		t.Fatal(err)
	}
	var sources []string
	for _, held := range f.Permissions {
		sources = append(sources, held.Source)
	}
	want := []string{"scope certs.read", "permission 1 of AccessRole reader", "permission 2 of AccessRole reader"}
	if !slices.Equal(sources, want) || f.MissingRoles != nil {
		t.Errorf("%q %q", sources, f.MissingRoles)
	}
	if f.Owner == nil || f.Owner.Username != "bob" || f.Owner.Admin || len(f.Owner.Permissions) != 2 {
		t.Errorf("%+v", f.Owner)
	}
	if !slices.Equal(f.Addresses, []lastuse.AddressUse{use}) {
		t.Errorf("%+v", f.Addresses)
	}
	if string(f.Record.UID) != issued.ID || f.ID != issued.ID {
		t.Errorf("%s %s", f.Record.UID, f.ID)
	}
	if len(f.Entries) != 1 || f.Entries[0].Action != audit.KeyCreate || f.Entries[0].From != "192.0.2.7" {
		t.Errorf("%+v", f.Entries)
	}
	env.Uses.Err = errors.New("down")
	_, err = env.AddressUses(ctx, env.admin(), bob, issued.ID)
	if got, text := kind(err); got != manage.Unavailable || text != "The database is unavailable" {
		t.Error(err)
	}
}

// A person without the right to read the audit trail learns that others changed the key, but not from where.
func TestFacts_EntriesOfOthersHaveNoAddress(t *testing.T) {
	env := newEnv(t)
	issued := env.create(t, bob, apikeys.Wanted{Scopes: []string{"certs.read"}})
	env.Trail.Record(ctx, audit.Entry{
		At: env.Time(), Actor: "User/bob", From: "198.51.100.1", KeyID: "0123", Action: audit.KeyChange,
		Target: "APIKey/" + issued.Object.String(), Outcome: audit.Refused, Detail: "why",
	})
	env.Trail.Record(ctx, audit.Entry{
		At: env.Time().Add(-time.Second), Actor: "User/eve", Action: audit.KeyDelete,
		Target: "APIKey/" + issued.Object.String(), Outcome: audit.Done,
	})
	f, err := env.Facts(ctx, env.by(bobKey), bob, issued.ID)
	if err != nil || len(f.Entries) != 2 {
		t.Fatalf("%+v %v", f, err)
	}
	if own := f.Entries[0]; own.From != "198.51.100.1" || own.KeyID != "0123" || own.Detail != "why" {
		t.Errorf("%+v", own)
	}
	if other := f.Entries[1]; other.Actor != "User/alice" || other.From+other.KeyID+other.Detail != "" {
		t.Errorf("%+v", other)
	}
}
