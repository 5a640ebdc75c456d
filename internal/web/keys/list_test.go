package keys_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/claims"
	"keywright.dev/keywright/internal/manage/loginthrottle"
	"keywright.dev/keywright/internal/manage/users"
	"keywright.dev/keywright/internal/web/keys"
	"keywright.dev/keywright/test/fakeobjects"
	"keywright.dev/keywright/test/pagekit"
)

var (
	ciJob = v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"}
	ofBob = v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "bob"}
)

// asPlainBob is a plain user whom a trusted proxy names.
func asPlainBob(r *http.Request) { r.Header.Set("X-Forwarded-User", "bob") }

// newLists serves the list and the form.
func newLists(tb testing.TB) *pagekit.Site {
	tb.Helper()
	f := fakeobjects.NewFixture(tb)
	f.Configure(tb, config.Runtime{TrustProxyHeaders: true})
	service := apikeys.New(apikeys.Config{
		Gate: f.Gate, Verifier: f.Verifier, Store: f.Store, Uses: f.Uses, Trail: f.Trail,
		Account: func() string { return "default" }, Actions: func() []string { return []string{"certs.read"} },
		Creations: f.Creations, Now: f.Time, Log: f.Logger(),
	})
	links := claims.New(claims.Config{
		Gate: f.Gate, Verifier: f.Verifier, Keys: service, Store: &fakeobjects.Links{}, Objects: f.Store,
		Users: users.New(users.Config{Gate: f.Gate, Verifier: f.Verifier}), Throttle: loginthrottle.New(),
		Trail: f.Trail, Creations: f.Creations, Now: f.Time, Log: f.Logger(),
	})
	return pagekit.New(f, keys.New(service, links))
}

// names returns the names in the table.
func names(r *pagekit.Reply) string {
	return strings.Join(r.Find("tbody th a").Map(textOf), " ")
}

