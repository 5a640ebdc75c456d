package apikeys_test

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/apikeys"
	"keywright.dev/keywright/internal/audit"
	"keywright.dev/keywright/internal/lastuse"
	"keywright.dev/keywright/internal/registry"
	"keywright.dev/keywright/test/fakeregistry"
)

func TestANewKeyIsAsItWasAskedFor(t *testing.T) {
	h := newHouse(t)
	end := h.Time().Add(90*time.Minute + 700*time.Millisecond)
	policy := &v1alpha1.Policy{Permissions: []v1alpha1.Permission{{
		Effect: v1alpha1.EffectAllow, Actions: []v1alpha1.Action{"dashboard:View"}, Resources: []v1alpha1.Resource{"dashboard:1"},
	}}}
	issued, err := h.Create(ctx, h.admin(), ci, given(apikeys.Wanted{
		Name: "CI Pipeline", Description: "Builds.\nAnd tests.", Category: "build", Scopes: []string{"certs.read"}, Roles: []string{"reader"},
		Policy: policy, ExpiresAt: &end, Disabled: true,
	}))
	if err != nil {
		t.Fatal(err)
	}
	k := issued.Key
	switch {
	case k.Name != "CI Pipeline" || k.Description != "Builds.\nAnd tests." || k.Category != "build" || k.Subject != ci:
		t.Errorf("%+v", k)
	case !slices.Equal(k.Scopes, []string{"certs.read"}) || !slices.Equal(k.Roles, []string{"reader"}) || k.Policy.Permissions[0].Actions[0] != "dashboard:View":
		t.Errorf("%+v", k)
	case k.Enabled || k.Active || k.Reason != "disabled" || k.Revoked || k.Source != apikeys.FromAPI || k.Secret != nil:
		t.Errorf("%+v", k)
	case !k.ExpiresAt.Equal(h.Time().Add(90 * time.Minute)):
		t.Errorf("it ends at %s: no part of a second is kept", k.ExpiresAt)
	case !strings.HasPrefix(issued.Token, k.Prefix) || len(k.Prefix) != 12 || k.ID == "" || k.Object.Namespace != fakeregistry.Namespace:
		t.Errorf("%+v", k)
	}
	got, err := h.Get(ctx, h.admin(), ci, k.ID)
	if err != nil || got.ID != k.ID || got.Category != "build" {
		t.Errorf("%+v %v", got, err)
	}
}

func TestAKeyThatIsGivenNothingHasListsAllTheSame(t *testing.T) {
	h := newHouse(t)
	k := h.create(t, lab, apikeys.Wanted{})
	if k.Scopes == nil || k.Roles == nil || k.Policy != nil || k.ExpiresAt != nil || k.LastUsedAt != nil || !k.Active || k.Reason != "accepted" {
		t.Errorf("%+v", k.Key)
	}
}

func TestATokenOfItsUserMayDoWhatTheUserMay(t *testing.T) {
	h := newHouse(t)
	issued, err := h.Create(ctx, h.named("bob"), bob, given(apikeys.Wanted{Name: "mine", Everything: true}))
	if err != nil {
		t.Fatal(err)
	}
	if !h.May(issued.Token, "certs.read", "certificate:1") || h.May(issued.Token, "certs.write", "certificate:1") {
		t.Error("not what bob may")
	}
	if h.Account() != (v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "default"}) {
		t.Error(h.Account())
	}
}

// The first of all ends is what is told, and what happens.
func TestWhenAKeyEnds(t *testing.T) {
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
			h := newHouse(t)
			issued := h.create(t, ci, c.wanted)
			if issued.ExpiresAt == nil || issued.ExpiresAt.Sub(h.Time()) != c.want {
				t.Fatalf("told %v", issued.ExpiresAt)
			}
			before := h.Verifier.Verify(issued.Token, issued.ExpiresAt.Add(-time.Microsecond))
			after := h.Verifier.Verify(issued.Token, *issued.ExpiresAt)
			if !before.Accepted() || after.Accepted() {
				t.Errorf("%s before, %s then", before.Reason, after.Reason)
			}
		})
	}
}

