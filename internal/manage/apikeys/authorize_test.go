package apikeys_test

import (
	"net/http"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/test/fakeobjects"
)

// Every caller and every subject: whose keys may be read and written.
func TestAuthorize_CallersAndSubjects(t *testing.T) {
	env := newEnv(t)
	own := v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "dave"}
	anybody := v1alpha1.Subject{Kind: v1alpha1.SubjectUser}
	cased := v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "Bob"}
	for name, c := range map[string]struct {
		by   manage.Caller
		mays []v1alpha1.Subject
	}{
		"an admin's key": {env.admin(), []v1alpha1.Subject{alice, bob, carol, ci, lab, own, anybody, cased}},
		"an admin's session": {
			manage.Caller{
				Caller: env.Caller(http.Header{"Cookie": {"keywright_session=" + fakeobjects.AliceSession}}),
			},
			[]v1alpha1.Subject{alice, bob, carol, ci, lab, own, anybody, cased},
		},
		"the bootstrap key": {
			env.by(fakeobjects.BootstrapKey), []v1alpha1.Subject{alice, bob, carol, ci, lab, own, anybody, cased},
		},
		"an admin's API key": {
			env.by(aliceAPI), []v1alpha1.Subject{alice, bob, carol, ci, lab, own, anybody, cased},
		},
		"a user's key that may":      {env.by(bobKey), []v1alpha1.Subject{bob, cased}},
		"a user's key that may not":  {env.by(bobReads), nil},
		"a program's key that may":   {env.by(ciKey), nil},
		"a person whose role may":    {env.named("bob"), []v1alpha1.Subject{bob, cased}},
		"a person without a role":    {env.named("dave"), []v1alpha1.Subject{own}},
		"an admin's name by a proxy": {env.named("alice"), []v1alpha1.Subject{alice}},
		"anonymous":                  {anonymous(), nil},
		"no caller at all":           {manage.Caller{}, nil},
		"an unknown key":             {env.by("a-key-that-was-never-issued"), nil},
		"a saved name without a word": {
			manage.Caller{Caller: env.Caller(http.Header{"Cookie": {"keywright_user=bob"}})}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, subject := range []v1alpha1.Subject{alice, bob, carol, ci, lab, own, anybody, cased} {
				may := false
				for _, s := range c.mays {
					may = may || s == subject
				}
				_, err := env.List(ctx, c.by, subject, apikeys.Query{})
				if (err == nil) != may {
					t.Errorf("lists those of %s: %v", subject, err)
				}
				_, err = env.Get(ctx, c.by, subject, "no-such-id")
				if k, _ := kind(err); (k == manage.NotFound) != may {
					t.Errorf("gets one of %s: %v", subject, err)
				}
				err = env.Delete(ctx, c.by, subject, "no-such-id")
				if k, _ := kind(err); (k == manage.NotFound) != may {
					t.Errorf("deletes one of %s: %v", subject, err)
				}
			}
		})
	}
	if len(env.Writes()) != 0 {
		t.Error("something was written")
	}
}

func TestAuthorize_SavedNameManagesNothing(t *testing.T) {
	env := newEnv(t)
	saved := http.Header{"Cookie": {"keywright_user=bob"}}
	env.Configure(t, config.Runtime{})
	claimed := env.Gate.IdentifyOrAnonymous(&http.Request{Header: saved})
	_, err := env.List(ctx, manage.Caller{Caller: &claimed.Caller}, bob, apikeys.Query{})
	want(t, err, manage.Unauthorized, "invalid token")
	// A saved name could otherwise be turned into a key that lasts.
	env.Configure(t, config.Runtime{TrustUsernames: true})
	id := env.create(t, bob, apikeys.Wanted{}).ID
	by := manage.Caller{Caller: env.Caller(saved)}
	if by.Credential != gate.CredentialSavedName {
		t.Fatal(by.Credential)
	}
	for name, ask := range map[string]func() error{
		"list":    func() error { _, err := env.List(ctx, by, bob, apikeys.Query{}); return err },
		"get":     func() error { _, err := env.Get(ctx, by, bob, id); return err },
		"create":  func() error { _, err := env.Create(ctx, by, bob, given(apikeys.Wanted{Name: "x"})); return err },
		"change":  func() error { _, err := env.Change(ctx, by, bob, id, given(apikeys.Change{})); return err },
		"rotate":  func() error { _, err := env.Rotate(ctx, by, bob, id); return err },
		"revoke":  func() error { _, err := env.Revoke(ctx, by, bob, id); return err },
		"delete":  func() error { return env.Delete(ctx, by, bob, id) },
		"catalog": func() error { _, err := env.Catalog(ctx, by); return err },
	} {
		t.Run(name, func(t *testing.T) { want(t, ask(), manage.Unauthorized, "invalid token") })
	}
}

// Another client widens the key between the check and the write.
func TestChange_ChecksStateThatItWrites(t *testing.T) {
	env := newEnv(t)
	id := env.create(t, bob, apikeys.Wanted{Scopes: []string{"certs.read"}}).ID
	env.BeforeChange = func(k *v1alpha1.APIKey) {
		env.BeforeChange = nil
		wider := k.DeepCopy()
		wider.Spec.Scopes = append(wider.Spec.Scopes, "certs.write")
		env.Put(wider)
	}
	_, err := env.Change(ctx, env.by(bobKey), bob, id, given(apikeys.Change{NoEnd: true, Name: ptr("Other")}))
	want(t, err, manage.Forbidden, "API key lacks required permission: a caller can only give what it holds")
	if k, err := env.Get(ctx, env.admin(), bob, id); err != nil || k.Name != "Some key" || len(k.Scopes) != 2 {
		t.Errorf("%+v %v", k, err)
	}
}

