package apikeys_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/lastuse"
	"keywright.dev/keywright/test/fakeobjects"
)

func TestList_RefusesBadSubjects(t *testing.T) {
	env := newEnv(t)
	odd := v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "bob@example.com"}
	_, err := env.List(ctx, env.admin(), odd, apikeys.Query{})
	if k, _ := kind(err); k != manage.Invalid {
		t.Error(err)
	}
	// A caller whom a proxy names so has no keys, and neither has the bootstrap admin.
	own := v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "admin"}
	if page, err := env.List(ctx, env.by(fakeobjects.BootstrapKey), own, apikeys.Query{}); err != nil ||
		page.Total != 0 || page.Items == nil {
		t.Errorf("%+v %v", page, err)
	}
}

func TestList_PagesNewestFirst(t *testing.T) {
	env := newEnv(t)
	for i := range 5 {
		env.create(t, lab, apikeys.Wanted{Name: fmt.Sprintf("CI %d", i)})
		if i != 2 {
			env.Pass(time.Second)
		}
	}
	env.create(t, lab, apikeys.Wanted{Name: "other"})
	names := func(q apikeys.Query) (all []string, page *apikeys.Page) {
		page, err := env.List(ctx, env.admin(), lab, q)
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
		"all":               {apikeys.Query{}, "other,CI 4,CI 2,CI 3,CI 1,CI 0", 6, false},
		"the first":         {apikeys.Query{Limit: 2}, "other,CI 4", 6, true},
		"the last":          {apikeys.Query{Offset: 4, Limit: 2}, "CI 1,CI 0", 6, false},
		"beyond":            {apikeys.Query{Offset: 40, Limit: 2}, "", 6, false},
		"by name":           {apikeys.Query{Name: "CI*", Limit: 1}, "CI 4", 5, true},
		"by one letter":     {apikeys.Query{Name: "CI ?"}, "CI 4,CI 2,CI 3,CI 1,CI 0", 5, false},
		"with its case":     {apikeys.Query{Name: "ci*"}, "", 0, false},
		"by its exact name": {apikeys.Query{Name: "other"}, "other", 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, page := names(c.query)
			if strings.Join(got, ",") != c.want || page.Total != c.total || page.More != c.more || page.Items == nil {
				t.Errorf("%q, %d in all, more: %t", got, page.Total, page.More)
			}
		})
	}
	// All pages together have each key once, even when one is deleted meanwhile.
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
		if err := env.Delete(ctx, env.admin(), lab, last.ID); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Join(all, ",") != "other,CI 4,CI 2,CI 3,CI 1,CI 0" {
		t.Errorf("%q", all)
	}
	for _, bad := range []string{"x", "!!", "MTIz"} {
		_, err := env.List(ctx, env.admin(), lab, apikeys.Query{After: bad})
		want(t, err, manage.Invalid, "cursor: is not the endCursor of a page")
	}
}

func TestList_OmitsDeletedKeys(t *testing.T) {
	env := newEnv(t)
	k := env.PutKey(
		"leaving", lab, "a-key-that-is-on-its-way-out",
		func(k *v1alpha1.APIKey) { k.DeletionTimestamp = ptr(metav1.NewTime(env.Time())) },
	)
	if page, err := env.List(ctx, env.admin(), lab, apikeys.Query{}); err != nil || page.Total != 0 {
		t.Errorf("%+v %v", page, err)
	}
	_, err := env.Get(ctx, env.admin(), lab, string(k.UID))
	want(t, err, manage.NotFound, "API key not found")
}

func TestGet_OnlyUnderOwnSubject(t *testing.T) {
	env := newEnv(t)
	id := env.create(t, ci, apikeys.Wanted{}).ID
	for _, subject := range []v1alpha1.Subject{
		bob, lab, {Kind: v1alpha1.SubjectAccount, Name: "other"}, {Kind: v1alpha1.SubjectUser, Name: "ci"},
	} {
		_, err := env.Get(ctx, env.admin(), subject, id)
		want(t, err, manage.NotFound, "API key not found")
	}
	if k, err := env.Get(ctx, env.admin(), v1alpha1.Subject{Kind: v1alpha1.SubjectAccount}, id); err != nil ||
		k.Subject != ci {
		t.Error(k, err)
	}
}

