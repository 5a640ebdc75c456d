package gate_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
)

// person is a caller in the terms of the documents, independent of the code.
type person struct {
	subject string
	admin   bool
	// may are the actions allowed on every resource, devMay those allowed for env=dev.
	may, devMay string
}

var (
	nobody = person{}
	// keyholders maps accepted keys to callers.
	keyholders = map[string]person{
		bootstrapKey: {"User/admin", true, "certs.read certs.write", ""},
		aliceKey:     {"User/alice", true, "certs.read certs.write", ""},
		alicesAPIKey: {"User/alice", false, "certs.read", ""},
		bobsAPIKey:   {"User/bob", false, "certs.read", ""},
		ciKey:        {"Account/ci", false, "certs.read certs.write", ""},
		lackingKey:   lacking,
		spentKey:     spent,
	}
	// spent is the caller with a key whose budget is used up.
	spent = person{"Account/spent", false, "certs.read", ""}
	// lacking is the caller with a key that names a missing role, who may do nothing.
	lacking = person{"User/lara", false, "", ""}
	// sessionholders maps session cookies to callers.
	sessionholders = map[string]person{
		aliceSession: keyholders[aliceKey], bobSession: keyholders[bobsAPIKey], bootedSession: keyholders[bootstrapKey],
		lackingSession: lacking,
	}
	// named are the callers known by a name. Any other name holds nothing.
	named = map[string]person{"bob": {may: "certs.read"}, "carol": {devMay: "certs.read"}}
)

// drawn is a drawn request and configuration.
type drawn struct {
	// Keys are presented in turn. Session and names are sent unless empty.
	Keys                                 []string
	Session, ProxyUser, SavedName        string
	Method, Target                       string
	Contradictory, HasRoutes             bool
	Proxy, Names, Anonymous, Deny, Stale bool
	List                                 []string
	// Forms is CREDENTIALS.
	Forms []string
}

func draw(t *rapid.T) drawn {
	d := drawn{
		Keys: rapid.SliceOfN(rapid.SampledFrom([]string{
			bootstrapKey, aliceKey, alicesAPIKey, bobsAPIKey, ciKey, daveKey, davesAPIKey, erinKey, revokedKey, unknownKey,
			lackingKey, spentKey, "bad",
		}), 0, 2).Draw(t, "keys"),
		Session: rapid.SampledFrom([]string{
			"", "", aliceSession, bobSession, bootedSession, daveSession, erinSession, lackingSession, noSession,
		}).Draw(t, "session"),
		ProxyUser: rapid.SampledFrom([]string{
			"", "bob", "carol", "alice", "ALICE", "Carol", "dave", "Dave", "admin", "Admin", "Account/ci", " carol ",
		}).Draw(t, "proxy user"),
		SavedName: rapid.SampledFrom([]string{"", "bob", "carol", "zoe", "DAVE", "ADMIN"}).Draw(t, "saved name"),
		Method: rapid.SampledFrom([]string{"GET", "HEAD", "PROPFIND", "POST", "DELETE", "FROB", "get", ""}).Draw(
			t, "method",
		),
		Target: rapid.SampledFrom([]string{
			"", "/", "/certs", "/certs?env=dev", "/certs?env=dev&env=prod", "/users/bob/", "/users/carol/x", "/own/bob/certs",
			"/own/carol/certs", "/own/BOB/certs", "/a/..%2fcerts", "/open/x", "/open/../certs",
		}).Draw(t, "target"),
		List: rapid.SliceOfNDistinct(rapid.SampledFrom([]string{
			"bob", "Carol", "account/ci", "user/alice", "ci",
		}), 0, 3, rapid.ID[string]).Draw(t, "list"),
		Forms: rapid.SampledFrom([][]string{
			nil, nil, {"X-API-Key"}, {"Authorization: Bearer"}, {"api-key", "X-API-Key"}, {"Authorization: Token"},
		}).Draw(t, "forms"),
	}
	// Most requests should get far, so early refusals are drawn seldom.
	flip := func(name string, of int) bool { return rapid.IntRange(1, of).Draw(t, name) == of }
	d.Contradictory, d.Stale = flip("contradictory", 8), flip("stale", 16)
	d.Proxy, d.Names = flip("trust proxy", 2), flip("trust names", 2)
	d.Anonymous, d.Deny, d.HasRoutes = flip("anonymous", 3), flip("deny", 4), flip("routes", 2)
	if flip("no keys", 2) {
		d.Keys = nil
	}
	return d
}