func TestWhatCanNotBe(t *testing.T) {
	past, now, far := time.Date(2029, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2030, 1, 1, 0, 0, 0, 999, time.UTC), time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -3600*2))
	for name, c := range map[string]struct {
		subject v1alpha1.Subject
		wanted  apikeys.Wanted
		text    string
	}{
		"no name":          {ci, apikeys.Wanted{Name: " \t"}, "name: is required"},
		"a name of lines":  {ci, apikeys.Wanted{Name: "a\nb"}, "name: must not have control characters"},
		"NUL":              {ci, apikeys.Wanted{Name: "a", Description: "\x00"}, "description: must not have control characters"},
		"escape":           {ci, apikeys.Wanted{Name: "a", Category: "\x1b[2J"}, "category: must not have control characters"},
		"in the past":      {ci, apikeys.Wanted{Name: "a", ExpiresAt: &past}, "expires_at: must be in the future"},
		"now":              {ci, apikeys.Wanted{Name: "a", ExpiresAt: &now}, "expires_at: must be in the future"},
		"beyond all years": {ci, apikeys.Wanted{Name: "a", ExpiresAt: &far}, "expires_at: must be before the year 10000"},
		"no time":          {ci, apikeys.Wanted{Name: "a", TTL: time.Millisecond}, "expires_in_seconds: must be from 1 to 3153600000"},
		"for ages":         {ci, apikeys.Wanted{Name: "a", TTL: 1 << 62}, "expires_in_seconds: must be from 1 to 3153600000"},
		"back in time":     {ci, apikeys.Wanted{Name: "a", TTL: -time.Hour}, "expires_in_seconds: must be from 1 to 3153600000"},
		"an unknown role":  {ci, apikeys.Wanted{Name: "a", Roles: []string{"reader", "wrong \"un\""}}, `roles: unknown role "wrong \"un\""`},
		"nobody's name":    {v1alpha1.Subject{Kind: "User", Name: "x"}, apikeys.Wanted{Name: "a"}, "user: must be a username: 2-50 letters, digits, '.', '_', '-', a letter or digit first"},
		"admin":            {v1alpha1.Subject{Kind: "User", Name: "aDMin"}, apikeys.Wanted{Name: "a"}, "user: username 'admin' is reserved"},
		"no account's":     {v1alpha1.Subject{Kind: "Account", Name: "-x"}, apikeys.Wanted{Name: "a"}, "account: must be 1-63 letters, digits, '.', '_', '-', a letter or digit first"},
		"no integration's": {v1alpha1.Subject{Kind: "Integration", Name: "ü"}, apikeys.Wanted{Name: "a"}, "integration: must be 1-63 letters, digits, '.', '_', '-', a letter or digit first"},
		"all accounts'":    {v1alpha1.Subject{Kind: "Account"}, apikeys.Wanted{Name: "a"}, "account: must be 1-63 letters, digits, '.', '_', '-', a letter or digit first"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			_, err := h.Create(ctx, h.admin(), c.subject, given(c.wanted))
			want(t, err, apikeys.Invalid, c.text)
			if h.Writes() != 0 {
				t.Error("it was written")
			}
		})
	}
}

func TestNamesThatCanNotBe(t *testing.T) {
	h := newHouse(t)
	odd := v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "bob@example.com"}
	_, err := h.List(ctx, h.admin(), odd, apikeys.Query{})
	if k, _ := kind(err); k != apikeys.Invalid {
		t.Error(err)
	}
	// But somebody whom a proxy names so just has none; and so has the bootstrap admin.
	own := v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "admin"}
	if page, err := h.List(ctx, h.by(fakeregistry.BootstrapKey), own, apikeys.Query{}); err != nil || page.Total != 0 || page.Items == nil {
		t.Errorf("%+v %v", page, err)
	}
}

