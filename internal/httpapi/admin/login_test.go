package admin_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
)

const (
	loginPath = "/api/auth/login"
	anonymous = `{"username":"","role":"user","is_admin":false}` + "\n"
)

func claim(username, key string) string {
	return `{"username":"` + username + `","api_key":"` + key + `"}`
}

func (e *env) askWithCookie(method, path, cookie string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r.Header.Set("Cookie", cookie)
	return e.serve(r)
}

func TestLogin_BeginsSession(t *testing.T) {
	for name, c := range map[string]struct{ username, key, want string }{
		"an admin":               {"alice", aliceKey, `{"username":"alice","role":"admin","is_admin":true}`},
		"with spaces around":     {" alice ", aliceKey + "\\n", `{"username":"alice","role":"admin","is_admin":true}`},
		"bootstrap":              {"admin", bootstrapKey, `{"username":"admin","role":"admin","is_admin":true}`},
		"by an APIKey of theirs": {"alice", writerKey, `{"username":"alice","role":"user","is_admin":false}`},
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			r := env.ask("POST", loginPath, "", claim(c.username, c.key))
			if r.Code != 200 || r.Body.String() != c.want+"\n" {
				t.Fatalf("%d %s", r.Code, r.Body)
			}
			username := strings.TrimSpace(c.username)
			want := []string{
				"keywright_session=session-0; Path=/; Max-Age=28800; HttpOnly; Secure; SameSite=Strict",
				"keywright_user=" + username + "; Path=/; Max-Age=31536000; Secure; SameSite=Lax",
			}
			if got := r.Header()["Set-Cookie"]; !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			if me := env.askWithCookie("GET", "/api/auth/me", "keywright_session=session-0"); me.Body.String() != c.want+"\n" {
				t.Error(me.Body)
			}
			checkTrail(t, env, "login User/"+username+" done")
		})
	}
}

func TestLogin_SetsInsecureCookies(t *testing.T) {
	env := newEnv(t)
	env.use(t, config.Runtime{InsecureCookies: true})
	r := env.ask("POST", loginPath, "", claim("alice", aliceKey))
	for _, cookie := range r.Header()["Set-Cookie"] {
		if strings.Contains(cookie, "Secure") {
			t.Error(cookie)
		}
	}
}

// Every wrong credential gets the same reply.
func TestLogin_Refuses(t *testing.T) {
	for name, c := range map[string]struct {
		body   string
		status int
		detail string
	}{
		"not JSON":           {`{"username"`, 400, "Invalid JSON body"},
		"nothing":            {``, 400, "Invalid JSON body"},
		"not an object":      {`["alice"]`, 400, "JSON body must be an object"},
		"no name":            {claim("", aliceKey), 400, "Username and api_key are required"},
		"no key":             {claim("alice", ""), 400, "Username and api_key are required"},
		"neither":            {`{}`, 400, "Username and api_key are required"},
		"a blank key":        {claim("alice", "  "), 400, "Username and api_key are required"},
		"a number":           {`{"username":"alice","api_key":5}`, 400, "api_key: must not be a number"},
		"a wrong key":        {claim("alice", "a-key-that-was-never-issued"), 401, "Invalid username or API key"},
		"a short key":        {claim("alice", "x"), 401, "Invalid username or API key"},
		"a long key":         {claim("alice", strings.Repeat("x", 10_000)), 401, "Invalid username or API key"},
		"a key with accents": {claim("alice", "schlüssel-schlüssel"), 401, "Invalid username or API key"},
		"a key of two lines": {claim("alice", aliceKey+`\nX-Forwarded-User: bob`), 401, "Invalid username or API key"},
		"another's key":      {claim("alice", bobKey), 401, "Invalid username or API key"},
		"another case":       {claim("Alice", aliceKey), 401, "Invalid username or API key"},
		"an unknown user":    {claim("missing", aliceKey), 401, "Invalid username or API key"},
		"disabled":           {claim("off", offKey), 401, "Invalid username or API key"},
		"a plain user":       {claim("plain", aliceKey), 401, "Invalid username or API key"},
		"admin by another":   {claim("admin", aliceKey), 401, "Invalid username or API key"},
		"Admin":              {claim("Admin", bootstrapKey), 401, "Invalid username or API key"},
		"of no user":         {claim("reader", readerKey), 401, "Invalid username or API key"},
		"a subject":          {claim("Account/reader", readerKey), 401, "Invalid username or API key"},
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			r := env.ask("POST", loginPath, "", c.body)
			if r.Code != c.status || detail(r) != c.detail || len(r.Header()["Set-Cookie"]) > 0 {
				t.Errorf("%d %s %v", r.Code, r.Body, r.Header())
			}
			if failed := len(env.memory.entries) == 1; failed != (c.status == 401) {
				t.Errorf("%+v", env.memory.entries)
			}
		})
	}
}