func (d *drawn) runtime() config.Runtime {
	r := config.Runtime{
		AllowedUsers: d.List, TrustProxyHeaders: d.Proxy, TrustUsernames: d.Names, AnonymousReads: d.Anonymous,
		DenyUnmatched: d.Deny, StaleAfter: time.Minute, Credentials: d.Forms,
	}
	if d.HasRoutes {
		r.Routes = someRoutes
	}
	return r
}

func (d *drawn) header() http.Header {
	header := http.Header{}
	for i, k := range d.Keys {
		if i%2 == 0 {
			header.Add("Authorization", "Bearer "+k)
		} else {
			header.Add("X-Api-Key", k)
		}
	}
	var cookies []string
	if d.Session != "" {
		cookies = append(cookies, "keywright_session="+d.Session)
	}
	if d.SavedName != "" {
		cookies = append(cookies, "keywright_user="+d.SavedName)
	}
	if len(cookies) > 0 {
		header.Set("Cookie", strings.Join(cookies, "; "))
	}
	if d.ProxyUser != "" {
		header.Set("X-Forwarded-User", d.ProxyUser)
	}
	return header
}

// keys returns the keys in the forms that count, and whether all that is in these headers has such a form.
func (d *drawn) keys() (keys []string, readable bool) {
	for i, key := range d.Keys {
		switch byHeader, forms := i%2 == 1, strings.Join(d.Forms, ","); {
		case forms == "", byHeader && strings.Contains(forms, "X-API-Key"), !byHeader && strings.Contains(forms, "Bearer"):
			keys = append(keys, key)
		case !byHeader && strings.Contains(forms, "Token"):
			return nil, false
		}
	}
	return keys, true
}

// caller follows docs/compatibility.md, "Who is calling". known is false for a refused key.
func (d *drawn) caller() (caller person, known bool) {
	keys, readable := d.keys()
	if !readable || len(keys) == 2 && keys[0] != keys[1] {
		return nobody, false
	}
	var byKey person
	if len(keys) > 0 {
		var good bool
		if byKey, good = keyholders[keys[0]]; !good {
			return nobody, false
		}
	}
	bySession := sessionholders[d.Session]
	switch {
	case bySession.admin:
		return bySession, true
	case len(keys) > 0:
		return byKey, true
	case bySession.subject != "":
		return bySession, true
	}
	name := ""
	if d.Proxy {
		name = usable(d.ProxyUser)
	}
	if name == "" && d.Names {
		name = usable(d.SavedName)
	}
	if name == "" || strings.EqualFold(name, "dave") {
		return nobody, true
	}
	caller = named[strings.ToLower(name)]
	if strings.EqualFold(name, "alice") {
		name = "alice" // as the AdminUser spells it
	}
	caller.subject = "User/" + name
	return caller, true
}

func usable(name string) string {
	if name = strings.TrimSpace(name); strings.EqualFold(name, "admin") {
		return ""
	}
	return name
}

// asks is what a route requires.
type asks struct {
	matches, clear bool
	action, owner  string
	dev, anonymous bool
}

// route states by hand what someRoutes require for the drawn targets.
func (d *drawn) route() asks {
	if !d.HasRoutes {
		return asks{clear: true}
	}
	path, query, _ := strings.Cut(d.Target, "?")
	switch {
	case d.Method == "" || d.Target == "":
		return asks{}
	case strings.Contains(path, "%") && slices.Contains([]string{"GET", "HEAD", "POST", "get"}, d.Method):
		return asks{} // May be /certs, which has routes.
	case strings.HasPrefix(path, "/open/.."):
		return asks{} // May be /certs or below /open/.
	case strings.HasPrefix(path, "/open/"):
		return asks{matches: true, clear: true, anonymous: true}
	case path == "/certs":
		return atCerts(d.Method, query)
	case strings.HasPrefix(path, "/users/"):
		return asks{matches: true, clear: true, owner: strings.Split(path, "/")[2]}
	case strings.HasPrefix(path, "/own/"):
		return asks{matches: true, clear: true, owner: strings.Split(path, "/")[2], action: "certs.read"}
	}
	return asks{clear: true}
}

