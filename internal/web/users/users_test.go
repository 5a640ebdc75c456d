package users_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/claims"
	"keywright.dev/keywright/internal/manage/lastuse"
	"keywright.dev/keywright/internal/manage/loginthrottle"
	"keywright.dev/keywright/internal/manage/seenusers"
	"keywright.dev/keywright/internal/manage/users"
	web "keywright.dev/keywright/internal/web/users"
	"keywright.dev/keywright/test/fakeobjects"
	"keywright.dev/keywright/test/pagekit"
)

const (
	danaKey = "the-key-of-dana-another-admin"
	bobKey  = "a-key-of-bob-that-manages-keys"
	script  = `"><script>alert(1)</script>`
	// oddPath is the page of a seen user whose name has a script and a slash.
	oddPath = "/users/%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E%2Fx"
)

// memory has seen users, and ends no sessions.
type memory struct {
	seen []seenusers.User
	err  error
}

func (m *memory) All(context.Context) ([]seenusers.User, error) { return slices.Clone(m.seen), m.err }
func (m *memory) Find(_ context.Context, name string) (*seenusers.User, error) {
	for i := range m.seen {
		if m.seen[i].Username == name {
			return &m.seen[i], m.err
		}
	}
	return nil, m.err
}
func (m *memory) Remove(_ context.Context, name string) (bool, error) {
	before := len(m.seen)
	m.seen = slices.DeleteFunc(m.seen, func(u seenusers.User) bool { return u.Username == name })
	return len(m.seen) < before, m.err
}
func (*memory) EndForUser(context.Context, string) error { return nil }
func (*memory) Turn(ctx context.Context, _ string, do func(context.Context) error) error {
	return do(ctx)
}

// newSite has the admins alice, dana and git, which is from a manifest; the plain user paul; and two seen users.
func newSite(t *testing.T) (*pagekit.Site, *memory) {
	t.Helper()
	f := fakeobjects.NewFixture(t)
	put := func(name, key string, change func(*v1alpha1.AdminUser)) {
		u := v1alpha1.AdminUser{Spec: v1alpha1.AdminUserSpec{Username: name, Delivery: v1alpha1.DeliveryResponse}}
		u.Labels = map[string]string{v1alpha1.LabelCreatedBy: v1alpha1.CreatedByAPI}
		if change != nil {
			change(&u)
		}
		f.PutUser(u, key)
	}
	f.Index.Delete(verify.ID{Kind: "AdminUser", Namespace: fakeobjects.Namespace, Name: "alice"})
	put("alice", fakeobjects.AliceKey, nil)
	put("dana", danaKey, nil)
	put("git", "the-key-of-an-admin-in-git", func(u *v1alpha1.AdminUser) {
		u.Labels, u.Spec.Delivery = nil, v1alpha1.DeliverySecret
	})
	put("paul", "", func(u *v1alpha1.AdminUser) { u.Spec.Role = v1alpha1.RoleUser })
	f.PutKey("bobs", v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "bob"}, bobKey, func(k *v1alpha1.APIKey) {
		k.Spec.Scopes = []v1alpha1.Scope{"apikeys.read", "apikeys.write"}
	})
	dana := v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "dana"}
	f.PutKey("danas", dana, "an-api-key-of-dana-the-admin", func(k *v1alpha1.APIKey) {
		k.Status.Owner = &v1alpha1.KeyOwner{ID: f.AdminUser("dana").UserID()}
	})
	m := &memory{seen: []seenusers.User{
		{ID: 1, Username: "sam", FirstSeen: f.Time().Add(-time.Hour), LastSeen: f.Time()},
		{ID: 2, Username: script + "/x", FirstSeen: f.Time().Add(-time.Hour), LastSeen: f.Time()},
	}}
	everyone := users.New(users.Config{
		Gate: f.Gate, Verifier: f.Verifier, Store: f.Store, Seen: m, Uses: f.Uses, Sessions: m, Trail: f.Trail,
		Entries: f.Trail, Turns: m, Now: f.Time, Log: f.Logger(),
	})
	keys := apikeys.New(apikeys.Config{
		Gate: f.Gate, Verifier: f.Verifier, Store: f.Store, Uses: f.Uses, Trail: f.Trail, Entries: f.Trail,
		Account: func() string { return "default" }, Actions: func() []string { return nil }, Now: f.Time, Log: f.Logger(),
	})
	links := claims.New(claims.Config{
		Gate: f.Gate, Verifier: f.Verifier, Users: everyone, Keys: keys, Store: &fakeobjects.Links{}, Objects: f.Store,
		Throttle: loginthrottle.New(), Trail: f.Trail, Now: f.Time, Log: f.Logger(),
	})
	return pagekit.New(f, web.New(everyone, keys, links)), m
}

