package keys_test

import (
	"net/http"
	"strings"
	"testing"

	"keywright.dev/keywright/test/fakeobjects"
)

// The reply says what is wrong with a body, and nothing is written.
func TestBody_Refuses(t *testing.T) {
	const (
		instant = "expires_at: must be a time such as 2030-01-31T12:00:00Z"
		seconds = "expires_in_seconds: must be a whole number of seconds"
		bounds  = "expires_in_seconds: must be from 1 to 359999999"
		list    = "scopes: must be a list of strings"
	)
	both := map[string]string{
		``:                              "the body is not JSON",
		`{`:                             "the body is not JSON",
		`{"name":"x"`:                   "the body is not JSON",
		`{"name":"x"}{}`:                "the body is not JSON",
		`[]`:                            "the body must be a JSON object",
		`"name"`:                        "the body must be a JSON object",
		`null`:                          "the body must be a JSON object",
		"{\"name\":\"caf\xe9\"}":        "the body is not UTF-8",
		`{"name":"\ud800"}`:             `the body has half a character: a \u escape without its other half`,
		`{"name":"x","name":"y"}`:       "name: is given twice",
		`{"name":"x","Enabled":true}`:   "Enabled: is not known",
		`{"name":"x","token":"ak_x"}`:   "token: is not known",
		`{"name":17}`:                   "name: must be a string",
		`{"name":["x"]}`:                "name: must be a string",
		`{"name":""}`:                   "name: is required",
		`{"name":"  "}`:                 "name: is required",
		`{"name":"a\u0000b"}`:           "name: must not have control characters",
		`{"name":"x","description":{}}`: "description: must be a string",
		`{"name":"x","scopes":"a.b"}`:   list,
		`{"name":"x","scopes":[1]}`:     list,
		`{"name":"x","scopes":[null]}`:  list,
		`{"name":"x","scopes":{"a":1}}`: list,
		`{"name":"x","scopes":["a.b","c.d","a.b"]}`:                                        "scopes[2]: is given twice",
		`{"name":"x","roles":["reader","reader"]}`:                                         "roles[1]: is given twice",
		`{"name":"x","roles":7}`:                                                           "roles: must be a list of strings",
		`{"name":"x","roles":["nothing"]}`:                                                 `roles: unknown role "nothing"`,
		`{"name":"x","enabled":"true"}`:                                                    "enabled: must be true or false",
		`{"name":"x","enabled":1}`:                                                         "enabled: must be true or false",
		`{"name":"x","expires_at":17}`:                                                     instant,
		`{"name":"x","expires_at":""}`:                                                     instant,
		`{"name":"x","expires_at":"soon"}`:                                                 instant,
		`{"name":"x","expires_at":"2031-01-01"}`:                                           instant,
		`{"name":"x","expires_at":"2031-01-01t00:00:00z"}`:                                 instant,
		`{"name":"x","expires_at":"2031-01-01T00:00:00,5Z"}`:                               instant,
		`{"name":"x","expires_at":"2031-01-01T1:00:00Z"}`:                                  instant,
		`{"name":"x","expires_at":"2031-01-01T00:00:00+24:00"}`:                            instant,
		`{"name":"x","expires_at":"2031-01-01T00:00:00"}`:                                  instant,
		`{"name":"x","expires_at":"2031-13-01T00:00:00Z"}`:                                 instant,
		`{"name":"x","expires_at":"2029-12-31T23:59:59Z"}`:                                 "expires_at: must be in the future",
		`{"name":"x","expires_at":"0001-01-01T00:00:00Z"}`:                                 "expires_at: must be in the future",
		`{"name":"x","expires_at":"9999-12-31T23:59:59-01:00"}`:                            "expires_at: must be before the year 10000",
		`{"name":"x","expires_in_seconds":"60"}`:                                           seconds,
		`{"name":"x","expires_in_seconds":1.5}`:                                            seconds,
		`{"name":"x","expires_in_seconds":1e99}`:                                           bounds,
		`{"name":"x","expires_in_seconds":99999999999999999999}`:                           bounds,
		`{"name":"x","expires_in_seconds":0}`:                                              bounds,
		`{"name":"x","expires_in_seconds":-1}`:                                             bounds,
		`{"name":"x","expires_in_seconds":360000000}`:                                      bounds,
		`{"name":"x","expires_in_seconds":60,"expires_at":"2031-01-01T00:00:00Z"}`:         "expires_in_seconds: excludes expires_at: a key ends either at an instant or some time after its issue",
		`{"name":"x","budgets":{}}`:                                                        "budgets: must be a list of budgets",
		`{"name":"x","budgets":"daily"}`:                                                   "budgets: must be a list of budgets",
		`{"name":"x","budgets":[1]}`:                                                       "budgets: must not be a number",
		`{"name":"x","budgets":[null]}`:                                                    "budgets[0].name: must be up to 63 lower case letters, digits and '-', a letter or digit first and last",
		`{"name":"x","budgets":[{"name":"b","usd":1,"period":"Day"}]}`:                     "budgets.usd: must not be a number",
		`{"name":"x","budgets":[{"name":"b","usd":"1","usd":"2","period":"Day"}]}`:         "budgets[0].usd: is given twice",
		`{"name":"x","budgets":[{"name":"b","eur":"1","period":"Day"}]}`:                   "budgets[0].eur: is not known",
		`{"name":"x","budgets":[{"name":"b","tokens":1.5,"period":"Day"}]}`:                "budgets.tokens: must be a whole number",
		`{"name":"x","budgets":[{"name":"b","usd":"0","period":"Day"}]}`:                   "budgets[0].usd: must be an amount above 0 such as 50 or 0.25, with up to 9 digits before the point and 9 after it",
		`{"name":"x","policy":"{}"}`:                                                       "policy: must be an object",
		`{"name":"x","policy":[]}`:                                                         "policy: must be an object",
		`{"name":"x","policy":{"permission":[]}}`:                                          "policy.permission: is not known",
		`{"name":"x","policy":{"permissions":[{"effect":"ALLOW","effect":"DENY"}]}}`:       "policy.permissions[0].effect: is given twice",
		`{"name":"x","policy":{"permissions":[{"effect":1}]}}`:                             "policy.permissions.effect: must not be a number",
		`{"name":"x","policy":{"permissions":[{"condition":{"StringEquals":{"a":"b"}}}]}}`: "policy.permissions[0].condition.StringEquals: is not known",
	}
	create := map[string]string{
		`{}`: "name: is required", `{"name":null}`: "name: is required", `{"name":"x","revoked":true}`: "revoked: is not known",
	}
	change := map[string]string{
		`{"name":null}`:    "name: must be a string",
		`{"enabled":null}`: "enabled: must be true or false",
		`{"revoked":null}`: "revoked: must be true or false", `{"revoked":1}`: "revoked: must be true or false",
		`{"revoked":false}`:                          "revoked: must be true: a revoked key is refused for good",
		`{"revoked":true,"enabled":false}`:           "revoked: excludes other changes: a revoked key stays as it is",
		`{"name":"x","revoked":true}`:                "revoked: excludes other changes: a revoked key stays as it is",
		`{"expires_at":null,"expires_in_seconds":5}`: "expires_in_seconds: excludes expires_at: a key ends either at an instant or some time after its issue",
	}
	env := newEnv(t)
	path, _ := env.made(t, "accounts/lab", `{"name":"before"}`)
	before := env.ask(t, admin, "GET", path, "").body
	writes := len(env.Writes())
	refused := func(method, at string, bodies map[string]string) {
		for body, what := range bodies {
			env.ask(t, admin, method, at, body).want(t, 400, 4000, what)
		}
	}
	refused("POST", "/apiv1/accounts/lab/apikeys", both)
	refused("POST", "/apiv1/accounts/lab/apikeys", create)
	refused("PATCH", path, both)
	refused("PATCH", path, change)
	const keyID = "key_id: must be the key id of the current key: 16 hexadecimal characters"
	const overlap = "overlap_seconds: must be from 0 to 86400"
	refused("POST", path+"/rotate", map[string]string{
		`[]`: "the body must be a JSON object", `{"new_key":"x"}`: "new_key: is not known", `{`: "the body is not JSON",
		`{"key_id":1}`: "key_id: must be a string", `{"key_id":"x"}`: keyID, `{"key_id":"` + admin + `"}`: keyID,
		`{"overlap_seconds":"1h"}`: "overlap_seconds: must be a whole number of seconds",
		`{"overlap_seconds":-1}`:   overlap, `{"overlap_seconds":86401}`: overlap, `{"overlap_seconds":1e99}`: overlap,
		`{"overlap_seconds":1.5}`: "overlap_seconds: must be a whole number of seconds",
	})
	long := `{"name":"` + strings.Repeat("x", 1<<20) + `"}`
	env.ask(t, admin, "POST", "/apiv1/accounts/lab/apikeys", long).want(t, 413, 4000, "the body is longer than 256 KiB")
	env.ask(t, admin, "PATCH", path, long).want(t, 413, 4000, "the body is longer than 256 KiB")
	env.ask(t, admin, "POST", "/apiv1/accounts/lab/apikeys", `name=x`, "Content-Type: application/x-www-form-urlencoded").
		want(t, 400, 4000, "the Content-Type must be application/json")
	env.ask(t, admin, "POST", "/apiv1/accounts/lab/apikeys", `{"name":"x"}`, "Content-Encoding: gzip").want(t, 400, 4000, "the body must not be compressed")
	if after := env.ask(t, admin, "GET", path, "").body; after != before || len(env.Writes()) != writes {
		t.Errorf("before: %s\nafter: %s", before, after)
	}
}

