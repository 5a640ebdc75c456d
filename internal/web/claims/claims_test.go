package claims_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/claims"
	"keywright.dev/keywright/internal/manage/claims/link"
	"keywright.dev/keywright/internal/manage/loginthrottle"
	"keywright.dev/keywright/internal/manage/seenusers"
	"keywright.dev/keywright/internal/manage/users"
	"keywright.dev/keywright/internal/web"
	pages "keywright.dev/keywright/internal/web/claims"
	"keywright.dev/keywright/test/fakeobjects"
	"keywright.dev/keywright/test/pagekit"
)

// nothing is what the services need of sessions, seen users and turns.
type nothing struct{}

func (nothing) All(context.Context) ([]seenusers.User, error)         { return nil, nil }
func (nothing) Find(context.Context, string) (*seenusers.User, error) { return nil, nil }
func (nothing) Remove(context.Context, string) (bool, error)          { return false, nil }
func (nothing) EndForUser(context.Context, string) error              { return nil }
func (nothing) Turn(ctx context.Context, _ string, do func(context.Context) error) error {
	return do(ctx)
}

// site serves the pages, and a form that creates a link to an admin.
type site struct {
	*pagekit.Site
	service *claims.Service
	links   *fakeobjects.Links
}

func newSite(t *testing.T) *site {
	t.Helper()
	f, links := fakeobjects.NewFixture(t), &fakeobjects.Links{}
	keys := apikeys.New(apikeys.Config{
		Gate: f.Gate, Verifier: f.Verifier, Store: f.Store, Uses: f.Uses, Trail: f.Trail,
		Account: func() string { return "default" }, Actions: func() []string { return nil }, Now: f.Time, Log: f.Logger(),
	})
	everyone := users.New(users.Config{
		Gate: f.Gate, Verifier: f.Verifier, Store: f.Store, Seen: nothing{}, Uses: f.Uses, Sessions: nothing{},
		Trail: f.Trail, Turns: nothing{}, Now: f.Time, Log: f.Logger(),
	})
	service := claims.New(claims.Config{
		Gate: f.Gate, Verifier: f.Verifier, Users: everyone, Keys: keys, Store: links, Objects: f.Store,
		Throttle: loginthrottle.New(), Trail: f.Trail, Now: f.Time, Log: f.Logger(),
	})
	create := httpapi.Group{API: web.API, Routes: []httpapi.Route{web.Post("/create", func(c *httpapi.Call) {
		created, err := service.Create(c.R.Context(), c.Manager(), func() (*claims.Wanted, error) {
			return &claims.Wanted{Username: "zoe"}, nil
		})
		if err != nil {
			web.Fail(c, err)
			return
		}
		pages.Show(c, created, web.Users)
	})}}
	return &site{pagekit.New(f, pages.New(service), create), service, links}
}