func TestListsAreNewestFirstAndInParts(t *testing.T) {
	h := newHouse(t)
	for i := range 5 {
		h.create(t, lab, apikeys.Wanted{Name: fmt.Sprintf("CI %d", i)})
		if i != 2 {
			h.Pass(time.Second)
		}
	}
	h.create(t, lab, apikeys.Wanted{Name: "other"})
	names := func(q apikeys.Query) (all []string, page *apikeys.Page) {
		page, err := h.List(ctx, h.admin(), lab, q)
		if err != nil {
			t.Fatal(err)
		}
		for i := range page.Items {
			all = append(all, page.Items[i].Name)
		}
		return all, page
	}
	for name, c := range map[string]struct {
		query apikeys.Query
		want  string
		total int
		more  bool
	}{
		"all":             {apikeys.Query{}, "other,CI 4,CI 2,CI 3,CI 1,CI 0", 6, false},
		"the first":       {apikeys.Query{Limit: 2}, "other,CI 4", 6, true},
		"the last":        {apikeys.Query{Offset: 4, Limit: 2}, "CI 1,CI 0", 6, false},
		"beyond":          {apikeys.Query{Offset: 40, Limit: 2}, "", 6, false},
		"by name":         {apikeys.Query{Name: "CI*", Limit: 1}, "CI 4", 5, true},
		"by one letter":   {apikeys.Query{Name: "CI ?"}, "CI 4,CI 2,CI 3,CI 1,CI 0", 5, false},
		"with its case":   {apikeys.Query{Name: "ci*"}, "", 0, false},
		"by its very own": {apikeys.Query{Name: "other"}, "other", 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, page := names(c.query)
			if strings.Join(got, ",") != c.want || page.Total != c.total || page.More != c.more || page.Items == nil {
				t.Errorf("%q, %d in all, more: %t", got, page.Total, page.More)
			}
		})
	}
	// Cursor after cursor gives all of them once, though one goes meanwhile.
	var all []string
	after := ""
	for i := 0; i < 10; i++ {
		got, page := names(apikeys.Query{Limit: 2, After: after})
		all = append(all, got...)
		if !page.More {
			break
		}
		last := page.Items[len(page.Items)-1]
		after = last.Cursor()
		if err := h.Delete(ctx, h.admin(), lab, last.ID); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Join(all, ",") != "other,CI 4,CI 2,CI 3,CI 1,CI 0" {
		t.Errorf("%q", all)
	}
	for _, bad := range []string{"x", "!!", "MTIz"} {
		_, err := h.List(ctx, h.admin(), lab, apikeys.Query{After: bad})
		want(t, err, apikeys.Invalid, "cursor: is not one that a list has ended with")
	}
}

func TestWhatIsBeingDeletedIsGone(t *testing.T) {
	h := newHouse(t)
	k := h.PutKey("leaving", lab, "a-key-that-is-on-its-way-out", func(k *v1alpha1.APIKey) { k.DeletionTimestamp = ptr(metav1.NewTime(h.Time())) })
	if page, err := h.List(ctx, h.admin(), lab, apikeys.Query{}); err != nil || page.Total != 0 {
		t.Errorf("%+v %v", page, err)
	}
	_, err := h.Get(ctx, h.admin(), lab, string(k.UID))
	want(t, err, apikeys.NotFound, "API key not found")
}

func TestAKeyIsFoundUnderItsSubjectAlone(t *testing.T) {
	h := newHouse(t)
	id := h.create(t, ci, apikeys.Wanted{}).ID
	for _, subject := range []v1alpha1.Subject{bob, lab, {Kind: v1alpha1.SubjectAccount, Name: "other"}, {Kind: v1alpha1.SubjectUser, Name: "ci"}} {
		_, err := h.Get(ctx, h.admin(), subject, id)
		want(t, err, apikeys.NotFound, "API key not found")
	}
	if k, err := h.Get(ctx, h.admin(), v1alpha1.Subject{Kind: v1alpha1.SubjectAccount}, id); err != nil || k.Subject != ci {
		t.Error(k, err)
	}
}

