package keys_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/lastuse"
	"keywright.dev/keywright/internal/web/keys"
	"keywright.dev/keywright/test/fakeobjects"
	"keywright.dev/keywright/test/pagekit"
)

const (
	bobKey  = "a-key-of-bob-that-manages-keys"
	ciKey   = "a-key-of-a-program-for-the-tests"
	madeKey = "a-key-that-the-api-has-created"
	script  = `"><script>alert(1)</script>`
)

var errAway = errors.New("away")

var (
	bob = v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "bob"}
	ci  = v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"}

	asBob = pagekit.WithKey(bobKey)
)

// newSite has a key of bob, ci's key from a manifest, and one that the API created, with script in every text.
func newSite(t *testing.T) *pagekit.Site {
	t.Helper()
	f := fakeobjects.NewFixture(t)
	f.PutKey("bobs", bob, bobKey, func(k *v1alpha1.APIKey) {
		k.Spec.Scopes = []v1alpha1.Scope{"certs.read", "apikeys.read", "apikeys.write"}
	})
	f.PutKey("git", ci, ciKey, func(k *v1alpha1.APIKey) { k.Spec.Roles = []v1alpha1.RoleName{"reader", "none"} })
	f.PutKey("made", ci, madeKey, func(k *v1alpha1.APIKey) {
		k.Labels = map[string]string{v1alpha1.LabelCreatedBy: v1alpha1.CreatedByAPI}
		k.Spec.Delivery, k.Spec.DisplayName, k.Spec.Description = v1alpha1.DeliveryResponse, script, script
		k.Spec.Scopes = []v1alpha1.Scope{"certs.read"}
	})
	service := apikeys.New(apikeys.Config{
		Gate: f.Gate, Verifier: f.Verifier, Store: f.Store, Uses: f.Uses, Trail: f.Trail, Entries: f.Trail,
		Account: func() string { return "default" }, Actions: func() []string { return nil }, Now: f.Time, Log: f.Logger(),
	})
	return pagekit.New(f, keys.Page(service))
}

const (
	made = "/keys/uid-of-made"
	git  = "/keys/uid-of-git"
	bobs = "/keys/uid-of-bobs"
)

func TestKey_ShowsFacts(t *testing.T) {
	site := newSite(t)
	day := site.Time()
	site.Uses.Addresses = map[string][]lastuse.AddressUse{"uid-of-made": {
		{Day: day, Address: "2001:db8::1", First: day, Last: day.Add(time.Hour)}, {Day: day, First: day, Last: day},
		{Day: day, Others: true, First: day, Last: day},
	}}
	r := site.Get(t, pagekit.Alice, made)
	r.Has(t, 200, script, "active", "Requests with this key are accepted", "Account/ci", "scope certs.read",
		"2030-01-01", "2001:db8::1", "unknown", "and others", "sampled, not counted", "No entry about this key")
	if r.Find("main script").Length() > 0 || r.Find("[style]").Length() > 0 {
		t.Error("a text of the key became markup")
	}
	for _, action := range []string{"rotate", "disable", "revoke", "delete"} {
		if r.Find(`a[href="`+made+"/"+action+`"][data-dialog="#do-`+action+`"]`).Length() != 1 ||
			r.Find(`dialog#do-`+action+` form[action="`+made+"/"+action+`"]`).Length() != 1 {
			t.Errorf("%s is not offered", action)
		}
	}
}

func TestKey_OfManifestShowsPatch(t *testing.T) {
	site := newSite(t)
	r := site.Get(t, pagekit.Alice, git)
	r.Has(t, 200, "This key comes from a manifest: team/git", "role missing", "These roles do not exist: none",
		`kubectl patch apikey git -n team --field-manager=keywright-incident --type merge -p '{"spec":{"state":"Disabled"}}'`,
		`kubectl patch apikey git -n team --field-manager=keywright-incident --type merge -p '{"spec":{"state":"Revoked"}}'`, "Secret team/git-api-key",
		"kind: APIKey", "roles: - reader - none")
	if got := r.Find(`button[aria-disabled="true"]`).Length(); got != 3 {
		t.Errorf("%d actions are not possible, want 3", got)
	}
}

// Each change of a key is shown as Git and kubectl make it, except the rotation of a key that only a reply carries.
func TestKey_ChangesAreShownAsYAML(t *testing.T) {
	site := newSite(t)
	for _, c := range []struct{ path, action, yaml, command string }{
		{made, "disable", "state: Disabled", `'{"spec":{"state":"Disabled"}}'`},
		{made, "revoke", "state: Revoked", `'{"spec":{"state":"Revoked"}}'`},
		{made, "delete", "", "kubectl delete apikey made -n team"},
		{made, "rotate", "", ""},
		{git, "rotate", "after:", "kubectl annotate apikey git -n team --field-manager=keywright-incident "},
		{git, "delete", "", "kubectl delete apikey git -n team"},
	} {
		r := site.Get(t, pagekit.Alice, c.path+"/"+c.action)
		yaml, command := r.Find("#page-yaml").Text(), r.Find("#page-command").Text()
		if r.Code != 200 || !strings.Contains(yaml, c.yaml) || !strings.Contains(command, c.command) ||
			(c.yaml == "") != (yaml == "") || (c.command == "") != (command == "") {
			t.Errorf("%s %s: %d\n%s\n%s", c.path, c.action, r.Code, yaml, command)
		}
	}
}

