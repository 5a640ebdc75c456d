package apikeys_test

import (
	"net/http"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/test/fakeregistry"
)

// Whose keys a caller may read and write: every caller, every subject.
func TestWhoMayAsk(t *testing.T) {
	h := newHouse(t)
	own := v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "dave"}
	anybody := v1alpha1.Subject{Kind: v1alpha1.SubjectUser}
	cased := v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "Bob"}
	for name, c := range map[string]struct {
		by   apikeys.By
		mays []v1alpha1.Subject
	}{
		"an admin's key":              {h.admin(), []v1alpha1.Subject{alice, bob, carol, ci, lab, own, anybody, cased}},
		"an admin's session":          {apikeys.By{Caller: h.Caller(http.Header{"Cookie": {"keywright_session=" + fakeregistry.AliceSession}})}, []v1alpha1.Subject{alice, bob, carol, ci, lab, own, anybody, cased}},
		"the bootstrap key":           {h.by(fakeregistry.BootstrapKey), []v1alpha1.Subject{alice, bob, carol, ci, lab, own, anybody, cased}},
		"an admin's API key":          {h.by(aliceAPI), []v1alpha1.Subject{alice, bob, carol, ci, lab, own, anybody, cased}},
		"a user's key that may":       {h.by(bobKey), []v1alpha1.Subject{bob}},
		"a user's key that may not":   {h.by(bobReads), nil},
		"a program's key that may":    {h.by(ciKey), nil},
		"a person whose role may":     {h.named("bob"), []v1alpha1.Subject{bob}},
		"a person without a role":     {h.named("dave"), []v1alpha1.Subject{own}},
		"an admin's name by a proxy":  {h.named("alice"), []v1alpha1.Subject{alice}},
		"nobody":                      {nobody(), nil},
		"no caller at all":            {apikeys.By{}, nil},
		"a key that nobody has":       {h.by("a-key-that-nobody-has-at-all"), nil},
		"a saved name without a word": {apikeys.By{Caller: h.Caller(http.Header{"Cookie": {"keywright_user=bob"}})}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			for _, subject := range []v1alpha1.Subject{alice, bob, carol, ci, lab, own, anybody, cased} {
				may := false
				for _, s := range c.mays {
					may = may || s == subject
				}
				_, err := h.List(ctx, c.by, subject, apikeys.Query{})
				if (err == nil) != may {
					t.Errorf("lists those of %s: %v", subject, err)
				}
				_, err = h.Get(ctx, c.by, subject, "no-such-id")
				if k, _ := kind(err); (k == apikeys.NotFound) != may {
					t.Errorf("gets one of %s: %v", subject, err)
				}
				err = h.Delete(ctx, c.by, subject, "no-such-id")
				if k, _ := kind(err); (k == apikeys.NotFound) != may {
					t.Errorf("deletes one of %s: %v", subject, err)
				}
			}
		})
	}
	if h.Writes() != 0 {
		t.Error("something was written")
	}
}

func TestAClaimManagesNothing(t *testing.T) {
	h := newHouse(t)
	saved := http.Header{"Cookie": {"keywright_user=bob"}}
	h.Configure(t, config.Runtime{})
	claimed := h.Gate.IdentifyOrAnonymous(&http.Request{Header: saved})
	_, err := h.List(ctx, apikeys.By{Caller: &claimed.Caller}, bob, apikeys.Query{})
	want(t, err, apikeys.Unauthorized, "invalid token")
	// Where names are believed, anybody could make themselves a key that lasts in the name of anybody.
	h.Configure(t, config.Runtime{TrustUsernames: true})
	id := h.create(t, bob, apikeys.Wanted{}).ID
	by := apikeys.By{Caller: h.Caller(saved)}
	if by.Credential != gate.CredentialSavedName {
		t.Fatal(by.Credential)
	}
	for name, ask := range map[string]func() error{
		"list":    func() error { _, err := h.List(ctx, by, bob, apikeys.Query{}); return err },
		"get":     func() error { _, err := h.Get(ctx, by, bob, id); return err },
		"create":  func() error { _, err := h.Create(ctx, by, bob, given(apikeys.Wanted{Name: "x"})); return err },
		"change":  func() error { _, err := h.Change(ctx, by, bob, id, given(apikeys.Change{})); return err },
		"rotate":  func() error { _, err := h.Rotate(ctx, by, bob, id); return err },
		"revoke":  func() error { _, err := h.Revoke(ctx, by, bob, id); return err },
		"delete":  func() error { return h.Delete(ctx, by, bob, id) },
		"catalog": func() error { _, err := h.Catalog(ctx, by); return err },
	} {
		t.Run(name, func(t *testing.T) { want(t, ask(), apikeys.Unauthorized, "invalid token") })
	}
}