func TestAChangeChangesWhatItNames(t *testing.T) {
	h := newHouse(t)
	end := h.Time().Add(time.Hour)
	first := h.create(t, ci, apikeys.Wanted{Name: "CI", Description: "old", Scopes: []string{"certs.read"}, Roles: []string{"reader"}, Everything: true, ExpiresAt: &end})
	change := func(c apikeys.Change) *apikeys.Key {
		t.Helper()
		k, err := h.Change(ctx, h.admin(), ci, first.ID, given(c))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	if k := change(apikeys.Change{}); k.Name != "CI" || k.Description != "old" || len(k.Scopes) != 1 || len(k.Roles) != 1 || k.Policy == nil || !k.ExpiresAt.Equal(end) || !k.Enabled {
		t.Errorf("nothing was named: %+v", k)
	}
	if k := change(apikeys.Change{Name: ptr("CI 2"), Description: ptr("")}); k.Name != "CI 2" || k.Description != "" || len(k.Scopes) != 1 {
		t.Errorf("%+v", k)
	}
	if k := change(apikeys.Change{Scopes: &[]string{}, Roles: &[]string{}}); len(k.Scopes)+len(k.Roles) != 0 || k.Policy == nil {
		t.Errorf("%+v", k)
	}
	if k := change(apikeys.Change{NoPolicy: true, NoEnd: true}); k.Policy != nil || k.ExpiresAt != nil {
		t.Errorf("%+v", k)
	}
	if k := change(apikeys.Change{EndsIn: 90 * time.Second}); k.ExpiresAt.Sub(h.Time()) != 90*time.Second {
		t.Errorf("%+v", k)
	}
	if k := change(apikeys.Change{Enabled: ptr(false)}); k.Enabled || k.Active || k.Reason != "disabled" {
		t.Errorf("%+v", k)
	}
	if k := change(apikeys.Change{Enabled: ptr(true)}); !k.Enabled || !k.Active || !h.Verifier.Verify(first.Token, h.Time()).Accepted() {
		t.Errorf("%+v", k)
	}
	past := h.Time()
	_, err := h.Change(ctx, h.admin(), ci, first.ID, given(apikeys.Change{ExpiresAt: &past}))
	want(t, err, apikeys.Invalid, "expires_at: must be in the future")
	_, err = h.Change(ctx, h.admin(), ci, first.ID, given(apikeys.Change{Roles: &[]string{"none"}}))
	want(t, err, apikeys.Invalid, `roles: unknown role "none"`)
	_, err = h.Change(ctx, h.admin(), ci, first.ID, given(apikeys.Change{Name: ptr("")}))
	want(t, err, apikeys.Invalid, "name: is required")
}

// A lifetime is that of each issue; an end stays where it is.
func TestRotation(t *testing.T) {
	h := newHouse(t)
	rotate := func(id string) *apikeys.Issued {
		t.Helper()
		issued, err := h.Rotate(ctx, h.admin(), ci, id)
		if err != nil {
			t.Fatal(err)
		}
		return issued
	}
	end := h.Time().Add(time.Hour)
	byTTL, byEnd := h.create(t, ci, apikeys.Wanted{TTL: time.Hour}), h.create(t, ci, apikeys.Wanted{ExpiresAt: &end})
	h.Pass(50 * time.Minute)
	if next := rotate(byTTL.ID); next.ID != byTTL.ID || next.ExpiresAt.Sub(h.Time()) != time.Hour || next.Token == byTTL.Token || next.Prefix == byTTL.Prefix {
		t.Errorf("%+v", next.Key)
	} else if h.Verifier.Verify(byTTL.Token, h.Time()).Accepted() || !h.Verifier.Verify(next.Token, h.Time()).Accepted() {
		t.Error("the old one goes on, or the new one does not work")
	}
	if next := rotate(byEnd.ID); !next.ExpiresAt.Equal(end) {
		t.Errorf("%+v", next.Key)
	}
	h.Pass(3 * time.Hour)
	if next := rotate(byTTL.ID); !next.Active {
		t.Error("a new one after the end of the old one's lifetime")
	}
	_, err := h.Rotate(ctx, h.admin(), ci, byEnd.ID)
	want(t, err, apikeys.Conflict, "API key Some key has ended at 2030-01-01T01:00:00Z, and so would the next one: set another end first")
}

func TestRotationLeavesAnOverlapWhereTheSpecSaysSo(t *testing.T) {
	h := newHouse(t)
	overlap := v1alpha1.Duration("10m")
	k := h.PutKey("told", ci, "a-key-that-was-told-in-a-reply", func(k *v1alpha1.APIKey) {
		k.Spec.Delivery, k.Spec.Rotation = v1alpha1.DeliveryResponse, &v1alpha1.Rotation{Overlap: &overlap}
	})
	issued, err := h.Rotate(ctx, h.admin(), ci, string(k.UID))
	if err != nil || issued.Token == "" || issued.Secret != nil || issued.Source != apikeys.FromManifest {
		t.Fatalf("%+v %v", issued, err)
	}
	for at, want := range map[time.Duration]bool{0: true, 9 * time.Minute: true, 10 * time.Minute: false} {
		if got := h.Verifier.Verify("a-key-that-was-told-in-a-reply", h.Time().Add(at)).Accepted(); got != want {
			t.Errorf("after %s the old one is accepted: %t", at, got)
		}
	}
}

func TestWhatAManifestOwnsIsChangedThere(t *testing.T) {
	h := newHouse(t)
	text := "API key ci-manages comes from a manifest: change it where that is kept (team/ci-manages)"
	never := func() (*apikeys.Change, error) { panic("nobody reads what can't be done anyway") }
	_, err := h.Change(ctx, h.admin(), ci, "uid-of-ci-manages", never)
	want(t, err, apikeys.Conflict, text)
	_, err = h.Revoke(ctx, h.admin(), ci, "uid-of-ci-manages")
	want(t, err, apikeys.Conflict, text)
	want(t, h.Delete(ctx, h.admin(), ci, "uid-of-ci-manages"), apikeys.Conflict, text)
	if h.Writes() != 0 {
		t.Error("something was written")
	}
	issued, err := h.Rotate(ctx, h.admin(), ci, "uid-of-ci-manages")
	if err != nil || issued.Token != "" || *issued.Secret != (apikeys.Ref{Namespace: "team", Name: "ci-manages-api-key"}) || issued.Source != apikeys.FromManifest {
		t.Errorf("%+v %v", issued, err)
	}
	keys, err := h.Keys(ctx, ci)
	if err != nil || keys[0].Annotations[v1alpha1.AnnotationRotate] == "" {
		t.Error("nobody is asked to rotate it")
	}
	// Who may not learns nothing of it.
	_, err = h.Change(ctx, h.by(bobKey), ci, "uid-of-ci-manages", never)
	want(t, err, apikeys.Forbidden, apikeys.NotPermitted)
}

func TestARevokedKeyStaysOnRecord(t *testing.T) {
	h := newHouse(t)
	issued := h.create(t, ci, apikeys.Wanted{Scopes: []string{"certs.read"}})
	for range 2 {
		k, err := h.Revoke(ctx, h.admin(), ci, issued.ID)
		if err != nil || !k.Revoked || k.Active || k.Reason != "revoked" {
			t.Fatalf("%+v %v", k, err)
		}
	}
	if h.Verifier.Verify(issued.Token, h.Time()).Accepted() {
		t.Error("it is accepted")
	}
	const text = "API key Some key is revoked, and stays so: create another"
	_, err := h.Rotate(ctx, h.admin(), ci, issued.ID)
	want(t, err, apikeys.Conflict, text)
	_, err = h.Change(ctx, h.admin(), ci, issued.ID, given(apikeys.Change{Enabled: ptr(true)}))
	want(t, err, apikeys.Conflict, text)
	if k, err := h.Change(ctx, h.admin(), ci, issued.ID, given(apikeys.Change{Description: ptr("Leaked.")})); err != nil || !k.Revoked {
		t.Error(k, err)
	}
	if err := h.Delete(ctx, h.admin(), ci, issued.ID); err != nil {
		t.Error(err)
	}
	_, err = h.Get(ctx, h.admin(), ci, issued.ID)
	want(t, err, apikeys.NotFound, "API key not found")
}

func TestTheLastUse(t *testing.T) {
	h := newHouse(t)
	id := h.create(t, ci, apikeys.Wanted{}).ID
	exact, coarse := h.Time().Add(90*time.Minute), h.Time().Add(time.Hour)
	for name, c := range map[string]struct {
		status *time.Time
		known  map[string]lastuse.Use
		want   *time.Time
		from   string
	}{
		"never":          {nil, nil, nil, ""},
		"to the hour":    {&coarse, nil, &coarse, ""},
		"exactly":        {&coarse, map[string]lastuse.Use{id: {UID: id, At: exact, From: "192.0.2.1"}}, &exact, "192.0.2.1"},
		"by another":     {&exact, map[string]lastuse.Use{id: {UID: id, At: coarse, From: "192.0.2.1"}}, &exact, ""},
		"of another key": {nil, map[string]lastuse.Use{"x": {UID: "x", At: exact}}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			keys, _ := h.Keys(ctx, v1alpha1.Subject{Kind: v1alpha1.SubjectAccount})
			i := slices.IndexFunc(keys, func(k v1alpha1.APIKey) bool { return string(k.UID) == id })
			keys[i].Status.LastUsedTime = nil
			if c.status != nil {
				keys[i].Status.LastUsedTime = ptr(metav1.NewTime(*c.status))
			}
			h.Put(&keys[i])
			h.Uses.Known = c.known
			k, err := h.Get(ctx, h.admin(), ci, id)
			if err != nil || (k.LastUsedAt == nil) != (c.want == nil) || c.want != nil && !k.LastUsedAt.Equal(*c.want) || k.LastUsedFrom != c.from {
				t.Errorf("%+v %v", k, err)
			}
		})
	}
}

