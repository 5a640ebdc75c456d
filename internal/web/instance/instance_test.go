package instance_test

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"keywright.dev/keywright/internal/auth/routes"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/internal/kube/serverlease"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/auditlog"
	"keywright.dev/keywright/internal/manage/instance"
	pages "keywright.dev/keywright/internal/web/instance"
	"keywright.dev/keywright/test/fakeobjects"
	"keywright.dev/keywright/test/pagekit"
)

type env struct {
	*pagekit.Site
	db            *database.DB
	configuration instance.Configuration
	state         instance.Database
	replicas      []serverlease.Replica
	err           error
}

func newEnv(t *testing.T) *env {
	t.Helper()
	db, err := database.Open(t.Context(), filepath.Join(t.TempDir(), "k.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	e := &env{db: db, state: instance.Database{Product: "SQLite", Free: 3 << 29, Size: 1 << 31}}
	f := fakeobjects.NewFixture(t)
	service := instance.New(instance.Config{
		Gate: f.Gate, Now: f.Time,
		Program:       instance.Program{Version: "v1.2.3", Namespace: "keywright-system", Replica: "keywright-server-a"},
		Configuration: func() instance.Configuration { return e.configuration },
		Database:      func() instance.Database { return e.state },
		Pepper:        func() string { return "p1" },
		Replicas:      func(context.Context) ([]serverlease.Replica, error) { return e.replicas, e.err },
	})
	e.Site = pagekit.New(f, pages.New(auditlog.New(f.Gate, db.Audit()), service))
	return e
}

// entry returns an entry of the audit trail.
func entry(at time.Time, action, outcome string) audit.Entry {
	return audit.Entry{
		At: at, Actor: "User/alice", KeyID: "k1", From: "192.0.2.7", Action: action, Target: "User/bob", Outcome: outcome,
		Detail: "because", Reason: "ticket 7", Count: 1,
	}
}

func (e *env) store(t *testing.T, entries ...audit.Entry) {
	t.Helper()
	for i := range entries {
		entries[i].Mark = entries[i].At.String() + entries[i].Action + entries[i].Outcome
	}
	if err := e.db.Audit().Append(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
}

// rows returns the actions of the entries that are shown.
func rows(r *pagekit.Reply) (all string) {
	r.Find(`td[data-label="Action"]`).Each(func(_ int, s *goquery.Selection) { all += strings.TrimSpace(s.Text()) + " " })
	return strings.TrimSpace(all)
}

func TestPages_AreForAdmins(t *testing.T) {
	e := newEnv(t)
	for _, path := range []string{"/audit", "/audit?since=x", "/settings"} {
		e.Get(t, pagekit.Named("bob"), path).Has(t, 403, "Admin access required")
		e.Get(t, pagekit.Anonymous, path).Leads(t, "/register?next="+url.QueryEscape(path))
		if r := e.Get(t, pagekit.Bootstrap, path); r.Code == 403 {
			t.Error(path)
		}
	}
}

func TestAudit_ShowsEntries(t *testing.T) {
	e := newEnv(t)
	e.Get(t, pagekit.Alice, "/audit").Has(t, 200, "No entries")
	anonymous := entry(e.Time(), audit.Login, audit.Refused)
	anonymous.Actor, anonymous.KeyID, anonymous.Target, anonymous.Count = "", "", "", 1200
	e.store(t, entry(e.Time(), audit.KeyCreate, audit.Done), anonymous)
	r := e.Get(t, pagekit.Alice, "/audit")
	r.Has(t, 200, "2030-01-01 00:00 UTC", "User/alice key k1", "key.create", "User/bob", "done because Reason: ticket 7",
		"192.0.2.7",
		"anonymous", "refused 1,200 times")
	if got := rows(r); got != "login key.create" {
		t.Error(got)
	}
	if path := r.Find(`td[data-label="Actor"] a`).AttrOr("href", ""); path != "/audit?actor=User%2Falice" {
		t.Error(path)
	}
	r.Find("tbody td, tbody th").Each(func(_ int, s *goquery.Selection) {
		if s.AttrOr("data-label", "") == "" {
			t.Errorf("%s has no label for narrow screens", s.Text())
		}
	})
}

func TestAudit_FiltersAreInTheAddress(t *testing.T) {
	e := newEnv(t)
	day := 24 * time.Hour
	other := entry(e.Time().Add(-2*day), audit.UserDelete, audit.Failed)
	other.Actor, other.Target, other.From = "Account/ci", "APIKey/team/x", "192.0.2.8"
	e.store(t, other, entry(e.Time().Add(-day), audit.KeyRotate, audit.Refused),
		entry(e.Time(), audit.KeyCreate, audit.Done))
	for query, want := range map[string]string{
		"actor=user/ALICE": "key.create key.rotate", "target=APIKey/team/x": "user.delete", "action=key.rotate": "key.rotate",
		"outcome=failed": "user.delete", "from=192.0.2.8": "user.delete", "since=2029-12-31": "key.create key.rotate",
		"until=2029-12-31": "key.rotate user.delete", "since=2029-12-31&until=2029-12-31": "key.rotate",
		"since=2029-12-31T12:00:00Z": "key.create", "before=2": "user.delete", "actor=User/zoe": "",
		"unknown=1": "key.create key.rotate user.delete",
	} {
		r := e.Get(t, pagekit.Alice, "/audit?"+query)
		if got := rows(r); r.Code != 200 || got != want {
			t.Errorf("%s: %d %s, want %s", query, r.Code, got, want)
		}
		name, value, _ := strings.Cut(query, "=")
		if input := r.Find(`input[name="` + name + `"]`); input.Length() > 0 && !strings.HasPrefix(value, input.AttrOr("value", "")) {
			t.Errorf("%s: the form has %q", query, input.AttrOr("value", ""))
		}
	}
	if got := e.Get(t, pagekit.Alice, "/audit?outcome=failed").Find("#outcome option[selected]").Text(); got != "failed" {
		t.Error(got)
	}
}

func TestAudit_BadFiltersKeepWhatWasTyped(t *testing.T) {
	e := newEnv(t)
	e.store(t, entry(e.Time(), audit.KeyCreate, audit.Done))
	for _, typed := range []string{"yesterday", `"><script>alert(1)</script>`} {
		for _, name := range []string{"since", "until"} {
			r := e.Get(t, pagekit.Alice, "/audit?actor=User/bob&"+name+"="+url.QueryEscape(typed))
			r.Has(t, 400, "Must be a day such as 2030-01-31", "The filters need a correction")
			input := r.Find("#" + name)
			if r.Value(name) != typed || r.Value("actor") != "User/bob" || input.AttrOr("type", "") != "text" ||
				input.AttrOr("aria-describedby", "") != name+"-error" || r.Find("#"+name+"-error").Length() != 1 {
				t.Errorf("%s: %q", name, r.Value(name))
			}
			if strings.Contains(r.Body.String(), "<script>alert") {
				t.Error("a script is in the page")
			}
		}
	}
	for _, before := range []string{"0", "-1", "x", "99999999999999999999"} {
		e.Get(t, pagekit.Alice, "/audit?before="+before).Has(t, 400, "begin with the newest entries")
	}
}

func TestAudit_Pages(t *testing.T) {
	e := newEnv(t)
	var entries []audit.Entry
	for i := range 120 {
		entries = append(entries, entry(e.Time().Add(time.Duration(i)*time.Second), audit.KeyCreate, audit.Done))
	}
	e.store(t, entries...)
	path, n := "/audit?actor=User/alice", 0
	for path != "" && n < 9 {
		r := e.Get(t, pagekit.Alice, path)
		if rows := r.Find("tbody tr").Length(); rows != min(50, 120-50*n) {
			t.Errorf("page %d has %d entries", n, rows)
		}
		if newest := r.Find(`a[href="/audit?actor=User%2Falice"] > span`).Length() > 0; newest != (n > 0) {
			t.Errorf("page %d leads to the newest: %t", n, newest)
		}
		path = r.Find("a[rel=next]").AttrOr("href", "")
		n++
	}
	if n != 3 {
		t.Errorf("%d pages", n)
	}
}

func TestAudit_EscapesWhatOthersWrote(t *testing.T) {
	e := newEnv(t)
	const hostile = `"><script>alert(1)</script>&'`
	e.store(t, audit.Entry{
		At: e.Time(), Actor: hostile, KeyID: hostile, From: hostile, Action: hostile, Target: hostile, Outcome: hostile,
		Detail: hostile, Reason: hostile, Count: 1,
	})
	r := e.Get(t, pagekit.Alice, "/audit")
	r.Has(t, 200, hostile)
	if strings.Contains(r.Body.String(), "<script>alert") {
		t.Error("a script is in the page")
	}
	same := e.Get(t, pagekit.Alice, r.Find(`td[data-label="Target"] a`).AttrOr("href", ""))
	if same.Find("tbody tr").Length() != 1 || same.Value("target") != hostile {
		t.Error(same.Main())
	}
}

func TestSettings_ShowWhatIsInForce(t *testing.T) {
	e := newEnv(t)
	e.configuration = instance.Configuration{
		Revision: "aaaaaaaaaaaa", Since: e.Time().Add(-time.Hour),
		Settings: config.Runtime{
			BootstrapDigest: "hmac-sha256:p1:00ff", AllowedUsers: []string{"alice", "<script>alert(1)</script>"},
			Routes: []routes.Route{{Match: "/a", Action: "b.c"}},
		},
	}
	e.replicas = []serverlease.Replica{
		{Name: "keywright-server-a", Revision: "aaaaaaaaaaaa", Until: e.Time().Add(time.Minute)},
		{Name: "keywright-server-b", Revision: "bbbbbbbbbbbb", Until: e.Time().Add(time.Minute)},
		{Name: "keywright-server-c", Renewed: e.Time().Add(-time.Hour), Until: e.Time().Add(-time.Minute)},
	}
	r := e.Get(t, pagekit.Alice, "/settings")
	r.Has(t, 200, "v1.2.3", "aaaaaaaaaaaa, since 2029-12-31 23:00 UTC", "1 of 3 replicas run it",
		"SQLite available 1.5 GiB free of 2.0 GiB",
		"keywright-server-a this one aaaaaaaaaaaa in step", "keywright-server-b bbbbbbbbbbbb behind",
		"keywright-server-c no configuration silent since", "A bootstrap key is in force. Servers know its digest only.",
		"Who may write.", "- match: /a", "Takes true or false. Default: true.")
	if got := r.Find("#line-ALLOWED_USERS").Text(); got != "data:\n  ALLOWED_USERS: alice, <script>alert(1)</script>\n" {
		t.Errorf("%q", got)
	}
	const command = `kubectl patch configmap keywright-config -n keywright-system --type=merge -p '{"data":{"SECURE_COOKIES":"true"}}'`
	if got := r.Find("#command-SECURE_COOKIES").Text(); got != command {
		t.Error(got)
	}
	for _, never := range []string{"00ff", "<script>alert", "style="} {
		if strings.Contains(r.Body.String(), never) {
			t.Errorf("the page has %s", never)
		}
	}
	if n := r.Find("#settings ~ section").Length(); n != 22 {
		t.Errorf("%d settings", n)
	}
	ids := map[string]bool{}
	r.Find("[id]").Each(func(_ int, s *goquery.Selection) {
		id := s.AttrOr("id", "")
		if ids[id] {
			t.Errorf("id %s occurs twice", id)
		}
		ids[id] = true
	})
}

func TestSettings_SayWhatIsWrong(t *testing.T) {
	e := newEnv(t)
	e.configuration.Refused = errors.New("the runtime document is empty")
	e.state = instance.Database{Product: "PostgreSQL", Err: errors.New("PostgreSQL: no response in time")}
	e.err = errors.New("dial tcp 10.1.2.3: refused")
	r := e.Get(t, pagekit.Alice, "/settings")
	r.Has(t, 200, "A newer configuration can't be used: the runtime document is empty", "none yet",
		"PostgreSQL unavailable",
		"no response in time", "The API server does not answer: the replicas are not known", "No bootstrap key is in force")
	if strings.Contains(r.Body.String(), "10.1.2.3") {
		t.Error("an address is shown")
	}
}

// A value of many kilobytes is shown once in full, and in the lines for the manifest.
func TestSettings_WithManyNames(t *testing.T) {
	e := newEnv(t)
	e.configuration.Settings.AllowedUsers = strings.Split(strings.Repeat("a-user-with-a-name ", 3000), " ")
	r := e.Get(t, pagekit.Alice, "/settings")
	r.Has(t, 200)
	if r.Find("#command-ALLOWED_USERS").Length() > 0 || r.Find("#line-ALLOWED_USERS").Length() != 1 {
		t.Error("a long value is in a command")
	}
}