func atCerts(method, query string) asks {
	return map[string]asks{
		"GET":      {matches: true, clear: true, action: "certs.read", dev: query == "env=dev"},
		"HEAD":     {matches: true, clear: true, action: "certs.read", dev: query == "env=dev"},
		"POST":     {matches: true, clear: true, action: "certs.write"},
		"get":      {}, // some take it for GET
		"PROPFIND": {clear: true}, "DELETE": {clear: true}, "FROB": {clear: true},
	}[method]
}

func (p *person) username() string {
	kind, name, _ := strings.Cut(p.subject, "/")
	if kind != "User" {
		return ""
	}
	return name
}

// isListed checks names and subjects.
func (p *person) isListed(list []string) bool {
	return slices.ContainsFunc(list, func(entry string) bool {
		if strings.Contains(entry, "/") {
			return strings.EqualFold(entry, p.subject)
		}
		return strings.EqualFold(entry, p.username())
	})
}

func (p *person) can(a asks) bool {
	return a.action == "" || strings.Contains(p.may, a.action) || a.dev && strings.Contains(p.devMay, a.action)
}

func (d *drawn) outcome() (gate.Outcome, person) {
	caller, known := d.caller()
	route := d.route()
	isRead := slices.Contains([]string{"GET", "HEAD", "PROPFIND"}, d.Method)
	itMatters := d.HasRoutes || len(d.List) > 0 || d.Anonymous
	isClear := route.clear && (!d.Contradictory || !itMatters)
	isOpen := isClear && (route.anonymous || d.Anonymous && isRead && route.action == "" && route.owner == "")
	switch {
	case d.Stale:
		return gate.Stale, caller
	case !known:
		return gate.Unauthenticated, caller
	case caller == lacking:
		return gate.NotPermitted, caller
	case caller == nobody && !isOpen:
		return gate.Unauthenticated, caller
	case d.HasRoutes && (d.Method == "" || d.Target == "") && !d.Contradictory:
		return gate.Undescribed, caller
	case !isClear:
		return gate.Ambiguous, caller
	case d.Deny && !route.matches:
		return gate.Unmatched, caller
	case !isRead && !route.anonymous && len(d.List) > 0 && !caller.admin && !caller.isListed(d.List):
		return gate.NotListed, caller
	case route.owner != "" && !caller.admin && !strings.EqualFold(caller.username(), route.owner):
		return gate.NotOwner, caller
	case !caller.can(route):
		return gate.NotPermitted, caller
	case caller == spent:
		return gate.OverBudget, caller
	}
	return gate.Allowed, caller
}

func TestDecide_MatchesModel(t *testing.T) {
	h := newFixture(t)
	seen := map[gate.Outcome]int{}
	rapid.Check(t, func(t *rapid.T) {
		for range 30 {
			d := draw(t)
			seen[h.compare(t, &d)]++
		}
	})
	for _, outcome := range gate.Outcomes() {
		if seen[outcome] == 0 && outcome != gate.NotReady {
			t.Errorf("%s was never drawn", outcome)
		}
	}
}

func (h *fixture) compare(t *rapid.T, d *drawn) gate.Outcome {
	rules, err := gate.NewRules(d.runtime())
	if err != nil {
		t.Fatal(err)
	}
	h.Use(rules)
	h.view.age.Store(0)
	if d.Stale {
		h.view.age.Store(int64(time.Hour))
	}
	request := gate.Request{
		Method: d.Method, Host: "h", Target: d.Target, Contradictory: d.Contradictory, Header: d.header(),
	}

	got := h.Decide(&request)

	want, caller := d.outcome()
	if got.Outcome != want {
		t.Fatalf("got %s, want %s", got.Outcome, want)
	}
	if h.Recheck(&request, &got.Caller) != (want == gate.Allowed) {
		t.Fatalf("%s, and may continue: %t", want, want != gate.Allowed)
	}
	if want != gate.Allowed {
		return want
	}
	if got.Caller.Subject != caller.subject || got.Caller.Username != caller.username() ||
		got.Caller.Admin != caller.admin {
		t.Fatalf("as %+v, want %+v", got.Caller, caller)
	}
	if saves := got.Caller.Credential == gate.CredentialProxy &&
		caller.username() != d.SavedName; saves != (got.SetCookie != "") {
		t.Fatalf("Set-Cookie %q", got.SetCookie)
	}
	return want
}
