package keys_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/httpapi/keys"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/test/fakeobjects"
)

const admin = fakeobjects.AliceKey

// The whole life of a key, for each kind of subject.
func TestKey_Lifecycle(t *testing.T) {
	for owner, subject := range map[string]string{
		"users/dave": "User/dave", "accounts/ci": "Account/ci", "integrations/lab-1": "Integration/lab-1",
	} {
		t.Run(owner, func(t *testing.T) {
			env := newEnv(t)
			made := env.ask(t, admin, "POST", "/apiv1/"+owner+"/apikeys",
				`{"name":"CI Pipeline","description":"Builds","scopes":["certs.read"],"roles":["short"],"policy":{"permissions":[{"effect":"ALLOW","actions":["dashboard:View"],"resources":["dashboard:1"]}]},"expires_in_seconds":86400}`)
			if made.status != 201 || made.data["subject"] != subject || made.data["expires_at"] != "2030-01-01T01:00:00Z" {
				t.Fatalf("%d %s", made.status, made.body)
			}
			token, path := made.data["token"].(string), "/apiv1/"+owner+"/apikeys/"+made.data["id"].(string)
			delete(made.data, "token")
			got := env.ask(t, admin, "GET", path, "")
			if wrote, read := said(t, made.data), said(t, got.data); wrote != read {
				t.Errorf("made:\n%s\nread:\n%s", wrote, read)
			}
			listed := env.ask(t, admin, "GET", "/apiv1/"+owner+"/apikeys?name=CI*", "")
			if items := listed.data["items"].([]any); listed.data["total"] != 1.0 || said(t, items[0]) != said(t, got.data) {
				t.Errorf("%s", listed.body)
			}
			accepted := func(plaintext string) bool { return env.Verifier.Verify(plaintext, env.Time()).Accepted() }
			if !accepted(token) {
				t.Error("the key is refused")
			}
			if r := env.ask(t, admin, "PATCH", path, `{"enabled":false}`); r.status != 200 || r.data["enabled"] != false || accepted(token) {
				t.Errorf("%d %s", r.status, r.body)
			}
			if r := env.ask(t, admin, "PATCH", path, `{"enabled":true,"expires_at":null,"roles":[]}`); r.data["expires_at"] != nil || !accepted(token) {
				t.Errorf("%d %s", r.status, r.body)
			}
			rotated := env.ask(t, admin, "POST", path+"/rotate", "")
			if rotated.status != 200 || rotated.data["id"] != got.data["id"] || accepted(token) ||
				!accepted(rotated.data["token"].(string)) {
				t.Errorf("%d %s", rotated.status, rotated.body)
			}
			gone := env.ask(t, admin, "DELETE", path, "")
			if gone.status != 200 || gone.data["deleted"] != got.data["id"] || accepted(rotated.data["token"].(string)) {
				t.Errorf("%d %s", gone.status, gone.body)
			}
			for _, method := range []string{"GET", "PATCH", "DELETE"} {
				env.ask(t, admin, method, path, `{}`).want(t, 404, 4001, "API key not found")
			}
			env.ask(t, admin, "POST", path+"/rotate", `{}`).want(t, 404, 4001, "API key not found")
		})
	}
}