// names returns the users that a list shows.
func names(r *pagekit.Reply) string {
	var all []string
	for _, n := range r.Find(`tbody th`).EachIter() {
		all = append(all, n.Text())
	}
	return strings.Join(all, " ")
}

func TestList_FiltersAndSortsByAddress(t *testing.T) {
	site, _ := newSite(t)
	for query, want := range map[string]string{
		"?role=admin&sort=name":          "alice dana git",
		"?role=admin&sort=-name":         "git dana alice",
		"?search=A&source=api&sort=name": "alice dana paul",
		"?source=manifest":               "git",
		"?source=seen&search=sam":        "sam",
		"?state=disabled":                "",
		"?state=enabled&search=PAU":      "paul",
		"?search=" + script:              script + "/x",
	} {
		r := site.Get(t, pagekit.Alice, "/users"+strings.ReplaceAll(strings.ReplaceAll(query, `"`, "%22"), " ", "+"))
		if got := names(r); r.Code != 200 || got != want {
			t.Errorf("%s: %d %q, want %q", query, r.Code, got, want)
		}
		if r.Find("main script").Length() > 0 {
			t.Error("a name became markup")
		}
	}
	r := site.Get(t, pagekit.Alice, "/users?search=zz&role=admin&state=enabled&source=api")
	r.Has(t, 200, "No user matches")
	if r.Value("search") != "zz" || r.Find("select#role option[selected]").Text() != "admin" {
		t.Error("the filters are gone")
	}
	r = site.Get(t, pagekit.Alice, "/users?sort=name&role=admin")
	if r.Find(`th[aria-sort="ascending"] a`).AttrOr("href", "") != "/users?role=admin&sort=-name" {
		t.Error(r.Body)
	}
	for _, name := range []string{"role", "state", "sort", "source"} {
		site.Get(t, pagekit.Alice, "/users?"+name+"=x").Has(t, 400, name+": must be")
	}
}

func TestList_HasPages(t *testing.T) {
	site, m := newSite(t)
	for i := range 120 {
		m.seen = append(m.seen, seenusers.User{ID: int64(i + 10), Username: fmt.Sprintf("many-%03d", i)})
	}
	r := site.Get(t, pagekit.Alice, "/users?search=many&sort=name")
	r.Has(t, 200, "1–50 of 120 users")
	next := r.Find(`a[rel="next"]`).AttrOr("href", "")
	if next != "/users?offset=50&search=many&sort=name" || r.Find(`a[rel="prev"]`).Length() != 0 {
		t.Error(next)
	}
	r = site.Get(t, pagekit.Alice, "/users?offset=100&search=many&sort=name")
	r.Has(t, 200, "101–120 of 120 users", "many-119")
	if r.Find(`a[rel="next"]`).Length() != 0 || r.Find(`a[rel="prev"]`).AttrOr("href", "") != next {
		t.Error(r.Body)
	}
	for _, offset := range []string{"9999", "-1", "x", "99999999999999999999"} {
		if r := site.Get(t, pagekit.Alice, "/users?search=many&offset="+offset); r.Code != 200 {
			t.Errorf("%s: %d", offset, r.Code)
		}
	}
}