// A right can be limited to the keys of one account.
func TestAuthorize_RightsOnOneAccount(t *testing.T) {
	env := newEnv(t)
	env.PutKey("alice-limited", alice, "a-key-of-alice-for-ci-alone-1", func(k *v1alpha1.APIKey) {
		k.Spec.Policy = &v1alpha1.Policy{Permissions: []v1alpha1.Permission{{
			Effect: v1alpha1.EffectAllow, Actions: []v1alpha1.Action{
				apikeys.ActionRead, apikeys.ActionWrite,
			}, Resources: []v1alpha1.Resource{"account:ci"},
		}}}
	})
	by := env.by("a-key-of-alice-for-ci-alone-1")
	if _, err := env.List(ctx, by, ci, apikeys.Query{}); err != nil {
		t.Error(err)
	}
	if _, err := env.Create(ctx, by, ci, given(apikeys.Wanted{Name: "a"})); err != nil {
		t.Error(err)
	}
	for _, subject := range []v1alpha1.Subject{
		alice, bob, {Kind: v1alpha1.SubjectAccount, Name: "other"}, {Kind: v1alpha1.SubjectAccount},
		{Kind: v1alpha1.SubjectUser, Name: "ci"},
	} {
		_, err := env.List(ctx, by, subject, apikeys.Query{})
		want(t, err, manage.Forbidden, apikeys.NotPermitted)
	}
}

// A user named by a proxy has the rights of their roles, and is not an admin.
func TestAuthorize_ProxyNameIsNotAdmin(t *testing.T) {
	env := newEnv(t)
	env.PutRole(&v1alpha1.AccessRole{ObjectMeta: metav1.ObjectMeta{Name: "keys"}, Spec: v1alpha1.AccessRoleSpec{
		Permissions: []v1alpha1.Permission{{
			Effect: v1alpha1.EffectAllow, Actions: []v1alpha1.Action{"*"}, Resources: []v1alpha1.Resource{"*"},
		}},
	}})
	env.Bind("keys", "alice", v1alpha1.KeysAllowed)
	if _, err := env.List(ctx, env.named("alice"), alice, apikeys.Query{}); err != nil {
		t.Error(err)
	}
	_, err := env.List(ctx, env.named("alice"), bob, apikeys.Query{})
	want(t, err, manage.Forbidden, apikeys.NotPermitted)
}

// A user named by a proxy needs no role for their own keys, and gets no rights by them.
func TestAuthorize_UserManagesOwnKeysWithoutRole(t *testing.T) {
	env := newEnv(t)
	dave := v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "dave"}
	by := env.named("dave")
	issued, err := env.Create(ctx, by, dave, given(apikeys.Wanted{Name: "mine", Everything: true}))
	if err != nil {
		t.Fatal(err)
	}
	if env.May(issued.Token.Plaintext(), "certs.read", "certificate:1") {
		t.Error("the key may do more than dave")
	}
	// A key of a user is not the user.
	_, err = env.List(ctx, env.by(issued.Token.Plaintext()), dave, apikeys.Query{})
	want(t, err, manage.Forbidden, apikeys.NotPermitted)
	for name, do := range map[string]func() error{
		"list": func() error { _, err := env.List(ctx, by, dave, apikeys.Query{}); return err },
		"get":  func() error { _, err := env.Get(ctx, by, dave, issued.ID); return err },
		"change": func() error {
			_, err := env.Change(ctx, by, dave, issued.ID, given(apikeys.Change{NoEnd: true}))
			return err
		},
		"rotate":  func() error { _, err := env.Rotate(ctx, by, dave, issued.ID); return err },
		"catalog": func() error { _, err := env.Catalog(ctx, by); return err },
		"revoke": func() error {
			_, err := env.Revoke(ctx, by, dave, env.create(t, dave, apikeys.Wanted{}).ID)
			return err
		},
		"delete": func() error { return env.Delete(ctx, by, dave, env.create(t, dave, apikeys.Wanted{}).ID) },
	} {
		if err := do(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What a role denies stays denied, and users who may not own keys get none.
	env.PutRole(&v1alpha1.AccessRole{ObjectMeta: metav1.ObjectMeta{Name: "no-new-keys"}, Spec: v1alpha1.AccessRoleSpec{
		Permissions: []v1alpha1.Permission{{
			Effect: v1alpha1.EffectDeny, Actions: []v1alpha1.Action{apikeys.ActionWrite}, Resources: []v1alpha1.Resource{"*"},
		}},
	}})
	env.Bind("no-new-keys", "dave", v1alpha1.KeysAllowed)
	_, err = env.Rotate(ctx, by, dave, issued.ID)
	want(t, err, manage.Forbidden, apikeys.NotPermitted)
	if _, err := env.List(ctx, by, dave, apikeys.Query{}); err != nil {
		t.Error(err)
	}
	_, err = env.Create(ctx, env.named("carol"), carol, given(apikeys.Wanted{Name: "mine"}))
	want(
		t, err, manage.Forbidden,
		"User carol may not own API keys: every AccessRoleBinding that lists the user says apiKeys: Denied",
	)
}

func TestRotate_RefusesUserWhoMayNotOwnKeys(t *testing.T) {
	env := newEnv(t)
	k := env.PutKey("carols", carol, carolKey, nil)
	_, err := env.Rotate(ctx, env.admin(), carol, string(k.UID))
	want(
		t, err, manage.Forbidden,
		"User carol may not own API keys: every AccessRoleBinding that lists the user says apiKeys: Denied",
	)
	if err := env.Delete(ctx, env.admin(), carol, string(k.UID)); err == nil {
		t.Error("a manifest's key was deleted")
	}
}
