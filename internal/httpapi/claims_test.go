package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/manage/claims/link"
	"keywright.dev/keywright/test/fakeobjects"
)

const claimsPath = "/api/admin/claims"

// A link hands the key over once. Neither the list nor the claim itself shows the token or another key.
func TestClaims_HandOverOnce(t *testing.T) {
	for kind, c := range map[string]struct{ body, subject, named string }{
		"user": {`{"kind":"user","username":" Zoe "}`, "User/Zoe", `"name":null`},
		"key": {
			`{"kind":"key","subject":"Account/ci","key":{"name":"Nightly","expires_in_seconds":60},"expires_in_seconds":300}`,
			"Account/ci", `"name":"Nightly"`,
		},
	} {
		t.Run(kind, func(t *testing.T) {
			e := newEnv(t)
			made := e.must(t, http.MethodPost, claimsPath, c.body)
			var handed struct {
				Token, Path string
				Claim       struct{ ID string }
			}
			if err := json.Unmarshal([]byte(made.body), &handed); err != nil || handed.Path != "/claim#"+handed.Token {
				t.Fatal(made.body)
			}
			listed := e.must(t, http.MethodGet, claimsPath, "")
			if !strings.Contains(listed.body, `"kind":"`+kind+`","subject":"`+c.subject+`",`+c.named) ||
				!strings.Contains(listed.body, `"state":"open","ended_at":null`) || strings.Contains(listed.body, handed.Token) {
				t.Error(listed.body)
			}
			claimed := e.ask(t, "", http.MethodPost, "/api/claim", `{"token":"`+handed.Token+`"}`)
			var key struct {
				Subject   string
				APIKey    string  `json:"api_key"`
				ExpiresAt *string `json:"expires_at"`
			}
			if err := json.Unmarshal([]byte(claimed.body), &key); err != nil || key.Subject != c.subject ||
				(key.ExpiresAt != nil) != (kind == "key") {
				t.Fatal(claimed.body)
			}
			e.expect(t, key.APIKey, verify.Accepted)
			again := e.ask(t, "", http.MethodPost, "/api/claim", `{"token":"`+handed.Token+`"}`)
			if again.status != http.StatusNotFound || !strings.HasPrefix(again.text, "This claim link can't be used") {
				t.Errorf("%d %s", again.status, again.body)
			}
			if listed := e.must(t, http.MethodGet, claimsPath, ""); !strings.Contains(listed.body, `"state":"used"`) {
				t.Error(listed.body)
			}
		})
	}
}