// A body that is not JSON is refused as such, whatever its Content-Type.
func TestLogin_RefusesForm(t *testing.T) {
	env := newEnv(t)
	r := httptest.NewRequest(http.MethodPost, loginPath, strings.NewReader("username=alice"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if got := env.serve(r); got.Code != 400 || detail(got) != "Invalid JSON body" {
		t.Error(got.Code, got.Body)
	}
}

// Other credentials in a login request are ignored.
func TestLogin_IgnoresOtherCredentials(t *testing.T) {
	env := newEnv(t)
	env.use(t, config.Runtime{TrustProxyHeaders: true, TrustUsernames: true})
	r := httptest.NewRequest(http.MethodPost, loginPath, strings.NewReader(claim("alice", "a-key-that-was-never-issued")))
	r.Header.Set("Authorization", "Bearer "+aliceKey)
	r.Header.Set("X-Forwarded-User", "alice")
	r.Header.Set("Cookie", "keywright_user=alice")
	if got := env.serve(r); got.Code != 401 {
		t.Error(got.Code, got.Body)
	}
}

// Refused keys are hidden as well: they may become valid again.
func TestLogin_HidesKeySentAsUsername(t *testing.T) {
	for _, key := range []string{aliceKey, offKey, bootstrapKey} {
		env := newEnv(t)
		env.ask("POST", loginPath, "", claim(key, "alice"))
		checkTrail(t, env, "login User/(a key) refused")
	}
}

// An overlapping key cannot begin a session.
func TestLogin_RefusesOverlappingKey(t *testing.T) {
	env := newEnv(t)
	env.registry.Index.Put(verify.ID{Kind: "AdminUser", Name: "over"}, verify.KeyObject{
		Identity: verify.Identity{
			Username: "over", Subject: "User/over", Admin: true,
		}, Standing: verify.Accepted, UID: "over", OwnsUsername: true,
		Keys: []verify.Key{
			{Digest: env.registry.Ring.Digest("the-key-that-counts-now")},
			{Digest: env.registry.Ring.Digest("the-key-in-its-overlap"), ExpiresAt: begin.Add(time.Hour), Overlapping: true},
		},
	})
	if r := env.ask("POST", loginPath, "", claim("over", "the-key-in-its-overlap")); r.Code != 401 {
		t.Error(r.Code, r.Body)
	}
	if r := env.ask("POST", loginPath, "", claim("over", "the-key-that-counts-now")); r.Code != 200 {
		t.Error(r.Code, r.Body)
	}
}

func TestLogout_EndsSession(t *testing.T) {
	const cleared = "keywright_session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict"
	env := newEnv(t)
	env.ask("POST", loginPath, "", claim("alice", aliceKey))
	for _, cookie := range []string{
		"keywright_session=session-0", "keywright_session=session-0", "keywright_session=nonsense", "other=1",
	} {
		r := env.askWithCookie("POST", "/api/auth/logout", cookie)
		if r.Code != 200 || r.Body.String() != `{"ok":true}`+"\n" || !slices.Equal(r.Header()["Set-Cookie"], []string{cleared}) {
			t.Errorf("%s: %d %s %q", cookie, r.Code, r.Body, r.Header()["Set-Cookie"])
		}
		if me := env.askWithCookie("GET", "/api/auth/me", cookie); me.Body.String() != anonymous {
			t.Error(me.Body)
		}
	}
	checkTrail(t, env, "login User/alice done", "logout User/alice done")
}

func TestMe_ReturnsCaller(t *testing.T) {
	alice := `{"username":"alice","role":"admin","is_admin":true}` + "\n"
	for name, c := range map[string]struct {
		rules  config.Runtime
		header http.Header
		want   string
	}{
		"anonymous":        {want: anonymous},
		"an unknown key":   {header: http.Header{"X-Api-Key": {"a-key-that-was-never-issued"}}, want: anonymous},
		"an admin":         {header: http.Header{"X-Api-Key": {aliceKey}}, want: alice},
		"an APIKey":        {header: http.Header{"X-Api-Key": {writerKey}}, want: `{"username":"alice","role":"user","is_admin":false}` + "\n"},
		"a program's":      {header: http.Header{"X-Api-Key": {readerKey}}, want: anonymous},
		"a saved name":     {header: http.Header{"Cookie": {"keywright_user=sam"}}, want: `{"username":"sam","role":"user","is_admin":false}` + "\n"},
		"an admin's name":  {header: http.Header{"Cookie": {"keywright_user=alice"}}, want: `{"username":"alice","role":"user","is_admin":false}` + "\n"},
		"a name of admin":  {header: http.Header{"Cookie": {"keywright_user=admin"}}, want: anonymous},
		"a proxy's":        {config.Runtime{TrustProxyHeaders: true}, http.Header{"X-Forwarded-User": {" sam "}}, `{"username":"sam","role":"user","is_admin":false}` + "\n"},
		"no trusted proxy": {header: http.Header{"X-Forwarded-User": {"sam"}}, want: anonymous},
		"disabled":         {header: http.Header{"X-Api-Key": {offKey}}, want: anonymous},
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			env.use(t, c.rules)
			env.memory.down = errDown
			r := httptest.NewRequest(http.MethodGet, "/api/auth/me", nil)
			if c.header != nil {
				r.Header = c.header
			}
			got := env.serve(r)
			if got.Code != 200 || got.Body.String() != c.want {
				t.Errorf("%d %s", got.Code, got.Body)
			}
			if saved := len(got.Header()["Set-Cookie"]) == 1; saved != (name == "a proxy's") {
				t.Errorf("%q", got.Header()["Set-Cookie"])
			}
		})
	}
}