func TestList_FiltersAndSorts(t *testing.T) {
	site := newLists(t)
	put := func(name string, subject v1alpha1.Subject, change func(*v1alpha1.APIKey)) {
		site.PutKey(name, subject, "the-plaintext-of-"+name, change)
	}
	put("old", ciJob, func(k *v1alpha1.APIKey) {
		k.CreationTimestamp = metav1.NewTime(site.Time().AddDate(0, 0, -100))
		k.Spec.Scopes, k.Spec.Roles = []v1alpha1.Scope{"a.a", "b.b"}, []v1alpha1.RoleName{"reader"}
		k.Spec.Policy = &v1alpha1.Policy{}
	})
	put("ending", ofBob, func(k *v1alpha1.APIKey) {
		k.Spec.ExpiresAt = &metav1.Time{Time: site.Time().Add(49 * time.Hour)}
	})
	put("off", ciJob, func(k *v1alpha1.APIKey) { k.Spec.State = v1alpha1.StateDisabled })
	for query, want := range map[string]string{
		"":                               "ending off old",
		"?search=OL":                     "old",
		"?state=disabled":                "off",
		"?state=&search=":                "ending off old",
		"?expiring=7d":                   "ending",
		"?unused=90d":                    "old",
		"?never_used=true&sort=-name":    "old off ending",
		"?sort=expires":                  "ending off old",
		"?mine=true":                     "",
		"?offset=1":                      "off old",
		"?name=o*&unrelated=1&sort=name": "off old",
	} {
		t.Run(query, func(t *testing.T) {
			r := site.Get(t, pagekit.Alice, "/keys"+query)
			r.Has(t, 200, "API keys")
			if got := names(r); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	r := site.Get(t, pagekit.Alice, "/keys")
	r.Has(t, 200, "Account/ci", "role reader", "+1", "in 2 days", "disabled", "Manifest")
	if r.Find("tbody td[data-label]").Length() == 0 || r.Find("caption").Length() != 1 {
		t.Error("the table is not readable as cards")
	}
	if got := names(site.Get(t, asPlainBob, "/keys")); got != "ending" {
		t.Errorf("bob sees %q", got)
	}
	site.Get(t, asPlainBob, "/keys").Has(t, 200, "My keys")
}

func TestList_KeepsFiltersInTheAddress(t *testing.T) {
	site := newLists(t)
	for i := range 51 {
		site.PutKey(fmt.Sprintf("k-%02d", i), ciJob, fmt.Sprintf("the-plaintext-of-%02d", i), nil)
	}
	r := site.Get(t, pagekit.Alice, "/keys?search=k-&state=active&sort=name")
	r.Has(t, 200, "1–50 of 51 keys")
	if next := r.Find(`a[rel="next"]`).AttrOr("href", ""); next != "/keys?offset=50&search=k-&sort=name&state=active" {
		t.Error(next)
	}
	if r.Value("search") != "k-" || r.Find(`option[selected]`).AttrOr("value", "") != "active" {
		t.Error("the filters are not shown")
	}
	if r.Find(`th[aria-sort="ascending"]`).Text() != "Name" ||
		r.Find(`th[aria-sort] a`).AttrOr("href", "") != "/keys?search=k-&sort=-name&state=active" {
		t.Error(r.Find(`th[aria-sort]`).Text(), r.Find(`th[aria-sort] a`).AttrOr("href", ""))
	}
	r = site.Get(t, pagekit.Alice, "/keys?search=k-&state=active&sort=name&offset=50")
	r.Has(t, 200, "51–51 of 51 keys")
	if previous := r.Find(`a[rel="prev"]`).AttrOr("href", ""); previous != "/keys?search=k-&sort=name&state=active" {
		t.Error(previous)
	}
	site.Get(t, pagekit.Alice, "/keys?offset=500").Has(t, 200, "This page is empty")
}

func TestList_EmptyStates(t *testing.T) {
	site := newLists(t)
	site.Get(t, pagekit.Alice, "/keys").Has(t, 200, "No API key yet", "Create key")
	site.Get(t, asPlainBob, "/keys").Has(t, 200, "You have no API key yet")
	site.Get(t, pagekit.Alice, "/keys?search=nothing").Has(t, 200, "No key matches", "Show all keys")
}

func TestList_Refuses(t *testing.T) {
	site := newLists(t)
	for query, text := range map[string]string{
		"state=Active":                         "state: must be active, disabled, expired, revoked or not_accepted",
		"expiring=soon":                        "expiring: must be a time of at least 1s",
		"sort=age":                             "sort: must be name, created, expires or last_used",
		"offset=-1":                            "offset: must be a number",
		"search=" + fakeobjects.AliceKey:       "search: is a key",
		"search=a&search=b":                    "search: is given twice",
		`state="><script>alert(1)</script>`:    "state: must be",
		"unused=99999999999999999999d&state=%": "The filter needs a correction",
	} {
		r := site.Get(t, pagekit.Alice, "/keys?"+strings.ReplaceAll(query, " ", "+"))
		if strings.Contains(query, "%") {
			continue
		}
		r.Has(t, 400, "The filter needs a correction", text)
		if strings.Contains(r.Body.String(), "<script>alert") {
			t.Error("a script is on the page")
		}
	}
	site.Get(t, pagekit.Named("dora"), "/keys").Has(t, 401, "Sign in")
	site.Get(t, pagekit.Anonymous, "/keys?mine=true").Leads(t, "/register?next=%2Fkeys%3Fmine%3Dtrue")
	site.Fail = fakeobjects.FailRequests(objects.ErrUnavailable)
	site.Get(t, pagekit.Alice, "/keys").Has(t, 503, "The API server is unavailable", "Try again")
	site.Fail = nil
	site.Fixture.Uses.Err = errors.New("away")
	site.Get(t, pagekit.Alice, "/keys").Has(t, 503, "The database is unavailable")
}

func TestList_ShowsScriptsAsText(t *testing.T) {
	site := newLists(t)
	const script = `<img src=x onerror=alert(1)>`
	site.PutKey("hostile", ciJob, "the-plaintext-of-hostile", func(k *v1alpha1.APIKey) { k.Spec.DisplayName = script })
	r := site.Get(t, pagekit.Alice, "/keys?search="+"%3Cimg")
	r.Has(t, 200, script)
	if r.Find("main img").Length() > 0 {
		t.Error("the name is HTML")
	}
}