func TestFailures(t *testing.T) {
	calls := map[string]func(*house, string) error{
		"Keys": func(h *house, _ string) error { _, err := h.List(ctx, h.admin(), ci, apikeys.Query{}); return err },
		"Create": func(h *house, _ string) error {
			_, err := h.Create(ctx, h.admin(), ci, given(apikeys.Wanted{Name: "a"}))
			return err
		},
		"Roles": func(h *house, _ string) error {
			_, err := h.Create(ctx, h.admin(), ci, given(apikeys.Wanted{Name: "a", Roles: []string{"reader"}}))
			return err
		},
		"Change": func(h *house, id string) error {
			_, err := h.Change(ctx, h.admin(), ci, id, given(apikeys.Change{Name: ptr("a")}))
			return err
		},
		"Record": func(h *house, id string) error { _, err := h.Rotate(ctx, h.admin(), ci, id); return err },
		"Delete": func(h *house, id string) error { return h.Delete(ctx, h.admin(), ci, id) },
	}
	for call, do := range calls {
		for name, c := range map[string]struct {
			err  error
			kind apikeys.Kind
			text string
		}{
			"away":       {fmt.Errorf("list: %w: connection refused", registry.ErrUnavailable), apikeys.Unavailable, "The API server is unavailable"},
			"gone":       {registry.ErrGone, apikeys.NotFound, "API key not found"},
			"there":      {registry.ErrExists, apikeys.Conflict, "there is an API key of that name already"},
			"invalid":    {&registry.Invalid{Field: "spec.policy.permissions[0].effect", Problem: "must be ALLOW or DENY"}, apikeys.Invalid, "policy.permissions[0].effect: must be ALLOW or DENY"},
			"unexpected": {errors.New("something odd"), apikeys.Failed, "internal error"},
		} {
			if call == "Keys" && name == "invalid" {
				continue // nothing is written, so nothing is invalid
			}
			t.Run(call+" "+name, func(t *testing.T) {
				h := newHouse(t)
				id := h.create(t, ci, apikeys.Wanted{}).ID
				h.Fail = func(what string) error {
					if what == call {
						return c.err
					}
					return nil
				}
				want(t, do(h, id), c.kind, c.text)
			})
		}
	}
	h := newHouse(t)
	h.Uses.Err = errors.New("the database is away")
	_, err := h.List(ctx, h.admin(), ci, apikeys.Query{})
	want(t, err, apikeys.Unavailable, "The database is unavailable")
	// A key that was made is told all the same: nobody else has it.
	if issued, err := h.Create(ctx, h.admin(), ci, given(apikeys.Wanted{Name: "a"})); err != nil || issued.Token == "" {
		t.Error(err)
	} else if issued, err := h.Rotate(ctx, h.admin(), ci, issued.ID); err != nil || issued.Token == "" {
		t.Error(err)
	}
}

