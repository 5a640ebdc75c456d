package web_test

import (
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/web"
	"keywright.dev/keywright/test/fakeobjects"
	"keywright.dev/keywright/test/pagekit"
)

var view = web.NewView(fstest.MapFS{"a.html": {Data: []byte(
	`{{define "main"}}<h1>{{.Title}}</h1><p>{{.Data}}</p>{{end}}`)}}, "a.html")

const (
	readerKey = "a-key-of-bob-that-reads-his-keys"
	plainKey  = "a-key-of-bob-without-any-rights"
	ciKey     = "a-key-of-a-program-for-the-tests"
)

func newSite(t *testing.T, post func(*httpapi.Call)) *pagekit.Site {
	t.Helper()
	show := func(c *httpapi.Call) {
		web.Render(c, web.Page{Title: "A page", Section: web.Keys, View: view, Data: `<script>alert("&")</script>`})
	}
	return pagekit.New(fakeobjects.NewFixture(t), httpapi.Group{API: web.API, Routes: []httpapi.Route{
		web.Get("/page", show), web.Post("/page", post),
	}})
}

func TestRender_EscapesAndForbids(t *testing.T) {
	r := newSite(t, nil).Get(t, pagekit.Alice, "/page")
	r.Has(t, 200, `<script>alert("&")</script>`)
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
		"Referrer-Policy": "same-origin",
	} {
		if got := r.Header().Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	policy := r.Header().Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none'; ") || strings.Contains(policy, "unsafe") ||
		strings.Contains(policy, "http") {
		t.Error(policy)
	}
	if inline := r.Find("[style], style, script:not([src]), [onclick], [onload]"); inline.Length() > 0 {
		t.Error("inline script or style")
	}
}

func TestNavigation_ShowsAdminPagesToAdminsOnly(t *testing.T) {
	site := newSite(t, nil)
	bob := v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "bob"}
	site.PutKey("reads", bob, readerKey, func(k *v1alpha1.APIKey) { k.Spec.Scopes = []v1alpha1.Scope{"apikeys.read"} })
	site.PutKey("plain", bob, plainKey, nil)
	for name, c := range map[string]struct {
		as   pagekit.As
		want string
	}{
		"an admin":             {pagekit.Alice, "Overview API keys Users Claim links Token usage Audit Settings"},
		"bootstrap":            {pagekit.Bootstrap, "Overview API keys Users Claim links Token usage Audit Settings"},
		"a saved name":         {pagekit.Named("dora"), "Overview"},
		"the name of an admin": {pagekit.Named("alice"), "Overview"},
		"a key that reads":     {pagekit.WithKey(readerKey), "Overview My keys"},
		"a key without rights": {pagekit.WithKey(plainKey), "Overview"},
	} {
		t.Run(name, func(t *testing.T) {
			r := site.Get(t, c.as, "/page")
			if got := strings.Join(strings.Fields(r.Find("nav.side").Text()), " "); got != c.want {
				t.Error(got)
			}
			current := r.Find(`nav.side [aria-current="page"]`).AttrOr("href", "")
			if strings.Contains(c.want, "keys") && current != "/keys" {
				t.Error(current)
			}
		})
	}
}

// A person who is refused learns which right is missing, and who can give it.
func TestFail_NamesTheMissingRight(t *testing.T) {
	missing := &manage.Error{Kind: manage.Forbidden, Text: "API key lacks required permission", Right: "apikeys.read"}
	site := newSite(t, func(c *httpapi.Call) { web.Fail(c, missing) })
	site.PutKey("plain", v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "bob"}, plainKey, nil)
	site.PutKey("ci", v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"}, ciKey, nil)
	for name, c := range map[string]struct {
		as   pagekit.As
		want string
	}{
		"a user":       {pagekit.WithKey(plainKey), "An admin can give it to you: an AccessRole with the right, and an"},
		"a program":    {pagekit.WithKey(ciKey), "An admin can give it to the key as a scope."},
		"a saved name": {pagekit.Named("dora"), "A name alone has no rights: sign in with the key of a user who has it."},
	} {
		t.Run(name, func(t *testing.T) {
			site.Post(t, c.as, "/page").Has(t, 403, "It needs the right apikeys.read.", c.want)
		})
	}
}