func TestClaims_AreWithdrawn(t *testing.T) {
	e := newEnv(t)
	made := e.must(t, http.MethodPost, claimsPath, `{"kind":"user","username":"Zoe"}`)
	var handed struct {
		Token string
		Claim struct{ ID string }
	}
	if err := json.Unmarshal([]byte(made.body), &handed); err != nil {
		t.Fatal(err)
	}
	got := e.must(t, http.MethodDelete, claimsPath+"/"+handed.Claim.ID, "")
	if got.body != `{"withdrawn":"`+handed.Claim.ID+`"}`+"\n" {
		t.Error(got.body)
	}
	if e.AdminUser("Zoe") != nil {
		t.Error("the user is still there")
	}
	if got := e.ask(t, "", http.MethodPost, "/api/claim", `{"token":"`+handed.Token+`"}`); got.status != http.StatusNotFound {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestClaims_RefuseBadBodies(t *testing.T) {
	for body, text := range map[string]string{
		``:                                    "Invalid JSON body",
		`[]`:                                  "JSON body must be an object",
		`{"kind":1}`:                          "kind: must not be a number",
		`{"kind":""}`:                         "kind: must be user, key, user-rotation or key-rotation",
		`{"kind":"user","x":1}`:               "x: is not known",
		`{"kind":"user"}`:                     "Username is required",
		`{"kind":"user","username":"a b"}`:    "Invalid username: 'a b'.",
		`{"kind":"user","subject":"User/a"}`:  "kind: user takes no subject and no key and no id and no rotation",
		`{"kind":"key","username":"bob"}`:     "kind: key takes no username and no id and no rotation",
		`{"kind":"key","key":{"name":"x"}}`:   "subject: must be User/<name>, Account/<name> or Integration/<name>",
		`{"kind":"key","subject":"User/bob"}`: "key: is required",
		`{"kind":"key","subject":"User/bob","key":[]}`:                                    "key: must be an object",
		`{"kind":"key","subject":"User/bob","key":{"x":1}}`:                               "x: is not known",
		`{"kind":"key","subject":"User/bob","key":{"name":7}}`:                            "name: must be a string",
		`{"kind":"user","username":"zoe","expires_in_seconds":299}`:                       "expires_in_seconds: must be from 300 to 604800",
		`{"kind":"user","username":"zoe","expires_in_seconds":0}`:                         "expires_in_seconds: must be from 300",
		`{"kind":"user","username":"zoe","expires_in_seconds":-9223372036854775808}`:      "expires_in_seconds: must be from 300",
		`{"kind":"user","username":"zoe","expires_in_seconds":604801}`:                    "expires_in_seconds: must be from 300",
		`{"kind":"user","username":"zoe","expires_in_seconds":1.5}`:                       "expires_in_seconds: must be a whole number",
		`{"kind":"key","subject":"User/bob","key":{"name":"x"},"expires_in_seconds":"1"}`: "expires_in_seconds: must not be a string",
		`{"kind":"user","username":"zoe","rotation":{}}`:                                  "kind: user takes no subject",
		`{"kind":"key","subject":"User/bob","id":"x"}`:                                    "kind: key takes no username",
		`{"kind":"user-rotation"}`:                                                        "username: is required",
		`{"kind":"user-rotation","username":"root","id":"x"}`:                             "kind: user-rotation takes no subject",
		`{"kind":"user-rotation","username":"root","rotation":{"overlap_seconds":1}}`:     "overlap_seconds: is for API keys",
		`{"kind":"user-rotation","username":"root","rotation":{"key_id":"x"}}`:            "key_id must be the key id",
		`{"kind":"key-rotation"}`:                                                         "id: is required",
		`{"kind":"key-rotation","id":"x","username":"root"}`:                              "kind: key-rotation takes no username",
		`{"kind":"key-rotation","id":"x","key":{"name":"x"}}`:                             "kind: key-rotation takes no username",
		`{"kind":"key-rotation","id":7}`:                                                  "id: must not be a number",
		`{"kind":"key-rotation","id":"x","rotation":[]}`:                                  "rotation: must be an object",
		`{"kind":"key-rotation","id":"x","rotation":{"x":1}}`:                             "x: is not known",
		`{"kind":"key-rotation","id":"x","rotation":{"overlap_seconds":-1}}`:              "overlap_seconds: must be",
		`{"kind":"key-rotation","id":"x","rotation":{"overlap_seconds":86401}}`:           "overlap_seconds: must be",
		`{"kind":"key-rotation","id":"x","rotation":{"overlap_seconds":"1h"}}`:            "overlap_seconds: must",
	} {
		e := newEnv(t)
		got := e.ask(t, aliceKey, http.MethodPost, claimsPath, body)
		if got.status != http.StatusBadRequest || !strings.HasPrefix(got.text, text) || len(e.Writes()) > 0 {
			t.Errorf("%s: %d %s", body, got.status, got.body)
		}
	}
	for body, status := range map[string]int{
		``: 400, `{}`: 400, `{"token":1}`: 400, `{"token":""}`: 400, `{"token":"a"}`: 404, `{"token":null}`: 400,
		`{"token":"` + strings.Repeat("A", 43) + `"}`: 404, `{"token":"` + strings.Repeat("A", 2<<20) + `"}`: 413,
	} {
		if got := newEnv(t).ask(t, "", http.MethodPost, "/api/claim", body); got.status != status {
			t.Errorf("%.60s: %d %s, want %d", body, got.status, got.body, status)
		}
	}
}

// A link to another key of what exists changes nothing until it is used.
func TestClaims_Rotate(t *testing.T) {
	for kind, c := range map[string]struct{ body, subject, lost, former string }{
		"user-rotation": {`{"kind":"user-rotation","username":"root","rotation":null}`, "User/root", rootKey, "null"},
		"key-rotation": {
			`{"kind":"key-rotation","id":"uid-of-bobs","rotation":{"overlap_seconds":3600}}`, "User/bob", bobsKey,
			`"` + endsAt + `"`,
		},
	} {
		t.Run(kind, func(t *testing.T) {
			e := newEnv(t)
			made := e.must(t, http.MethodPost, claimsPath, c.body)
			var handed struct{ Token string }
			if err := json.Unmarshal([]byte(made.body), &handed); err != nil ||
				!strings.Contains(made.body, `"kind":"`+kind+`","subject":"`+c.subject+`"`) {
				t.Fatal(made.body)
			}
			if len(e.Writes()) > 0 {
				t.Errorf("writes %q", e.Writes())
			}
			claimed := e.ask(t, "", http.MethodPost, "/api/claim", `{"token":"`+handed.Token+`"}`)
			var key struct {
				APIKey string `json:"api_key"`
			}
			if err := json.Unmarshal([]byte(claimed.body), &key); err != nil ||
				!strings.Contains(claimed.body, `"previous_ends_at":`+c.former+`}`) {
				t.Fatal(claimed.body)
			}
			e.expect(t, key.APIKey, verify.Accepted)
			if kind == "key-rotation" {
				e.expect(t, c.lost, verify.Accepted)
				e.Pass(time.Hour)
				e.expect(t, c.lost, verify.Expired)
				return
			}
			e.expect(t, c.lost, verify.Unknown)
		})
	}
}

// A wrong token is slowed down and then refused for a while, as a wrong key is.
func TestClaims_LimitGuesses(t *testing.T) {
	e := newEnv(t)
	var got outcome
	for range 30 {
		// A request without a token does not count as a guess.
		if got = e.ask(t, "", http.MethodPost, "/api/claim", `{}`); got.status != http.StatusBadRequest {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	for range 14 {
		got = e.ask(t, "", http.MethodPost, "/api/claim", `{"token":"`+strings.Repeat("A", 43)+`"}`)
	}
	if got.status != http.StatusTooManyRequests || !strings.HasPrefix(got.text, "Too many wrong claim links: try again") {
		t.Errorf("%d %s", got.status, got.body)
	}
	e.Pass(time.Hour)
	if got = e.ask(t, "", http.MethodPost, "/api/claim", `{"token":"A"}`); got.status != http.StatusNotFound {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func orderClaims(all map[string][]refused) {
	const claims, admins = "/api/admin/claims", adminsOnly
	forKey := func(body string) string { return `{"kind":"key","subject":"Account/ci","key":` + body + `}` }
	all["POST "+claims] = []refused{
		{by: powerlessKey, path: claims, body: `{`, status: 403, text: admins},
		{by: formerKey, path: claims, body: `{`, status: 403, text: lacks},
		{by: aliceKey, path: claims, body: `{`, status: 400, text: "Invalid JSON body"},
		{by: aliceKey, path: claims, body: `{"kind":"x"}`, status: 400, text: "kind: must be user, key"},
		{by: limitedKey, path: claims, body: `{"kind":"user","username":"admin"}`, status: 403, text: admins},
		{by: bobsKey, path: claims, body: forKey(`{"name":""}`), status: 403, text: lacks},
		{by: aliceKey, path: claims, body: `{"kind":"user","username":"admin"}`, status: 400, text: "Username 'admin'"},
		{by: aliceKey, path: claims, body: forKey(`{"name":""}`), status: 400, text: "name: is required"},
		{by: limitedKey, path: claims, body: forKey(`{"name":"x","scopes":["certs.write"]}`), status: 403, text: beyond},
		{by: aliceKey, path: claims, body: `{"kind":"user","username":"root"}`, status: 409, text: "User 'root' already"},
	}
	rotates := func(id, rest string) string { return `{"kind":"key-rotation","id":"` + id + `"` + rest + `}` }
	all["POST "+claims] = append(all["POST "+claims], []refused{
		{by: renewingKey, path: claims, body: `{`, status: 403, text: admins},
		{by: bobsKey, path: claims, body: rotates("", ""), status: 400, text: "id: is required"},
		{by: bobsKey, path: claims, body: rotates("uid-of-renewing", ""), status: 404, text: "API key not found"},
		{by: limitedKey, path: claims, body: `{"kind":"user-rotation","username":"none"}`, status: 403, text: admins},
		{by: aliceKey, path: claims, body: `{"kind":"user-rotation","username":"plain"}`, status: 404, text: "Admin user"},
		{by: aliceKey, path: claims, body: `{"kind":"user-rotation","username":"git"}`, status: 409, text: "The key of 'git' is"},
		{by: aliceKey, path: claims, body: rotates("none", ""), status: 404, text: "API key not found"},
		{by: aliceKey, path: claims, body: rotates("uid-of-secret", ""), status: 409, text: "API key secret is delivered in"},
		{
			by: aliceKey, path: claims, body: rotates("uid-of-bobs", `,"rotation":{"key_id":"0123456789abcdef"}`),
			status: 409, text: "API key bobs was rotated",
		},
	}...)
	of := func(subject string, state link.State) func(testing.TB, *env) string {
		return func(tb testing.TB, e *env) string {
			tb.Helper()
			l := &link.Link{
				ID: "a-link", Kind: link.Key, Subject: subject, State: state, EndsAt: e.Time().Add(time.Hour), EndedAt: e.Time(),
			}
			if _, err := e.links.Add(tb.Context(), l, link.Hash{}); err != nil {
				tb.Fatal(err)
			}
			return l.ID
		}
	}
	all["DELETE "+claims+"/{id}"] = []refused{
		{by: powerlessKey, path: claims + "/none", status: 403, text: admins},
		{by: aliceKey, path: claims + "/none", status: 404, text: "Claim link not found"},
		{by: bobsKey, path: claims + "/{id}", prepare: of("Account/ci", link.Open), status: 404, text: "Claim link not"},
		{by: aliceKey, path: claims + "/{id}", prepare: of("Account/ci", link.Used), status: 409, text: "The claim link"},
	}
}

func TestClaims_IdempotencyKey(t *testing.T) {
	const body = `{"kind":"key","subject":"Account/ci","key":{"name":"Nightly"}}`
	e := newEnv(t)
	ask := func(once string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, claimsPath, strings.NewReader(body))
		r.Header.Set("X-Api-Key", fakeobjects.AliceKey)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Idempotency-Key", once)
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		return w
	}
	for i, c := range []struct {
		once, text string
		status     int
	}{
		{"7f3a", `"token":`, http.StatusOK},
		{"7f3a", "If that was lost, rotate the key or withdraw the link", http.StatusConflict},
		{"other", `"token":`, http.StatusOK},
		{strings.Repeat("x", 300), "Idempotency-Key: must be 1-255 visible ASCII characters", http.StatusBadRequest},
		{"", "given once", http.StatusBadRequest},
	} {
		if got := ask(c.once); got.Code != c.status || !strings.Contains(got.Body.String(), c.text) {
			t.Errorf("%d: %d %s", i, got.Code, got.Body)
		}
	}
	if listed := e.must(t, http.MethodGet, claimsPath, ""); strings.Count(listed.body, `"state":"open"`) != 2 {
		t.Error(listed.body)
	}
}