func TestUsers_AreForAdmins(t *testing.T) {
	site, _ := newSite(t)
	for _, path := range []string{"/users", "/users/dana", "/users/dana/delete"} {
		site.Get(t, pagekit.WithKey(bobKey), path).Has(t, 403, "Admin access required")
		site.Get(t, pagekit.Named("bob"), path).Has(t, 403, "Admin access required")
		if r := site.Get(t, pagekit.Anonymous, path); r.Code != 303 {
			t.Errorf("%s: %d", path, r.Code)
		}
	}
	site.Post(t, pagekit.WithKey(bobKey), "/users", "username", "eve").Has(t, 403, "Admin access required")
	site.Post(t, pagekit.WithKey(bobKey), "/users/dana/delete", "confirm", "dana").Has(t, 403, "Admin access required")
	if site.AdminUser("dana") == nil || site.AdminUser("eve") != nil {
		t.Error("a caller without the right changed users")
	}
}

func TestCreate_ShowsKeyOnce(t *testing.T) {
	site, _ := newSite(t)
	r := site.Post(t, pagekit.Alice, "/users", "username", " New.One ")
	r.Has(t, 200, "Created New.One", "Save this key now")
	if key := r.Find("code.secret").Text(); !site.May(key, "users.write", "*") {
		t.Error("the key is not accepted")
	}
	for name, c := range map[string]struct {
		typed  string
		status int
		text   string
	}{
		"taken":    {"dana", 409, "User 'dana' already exists"},
		"seen":     {"sam", 409, "change its role instead"},
		"empty":    {"", 400, "Username is required"},
		"reserved": {"Admin", 400, "Username 'admin' is reserved"},
		"a script": {script, 400, "Invalid username"},
		"twice":    {"New.One", 409, "User 'New.One' already exists"},
	} {
		t.Run(name, func(t *testing.T) {
			r := site.Post(t, pagekit.Alice, "/users", "username", c.typed)
			r.Has(t, c.status, c.text)
			if r.Value("username") != c.typed || r.Find("details[open]").Length() != 1 ||
				!strings.Contains(r.Find("#username").AttrOr("aria-describedby", ""), "username-error") {
				t.Error(r.Body)
			}
		})
	}
}

func TestCreate_ShowsManifestAndCreatesNothing(t *testing.T) {
	s, _ := newSite(t)
	r := s.Post(t, pagekit.Alice, "/users", "username", " zoe ", "as", "yaml")
	r.Has(t, 200, "Nothing was created", "kind: AdminUser", "name: zoe")
	if r.Value("username") != "zoe" || s.AdminUser("zoe") != nil {
		t.Error(r.Value("username"), s.AdminUser("zoe"))
	}
	s.Post(t, pagekit.Alice, "/users", "username", "admin", "as", "yaml").Has(t, 400, "Username 'admin' is reserved")
}

func TestCreate_ShowsClaimLinkInPlaceOfKey(t *testing.T) {
	site, _ := newSite(t)
	r := site.Post(t, pagekit.Alice, "/users", "username", "New.One", "as", "link")
	r.Has(t, 200, "Claim link", "New.One")
	if !strings.Contains(r.Body.String(), "/claim#") || strings.Contains(r.Body.String(), "ak_") {
		t.Error(r.Body)
	}
	site.Get(t, pagekit.Alice, "/users/New.One").Has(t, 200, "New.One")
	for typed, text := range map[string]string{
		"": "Username is required", "dana": "already exists", script: "Invalid username",
	} {
		r := site.Post(t, pagekit.Alice, "/users", "username", typed, "as", "link")
		r.Has(t, r.Code, text)
		if r.Code < 400 || r.Value("username") != typed {
			t.Errorf("%q: %d", typed, r.Code)
		}
	}
	site.Post(t, pagekit.WithKey(bobKey), "/users", "username", "eve", "as", "link").Has(t, 403)
}

