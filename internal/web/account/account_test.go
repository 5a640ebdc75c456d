package account_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/login"
	"keywright.dev/keywright/internal/manage/loginthrottle"
	"keywright.dev/keywright/internal/manage/tokenusage"
	"keywright.dev/keywright/internal/manage/usage"
	"keywright.dev/keywright/internal/manage/users"
	"keywright.dev/keywright/internal/web/account"
	"keywright.dev/keywright/test/fakeobjects"
	"keywright.dev/keywright/test/pagekit"
)

// memory begins sessions, or fails to, and has the token usage of a day.
type memory struct {
	fakeobjects.EmptyDatabase
	usage.Store
	err error
	// ended are the cookies of sessions that were ended.
	ended []string
}

func (m *memory) Report(context.Context, usage.Query) (*usage.Report, error) {
	report := &usage.Report{}
	report.Calls, report.Cost = 3, new(1_250_000_000*usage.Money(1000))
	return report, m.err
}

func (m *memory) TopJobs(context.Context, time.Time, int) ([]usage.Line, error) { return nil, m.err }

func (m *memory) Begin(context.Context, string, pepper.Digest) (string, error) {
	return "a-new-session", m.err
}
func (m *memory) End(_ context.Context, cookie string) error {
	m.ended = append(m.ended, cookie)
	return m.err
}

func newSite(t *testing.T) (*pagekit.Site, *memory) {
	t.Helper()
	f, m := fakeobjects.NewFixture(t), &memory{}
	return pagekit.New(f, account.New(account.Services{
		Login: login.New(login.Config{
			Gate: f.Gate, Sessions: m, Throttle: loginthrottle.New(), Trail: f.Trail, Now: f.Time,
		}),
		Keys: apikeys.New(apikeys.Config{
			Gate: f.Gate, Verifier: f.Verifier, Store: f.Store, Uses: f.Uses, Trail: f.Trail, Now: f.Time, Log: f.Logger(),
		}),
		Users: users.New(users.Config{
			Gate: f.Gate, Verifier: f.Verifier, Store: f.Store, Seen: m, Uses: f.Uses, Sessions: m, Trail: f.Trail,
			Turns: m, Now: f.Time, Log: f.Logger(),
		}),
		Usage: tokenusage.New(tokenusage.Config{Gate: f.Gate, Store: m, Now: f.Time}),
	})), m
}

func cookies(r *pagekit.Reply) string { return strings.Join(r.Header()["Set-Cookie"], "\n") }

func TestRegister_SignsIn(t *testing.T) {
	for name, c := range map[string]struct{ username, key, next, to string }{
		"an admin":        {"alice", fakeobjects.AliceKey, "", "/"},
		"bootstrap":       {"admin", fakeobjects.BootstrapKey, "", "/"},
		"back":            {" alice ", " " + fakeobjects.AliceKey, "/users?role=admin", "/users?role=admin"},
		"elsewhere":       {"alice", fakeobjects.AliceKey, "https://elsewhere.example/", "/"},
		"without scheme":  {"alice", fakeobjects.AliceKey, "//elsewhere.example/", "/"},
		"with backslash":  {"alice", fakeobjects.AliceKey, `/\elsewhere.example/`, "/"},
		"with a new line": {"alice", fakeobjects.AliceKey, "/\n/elsewhere.example/", "/"},
	} {
		t.Run(name, func(t *testing.T) {
			site, _ := newSite(t)
			r := site.Post(t, pagekit.Anonymous, "/register", "username", c.username, "api_key", c.key, "next", c.next)
			r.Leads(t, c.to)
			const session = "keywright_session=a-new-session; Path=/; Max-Age=28800; HttpOnly; Secure; SameSite=Strict"
			if !strings.Contains(cookies(r), session) {
				t.Error(cookies(r))
			}
		})
	}
}