func TestFail_KeepsWhatWasTyped(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		down   error
		status int
		text   string
	}{
		"forbidden":   {manage.Errorf(manage.Forbidden, "Admin access required"), nil, 403, "Admin access required."},
		"a conflict":  {manage.Errorf(manage.Conflict, "It was rotated"), nil, 409, "It was rotated."},
		"busy":        {manage.Errorf(manage.Busy, "Too much"), nil, 429, "Too much."},
		"unexpected":  {errors.New("the secret cause"), nil, 503, "The server can't do this now."},
		"unavailable": {manage.Errorf(manage.Unavailable, "The API server is away"), nil, 503, "The API server is away."},
	} {
		t.Run(name, func(t *testing.T) {
			site := newSite(t, func(call *httpapi.Call) {
				web.ReadForm(call)
				web.Fail(call, c.err)
			})
			r := site.Post(t, pagekit.Alice, "/page", "name", `"><i>`, "scopes", "a", "scopes", "b")
			r.Has(t, c.status, c.text, "Send it again")
			if r.Value("name") != `"><i>` || r.Find(`[name="scopes"]`).Length() != 2 || strings.Contains(r.Main(), "secret cause") {
				t.Error(r.Body)
			}
			if got := r.Find("main form").AttrOr("action", ""); got != "/page" {
				t.Error(got)
			}
		})
	}
}

func TestProblems_BeforeThePage(t *testing.T) {
	served := func(*httpapi.Call) { t.Error("the form was taken") }
	t.Run("a session that ended", func(t *testing.T) {
		r := newSite(t, served).Post(t, pagekit.Anonymous, "/page", "name", "ci")
		r.Has(t, 401, "You are not signed in, or your session has ended.", "Sign in (in a new tab)", "Send it again")
		if r.Value("name") != "ci" {
			t.Error(r.Body)
		}
	})
	t.Run("a lost database", func(t *testing.T) {
		site := newSite(t, served)
		site.Down = errors.New("connection refused")
		r := site.Post(t, pagekit.Alice, "/page", "name", "ci")
		r.Has(t, 503, "The database is unavailable: connection refused.", "Send it again")
		if r.Value("name") != "ci" {
			t.Error(r.Body)
		}
		site.Get(t, pagekit.Alice, "/page?a=b").Has(t, 503, "Try again")
	})
	t.Run("a key that was typed", func(t *testing.T) {
		r := newSite(t, served).Post(t, pagekit.Anonymous, "/page", "api_key", "the-key", "username", "alice")
		r.Has(t, 401)
		if strings.Contains(r.Body.String(), "the-key") {
			t.Error(r.Body)
		}
	})
	t.Run("an unknown path", func(t *testing.T) {
		site := newSite(t, served)
		site.Get(t, pagekit.Alice, "/nothing").Has(t, 404, "This address has no page.")
		site.Get(t, pagekit.Alice, "/page/..%2f").Has(t, 404)
		w := httptest.NewRecorder()
		site.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/nothing", nil))
		if w.Code != 404 || strings.Contains(w.Body.String(), "<html") {
			t.Error(w.Code, w.Body)
		}
	})
	t.Run("another method", func(t *testing.T) {
		r := httptest.NewRequest(http.MethodDelete, "/page", nil)
		reply := newSite(t, served).Do(t, pagekit.Alice, r)
		reply.Has(t, 405, "This address does not take DELETE requests.")
	})
}

func TestProblem_OffersNothingOfAnotherSite(t *testing.T) {
	site := newSite(t, func(*httpapi.Call) { t.Error("the form was taken") })
	for name, header := range map[string][2]string{
		"another site":         {"Sec-Fetch-Site", "cross-site"},
		"a sibling domain":     {"Sec-Fetch-Site", "same-site"},
		"an old browser":       {"Origin", "https://evil.example"},
		"a document in a file": {"Origin", "null"},
	} {
		for _, path := range []string{"/page", "/nothing"} {
			t.Run(name+" to "+path, func(t *testing.T) {
				r := httptest.NewRequest(http.MethodPost, path, strings.NewReader("username=mallory"))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.Header.Set(header[0], header[1])
				reply := site.Do(t, pagekit.Alice, r)
				reply.Has(t, 403, "Cross-origin request refused.", "Another site sent this")
				if reply.Find("main form, main input").Length() > 0 || strings.Contains(reply.Body.String(), "mallory") {
					t.Error(reply.Main())
				}
			})
		}
	}
}