func TestUser_ShowsFacts(t *testing.T) {
	site, _ := newSite(t)
	day := site.Time()
	site.Uses.Addresses = map[string][]lastuse.AddressUse{
		string(site.AdminUser("dana").UID): {{Day: day, Address: "192.0.2.8", First: day, Last: day}},
	}
	r := site.Get(t, pagekit.Alice, "/users/dana")
	r.Has(t, 200, "dana", "admin", "danas", "192.0.2.8", "No entry about this user")
	if r.Find(`a[href="/keys/uid-of-danas"]`).Length() != 1 {
		t.Error("the keys of the user are missing")
	}
	r = site.Get(t, pagekit.Alice, oddPath)
	r.Has(t, 200, script, "A name that was seen", "Make admin", "Forget")
	if r.Find("main script").Length() > 0 {
		t.Error("a name became markup")
	}
	site.Get(t, pagekit.Alice, "/users/git").
		Has(t, 200, "It comes from a manifest", "change AdminUser keywright-system/git", "kind: AdminUser",
			`kubectl patch adminuser git -n keywright-system --field-manager=keywright-incident --type merge -p '{"spec":{"state":"Disabled"}}'`)
	for _, path := range []string{"/users/unknown", "/users/DANA", "/users/dana/unknown"} {
		if r := site.Get(t, pagekit.Alice, path); r.Code != 404 {
			t.Errorf("%s: %d", path, r.Code)
		}
	}
}

// Each change of a user is shown as Git and kubectl make it, except where neither can: a key that only a reply carries,
// and a name that no AdminUser can have.
func TestUser_ChangesAreShownAsYAML(t *testing.T) {
	site, _ := newSite(t)
	for _, c := range []struct{ path, action, yaml, command string }{
		{"/users/dana", "demote", "role: user", `'{"spec":{"role":"user"}}'`},
		{"/users/dana", "disable", "state: Disabled", `'{"spec":{"state":"Disabled"}}'`},
		{"/users/dana", "delete", "", "kubectl delete adminuser dana -n keywright-system"},
		{"/users/dana", "rotate", "", ""},
		{"/users/git", "rotate", "after:", "kubectl annotate adminuser git -n keywright-system "},
		{"/users/sam", "promote", "name: sam", ""},
		{oddPath, "promote", "", ""},
		{oddPath, "forget", "", ""},
	} {
		r := site.Get(t, pagekit.Alice, c.path+"/"+c.action)
		yaml, command := r.Find("#page-yaml").Text(), r.Find("#page-command").Text()
		if r.Code != 200 || !strings.Contains(yaml, c.yaml) || !strings.Contains(command, c.command) ||
			(c.yaml == "") != (yaml == "") || (c.command == "") != (command == "") {
			t.Errorf("%s %s: %d\n%s\n%s", c.path, c.action, r.Code, yaml, command)
		}
	}
}

// The page of a plain user names the AccessRoles that are bound to the name.
func TestUser_ShowsAccessRoles(t *testing.T) {
	site, _ := newSite(t)
	const none = "none is bound to this name, so API keys of the user may do nothing"
	site.Get(t, pagekit.Alice, "/users/sam").Has(t, 200, "API keysnone", "AccessRoles"+none)
	site.Bind("reader", "Sam", v1alpha1.KeysAllowed)
	site.Bind("short", "sam", v1alpha1.KeysAllowed)
	r := site.Get(t, pagekit.Alice, "/users/sam")
	r.Has(t, 200, "AccessRolesreadershort")
	if strings.Contains(r.Main(), none) {
		t.Error(r.Main())
	}
	if r := site.Get(t, pagekit.Alice, "/users/dana"); strings.Contains(r.Main(), "AccessRoles") {
		t.Error("the page of an admin says that no role is bound: ", r.Main())
	}
	site.Get(t, pagekit.Alice, "/users/dana").Has(t, 200, "API keys1 key, which ends if the user is deleted")
}

// What is known not to be possible says so, in the words of the use case, which refuses it as well.
func TestUser_GuardsAreShownAndHold(t *testing.T) {
	site, _ := newSite(t)
	site.Get(t, pagekit.Alice, "/users/alice").Has(t, 200, "Cannot change your own role",
		"Cannot disable your own account", "Cannot delete your own account")
	for action, text := range map[string]string{
		"demote": "Cannot change your own role", "disable": "Cannot disable your own account",
		"delete": "Cannot delete your own account",
	} {
		site.Post(t, pagekit.Alice, "/users/alice/"+action).Has(t, 400, text)
		site.Post(t, pagekit.Alice, "/users/git/"+action, "confirm", "git").Has(t, 409, "comes from a manifest")
	}
	site.Post(t, pagekit.Alice, "/users/dana/delete", "confirm", "dana").Leads(t, "/users")
	site.Post(t, pagekit.Bootstrap, "/users/alice/delete", "confirm", "alice").Leads(t, "/users")
	site.Get(t, pagekit.Bootstrap, "/users/git").Has(t, 200, "This is the last active admin, who stays")
	site.Post(t, pagekit.Bootstrap, "/users/new", "username", "x").Has(t, 405)
}