// One key is one read, whatever the number of keys of its subject. Only a key that the index does not have yet is
// looked for in the list.
func TestGet_ReadsOneObject(t *testing.T) {
	env := newEnv(t)
	var reads []string
	env.Fail = func(call string) error {
		reads = append(reads, call)
		return nil
	}
	readsOfGet := func() []string {
		t.Helper()
		reads = nil
		if k, err := env.Get(ctx, env.admin(), ci, "uid-of-ci-manages"); err != nil || k.ID != "uid-of-ci-manages" {
			t.Error(k, err)
		}
		return reads
	}
	if got := readsOfGet(); !slices.Contains(got, "Key") || slices.Contains(got, "Keys") {
		t.Error(got)
	}
	env.Index.Delete(verify.ID{Kind: "APIKey", Namespace: "team", Name: "ci-manages"})
	if got := readsOfGet(); !slices.Contains(got, "Keys") {
		t.Error(got)
	}
}

func TestLastUse_IsTheLater(t *testing.T) {
	env := newEnv(t)
	id := env.create(t, ci, apikeys.Wanted{}).ID
	exact, coarse := env.Time().Add(90*time.Minute), env.Time().Add(time.Hour)
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
			keys, _ := env.Keys(ctx, v1alpha1.Subject{Kind: v1alpha1.SubjectAccount})
			i := slices.IndexFunc(keys, func(k v1alpha1.APIKey) bool { return string(k.UID) == id })
			keys[i].Status.Usage.LastUsedAt = nil
			if c.status != nil {
				keys[i].Status.Usage.LastUsedAt = ptr(metav1.NewTime(*c.status))
			}
			env.Put(&keys[i])
			env.Uses.Known = c.known
			k, err := env.Get(ctx, env.admin(), ci, id)
			if err != nil || (k.LastUsedAt == nil) != (c.want == nil) || c.want != nil &&
				!k.LastUsedAt.Equal(*c.want) || k.LastUsedFrom != c.from {
				t.Errorf("%+v %v", k, err)
			}
		})
	}
}

func TestCatalog_ListsActionsScopesRoles(t *testing.T) {
	env := newEnv(t)
	c, err := env.Catalog(ctx, env.named("bob"))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.Actions, []string{
		"apikeys.read", "apikeys.renew-self", "apikeys.write", "audit.read", "certs.export", "certs.read", "keys.introspect",
		"usage.read", "usage.write", "users.read", "users.write",
	}) || !slices.Equal(c.Scopes, c.Actions) {
		t.Errorf("%q %q", c.Actions, c.Scopes)
	}
	role := &v1alpha1.AccessRole{ObjectMeta: metav1.ObjectMeta{Name: "a-role"}}
	role.Spec.Permissions = []v1alpha1.Permission{
		{
			Effect: v1alpha1.EffectAllow, Actions: []v1alpha1.Action{"dashboard:View", "*"},
			Resources: []v1alpha1.Resource{"*"},
		},
		{Effect: v1alpha1.EffectDeny, Actions: []v1alpha1.Action{"dashboard:Burn"}, Resources: []v1alpha1.Resource{"*"}},
	}
	env.PutRole(role)
	c, err = env.Catalog(ctx, env.admin())
	if err != nil || !slices.Contains(c.Scopes, "dashboard:View") || slices.Contains(c.Scopes, "*") ||
		slices.Contains(c.Scopes, "dashboard:Burn") || slices.Contains(c.Actions, "dashboard:View") {
		t.Errorf("%+v %v", c, err)
	}
	var roles []string
	for _, r := range c.Roles {
		roles = append(roles, r.Name)
		if r.Permissions == nil {
			t.Errorf("%s has null for permissions", r.Name)
		}
	}
	if strings.Join(roles, ",") != "a-role,keyless,reader,short" || c.Roles[2].Description != "Reads certificates." ||
		c.Roles[3].MaxTTL != time.Hour {
		t.Errorf("%+v", c.Roles)
	}
	_, err = env.Catalog(ctx, anonymous())
	want(t, err, manage.Unauthorized, "invalid token")
	_, err = env.Catalog(ctx, env.by(bobReads))
	want(t, err, manage.Forbidden, apikeys.NotPermitted)
}