// A person sees their own key with its ceiling, and not that others exist.
func TestKey_OfOtherSubjectIsNotFound(t *testing.T) {
	site := newSite(t)
	site.Get(t, asBob, bobs).
		Has(t, 200, "It may do no more than its user bob, who holds:", "permission 1 of AccessRole reader")
	for _, path := range []string{made, git, "/keys/unknown", "/keys/" + strings.Repeat("x", 999), made + "/rotate"} {
		site.Get(t, asBob, path).Has(t, 404, "API key not found")
	}
	site.Post(t, asBob, made+"/delete", "confirm", script).Has(t, 404, "API key not found")
	site.Get(t, pagekit.Alice, made).Has(t, 200, "active")
	site.Get(t, pagekit.Named("bob"), bobs).Has(t, 401)
	site.Get(t, pagekit.Anonymous, bobs).Leads(t, "/register?next=%2Fkeys%2Fuid-of-bobs")
}

func TestKey_AnswersMayIt(t *testing.T) {
	site := newSite(t)
	site.Get(t, pagekit.Alice, made+"?action=certs.read&resource=certificate:42").
		Has(t, 200, "Yes, it may.", "the key: scope certs.read allows it")
	r := site.Get(t, pagekit.Alice, made+"?action=x.y&resource="+script+"&property=env%3Dprod+a%3Db")
	r.Has(t, 200, "No, it may not.", "the key: nothing allows it")
	if r.Value("action") != "x.y" || r.Value("resource") != script || r.Value("property") != "env=prod a=b" {
		t.Error("what was typed is gone")
	}
	r = site.Get(t, pagekit.Alice, made+"?action=&resource=certificate:1")
	r.Has(t, 400, "is required: such as certs.read")
	if r.Find("#action").AttrOr("aria-describedby", "") != "action-error" || r.Value("resource") != "certificate:1" {
		t.Error(r.Body)
	}
	site.Get(t, pagekit.Alice, made+"?action=a&property=b").Has(t, 400, "must be <name>=<value>")
}

func TestKey_ActionsHavePages(t *testing.T) {
	site := newSite(t)
	r := site.Get(t, pagekit.Alice, made+"/revoke")
	r.Has(t, 200, "This can't be undone", "to confirm", "Cancel")
	if r.Find(`form[method="post"][action="`+made+`/revoke"] input[name="confirm"]`).Length() != 1 {
		t.Error(r.Body)
	}
	site.Get(t, pagekit.Alice, made+"/rotate").Has(t, 200, "When does the current key end?",
		"At once: callers with the current key fail at once", "In a day")
	site.Get(t, pagekit.Alice, git+"/rotate").Has(t, 200, "The operator issues a new key into Secret team/git-api-key")
	site.Get(t, pagekit.Alice, made+"/unknown").Has(t, 404, "This address has no page")
}

func TestKey_RotatesAndShowsKeyOnce(t *testing.T) {
	site := newSite(t)
	r := site.Post(t, pagekit.Alice, made+"/rotate", "overlap", "0", "shown", shownBy(t, site, made))
	r.Has(t, 200, "Save this key now", "The old key has ended: callers with it fail now.")
	token := r.Find("code.secret").Text()
	if !site.May(token, "certs.read", "*") || r.Header().Get("Cache-Control") != "no-store" {
		t.Error("the new key is not accepted, or may be stored")
	}
	if strings.Contains(site.Get(t, pagekit.Alice, made).Body.String(), token) {
		t.Error("the key is shown twice")
	}
	site.Post(t, pagekit.Alice, git+"/rotate").Leads(t, git)
}

func TestKey_RotationKeepsChoice(t *testing.T) {
	site := newSite(t)
	shown := shownBy(t, site, made)
	r := site.Post(t, pagekit.Alice, made+"/rotate", "overlap", "never", "shown", shown, "reason", "why")
	r.Has(t, 400, "Choose one of these")
	if r.Value("reason") != "why" {
		t.Error("what was typed is gone")
	}
	site.Post(t, pagekit.Alice, made+"/rotate", "overlap", "24h", "shown", shown).
		Has(t, 200, "Save this key now", "ends in 24 hours (2030-01-02 00:00 UTC)")
	if !site.May(madeKey, "certs.read", "*") {
		t.Error("the current key ended although it was to stay for a day")
	}
	site.Get(t, pagekit.Alice, made).Has(t, 200, "Earlier key", "a-ke… is accepted, too, and ends in 24 hours")
	// The same form, sent twice, rotates once.
	r = site.Post(t, pagekit.Alice, made+"/rotate", "overlap", "1h", "shown", shown)
	r.Has(t, 409, "was rotated")
	if r.Find(`[name="overlap"][checked]`).AttrOr("value", "") != "1h" {
		t.Error("the choice is gone")
	}
	site.Post(t, pagekit.Alice, made+"/rotate", "overlap", "0", "shown", "x").Has(t, 400)
}