func TestFieldsAreNamedAsCallersKnowThem(t *testing.T) {
	for path, name := range map[string]string{
		"spec.displayName": "name", "spec.expiresAt": "expires_at", "spec.ttl": "expires_in_seconds", "spec.scopes[3]": "scopes[3]",
		"spec.subject.name": "account", "spec.subject": "account", "spec.description": "description", "metadata.name": "metadata.name", "": "",
	} {
		h := newHouse(t)
		h.Fail = func(string) error { return &registry.Invalid{Field: path, Problem: "is wrong"} }
		_, err := h.Create(ctx, h.admin(), ci, given(apikeys.Wanted{Name: "a"}))
		var why *apikeys.Error
		if !errors.As(err, &why) || why.Field != name {
			t.Errorf("%q is told as %+v", path, why)
		}
	}
}

func TestEveryActionLeavesWord(t *testing.T) {
	h := newHouse(t)
	issued := h.create(t, ci, apikeys.Wanted{Name: "CI"})
	id := issued.ID
	_, _ = h.Change(ctx, h.admin(), ci, id, given(apikeys.Change{Enabled: ptr(false), Name: ptr("CI")}))
	next, _ := h.Rotate(ctx, h.admin(), ci, id)
	_, _ = h.Revoke(ctx, h.admin(), ci, id)
	_ = h.Delete(ctx, h.admin(), ci, id)
	_, _ = h.Create(ctx, h.by(bobKey), ci, given(apikeys.Wanted{Name: "CI"}))
	_ = h.Delete(ctx, h.admin(), ci, "uid-of-ci-manages")
	_ = h.Delete(ctx, h.admin(), ci, "no such id")
	_ = h.Delete(ctx, nobody(), ci, id)
	h.Fail = func(string) error { return registry.ErrUnavailable }
	_, _ = h.Create(ctx, h.admin(), ci, given(apikeys.Wanted{Name: "CI"}))
	_, _ = h.List(ctx, h.admin(), ci, apikeys.Query{})
	var said []string
	for _, e := range h.Trail.Entries() {
		if e.At != h.Time() || e.From != "192.0.2.7" || e.KeyID == "" {
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
		"User/alice | key.delete | APIKey/team/ci-manages | refused | Account/ci: API key ci-manages comes from a manifest: change it where that is kept (team/ci-manages)",
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
	if !slices.Equal(h.Events(), events) {
		t.Errorf("events %q", h.Events())
	}
	if audit.Done != "done" || next == nil {
		t.Error("nothing was rotated")
	}
	// Nothing that is kept or logged has a key.
	kept := fmt.Sprintf("%+v %v %#v %s %+v", h.Trail.Entries(), issued, issued, issued, *issued) + strings.Join(h.Events(), " ") + h.Log.String()
	slog.New(slog.NewTextHandler(h.Log, nil)).Info("told", "issued", issued)
	for _, secret := range []string{issued.Token, next.Token} {
		if strings.Contains(kept+h.Log.String(), secret) {
			t.Error("a key is there to be read")
		}
	}
}

func TestTheCatalog(t *testing.T) {
	h := newHouse(t)
	c, err := h.Catalog(ctx, h.named("bob"))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.Actions, []string{
		"apikeys.read", "apikeys.write", "audit.read", "certs.export", "certs.read", "keys.introspect", "usage.read", "usage.write", "users.read", "users.write",
	}) || !slices.Equal(c.Scopes, c.Actions) {
		t.Errorf("%q %q", c.Actions, c.Scopes)
	}
	h.PutRole(&v1alpha1.AccessRole{ObjectMeta: metav1.ObjectMeta{Name: "a-role"}, Spec: v1alpha1.AccessRoleSpec{Permissions: []v1alpha1.Permission{
		{Effect: v1alpha1.EffectAllow, Actions: []v1alpha1.Action{"dashboard:View", "*"}, Resources: []v1alpha1.Resource{"*"}},
		{Effect: v1alpha1.EffectDeny, Actions: []v1alpha1.Action{"dashboard:Burn"}, Resources: []v1alpha1.Resource{"*"}},
	}}})
	c, err = h.Catalog(ctx, h.admin())
	if err != nil || !slices.Contains(c.Scopes, "dashboard:View") || slices.Contains(c.Scopes, "*") || slices.Contains(c.Scopes, "dashboard:Burn") || slices.Contains(c.Actions, "dashboard:View") {
		t.Errorf("%+v %v", c, err)
	}
	var roles []string
	for _, r := range c.Roles {
		roles = append(roles, r.Name)
		if r.Permissions == nil {
			t.Errorf("%s has null for permissions", r.Name)
		}
	}
	if strings.Join(roles, ",") != "a-role,keyless,reader,short" || c.Roles[2].Description != "Reads certificates." || c.Roles[3].MaxTTL != time.Hour {
		t.Errorf("%+v", c.Roles)
	}
	_, err = h.Catalog(ctx, nobody())
	want(t, err, apikeys.Unauthorized, "invalid token")
	_, err = h.Catalog(ctx, h.by(bobReads))
	want(t, err, apikeys.Forbidden, apikeys.NotPermitted)
}