// create creates a link to an API key with this name, and returns its token.
func (s *site) create(t *testing.T, name string) *claims.Created {
	t.Helper()
	caller := manage.Caller{Caller: s.Bearer(fakeobjects.AliceKey)}
	created, err := s.service.Create(t.Context(), caller, func() (*claims.Wanted, error) {
		subject := v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"}
		return &claims.Wanted{Subject: subject, Key: &apikeys.Wanted{Name: name}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return created
}

func TestClaim_ShowsTheKeyOnceAndOnlyAfterThePost(t *testing.T) {
	s := newSite(t)
	const script = `<script>alert(1)</script>`
	token := s.create(t, script).Token.Plaintext()
	before := len(s.Writes())
	s.Get(t, pagekit.Anonymous, "/claim").Has(t, http.StatusOK, "Paste the whole link")
	// A pasted link counts as its token.
	looked := s.Post(t, pagekit.Anonymous, "/claim/look", "token", " https://keys.example.com/claim#"+token+"\n")
	looked.Has(t, http.StatusOK, script, "Account/ci", "Show my key", "in 24 hours")
	if looked.Value("token") != token || len(s.Writes()) != before {
		t.Errorf("the form has %q, writes %q", looked.Value("token"), s.Writes()[before:])
	}
	claimed := s.Post(t, pagekit.Anonymous, "/claim", "token", token)
	claimed.Has(t, http.StatusOK, "Save this key now", script, "Never")
	key := claimed.Find("#key").Text()
	if !s.Verifier.Verify(key, s.Time()).Accepted() || claimed.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("the page shows %q", key)
	}
	for _, path := range []string{"/claim", "/claim/look"} {
		again := s.Post(t, pagekit.Anonymous, path, "token", token)
		again.Has(t, http.StatusNotFound, "This claim link can't be used")
		if again.Value("token") != token || strings.Contains(again.Body.String(), key) {
			t.Error(again.Main())
		}
	}
	if strings.Contains(claimed.Body.String(), script) {
		t.Error("the name is not escaped")
	}
}

func TestClaim_ShowsTheKeyOfARotation(t *testing.T) {
	hour := time.Hour
	for name, c := range map[string]struct {
		wanted       claims.Wanted
		offer, shown string
	}{
		"of an admin": {
			claims.Wanted{Rotates: true, Username: "root"}, "The key of an admin, in place of the present one",
			"It replaces your key before it. Sign in as root",
		},
		"of an API key": {
			claims.Wanted{Rotates: true, ID: "uid-of-builds", Rotation: apikeys.Rotation{Overlap: &hour}},
			"An API key, in place of the present one", "ends in 60 minutes",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.PutUser(v1alpha1.AdminUser{
				Spec: v1alpha1.AdminUserSpec{Username: "root", Delivery: v1alpha1.DeliveryResponse},
			}, "the-present-key-of-root")
			s.PutKey("builds", v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"}, "the-present-key-of-ci",
				func(k *v1alpha1.APIKey) { k.Spec.Delivery = v1alpha1.DeliveryResponse })
			created, err := s.service.Create(t.Context(), manage.Caller{Caller: s.Bearer(fakeobjects.AliceKey)},
				func() (*claims.Wanted, error) { return &c.wanted, nil })
			if err != nil {
				t.Fatal(err)
			}
			s.Get(t, pagekit.Alice, "/claims").Has(t, http.StatusOK, "rotation")
			token := created.Token.Plaintext()
			s.Post(t, pagekit.Anonymous, "/claim/look", "token", token).Has(t, http.StatusOK, c.offer)
			claimed := s.Post(t, pagekit.Anonymous, "/claim", "token", token)
			claimed.Has(t, http.StatusOK, "Save this key now", c.shown)
			if key := claimed.Find("#key").Text(); !s.Verifier.Verify(key, s.Time()).Accepted() {
				t.Errorf("the page shows %q", key)
			}
		})
	}
}

func TestClaim_KeepsWhatWasTyped(t *testing.T) {
	s := newSite(t)
	for typed, want := range map[string]struct {
		status int
		text   string
	}{
		"":                        {http.StatusBadRequest, "The token of a claim link is required"},
		"nonsense":                {http.StatusNotFound, "This claim link can't be used"},
		`"><b>`:                   {http.StatusNotFound, "This claim link can't be used"},
		strings.Repeat("x", 5000): {http.StatusNotFound, "This claim link can't be used"},
	} {
		r := s.Post(t, pagekit.Anonymous, "/claim/look", "token", typed)
		r.Has(t, want.status, want.text)
		if r.Value("token") != typed || r.Find(`input[aria-invalid="true"]`).Length() != 1 {
			t.Errorf("%.20q: %q", typed, r.Value("token"))
		}
	}
	s.Post(t, pagekit.Anonymous, "/claim", "token", "\xff").Has(t, http.StatusBadRequest, "The form must be text in UTF-8")
}

func TestShow_LinksToTheAddressOfTheBrowser(t *testing.T) {
	for origin, want := range map[string]string{
		"": "https://example.com/claim#", "http://example.com": "http://example.com/claim#",
		"https://example.com": "https://example.com/claim#", "https://elsewhere.example": "https://example.com/claim#",
	} {
		s := newSite(t)
		as := func(r *http.Request) {
			pagekit.Alice(r)
			if origin != "" {
				r.Header.Set("Origin", origin)
			}
		}
		shown := s.Post(t, as, "/create")
		shown.Has(t, http.StatusOK, "Send this link", "It is for User/zoe", "the admin key")
		address := shown.Find("#claim-link").Text()
		if !strings.HasPrefix(address, want) {
			t.Errorf("from %q: %s", origin, address)
		}
		claimed := s.Post(t, pagekit.Anonymous, "/claim", "token", address)
		claimed.Has(t, http.StatusOK, "You are an admin now.", "zoe")
	}
}

func TestList_PagesAndWithdraws(t *testing.T) {
	s := newSite(t)
	s.Get(t, pagekit.Alice, "/claims").Has(t, http.StatusOK, "No claim links")
	var first *claims.Created
	for i := range 60 {
		if c := s.create(t, fmt.Sprint("key-", i)); i == 0 {
			first = c
		}
		s.Pass(time.Second)
	}
	page := s.Get(t, pagekit.Alice, "/claims")
	page.Has(t, http.StatusOK, "60 links can be used", "1–50 of 60 links", "key-59")
	next, _ := page.Find(`a[rel="next"]`).Attr("href")
	s.Get(t, pagekit.Alice, next).Has(t, http.StatusOK, "51–60 of 60 links", "key-0")
	for _, odd := range []string{"-1", "x", "99999999999999999999", "60"} {
		s.Get(t, pagekit.Alice, "/claims?offset="+odd).Has(t, http.StatusOK, "1–50 of 60 links")
	}
	path := "/claims/" + first.ID + "/withdraw"
	s.Post(t, pagekit.Alice, path).Leads(t, "/claims")
	if l, err := s.links.ByID(t.Context(), first.ID); err != nil || l.State != link.Withdrawn {
		t.Error(l, err)
	}
	s.Post(t, pagekit.Alice, path).Has(t, http.StatusConflict, "The claim link is not open any more: it is withdrawn")
	s.Post(t, pagekit.Alice, "/claims/none/withdraw").Has(t, http.StatusNotFound, "Claim link not found")
	s.Post(t, pagekit.Named("dora"), path).Has(t, http.StatusForbidden, "Admin access required")
	s.Get(t, pagekit.Named("dora"), "/claims").Has(t, http.StatusForbidden, "Admin access required")
	s.Get(t, pagekit.Anonymous, "/claims").Leads(t, "/register?next=%2Fclaims")
}