// What a key hands out stays within its rights; what a person does, within theirs.
func TestNobodyGivesWhatTheyDoNotHold(t *testing.T) {
	const beyond = "API key lacks required permission: nobody gives what they do not hold"
	everything := apikeys.Wanted{Everything: true}
	read, write := apikeys.Wanted{Scopes: []string{"certs.read"}}, apikeys.Wanted{Scopes: []string{"certs.write"}}
	for name, c := range map[string]struct {
		by      func(*house) apikeys.By
		subject v1alpha1.Subject
		wanted  apikeys.Wanted
		may     bool
	}{
		"an admin, everything":                    {(*house).admin, ci, everything, true},
		"an admin's API key, what it has":         {func(h *house) apikeys.By { return h.by(aliceAPI) }, ci, write, true},
		"an admin's API key, what it has not":     {func(h *house) apikeys.By { return h.by(aliceAPI) }, ci, read, false},
		"an admin's API key, everything":          {func(h *house) apikeys.By { return h.by(aliceAPI) }, alice, everything, false},
		"an admin's API key, a role":              {func(h *house) apikeys.By { return h.by(aliceAPI) }, bob, apikeys.Wanted{Roles: []string{"reader"}}, false},
		"a user's key, what it has":               {func(h *house) apikeys.By { return h.by(bobKey) }, bob, read, true},
		"a user's key, what it has not":           {func(h *house) apikeys.By { return h.by(bobKey) }, bob, write, false},
		"a user's key, a role of the user":        {func(h *house) apikeys.By { return h.by(bobKey) }, bob, apikeys.Wanted{Roles: []string{"reader"}}, false},
		"a user's key, everything the user may":   {func(h *house) apikeys.By { return h.by(bobKey) }, bob, everything, false},
		"the user, everything they may":           {func(h *house) apikeys.By { return h.named("bob") }, bob, everything, true},
		"the user, nothing":                       {func(h *house) apikeys.By { return h.named("bob") }, bob, apikeys.Wanted{}, true},
		"an admin, everything a user may":         {(*house).admin, bob, everything, true},
		"the bootstrap key, to somebody unknown":  {func(h *house) apikeys.By { return h.by(fakeregistry.BootstrapKey) }, v1alpha1.Subject{Kind: "User", Name: "somebody.new"}, read, true},
		"an admin, to somebody who may own none":  {(*house).admin, carol, read, false},
		"an admin, a role there is not any more ": {(*house).admin, bob, apikeys.Wanted{Roles: []string{"reader"}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			c.wanted.Name = "Some key"
			issued, err := h.Create(ctx, c.by(h), c.subject, given(c.wanted))
			switch {
			case c.may && err != nil:
				t.Fatal(err)
			case c.may:
				if issued.Token == "" || !issued.Active {
					t.Errorf("%+v", issued.Key)
				}
			case c.subject == carol:
				want(t, err, apikeys.Forbidden, "User carol may not own API keys: every AccessRole that lists them says apiKeys: Denied")
			default:
				want(t, err, apikeys.Forbidden, beyond)
			}
			if !c.may && h.Writes() != 0 {
				t.Error("it was written")
			}
		})
	}
}