func said(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestKey_Metadata(t *testing.T) {
	env := newEnv(t)
	path, _ := env.made(t, "accounts/lab", `{"name":"bare"}`)
	r := env.ask(t, admin, "GET", path, "")
	id := r.data["id"].(string)
	delete(r.data, "key_prefix")
	delete(r.data, "key_id")
	want := `{"active":true,"budgets":[],"created_at":"2030-01-01T00:00:00Z","description":"","enabled":true,"expires_at":null,"expires_from":null,"id":"` + id +
		`","last_used_at":null,"last_used_from":null,"name":"bare","object":{"name":"key-00001","namespace":"keywright-system"},` +
		`"policy":null,"reason":"accepted","revoked":false,"roles":[],"scopes":[],"secret":null,"source":"api","subject":"Account/lab"}`
	if got := said(t, r.data); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if !strings.HasPrefix(r.body, `{"data":{"id":"`+id+`","name":"bare",`) {
		t.Errorf("scripts expect id and name first: %s", r.body)
	}
	ci := env.ask(t, admin, "GET", "/apiv1/accounts/ci/apikeys", "").data["items"].([]any)[0].(map[string]any)
	if ci["source"] != "manifest" || said(t, ci["secret"]) != `{"name":"ci-manages-api-key","namespace":"team"}` || ci["key_prefix"] != ciKey[:4] {
		t.Errorf("%s", said(t, ci))
	}
}

func TestMe_IsCaller(t *testing.T) {
	env := newEnv(t)
	env.made(t, "users/alice", `{"name":"alices"}`)
	for name, c := range map[string]struct {
		header string
		total  float64
	}{
		"an admin's key":    {"Authorization: Bearer " + admin, 1},
		"Git":               {"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("any:"+admin)), 1},
		"a session":         {"Cookie: keywright_session=" + fakeobjects.AliceSession, 1},
		"a user's key":      {"X-Api-Key: " + bobKey, 2},
		"a person":          {"X-Forwarded-User: bob", 2},
		"the bootstrap key": {"X-Api-Key: " + fakeobjects.BootstrapKey, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := env.ask(t, "", "GET", "/apiv1/users/me/apikeys", "", c.header)
			if r.status != 200 || r.data["total"] != c.total {
				t.Errorf("%d %s", r.status, r.body)
			}
		})
	}
	env.ask(t, ciKey, "GET", "/apiv1/users/me/apikeys", "").want(t, 403, 4003, "API key lacks required permission")
	env.ask(t, fakeobjects.BootstrapKey, "POST", "/apiv1/users/me/apikeys", `{"name":"a"}`).want(t, 400, 4000, "user: username 'admin' is reserved")
	if r := env.ask(t, bobKey, "POST", "/apiv1/users/me/apikeys", `{"name":"a","scopes":["certs.read"]}`); r.data["subject"] != "User/bob" {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestSession_IsRenewedByUse(t *testing.T) {
	env := newEnv(t)
	cookie := "Cookie: keywright_session=" + fakeobjects.AliceSession
	if r := env.ask(t, "", "GET", "/apiv1/users/me/apikeys", "", cookie); r.header["Set-Cookie"] != nil {
		t.Error(r.header)
	}
	env.sessions.renew = true
	r := env.ask(t, "", "GET", "/apiv1/users/me/apikeys", "", cookie)
	if got := r.header.Get("Set-Cookie"); !strings.HasPrefix(
		got, "keywright_session="+fakeobjects.AliceSession+";",
	) || !strings.Contains(got, "Secure") {
		t.Errorf("%q", got)
	}
	env.Configure(t, config.Runtime{InsecureCookies: true})
	if got := env.ask(
		t, "", "GET", "/apiv1/users/me/apikeys", "", cookie,
	).header.Get("Set-Cookie"); strings.Contains(got, "Secure") {
		t.Errorf("%q", got)
	}
	if len(env.sessions.cookies) != 3 {
		t.Errorf("%q", env.sessions.cookies)
	}
	env.ask(t, admin, "GET", "/apiv1/users/me/apikeys", "")
	if len(env.sessions.cookies) != 3 {
		t.Error("a key was taken for a session")
	}
}

// Unproven callers do not learn which paths exist, and a bad key is refused whatever else is sent.
func TestUnproven_IsUnauthorized(t *testing.T) {
	env := newEnv(t)
	for _, path := range []string{
		"/apiv1/users/bob/apikeys", "/apiv1/users/me/apikeys/x", "/apiv1/permissions/catalog", "/apiv1/nothing",
		"/apiv1/",
	} {
		for _, method := range []string{"GET", "POST", "PATCH", "DELETE", "PUT", "BREW"} {
			env.ask(t, "", method, path, `{"x":`).want(t, 401, 401, "invalid token")
			env.ask(
				t, "ak_mistyped", method, path, "", "Cookie: keywright_session="+fakeobjects.AliceSession,
				"X-Forwarded-User: bob",
			).want(t, 401, 401, "invalid token")
		}
	}
	env.ask(t, "", "GET", "/apiv1/users/bob/apikeys", "", "Cookie: keywright_user=bob").want(t, 401, 401, "invalid token")
	if got := env.ask(t, "", "GET", "/apiv1/users/bob/apikeys", "").header.Get("Www-Authenticate"); got == "" {
		t.Error("the reply has no challenge")
	}
	// Not even where saved names are trusted.
	env.Configure(t, config.Runtime{TrustUsernames: true})
	for _, path := range []string{
		"/apiv1/users/bob/apikeys", "/apiv1/users/me/apikeys/x/rotate", "/apiv1/permissions/catalog",
		"/apiv1/nothing",
	} {
		for _, method := range []string{"GET", "POST", "PUT"} {
			env.ask(t, "", method, path, `{"x":`, "Cookie: keywright_user=bob").want(t, 401, 401, "invalid token")
		}
	}
}

// A caller without the right is refused before the input is read.
func TestKeys_NeedRights(t *testing.T) {
	env := newEnv(t)
	path, _ := env.made(t, "users/dave", `{"name":"daves"}`)
	for _, c := range []struct{ key, method, path, body string }{
		{bobKey, "GET", path, ""},
		{bobKey, "PATCH", path, `{"nonsense":`},
		{bobKey, "DELETE", path, ""},
		{bobKey, "POST", path + "/rotate", ""},
		{bobKey, "POST", path + "/rotate", `{"nonsense":`},
		{bobReads, "POST", "/apiv1/users/me/apikeys/any/rotate", `{"nonsense":`},
		{bobKey, "GET", "/apiv1/users/dave/apikeys?limit=nonsense", ""},
		{bobKey, "GET", "/apiv1/users/dave/apikeys", ""},
		{bobKey, "POST", "/apiv1/users/dave/apikeys", `{"nonsense":`},
		{bobKey, "POST", "/apiv1/accounts/ci/apikeys", `{"name":"x"}`},
		{bobKey, "GET", "/apiv1/integrations/lab/apikeys", ""},
		{bobReads, "GET", "/apiv1/users/me/apikeys", ""},
		{bobReads, "POST", "/apiv1/users/me/apikeys", `{"name":"x"}`},
		{bobReads, "GET", "/apiv1/permissions/catalog", ""},
		{ciKey, "GET", "/apiv1/accounts/ci/apikeys", ""},
	} {
		env.ask(t, c.key, c.method, c.path, c.body).want(t, 403, 4003, "API key lacks required permission")
	}
	env.ask(t, bobKey, "POST", "/apiv1/users/me/apikeys", `{"name":"x","scopes":["certs.write"]}`).
		want(t, 403, 4003, "API key lacks required permission: a caller can only give what it holds")
	env.ask(t, admin, "POST", "/apiv1/users/carol/apikeys", `{"name":"x"}`).want(
		t, 403, 4003, "User carol may not own API keys: every AccessRoleBinding that lists the user says apiKeys: Denied",
	)
}

func TestManifestKey_IsNotChanged(t *testing.T) {
	env := newEnv(t)
	const path, text = "/apiv1/accounts/ci/apikeys/uid-of-ci-manages", "API key ci-manages comes from a " +
		"manifest: change it where that is kept (team/ci-manages)"
	env.ask(t, admin, "PATCH", path, `{"enabled":false}`).want(t, 409, 4009, text)
	env.ask(t, admin, "DELETE", path, "").want(t, 409, 4009, text)
	r := env.ask(t, admin, "POST", path+"/rotate", "")
	if _, hasToken := r.data["token"]; r.status != 200 || hasToken || said(t, r.data["secret"]) != `{"name":"ci-manages-api-key","namespace":"team"}` {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestCrossOrigin_IsRefused(t *testing.T) {
	env := newEnv(t)
	for _, line := range []string{"Sec-Fetch-Site: cross-site", "Origin: https://evil.example"} {
		env.ask(t, "", "POST", "/apiv1/users/me/apikeys", `{"name":"x"}`, line, "Cookie: keywright_session="+fakeobjects.AliceSession).
			want(t, 403, 4003, "Cross-origin request refused")
	}
	if len(env.Writes()) != 0 {
		t.Error("something was written")
	}
}

func TestDatabaseDown_IsUnavailable(t *testing.T) {
	env := newEnv(t)
	env.database.err = errAway
	for _, key := range []string{"", admin, "ak_mistyped"} {
		for _, path := range []string{"/apiv1/users/me/apikeys", "/apiv1/permissions/catalog", "/apiv1/nothing"} {
			env.ask(t, key, "GET", path, "").want(t, 503, 5000, "The database is unavailable: connection refused")
		}
	}
	// It goes down meanwhile.
	env.database.err = nil
	env.Uses.Err = errAway
	env.ask(t, admin, "GET", "/apiv1/accounts/ci/apikeys", "").want(t, 503, 5000, "The database is unavailable")
	env.Fail = func(string) error { env.database.err = errAway; return objects.ErrUnavailable }
	env.ask(t, admin, "GET", "/apiv1/accounts/ci/apikeys", "").want(
		t, 503, 5000, "The database is unavailable: connection refused",
	)
}

func TestAPIServerDown_IsUnavailable(t *testing.T) {
	env := newEnv(t)
	path, _ := env.made(t, "accounts/lab", `{"name":"bare"}`)
	env.Fail = func(string) error { return objects.ErrUnavailable }
	for _, c := range []struct{ method, path, body string }{
		{"GET", path, ""}, {"PATCH", path, "{}"}, {"DELETE", path, ""}, {"POST", path + "/rotate", ""},
		{"GET", "/apiv1/accounts/lab/apikeys", ""}, {"POST", "/apiv1/accounts/lab/apikeys", `{"name":"x"}`}, {"GET", "/apiv1/permissions/catalog", ""},
	} {
		env.ask(t, admin, c.method, c.path, c.body).want(t, 503, 5000, "The API server is unavailable")
	}
}

func TestPaths_Unknown(t *testing.T) {
	env := newEnv(t)
	for _, path := range []string{
		"/apiv1/", "/apiv1/users", "/apiv1/users/bob", "/apiv1/users/bob/apikeys/", "/apiv1//users/bob/apikeys",
		"/apiv1/users//apikeys",
		"/apiv1/users/bob/apikeys/x/", "/apiv1/users/bob/apikeys/x/rotate/y", "/apiv1/Users/bob/apikeys",
		"/apiv1/groups/bob/apikeys",
		"/apiv1/users/../users/bob/apikeys", "/apiv1/permissions/catalog/", "/apiv1/permissions",
	} {
		env.ask(t, admin, "GET", path, "").want(t, 404, 4001, "not found")
	}
	for path, allow := range map[string]string{
		"/apiv1/users/bob/apikeys": "GET, HEAD, POST", "/apiv1/users/bob/apikeys/x": "DELETE, GET, HEAD, PATCH",
		"/apiv1/users/bob/apikeys/x/rotate": "POST", "/apiv1/permissions/catalog": "GET, HEAD",
	} {
		r := env.ask(t, admin, "PUT", path, "{}")
		r.want(t, 405, 4000, "method not allowed")
		if got := r.header.Get("Allow"); got != allow {
			t.Errorf("%s: %q", path, got)
		}
	}
	// An encoded slash is part of the name.
	env.ask(t, admin, "GET", "/apiv1/users/a%2Fb/apikeys", "").
		want(t, 400, 4000, "user: must be a username: 2-50 letters, digits, '.', '_', '-', a letter or digit first")
	env.ask(t, admin, "GET", "/apiv1/accounts/%00/apikeys", "").
		want(t, 400, 4000, "account: must be 1-63 letters, digits, '.', '_', '-', a letter or digit first")
}

func TestList_Queries(t *testing.T) {
	env := newEnv(t)
	for range 25 {
		env.made(t, "accounts/lab", `{"name":"many"}`)
	}
	for query, want := range map[string]int{
		"": 20, "?limit=1000": 25, "?limit=5": 5, "?offset=20": 5, "?offset=1000": 0, "?name=m?ny&limit=3": 3,
		"?name=M*": 0, "?search=MAN&limit=7": 7, "?search=woman": 0, "?state=active": 20, "?state=": 20, "?state=revoked": 0,
		"?expiring=7d": 0, "?unused=90d": 0, "?never_used=true": 20, "?mine=true": 0, "?mine=false&sort=-name": 20,
	} {
		r := env.ask(t, admin, "GET", "/apiv1/accounts/lab/apikeys"+query, "")
		if items, ok := r.data["items"].([]any); !ok || len(items) != want {
			t.Errorf("%s: %d of %d", query, len(items), want)
		}
	}
	const limit, offset = "limit: must be a number from 1 to 1000", "offset: must be a number from 0 to 1073741824"
	for query, what := range map[string]string{
		"limit=0": limit, "limit=1001": limit, "limit=-1": limit, "limit=x": limit, "limit=": limit,
		"limit=1&limit=1": limit, "limit=1e2": limit, "limit=%2B5": limit,
		"limit=99999999999999999999": limit, "offset=-1": offset, "offset=1.5": offset, "offset=2000000000": offset,
		"offset=007": offset,
		"unknown=1":  `query: "unknown" is not a parameter`, "limit=5&Name=x": `query: "Name" is not a parameter`, "%0a=": `query: "\n" is not a parameter`,
		"search=" + admin:   "search: is a key: search for its first characters, or its name",
		"search=a&search=a": "search: is given twice",
		"state=Active":      "state: must be active, disabled, expired, revoked or not_accepted",
		"expiring=soon":     "expiring: must be a time of at least 1s such as 90d, 12h or 30m",
		"unused=0s":         "unused: must be a time of at least 1s such as 90d, 12h or 30m",
		"unused=-1d":        "unused: must be a time of at least 1s such as 90d, 12h or 30m",
		"never_used=1":      "never_used: must be true or false", "mine=yes": "mine: must be true or false",
		"mine=true&mine=true": "mine: is given twice",
		"sort=age":            "sort: must be name, created, expires or last_used, or one of them after a -",
		"name=a&name=b":       "name: is given twice", "a;b": "query: can't be read", "%zz": "query: can't be read",
	} {
		env.ask(t, admin, "GET", "/apiv1/accounts/lab/apikeys?"+query, "").want(t, 400, 4000, what)
	}
}

func TestCatalog_Reply(t *testing.T) {
	env := newEnv(t)
	r := env.ask(t, bobKey, "GET", "/apiv1/permissions/catalog", "")
	fields := slices.Sorted(maps.Keys(r.data))
	if r.status != 200 || !slices.Equal(fields, []string{"actions", "roles", "scopes"}) {
		t.Fatalf("%d %s", r.status, r.body)
	}
	roles := r.data["roles"].([]any)
	if got := said(t, roles[0]); got != `{"description":"","name":"keyless","permissions":[]}` {
		t.Error(got)
	}
	if got := said(t, roles[1]); !strings.HasPrefix(got, `{"description":"Reads certificates.","name":"reader","permissions":[{"actions":["certs.read"],"effect":"ALLOW","resources":["*"]}`) {
		t.Error(got)
	}
}

func TestEndpoints_AreDocumented(t *testing.T) {
	all := httpapi.Endpoints(keys.New(nil))
	if len(all) != 26 || !slices.Contains(all, "PATCH /apiv1/integrations/{integration}/apikeys/{id}") ||
		!slices.Contains(all, "POST /apiv1/users/{user}/apikeys/{id}/rotate") {
		t.Errorf("%q", all)
	}
}

// A token appears in one reply and nowhere else.
func TestToken_IsReturnedOnce(t *testing.T) {
	env := newEnv(t)
	path, token := env.made(t, "users/bob", `{"name":"once","scopes":["certs.read"]}`)
	env.Pass(time.Second)
	for _, c := range []struct{ method, path, body string }{
		{"GET", path, ""}, {"GET", "/apiv1/users/bob/apikeys", ""}, {"PATCH", path, `{"name":"` + token + `"}`}, {"DELETE", path, ""},
	} {
		r := env.ask(t, admin, c.method, c.path, c.body)
		if _, hasToken := r.data["token"]; hasToken || c.method != "PATCH" && strings.Contains(r.body, token) {
			t.Errorf("%s %s: %s", c.method, c.path, r.body)
		}
	}
	if strings.Contains(env.Log.String(), token) || strings.Contains(strings.Join(env.events(), " "), token) {
		t.Error("the token was logged")
	}
}

func TestHead_RepliesLikeGet(t *testing.T) {
	env := newEnv(t)
	server := httptest.NewServer(env)
	defer server.Close()
	r, err := http.NewRequest(http.MethodHead, server.URL+"/apiv1/users/bob/apikeys", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Api-Key", bobKey)
	got, err := server.Client().Do(r)
	if err != nil || got.StatusCode != http.StatusOK {
		t.Fatal(got, err)
	}
	_ = got.Body.Close()
}