func TestReadForm_Refuses(t *testing.T) {
	for name, c := range map[string]struct{ media, body, text string }{
		"JSON":       {"application/json", "{}", "must be sent as application/x-www-form-urlencoded"},
		"nothing":    {"", "a=b", "must be sent as application/x-www-form-urlencoded"},
		"too long":   {"application/x-www-form-urlencoded", "a=" + strings.Repeat("x", 70_000), "longer than 64 KiB"},
		"bad escape": {"application/x-www-form-urlencoded", "name=ci&a=%zz", "can't be read"},
		"not UTF-8":  {"application/x-www-form-urlencoded", "a=%ff", "must be text in UTF-8"},
		"1,001 fields": {
			"application/x-www-form-urlencoded", strings.Repeat("a=&", 1001), "The form has more than 1000 fields",
		},
		"more than Go reads": {"application/x-www-form-urlencoded", strings.Repeat("a&", 20_000), "can't be read"},
		"a NUL":              {"application/x-www-form-urlencoded", "a=%00", "must be text in UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			site := newSite(t, func(call *httpapi.Call) {
				form := web.ReadForm(call)
				if form.Values == nil || form.Err == nil {
					t.Fatal("accepted")
				}
				web.Fail(call, form.Err)
			})
			r := httptest.NewRequest(http.MethodPost, "/page", strings.NewReader(c.body))
			r.Header.Set("Content-Type", c.media)
			reply := site.Do(t, pagekit.Alice, r)
			reply.Has(t, 400, c.text)
			if reply.Find("main form").Length() > 0 {
				t.Error("offers to send it again: ", reply.Main())
			}
		})
	}
}

func TestBelow(t *testing.T) {
	for name, want := range map[string]string{
		"": "", ".": "", "..": "", "...": "/users/...", "bob": "/users/bob", "a/b": "/users/a%2Fb", "../x": "/users/..%2Fx",
		"//evil": "/users/%2F%2Fevil", "%2e": "/users/%252e", "a?b#c": "/users/a%3Fb%23c",
	} {
		if got := web.Below("/users", name); got != want {
			t.Errorf("%q: %s", name, got)
		}
	}
}

func TestProblem_LeadsBackToTheAddressThatWasSent(t *testing.T) {
	served := func(c *httpapi.Call) { web.Fail(c, manage.Errorf(manage.Conflict, "changed")) }
	site := pagekit.New(fakeobjects.NewFixture(t), httpapi.Group{API: web.API, Routes: []httpapi.Route{
		web.Get("/page/{name}", served), web.Post("/page/{name}", served),
	}})
	for _, path := range []string{"/page/%2F", "/page/%00%2F", "/page/a%2Fb?c=%2F", "/page/%2e%2e", "/page/%22%3E"} {
		t.Run(path, func(t *testing.T) {
			site.Get(t, pagekit.Anonymous, path).Leads(t, web.RegisterPath(path))
			if got := site.Post(t, pagekit.Alice, path).Find("main form").AttrOr("action", ""); got != path {
				t.Error("sent again to ", got)
			}
			site.Down = errors.New("connection refused")
			defer func() { site.Down = nil }()
			if got := site.Get(t, pagekit.Alice, path).Find("main a").First().AttrOr("href", ""); got != path {
				t.Error("loaded again from ", got)
			}
		})
	}
}

func TestNotice_IsShownOnceAndHasFixedTexts(t *testing.T) {
	site := newSite(t, func(c *httpapi.Call) { web.SeeOther(c, "/page", web.Saved) })
	r := site.Post(t, pagekit.Alice, "/page")
	r.Leads(t, "/page")
	with := func(value string) pagekit.As {
		return func(r *http.Request) {
			pagekit.Alice(r)
			r.Header.Add("Cookie", "keywright_notice="+value)
		}
	}
	shown := site.Get(t, with("saved"), "/page")
	shown.Has(t, 200, "The change is saved.")
	if !strings.Contains(strings.Join(shown.Header()["Set-Cookie"], " "), "keywright_notice=; Path=/; Max-Age=0") {
		t.Error(shown.Header())
	}
	if r := site.Get(t, with("call-this-number"), "/page"); r.Find(".notice").Length() > 0 {
		t.Error(r.Main())
	}
}

