package admin_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// bodies are malformed or invalid request bodies.
var bodies = []string{
	"", " ", "{", "}", "[]", "null", "true", "1", `"x"`, "{}{}", `{"username"}`, `{"username":}`, `{"username":"x"`,
	`{"username":"new","username":"other"}`, `{"Username":"new"}`, `{"username":["new"]}`, `{"username":{"a":1}}`, `{"username":true}`,
	`{"role":1}`, `{"role":["admin"]}`, `{"new_key":{}}`, `{"new_key":["a-key-that-is-long-enough"]}`, `{"api_key":1,"username":"alice"}`,
	`{"username":"\ud800"}`, `{"username":"a\u0000b"}`, "{\"username\":\"a\x00b\"}", "{\"username\":\"\xff\"}", "\xef\xbb\xbf{}", "\xff\xfe{\x00}\x00",
	`{"username":"` + strings.Repeat("x", 1<<20) + `"}`, `{"username":"` + strings.Repeat("x", 100_000) + `"}`, strings.Repeat("[", 50_000),
	`{"username":"../../x"}`, `{"username":"alice; DROP TABLE users"}`, `{"username":"new","extra":1}`, "username=new", `{"role":"admin ","role2":1}`,
}

var names = []string{
	"bob%2F..%2Falice", "%00", "bob%00", "%ff", "%F0%9F%98%80", "..", ".", "%2e%2e", "bob%20", "%20bob", "b%6fb%3F",
	"~", strings.Repeat("x", 5000),
	"m%C3%BCller", "%D0%B0lice", "admin", "ADMIN", "bob;x", "bob%0d%0aX:1", "uid-1",
}

// Every bad input is refused in the documented form and changes nothing.
func TestBadInput_ChangesNothing(t *testing.T) {
	env := newEnv(t)
	check := func(method, path string, r *httptest.ResponseRecorder) {
		t.Helper()
		if r.Code < 400 || r.Code > 499 || detail(r) == "" {
			t.Errorf("%s %.100s: %d %.200s", method, path, r.Code, r.Body)
		}
	}
	for _, body := range bodies {
		for _, c := range []struct{ method, path string }{
			{"POST", list}, {"PUT", of("plain") + "/role"}, {"PUT", of("bob") + "/role"}, {
				"POST", of("bob") + "/rotate-key",
			}, {"POST", loginPath},
		} {
			if strings.HasSuffix(c.path, "rotate-key") && strings.TrimSpace(body) == "" {
				continue // rotate-key accepts an empty body
			}
			r := httptest.NewRequest(c.method, c.path, strings.NewReader(body))
			r.Header.Set("Authorization", "Bearer "+aliceKey)
			check(c.method, c.path, env.serve(r))
		}
	}
	for _, name := range names {
		for _, c := range []struct{ method, path, body string }{
			{"DELETE", list + "/" + name, ""}, {"DELETE", list + "/" + name + "?forget=true", ""},
			{"PUT", list + "/" + name + "/role", `{"role":"admin"}`}, {"POST", list + "/" + name + "/rotate-key", `{"new_key":"a-key-that-is-long-enough"}`},
		} {
			check(c.method, c.path, env.ask(c.method, c.path, aliceKey, c.body))
		}
	}
	if len(env.registry.Writes()) > 0 || len(env.memory.seen) != 2 || len(env.memory.sessions) > 0 {
		t.Errorf("%q %v", env.registry.Writes(), env.memory.seen)
	}
}

func TestPaths_NamesAreDecoded(t *testing.T) {
	env := newEnv(t)
	if r := env.ask("DELETE", list+"/b%6Fb", aliceKey, ""); r.Code != 200 || field(t, r, "deleted") != "bob" {
		t.Error(r.Code, r.Body)
	}
}

func TestBodies_OtherEncodingsAreRefused(t *testing.T) {
	const why = "Invalid JSON body: the Content-Type must be application/json"
	for _, c := range []struct{ header, value, detail string }{
		// curl -d sends this type by default.
		{"Content-Type", "text/plain", why}, {
			"Content-Type", "application/x-www-form-urlencoded", why,
		}, {"Content-Type", "multipart/form-data; boundary=x", why},
		{"Content-Type", "application/json; charset=utf-16", why}, {"Content-Encoding", "gzip", "Invalid JSON body"},
	} {
		env := newEnv(t)
		r := httptest.NewRequest(http.MethodPost, list, strings.NewReader(`{"username":"new"}`))
		r.Header.Set("Authorization", "Bearer "+aliceKey)
		r.Header.Set(c.header, c.value)
		if got := env.serve(r); got.Code != 400 || detail(got) != c.detail || len(env.registry.Writes()) > 0 {
			t.Errorf("%s: %s: %d %s", c.header, c.value, got.Code, got.Body)
		}
	}
}

// FuzzAPI checks that every input gets a reply of the documented form that is not a server error.
func FuzzAPI(f *testing.F) {
	for _, body := range bodies {
		f.Add("POST", "admin/users", body, aliceKey, "")
	}
	for _, name := range names {
		f.Add("PUT", "admin/users/"+name+"/role", `{"role":"admin"}`, aliceKey, "")
	}
	f.Add("GET", "admin/audit?limit=1&since=x", "", aliceKey, "keywright_session=session-0")
	f.Add("POST", "auth/login", claim("alice", aliceKey), "", "keywright_user=%41dmin")
	f.Fuzz(func(t *testing.T, method, path, body, key, cookies string) {
		target, err := url.ParseRequestURI("/api/" + path)
		if err != nil || method == "" || strings.ContainsAny(method, " \r\n\t") {
			t.Skip()
		}
		env := newEnv(t)
		r := httptest.NewRequest(http.MethodGet, "/api/", strings.NewReader(body))
		r.Method, r.URL = method, target
		r.Header = http.Header{"X-Api-Key": {key}, "Cookie": {cookies}}
		got := env.serve(r)
		switch {
		case got.Code >= 500, got.Code != 200 && (got.Code < 400 || detail(got) == "" && got.Code != 200):
			t.Fatalf("%d %s", got.Code, got.Body)
		case !json.Valid(got.Body.Bytes()) || got.Header().Get("Content-Type") != "application/json":
			t.Fatalf("%s", got.Body)
		case key != aliceKey && key != bootstrapKey && key != bobKey && key != gitKey && key != writerKey &&
			len(env.registry.Writes()) > 0:
			t.Fatalf("written without the right: %q", env.registry.Writes())
		}
	})
}