func TestBody_NullIsMissing(t *testing.T) {
	env := newEnv(t)
	path, _ := env.made(t, "accounts/lab", `{"name":"x","description":null,"scopes":null,"roles":null,"policy":null,"budgets":null,"expires_at":null,"expires_in_seconds":null,"enabled":null}`)
	if r := env.ask(t, admin, "GET", path, ""); r.data["enabled"] != true || r.data["expires_at"] != nil ||
		r.data["policy"] != nil {
		t.Error(r.body)
	}
	path, _ = env.made(t, "accounts/lab", `{"name":"x","description":"d","scopes":["a.b"],"roles":["reader"],"expires_in_seconds":60,"budgets":[{"name":"daily","usd":"1","period":"Day"}],"policy":{"permissions":[{"effect":"DENY","actions":["*"],"resources":["*"]}]}}`)
	if r := env.ask(t, admin, "GET", path, ""); said(t, r.data["budgets"]) != `[{"action":"Deny","name":"daily","period":"Day","usd":"1"}]` {
		t.Error(r.body)
	}
	r := env.ask(t, admin, "PATCH", path, `{"description":null,"scopes":null,"roles":null,"policy":null,"budgets":null,"expires_in_seconds":null}`)
	if r.status != 200 || r.data["description"] != "" || said(t, r.data["scopes"]) != "[]" ||
		said(t, r.data["roles"]) != "[]" || said(t, r.data["budgets"]) != "[]" ||
		r.data["policy"] != nil || r.data["expires_at"] != nil {
		t.Error(r.body)
	}
}