// The browser replaces its cookie, so the former session could not be ended by its user.
func TestRegister_EndsFormerSession(t *testing.T) {
	site, m := newSite(t)
	site.Post(t, pagekit.Alice, "/register", "username", "alice", "api_key", "wrong").Has(t, 401)
	if len(m.ended) > 0 {
		t.Error("a refused sign-in ends ", m.ended)
	}
	site.Post(t, pagekit.Alice, "/register", "username", "admin", "api_key", fakeobjects.BootstrapKey).Leads(t, "/")
	if len(m.ended) != 1 || m.ended[0] != fakeobjects.AliceSession {
		t.Error("ended ", m.ended)
	}
}

func TestRegister_SavesName(t *testing.T) {
	site, _ := newSite(t)
	r := site.Post(t, pagekit.Anonymous, "/register", "username", "dora", "next", "/keys")
	r.Leads(t, "/keys")
	if !strings.Contains(cookies(r), "keywright_user=dora; Path=/; Max-Age=31536000; Secure; SameSite=Lax") ||
		strings.Contains(cookies(r), "keywright_session") {
		t.Error(cookies(r))
	}
}

func TestRegister_RefusesAndKeepsName(t *testing.T) {
	for name, c := range map[string]struct {
		username, key string
		status        int
		text          string
	}{
		"nothing":     {"", "", 400, "Username is required"},
		"only a key":  {"", fakeobjects.AliceKey, 400, "Username is required"},
		"admin":       {"Admin", "", 400, "Username 'admin' is reserved: sign in with the bootstrap key"},
		"a key":       {fakeobjects.AliceKey, "", 400, "This is a key: put it into the field API key"},
		"a wrong key": {"alice", "a-key-that-was-never-issued", 401, "Invalid username or API key"},
		"other name":  {"bob", fakeobjects.AliceKey, 401, "Invalid username or API key"},
		"a script":    {`"><script>alert(1)</script>`, "wrong-wrong-wrong-wrong", 401, "Invalid username or API key"},
		"long":        {strings.Repeat("x", 129), "", 400, "Username must be at most 128 bytes of printable text"},
	} {
		t.Run(name, func(t *testing.T) {
			site, _ := newSite(t)
			r := site.Post(t, pagekit.Anonymous, "/register", "username", c.username, "api_key", c.key, "next", "/keys")
			r.Has(t, c.status, c.text)
			if r.Value("username") != c.username || r.Value("next") != "/keys" || r.Value("api_key") != "" {
				t.Errorf("typed values: %q %q", r.Value("username"), r.Value("next"))
			}
			if strings.Contains(cookies(r), "keywright_") {
				t.Error(cookies(r))
			}
			if c.key != "" && strings.Contains(r.Body.String(), c.key) {
				t.Error("the page shows the key")
			}
		})
	}
}

func TestRegister_SlowsDownGuesses(t *testing.T) {
	site, _ := newSite(t)
	for range 60 {
		r := site.Post(t, pagekit.Anonymous, "/register", "username", "alice", "api_key", "wrong-wrong-wrong-wrong")
		if r.Code == http.StatusTooManyRequests {
			r.Has(t, 429, "Too many failed logins: try again in")
			if r.Header().Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			return
		}
	}
	t.Error("60 guesses were let through")
}

func TestPages_LeadAnonymousToRegisterAndBack(t *testing.T) {
	site, _ := newSite(t)
	site.Get(t, pagekit.Anonymous, "/").Leads(t, "/register")
	site.Get(t, pagekit.Anonymous, "/?a=b").Leads(t, "/register?next=%2F%3Fa%3Db")
}