// A saved name is not proven.
func TestSavedName_HoldsNoRights(t *testing.T) {
	env := newEnv(t)
	env.registry.Index.PutRole("all", access.Role{Permissions: []access.Permission{
		{Effect: access.Allow, Actions: []string{"*"}, Resources: []string{"*"}},
	}})
	env.registry.Index.PutBinding("all", access.Binding{Role: "all", Users: []string{"sam"}})
	for _, runtime := range []config.Runtime{{}, {TrustUsernames: true}} {
		env.use(t, runtime)
		for _, path := range []string{list, "/api/admin/audit", "/api/admin/token-usage"} {
			if r := env.askWithCookie("GET", path, "keywright_user=sam"); r.Code != 403 {
				t.Errorf("%s: %d %s", path, r.Code, r.Body)
			}
		}
		if r := env.askWithCookie("DELETE", of("bob"), "keywright_user=sam"); r.Code != 403 {
			t.Errorf("%d %s", r.Code, r.Body)
		}
	}
}

// Every request but login and logout renews the session.
func TestSession_IsRenewedByUse(t *testing.T) {
	const again = "keywright_session=session-0; Path=/; Max-Age=28800; HttpOnly; Secure; SameSite=Strict"
	env := newEnv(t)
	env.ask("POST", loginPath, "", claim("alice", aliceKey))
	env.memory.renew = true
	for _, path := range []string{"/api/auth/me", list} {
		if got := env.askWithCookie(
			"GET", path, "keywright_session=session-0",
		).Header()["Set-Cookie"]; !slices.Equal(got, []string{again}) {
			t.Errorf("%s: %q", path, got)
		}
	}
	env.memory.renew = false
	if got := env.askWithCookie("GET", list, "keywright_session=session-0").Header()["Set-Cookie"]; got != nil {
		t.Errorf("%q", got)
	}
}

// A session is valid as long as its key is.
func TestSession_EndsWithKey(t *testing.T) {
	for name, end := range map[string]func(env *env) *httptest.ResponseRecorder{
		"rotation": func(env *env) *httptest.ResponseRecorder {
			return env.ask("POST", of("bob")+"/rotate-key", aliceKey, "")
		},
		"demotion": func(env *env) *httptest.ResponseRecorder {
			return env.ask("PUT", of("bob")+"/role", aliceKey, `{"role":"user"}`)
		},
		"deletion": func(env *env) *httptest.ResponseRecorder { return env.ask("DELETE", of("bob"), aliceKey, "") },
	} {
		env := newEnv(t)
		env.ask("POST", loginPath, "", claim("bob", bobKey))
		if r := env.askWithCookie("GET", list, "keywright_session=session-0"); r.Code != 200 {
			t.Fatal(name, r.Code, r.Body)
		}
		if r := end(env); r.Code != 200 {
			t.Fatal(name, r.Code, r.Body)
		}
		if r := env.askWithCookie("GET", list, "keywright_session=session-0"); r.Code != 403 {
			t.Error(name, r.Code, r.Body)
		}
		if len(env.memory.sessions) > 0 {
			t.Errorf("%s: the session is kept", name)
		}
	}
}

// A page of another site can make a browser send requests with cookies.
func TestCrossOrigin_IsRefused(t *testing.T) {
	env := newEnv(t)
	for _, c := range []struct {
		header, value string
		refused       bool
	}{
		{"Sec-Fetch-Site", "cross-site", true}, {"Sec-Fetch-Site", "same-site", true}, {
			"Origin", "https://evil.example", true,
		},
		{"Sec-Fetch-Site", "same-origin", false}, {"Origin", "http://example.com", false}, {"Accept", "*/*", false},
	} {
		for _, path := range []string{loginPath, "/api/auth/logout", list} {
			r := httptest.NewRequest(http.MethodPost, path, strings.NewReader("{}"))
			r.Header.Set(c.header, c.value)
			got := env.serve(r)
			if refused := detail(got) == "Cross-origin request refused"; refused != c.refused || refused && got.Code != 403 {
				t.Errorf("%s: %s to %s: %d %s", c.header, c.value, path, got.Code, got.Body)
			}
		}
		r := httptest.NewRequest(http.MethodGet, "/api/auth/me", nil)
		r.Header.Set(c.header, c.value)
		if got := env.serve(r); got.Code != 200 {
			t.Error(got.Code)
		}
	}
}