// A key that may less than another of its user can do no more with it than look, put it away, and name it.
func TestWhatALimitedKeyMayDoWithAnother(t *testing.T) {
	const beyond = "API key lacks required permission: nobody gives what they do not hold"
	h := newHouse(t)
	id := h.create(t, bob, apikeys.Wanted{Scopes: []string{"certs.read", "certs.write"}}).ID
	by := h.by(bobKey)
	for name, c := range map[string]struct {
		change apikeys.Change
		may    bool
	}{
		"name it":      {apikeys.Change{Name: ptr("Other")}, true},
		"describe it":  {apikeys.Change{Description: ptr("It is old.")}, true},
		"disable it":   {apikeys.Change{Enabled: ptr(false)}, true},
		"enable it":    {apikeys.Change{Enabled: ptr(true)}, false},
		"prolong it":   {apikeys.Change{NoEnd: true}, false},
		"end it":       {apikeys.Change{EndsIn: 1e12}, false},
		"widen it":     {apikeys.Change{Scopes: &[]string{"certs.read", "certs.write", "x.y"}}, false},
		"narrow it":    {apikeys.Change{Scopes: &[]string{"certs.read"}}, true},
		"say the same": {apikeys.Change{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			id := h.create(t, bob, apikeys.Wanted{Scopes: []string{"certs.read", "certs.write"}}).ID
			_, err := h.Change(ctx, h.by(bobKey), bob, id, given(c.change))
			switch {
			case c.may && err != nil:
				t.Error(err)
			case !c.may:
				want(t, err, apikeys.Forbidden, beyond)
			}
		})
	}
	_, err := h.Rotate(ctx, by, bob, id)
	want(t, err, apikeys.Forbidden, beyond)
	if _, err := h.Get(ctx, by, bob, id); err != nil {
		t.Error(err)
	}
	if _, err := h.Revoke(ctx, by, bob, id); err != nil {
		t.Error(err)
	}
	if err := h.Delete(ctx, by, bob, id); err != nil {
		t.Error(err)
	}
}

// Somebody widens the key between the question and the write.
func TestWhatIsWrittenIsWhatWasAllowed(t *testing.T) {
	h := newHouse(t)
	id := h.create(t, bob, apikeys.Wanted{Scopes: []string{"certs.read"}}).ID
	h.BeforeChange = func(k *v1alpha1.APIKey) {
		h.BeforeChange = nil
		wider := k.DeepCopy()
		wider.Spec.Scopes = append(wider.Spec.Scopes, "certs.write")
		h.Put(wider)
	}
	_, err := h.Change(ctx, h.by(bobKey), bob, id, given(apikeys.Change{NoEnd: true, Name: ptr("Other")}))
	want(t, err, apikeys.Forbidden, "API key lacks required permission: nobody gives what they do not hold")
	if k, err := h.Get(ctx, h.admin(), bob, id); err != nil || k.Name != "Some key" || len(k.Scopes) != 2 {
		t.Errorf("%+v %v", k, err)
	}
}