func TestUser_ChangesByForm(t *testing.T) {
	site, m := newSite(t)
	r := site.Post(t, pagekit.Alice, "/users/dana/rotate", "shown", shownBy(t, site, "/users/dana"))
	r.Has(t, 200, "Rotated the key of dana", "Save this key now")
	if key := r.Find("code.secret").Text(); !site.May(key, "users.write", "*") || site.May(danaKey, "users.write", "*") {
		t.Error("the old key is accepted, or the new one is not")
	}
	// The same form, sent twice, rotates once.
	site.Post(t, pagekit.Alice, "/users/dana/rotate", "shown", "0123456789abcdef").Has(t, 409, "was rotated")
	site.Post(t, pagekit.Alice, "/users/git/rotate").Leads(t, "/users/git")
	site.Post(t, pagekit.Alice, "/users/dana/disable", "reason", "on leave").Leads(t, "/users/dana")
	site.Get(t, pagekit.Alice, "/users/dana").Has(t, 200, "disabled", "on leave", "user.disable")
	site.Post(t, pagekit.Alice, "/users/dana/enable").Leads(t, "/users/dana")
	site.Post(t, pagekit.Alice, "/users/dana/demote").Leads(t, "/users/dana")
	site.Post(t, pagekit.Alice, "/users/dana/demote").Has(t, 400, "already has role 'user'")
	site.Get(t, pagekit.Alice, "/users/dana").Has(t, 200, "A plain user without an admin key")
	site.Post(t, pagekit.Alice, "/users/dana/promote").Has(t, 200, "Made an admin of dana", "Save this key now")
	site.Post(t, pagekit.Alice, "/users/sam/promote").Has(t, 200, "Made an admin of sam")

	site.Get(t, pagekit.Alice, "/users/dana/delete").Has(t, 200, "Type dana to confirm", "1 API key of the user")
	r = site.Post(t, pagekit.Alice, "/users/dana/delete", "confirm", "Dana", "reason", script)
	r.Has(t, 400, "Type dana exactly as it is written")
	if r.Value("confirm") != "Dana" || r.Value("reason") != script {
		t.Error("what was typed is gone")
	}
	site.Post(t, pagekit.Alice, "/users/dana/delete", "confirm", "dana").Leads(t, "/users")
	site.Post(t, pagekit.Alice, "/users/paul/forget", "confirm", "paul").Leads(t, "/users")
	site.Post(t, pagekit.Alice, oddPath+"/forget", "confirm", script+"/x").Leads(t, "/users")
	if site.AdminUser("dana") != nil || site.AdminUser("paul") != nil || len(m.seen) != 1 {
		t.Errorf("not all are gone: %+v", m.seen)
	}
}

// shownBy returns the id of the current key that the page of a user showed.
func shownBy(t *testing.T, site *pagekit.Site, path string) string {
	t.Helper()
	id := site.Get(t, pagekit.Alice, path).Value("shown")
	if len(id) != 16 {
		t.Errorf("the page shows no key id: %q", id)
	}
	return id
}

func TestList_LinksToNoPageThatBrowsersResolveElsewhere(t *testing.T) {
	site, m := newSite(t)
	for _, name := range []string{".", "..", "../x"} {
		m.seen = append(m.seen, seenusers.User{Username: name, FirstSeen: site.Time(), LastSeen: site.Time()})
	}
	reply := site.Get(t, pagekit.Alice, "/users?source=seen")
	links := map[string]string{}
	reply.Find("tbody th").Each(func(_ int, cell *goquery.Selection) {
		links[cell.Text()] = cell.Find("a").AttrOr("href", "none")
	})
	for name, want := range map[string]string{".": "none", "..": "none", "../x": "/users/..%2Fx", "sam": "/users/sam"} {
		if links[name] != want {
			t.Errorf("%s: %q", name, links[name])
		}
	}
}