func TestRelative(t *testing.T) {
	const day = 24 * time.Hour
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for distance, want := range map[time.Duration]string{
		0: "now", 400 * time.Millisecond: "now", time.Second: "in 1 second", 90 * time.Second: "in 90 seconds",
		-59 * time.Second: "59 seconds ago", time.Hour - time.Second: "in 60 minutes", time.Hour: "in 60 minutes",
		day - time.Second: "in 24 hours", day: "in 24 hours", 25 * time.Hour: "in 25 hours", -2 * day: "2 days ago",
		7*day - time.Second: "in 7 days", 30*day - time.Second: "in 30 days", 30 * day: "in 30 days",
		-59 * day:            "59 days ago",
		90*day - time.Second: "in 3 months", 365*day - time.Second: "in 12 months", -800 * day: "2 years ago",
	} {
		if got := web.Relative(now, now.Add(distance)); got != want {
			t.Errorf("%s: %s", distance, got)
		}
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567", math.MaxInt64: "9,223,372,036,854,775,807",
		math.MinInt64: "-9,223,372,036,854,775,808",
	} {
		if got := web.Grouped(n); got != want {
			t.Error(n, got)
		}
	}
}

func TestAssets_AreKeptForGood(t *testing.T) {
	site := newSite(t, nil)
	mux := http.NewServeMux()
	mux.Handle(web.Assets())
	r := site.Get(t, pagekit.Alice, "/page")
	firstVisit := r.Body.Len()
	for _, path := range []string{
		r.Find(`link[rel="stylesheet"]`).AttrOr("href", ""), r.Find(`link[rel="icon"]`).AttrOr("href", ""),
		r.Find("script").AttrOr("src", ""),
	} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != 200 || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Error(path, w.Code, w.Header())
		}
		firstVisit += w.Body.Len()
	}
	if firstVisit > 60_000 {
		t.Errorf("a first visit takes %d bytes before the content of its page", firstVisit)
	}
}

// pairs are the text and the background that stand on each other, with the least contrast of WCAG 2.2: 4.5 for text, 3
// for lines and shapes that carry a meaning.
var pairs = []struct {
	front, back string
	least       float64
}{
	{"text", "page", 4.5}, {"text", "surface", 4.5}, {"text", "sunken", 4.5},
	{"text-soft", "page", 4.5}, {"text-soft", "surface", 4.5}, {"text-soft", "sunken", 4.5},
	{"accent", "page", 4.5}, {"accent", "surface", 4.5},
	{"on-solid", "accent-solid", 4.5}, {"on-solid", "accent-hover", 4.5},
	{"accent-on-tint", "accent-tint", 4.5}, {"bad", "surface", 4.5}, {"bad", "page", 4.5},
	{"on-solid", "bad-solid", 4.5}, {"on-solid", "bad-hover", 4.5}, {"bad-on-tint", "bad-tint", 4.5},
	{"warn-on-tint", "warn-tint", 4.5}, {"good-on-tint", "good-tint", 4.5}, {"neutral-on-tint", "neutral-tint", 4.5},
	{"line-strong", "surface", 3}, {"line-strong", "page", 3}, {"focus", "page", 3}, {"focus", "surface", 3},
	{"series-1", "surface", 3}, {"series-2", "surface", 3}, {"series-3", "surface", 3}, {"series-4", "surface", 3},
	{"series-5", "surface", 3}, {"series-6", "surface", 3}, {"series-7", "surface", 3}, {"series-8", "surface", 3},
	{"series-other", "surface", 3},
}

func TestColors_HaveContrast(t *testing.T) {
	css, err := os.ReadFile("assets/app.css")
	if err != nil {
		t.Fatal(err)
	}
	light, rest, found := strings.Cut(string(css), "@media (prefers-color-scheme: dark)")
	if !found {
		t.Fatal("no dark theme")
	}
	dark, _, _ := strings.Cut(rest, "/* Ground. */")
	themes := map[string]map[string]string{"light": tokens(light), "dark": tokens(light)}
	for name, value := range tokens(dark) {
		themes["dark"][name] = value
	}
	for name, theme := range themes {
		for _, p := range pairs {
			if got := contrast(t, theme[p.front], theme[p.back]); got < p.least {
				t.Errorf("%s: %s on %s has %.2f", name, p.front, p.back, got)
			}
		}
	}
}

func tokens(css string) map[string]string {
	found := map[string]string{}
	for _, m := range regexp.MustCompile(`--([a-z0-9-]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(css, -1) {
		found[m[1]] = m[2]
	}
	return found
}

// contrast is the contrast ratio of WCAG 2.2.
func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	lighter, darker := luminance(t, a), luminance(t, b)
	if lighter < darker {
		lighter, darker = darker, lighter
	}
	return (lighter + 0.05) / (darker + 0.05)
}

func luminance(t *testing.T, color string) (sum float64) {
	t.Helper()
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(color[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