func TestRegister_SendsOnWhoIsKnown(t *testing.T) {
	site, _ := newSite(t)
	site.Get(t, pagekit.Alice, "/register?next=/users").Leads(t, "/users")
	site.Get(t, pagekit.Alice, "/register").Has(t, 200, "You are signed in as alice")
	site.Get(t, pagekit.Named("dora"), "/register").Has(t, 200, "This browser goes by the name dora")

	site.Configure(t, config.Runtime{TrustProxyHeaders: true})
	proxied := func(r *http.Request) { r.Header.Set("X-Forwarded-User", "petra") }
	r := site.Get(t, proxied, "/register")
	r.Leads(t, "/")
	if !strings.Contains(cookies(r), "keywright_user=petra;") {
		t.Error(cookies(r))
	}
	asAdmin := func(r *http.Request) { r.Header.Set("X-Forwarded-User", "Admin") }
	if r := site.Get(t, asAdmin, "/register"); r.Code != 200 || strings.Contains(cookies(r), "keywright_user") {
		t.Error(r.Code, cookies(r))
	}
}

// A link on another site brings no SameSite=Strict cookie with it.
func TestRegister_AsksAgainWithTheSessionAfterALink(t *testing.T) {
	site, _ := newSite(t)
	r := httptest.NewRequest(http.MethodGet, "/register?next=%2Fusers", nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	reply := site.Do(t, pagekit.Anonymous, r)
	reply.Has(t, 200, "Continue")
	if reply.Find(`meta[http-equiv="refresh"]`).AttrOr("content", "") != "0" {
		t.Error(reply.Body)
	}
}

func TestOverview_OfAnAdmin(t *testing.T) {
	site, _ := newSite(t)
	ends := metav1.NewTime(site.Time().Add(24 * time.Hour))
	subject := v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"}
	site.PutKey("one", subject, "the-first-key-of-an-account", func(k *v1alpha1.APIKey) { k.Spec.ExpiresAt = &ends })
	site.PutKey("two", subject, "the-second-key-of-an-account", func(k *v1alpha1.APIKey) {
		k.Spec.State = v1alpha1.StateDisabled
	})
	r := site.Get(t, pagekit.Bootstrap, "/")
	r.Has(t, 200, "API keys accepted1", "End within 7 days1", "Disabled1", "AI cost, last 30 days$1,250.00")
	if r.Find(`.badge-warn`).Length() == 0 {
		t.Error("a key that ends soon is not marked")
	}
}

func TestOverview_OfOthers(t *testing.T) {
	site, _ := newSite(t)
	site.Get(t, pagekit.Named("dora"), "/").Has(t, 200, "A name alone proves nothing", "Sign in with a key")
	bob := v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "bob"}
	for key, c := range map[string]struct {
		scopes   []v1alpha1.Scope
		text     string
		mayWrite bool
	}{
		"the-first-key-of-bob-of-all": {nil, "You may not see your keys here", false},
		"a-key-of-bob-that-reads":     {[]v1alpha1.Scope{"apikeys.read"}, "All your keys", false},
		"a-key-of-bob-that-writes":    {[]v1alpha1.Scope{"apikeys.read", "apikeys.write"}, "All your keys", true},
	} {
		site.PutKey(key, bob, key, func(k *v1alpha1.APIKey) { k.Spec.Scopes = c.scopes })
		r := site.Get(t, pagekit.WithKey(key), "/")
		r.Has(t, 200, "You are bob.", c.text)
		if offered := r.Find(`a[href="/keys/new"]`).Length() == 1; offered != c.mayWrite {
			t.Errorf("%s: a new key is offered: %t", key, offered)
		}
	}
}

func TestOverview_WithoutTheDatabase(t *testing.T) {
	site, m := newSite(t)
	m.err = errors.New("the database is away")
	site.Get(t, pagekit.Alice, "/").Has(t, 503, "Try again")
}

func TestSignOut_EndsSession(t *testing.T) {
	site, m := newSite(t)
	r := site.Post(t, pagekit.Alice, "/sign-out")
	r.Leads(t, "/register")
	if !strings.Contains(cookies(r), "keywright_session=; Path=/; Max-Age=0") {
		t.Error(cookies(r))
	}
	m.err = errors.New("the database is away")
	r = site.Post(t, pagekit.Alice, "/sign-out")
	r.Has(t, 503, "The server can't do this now", "Send it again")
	if strings.Contains(cookies(r), "keywright_session") {
		t.Error(cookies(r))
	}
}