// An end would be none that its bearer can lift, or evade by another key.
func TestWhatAKeyMakesEndsNoLaterThanItself(t *testing.T) {
	const beyond = "API key lacks required permission: nobody gives what they do not hold: " +
		"the end must be no later than that of the caller's key, 2030-01-01T01:00:00Z"
	const bobEnds, aliceEnds = "a-key-of-bob-that-ends-in-an-hour", "a-key-of-alice-that-ends-in-an-hour"
	manages := []v1alpha1.Scope{"apikeys.read", "apikeys.write"}
	open := func(t *testing.T) *house {
		t.Helper()
		h := newHouse(t)
		end := metav1.NewTime(h.Time().Add(time.Hour))
		h.PutKey("bob-ends", bob, bobEnds, func(k *v1alpha1.APIKey) { k.Spec.Scopes, k.Spec.ExpiresAt = manages, &end })
		h.PutKey("alice-ends", alice, aliceEnds, func(k *v1alpha1.APIKey) { k.Spec.Scopes, k.Spec.ExpiresAt = manages, &end })
		return h
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
			h := open(t)
			c.wanted.Name = "Some key"
			for by, subject := range map[string]v1alpha1.Subject{bobEnds: bob, aliceEnds: ci} {
				_, err := h.Create(ctx, h.by(by), subject, given(c.wanted))
				if !c.may {
					want(t, err, apikeys.Forbidden, beyond)
				} else if err != nil {
					t.Error(err)
				}
				wants := apikeys.Change{ExpiresAt: c.wanted.ExpiresAt, EndsIn: c.wanted.TTL, NoEnd: c.wanted.ExpiresAt == nil && c.wanted.TTL == 0}
				for _, before := range []apikeys.Wanted{{}, {ExpiresAt: in(time.Minute)}} {
					id := h.create(t, subject, before).ID
					_, err = h.Change(ctx, h.by(by), subject, id, given(wants))
					if !c.may {
						want(t, err, apikeys.Forbidden, beyond)
					} else if err != nil {
						t.Error(err)
					}
				}
			}
			for _, by := range []apikeys.By{h.admin(), h.by(aliceAPI)} {
				if _, err := h.Create(ctx, by, ci, given(c.wanted)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	t.Run("by a role that it leaves", func(t *testing.T) {
		h := open(t)
		issued := h.create(t, bob, apikeys.Wanted{Scopes: []string{"apikeys.read", "apikeys.write"}, Roles: []string{"short"}})
		by := h.by(issued.Token)
		_, err := h.Change(ctx, by, bob, issued.ID, given(apikeys.Change{Roles: &[]string{}}))
		want(t, err, apikeys.Forbidden, beyond)
		if _, err := h.Change(ctx, by, bob, issued.ID, given(apikeys.Change{Roles: &[]string{}, EndsIn: time.Hour})); err != nil {
			t.Error(err)
		}
	})
	t.Run("another thing than the end", func(t *testing.T) {
		h := open(t)
		id := h.create(t, bob, apikeys.Wanted{}).ID
		if _, err := h.Change(ctx, h.by(bobEnds), bob, id, given(apikeys.Change{Name: ptr("Other"), Scopes: &[]string{"apikeys.read"}})); err != nil {
			t.Error(err)
		}
	})
}

// A right may be on the keys of one account alone.
func TestRightsMayBeOnSomeKeysOnly(t *testing.T) {
	h := newHouse(t)
	h.PutKey("alice-limited", alice, "a-key-of-alice-for-ci-alone-1", func(k *v1alpha1.APIKey) {
		k.Spec.Policy = &v1alpha1.Policy{Permissions: []v1alpha1.Permission{{
			Effect: v1alpha1.EffectAllow, Actions: []v1alpha1.Action{apikeys.ActionRead, apikeys.ActionWrite}, Resources: []v1alpha1.Resource{"account:ci"},
		}}}
	})
	by := h.by("a-key-of-alice-for-ci-alone-1")
	if _, err := h.List(ctx, by, ci, apikeys.Query{}); err != nil {
		t.Error(err)
	}
	if _, err := h.Create(ctx, by, ci, given(apikeys.Wanted{Name: "a"})); err != nil {
		t.Error(err)
	}
	for _, subject := range []v1alpha1.Subject{alice, bob, {Kind: v1alpha1.SubjectAccount, Name: "other"}, {Kind: v1alpha1.SubjectAccount}, {Kind: v1alpha1.SubjectUser, Name: "ci"}} {
		_, err := h.List(ctx, by, subject, apikeys.Query{})
		want(t, err, apikeys.Forbidden, apikeys.NotPermitted)
	}
}

// Whom a proxy names has what roles give them, and is no admin by it.
func TestAProxysWordMakesNoAdmin(t *testing.T) {
	h := newHouse(t)
	h.PutRole(&v1alpha1.AccessRole{ObjectMeta: metav1.ObjectMeta{Name: "keys"}, Spec: v1alpha1.AccessRoleSpec{
		Members: []v1alpha1.Username{"alice"}, Permissions: []v1alpha1.Permission{{
			Effect: v1alpha1.EffectAllow, Actions: []v1alpha1.Action{"*"}, Resources: []v1alpha1.Resource{"*"},
		}},
	}})
	if _, err := h.List(ctx, h.named("alice"), alice, apikeys.Query{}); err != nil {
		t.Error(err)
	}
	_, err := h.List(ctx, h.named("alice"), bob, apikeys.Query{})
	want(t, err, apikeys.Forbidden, apikeys.NotPermitted)
}

// Whom a proxy names needs no role for keys of their own, and gets no rights by that.
func TestAPersonWithoutARoleManagesTheirOwnKeys(t *testing.T) {
	h := newHouse(t)
	dave := v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "dave"}
	by := h.named("dave")
	issued, err := h.Create(ctx, by, dave, given(apikeys.Wanted{Name: "mine", Everything: true}))
	if err != nil {
		t.Fatal(err)
	}
	if h.May(issued.Token, "certs.read", "certificate:1") {
		t.Error("it may more than dave")
	}
	// The key of a person is no person.
	_, err = h.List(ctx, h.by(issued.Token), dave, apikeys.Query{})
	want(t, err, apikeys.Forbidden, apikeys.NotPermitted)
	for name, do := range map[string]func() error{
		"list": func() error { _, err := h.List(ctx, by, dave, apikeys.Query{}); return err },
		"get":  func() error { _, err := h.Get(ctx, by, dave, issued.ID); return err },
		"change": func() error {
			_, err := h.Change(ctx, by, dave, issued.ID, given(apikeys.Change{NoEnd: true}))
			return err
		},
		"rotate":  func() error { _, err := h.Rotate(ctx, by, dave, issued.ID); return err },
		"catalog": func() error { _, err := h.Catalog(ctx, by); return err },
		"revoke":  func() error { _, err := h.Revoke(ctx, by, dave, h.create(t, dave, apikeys.Wanted{}).ID); return err },
		"delete":  func() error { return h.Delete(ctx, by, dave, h.create(t, dave, apikeys.Wanted{}).ID) },
	} {
		if err := do(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What a role denies stays denied, and so do keys to who may own none.
	h.PutRole(&v1alpha1.AccessRole{ObjectMeta: metav1.ObjectMeta{Name: "no-new-keys"}, Spec: v1alpha1.AccessRoleSpec{
		Members: []v1alpha1.Username{"dave"}, Permissions: []v1alpha1.Permission{{
			Effect: v1alpha1.EffectDeny, Actions: []v1alpha1.Action{apikeys.ActionWrite}, Resources: []v1alpha1.Resource{"*"},
		}},
	}})
	_, err = h.Rotate(ctx, by, dave, issued.ID)
	want(t, err, apikeys.Forbidden, apikeys.NotPermitted)
	if _, err := h.List(ctx, by, dave, apikeys.Query{}); err != nil {
		t.Error(err)
	}
	_, err = h.Create(ctx, h.named("carol"), carol, given(apikeys.Wanted{Name: "mine"}))
	want(t, err, apikeys.Forbidden, "User carol may not own API keys: every AccessRole that lists them says apiKeys: Denied")
}

func TestAKeyOfWhoMayOwnNoneIsNotRotated(t *testing.T) {
	h := newHouse(t)
	k := h.PutKey("carols", carol, carolKey, nil)
	_, err := h.Rotate(ctx, h.admin(), carol, string(k.UID))
	want(t, err, apikeys.Forbidden, "User carol may not own API keys: every AccessRole that lists them says apiKeys: Denied")
	if err := h.Delete(ctx, h.admin(), carol, string(k.UID)); err == nil {
		t.Error("a manifest's key was deleted")
	}
}