func TestBody_AcceptsAnyName(t *testing.T) {
	env := newEnv(t)
	path, _ := env.made(t, "accounts/lab", `{"name":"Schlüssel für 😀 <b>&amp;</b>","description":"zwei\nZeilen"}`)
	if r := env.ask(t, admin, "GET", path, ""); r.data["name"] != "Schlüssel für 😀 <b>&amp;</b>" ||
		r.data["description"] != "zwei\nZeilen" {
		t.Error(r.body)
	}
}

// Every reply is in the envelope, and none is an internal error.
func FuzzHandler(f *testing.F) {
	for _, seed := range []struct{ method, target, body string }{
		{"POST", "/apiv1/users/bob/apikeys", `{"name":"x","policy":{"permissions":[{"effect":"ALLOW","actions":["*"],"resources":["*"]}]}}`},
		{"PATCH", "/apiv1/accounts/ci/apikeys/uid-of-ci-manages", `{"expires_at":null}`},
		{"GET", "/apiv1/users/me/apikeys?name=*&limit=3&offset=1", ""},
		{"POST", "/apiv1/users/a%2Fb/apikeys/%00/rotate", "{}"},
		{"DELETE", "/apiv1//x", "\xff"},
	} {
		f.Add(seed.method, seed.target, seed.body)
	}
	env := newEnv(f)
	f.Fuzz(func(t *testing.T, method, target, body string) {
		r, err := http.NewRequest(method, "http://keywright.example"+target, strings.NewReader(body))
		if err != nil || !strings.HasPrefix(target, "/apiv1/") {
			t.Skip("no request of ours")
		}
		r.Header.Set("X-Api-Key", fakeobjects.AliceKey)
		if got := env.send(t, r); got.status >= 500 {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
}