// The form offers the overlaps that a rotation may have, and the one of the spec first.
func TestKey_RotationOffersOverlaps(t *testing.T) {
	for name, c := range map[string]struct {
		overlap        string
		chosen, values string
	}{
		"none in the spec": {"", "0", "0 1h 24h"},
		"in the spec":      {"2h", "", "0 1h "},
		"none at all":      {"0s", "0", "0"},
	} {
		t.Run(name, func(t *testing.T) {
			site := newSite(t)
			site.PutKey("overlapping", ci, "a-key-with-an-overlap-of-its-own", func(k *v1alpha1.APIKey) {
				k.Spec.Delivery = v1alpha1.DeliveryResponse
				if c.overlap != "" {
					k.Spec.Rotation = &v1alpha1.Rotation{Overlap: new(v1alpha1.Duration(c.overlap))}
				}
			})
			r := site.Get(t, pagekit.Alice, "/keys/uid-of-overlapping/rotate")
			var values []string
			r.Find(`[name="overlap"]`).Each(func(_ int, s *goquery.Selection) {
				values = append(values, s.AttrOr("value", "?"))
			})
			if got := strings.Join(values, " "); got != c.values {
				t.Errorf("offers %q, want %q", got, c.values)
			}
			if got := r.Find(`[name="overlap"][checked]`).AttrOr("value", "?"); got != c.chosen {
				t.Errorf("%q is chosen, want %q", got, c.chosen)
			}
			if c.chosen == "" {
				r.Has(t, 200, "As the key's settings say (2h)")
			}
		})
	}
}

// shownBy returns the id of the current key that the page of a key showed.
func shownBy(t *testing.T, site *pagekit.Site, path string) string {
	t.Helper()
	id := site.Get(t, pagekit.Alice, path).Value("shown")
	if len(id) != 16 {
		t.Errorf("the page shows no key id: %q", id)
	}
	return id
}

func TestKey_DisablesAndEnables(t *testing.T) {
	site := newSite(t)
	const refused = "The key is refused now, so it may do nothing."
	site.Post(t, pagekit.Alice, made+"/disable", "reason", "lost laptop").Leads(t, made)
	site.Get(t, pagekit.Alice, made).Has(t, 200, "disabled", "refused until it is enabled", "lost laptop", refused)
	// A page that is not up to date may ask twice.
	site.Post(t, pagekit.Alice, made+"/disable").Leads(t, made)
	site.Post(t, pagekit.Alice, made+"/enable").Leads(t, made)
	r := site.Get(t, pagekit.Alice, made)
	r.Has(t, 200, "active")
	if strings.Contains(r.Body.String(), refused) {
		t.Error("the page of an accepted key calls it refused")
	}
	site.Post(t, pagekit.Alice, git+"/disable", "reason", "x").Has(t, 409, "comes from a manifest")
}

func TestKey_RevokesAndDeletesWhenNameIsTyped(t *testing.T) {
	site := newSite(t)
	for _, action := range []string{"revoke", "delete"} {
		for _, typed := range []string{"", "made", script + " "} {
			r := site.Post(t, pagekit.Alice, made+"/"+action, "confirm", typed, "reason", "why "+script)
			r.Has(t, 400, "exactly as it is written")
			if r.Value("confirm") != typed || r.Value("reason") != "why "+script {
				t.Error("what was typed is gone")
			}
			if r.Find(`[name="confirm"]`).AttrOr("aria-describedby", "") != "page-confirm-error" {
				t.Error(r.Body)
			}
		}
	}
	site.Post(t, pagekit.Alice, made+"/revoke", "confirm", script).Leads(t, made)
	r := site.Get(t, pagekit.Alice, made)
	r.Has(t, 200, "revoked", "refused for good: it can only be deleted")
	if got := r.Find(`section[aria-label="Changes"] .button`).First(); got.Text() != "Delete" ||
		r.Find(`[aria-disabled="true"]`).Length() > 0 {
		t.Error("the page of a revoked key offers changes: ", r.Main())
	}
	site.Post(t, pagekit.Alice, made+"/rotate", "overlap", "0").Has(t, 409, "revoked")
	site.Post(t, pagekit.Alice, made+"/delete", "confirm", script).Leads(t, "/keys")
	site.Get(t, pagekit.Alice, made).Has(t, 404)
}

func TestKey_WithoutDatabaseIsUnavailable(t *testing.T) {
	site := newSite(t)
	site.Uses.Err = errAway
	site.Get(t, pagekit.Alice, made).Has(t, 503, "The database is unavailable")
}
