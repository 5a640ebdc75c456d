package introspect_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
)

func TestIntrospect_DescribesKey(t *testing.T) {
	h := newFixture(t)
	for name, c := range map[string]struct{ token, want string }{
		"an admin's": {
			aliceKey,
			`{"active":true,"username":"alice","sub":"User/alice","token_type":"Bearer","key_id":"` + h.id(aliceKey) +
				`","admin":true}`,
		},
		"the bootstrap key": {
			bootstrapKey,
			`{"active":true,"username":"admin","sub":"User/admin","token_type":"Bearer","key_id":"` + h.id(bootstrapKey) +
				`","admin":true}`,
		},
		"a user's, limited by the user": {
			bobsAPIKey,
			`{"active":true,"scope":"certs.read","username":"bob","sub":"User/bob","token_type":"Bearer","key_id":"` +
				h.id(bobsAPIKey) + `","admin":false}`,
		},
		"a program's": {
			ciKey,
			`{"active":true,"scope":"certs.read certs.write","sub":"Account/ci","token_type":"Bearer","key_id":"` +
				h.id(ciKey) + `","admin":false}`,
		},
		"a program's without scopes": {
			plainKey,
			`{"active":true,"sub":"Account/plain","token_type":"Bearer","key_id":"` + h.id(plainKey) + `","admin":false}`,
		},
		"one that ends": {
			oddKey,
			`{"active":true,"sub":"Integration/odd","token_type":"Bearer","exp":1893456090,"key_id":"` + h.id(oddKey) +
				`","admin":false}`,
		},
		"the asker's own": {
			askerKey,
			`{"active":true,"scope":"keys.introspect","sub":"Account/gateway","token_type":"Bearer","key_id":"` +
				h.id(askerKey) + `","admin":false}`,
		},
		"one from a file": {
			"\t" + plainKey + "\r\n",
			`{"active":true,"sub":"Account/plain","token_type":"Bearer","key_id":"` + h.id(plainKey) + `","admin":false}`,
		},
		"disabled":         {offKey, `{"active":false}`},
		"ended":            {endedKey, `{"active":false}`},
		"revoked":          {revokedKey, `{"active":false}`},
		"unknown":          {unknownKey, `{"active":false}`},
		"mistyped":         {mistypedKey, `{"active":false}`},
		"too short":        {"x", `{"active":false}`},
		"too long":         {strings.Repeat("x", 60<<10), `{"active":false}`},
		"no text":          {"\x00\xff\xfe and more of the like", `{"active":false}`},
		"with its scheme":  {"Bearer " + ciKey, `{"active":false}`},
		"a session":        {askerSession, `{"active":false}`},
		"a key's id":       {h.id(ciKey), `{"active":false}`},
		"a key's digest":   {h.ring.Digest(ciKey).String(), `{"active":false}`},
		"in another case":  {strings.ToUpper(ciKey), `{"active":false}`},
		"two in one":       {ciKey + " " + ciKey, `{"active":false}`},
		"an admin's name":  {"alice", `{"active":false}`},
		"an encoded twice": {"a%2Bkey%2Fwith%3Dodd%26characters%2541in%3Bit", `{"active":false}`},
	} {
		t.Run(name, func(t *testing.T) {
			reply := h.serve(newRequest(tokenForm(c.token)))
			if reply.Code != http.StatusOK || reply.Body.String() != c.want+"\n" {
				t.Errorf("got %d %s, want %s", reply.Code, reply.Body, c.want)
			}
			if reply.Header().Get("Content-Type") != "application/json" ||
				reply.Header().Get("Cache-Control") != "no-store" || len(reply.Header()) != 2 {
				t.Errorf("%q", reply.Header())
			}
		})
	}
	noKeys(t, h.log.String())
}

// The reply follows the current state.
func TestIntrospect_FollowsKeyState(t *testing.T) {
	h := newFixture(t)
	for _, standing := range []verify.Reason{verify.Accepted, verify.Revoked, verify.Accepted, verify.Deleted} {
		h.apiKey("", "Account/ci", ciKey, standing, time.Time{})
		reply := h.serve(newRequest(tokenForm(ciKey)))
		got := strings.Contains(reply.Body.String(), `"active":true`)
		if got != (standing == verify.Accepted) {
			t.Errorf("%s: active: %t", standing, got)
		}
	}
}

// The caller authenticates as on every surface. The introspected key is not a credential.
func TestIntrospect_RequiresPermission(t *testing.T) {
	const (
		invalid = `{"error":{"code":401,"what":"invalid token"}}`
		lacks   = `{"error":{"code":4003,"what":"API key lacks required permission"}}`
	)
	for name, c := range map[string]struct {
		header, value string
		status        int
		body          string
	}{
		"permitted":    {"Authorization", "Bearer " + askerKey, 200, `{"active":false}`},
		"in X-API-Key": {"X-Api-Key", askerKey, 200, `{"active":false}`},
		"as a password": {
			"Authorization", "Basic eDp0aGUta2V5LW9mLWEtZ2F0ZXdheS10aGF0LWFza3M=", 200, `{"active":false}`,
		},
		"in a form of CREDENTIALS":  {"Api-Key", askerKey, 401, invalid},
		"by a session":              {"Cookie", "keywright_session=" + askerSession, 200, `{"active":false}`},
		"an admin":                  {"Authorization", "Bearer " + aliceKey, 200, `{"active":false}`},
		"the bootstrap key":         {"Authorization", "Bearer " + bootstrapKey, 200, `{"active":false}`},
		"by name, as its roles say": {"X-Forwarded-User", "zoe", 200, `{"active":false}`},
		"by name, on one resource":  {"X-Forwarded-User", "yan", 403, lacks},
		"by name, without a role":   {"X-Forwarded-User", "alice", 403, lacks},
		"not permitted":             {"Authorization", "Bearer " + ciKey, 403, lacks},
		"owner not permitted":       {"Authorization", "Bearer " + bobsAPIKey, 403, lacks},
		"anonymous":                 {"Accept", "*/*", 401, invalid},
		"unknown":                   {"Authorization", "Bearer " + unknownKey, 401, invalid},
		"ended":                     {"Authorization", "Bearer " + endedKey, 401, invalid},
		"malformed":                 {"Authorization", "Bearer", 401, invalid},
		"no session":                {"Cookie", "keywright_session=x", 401, invalid},
	} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t)
			h.use(t, config.Runtime{TrustProxyHeaders: true, AnonymousReads: true, AllowedUsers: []string{"mallory"},
				Credentials: []string{"api-key", "Authorization: Token"}})
			h.bind("zoe", access.Any)
			h.bind("yan", "keys")
			// Permission is checked before the request is read.
			for i, body := range []string{tokenForm(unknownKey), "", "token=%zz", tokenForm(ciKey) + "&" + tokenForm(ciKey)} {
				r := newRequest(body)
				r.Header.Del("Authorization")
				r.Header.Set(c.header, c.value)
				reply := h.serve(r)
				if c.status == http.StatusOK && i > 0 {
					if reply.Code != http.StatusBadRequest {
						t.Errorf("%q: %d", body, reply.Code)
					}
					continue
				}
				if reply.Code != c.status || strings.TrimSpace(reply.Body.String()) != c.body ||
					reply.Header().Get("Cache-Control") != "no-store" {
					t.Errorf("%q: %d %s %q", body, reply.Code, reply.Body, reply.Header())
				}
				challenged := len(reply.Header().Values("WWW-Authenticate")) == 2
				if challenged != (c.status == http.StatusUnauthorized) {
					t.Errorf("%q", reply.Header())
				}
			}
			noKeys(t, h.log.String())
		})
	}
}

// A caller without permission causes no verification.
func TestIntrospect_VerifiesNothingWithoutPermission(t *testing.T) {
	h := newFixture(t)
	r := newRequest(tokenForm(endedKey))
	r.Header.Set("Authorization", "Bearer "+ciKey)
	r.Body = io.NopCloser(iotest.ErrReader(errors.New("it was read")))
	h.serve(r)
	const want = `
# HELP keywright_decisions_total Requests decided on, by outcome.
# TYPE keywright_decisions_total counter
keywright_decisions_total{outcome="allowed"} 0
keywright_decisions_total{outcome="ambiguous"} 0
keywright_decisions_total{outcome="not_listed"} 0
keywright_decisions_total{outcome="not_owner"} 0
keywright_decisions_total{outcome="not_permitted"} 1
keywright_decisions_total{outcome="not_ready"} 0
keywright_decisions_total{outcome="over_budget"} 0
keywright_decisions_total{outcome="stale"} 0
keywright_decisions_total{outcome="unauthenticated"} 0
keywright_decisions_total{outcome="undescribed"} 0
keywright_decisions_total{outcome="unmatched"} 0
`
	if err := testutil.GatherAndCompare(h.registry, strings.NewReader(want), "keywright_decisions_total"); err != nil {
		t.Error(err)
	}
	if strings.Contains(h.log.String(), `"verdict":"expired"`) {
		t.Error("the key was verified")
	}
}

func TestIntrospect_NotReadyOrStale(t *testing.T) {
	h := newFixture(t)
	h.view.age = time.Hour
	h.use(t, config.Runtime{StaleAfter: time.Minute})
	if reply := h.serve(newRequest(tokenForm(ciKey))); reply.Code != http.StatusServiceUnavailable ||
		reply.Header().Get("Retry-After") != "1" {
		t.Errorf("stale: %d %s", reply.Code, reply.Body)
	}
	h.gate.Use(nil)
	if reply := h.serve(newRequest(tokenForm(ciKey))); reply.Code != http.StatusServiceUnavailable ||
		reply.Header().Get("Retry-After") != "1" {
		t.Errorf("not ready: %d %s", reply.Code, reply.Body)
	}
}

func TestIntrospect_RejectsMalformedRequest(t *testing.T) {
	const (
		noToken = "the token is missing"
		noForm  = "the Content-Type must be application/x-www-form-urlencoded"
		inQuery = "the token must be in the body: a query is written to logs"
	)
	set := func(name string, values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header[name] = values }
	}
	query := func(q string) func(*http.Request) { return func(r *http.Request) { r.URL.RawQuery = q } }
	method := func(m string) func(*http.Request) { return func(r *http.Request) { r.Method = m } }
	for name, c := range map[string]struct {
		body   string
		change func(*http.Request)
		want   string
	}{
		"nothing":                 {"", nil, noToken},
		"something else":          {"key=" + ciKey, nil, noToken},
		"an empty token":          {"token=", nil, noToken},
		"a token without a value": {"token", nil, noToken},
		"an empty line":           {"token=%0A", nil, noToken},
		"in another case":         {"Token=" + ciKey, nil, noToken},
		"of a list":               {"token[]=" + ciKey, nil, noToken},
		"the key alone":           {ciKey, nil, noToken},
		"two tokens":              {tokenForm(ciKey) + "&" + tokenForm(unknownKey), nil, "there is more than one token"},
		"the same token twice":    {tokenForm(ciKey) + "&" + tokenForm(ciKey), nil, "there is more than one token"},
		"one of two is empty":     {tokenForm(ciKey) + "&token=", nil, "there is more than one token"},
		"a broken escape":         {"token=" + ciKey + "%4", nil, "the body is not application/x-www-form-urlencoded"},
		"broken escape elsewhere": {tokenForm(ciKey) + "&x=%zz", nil, "the body is not application/x-www-form-urlencoded"},
		"semicolons":              {tokenForm(ciKey) + ";x=y", nil, "the body is not application/x-www-form-urlencoded"},
		"JSON":                    {`{"token":"` + ciKey + `"}`, set("Content-Type", "application/json"), noForm},
		"JSON sent as a form":     {`{"token":"` + ciKey + `"}`, nil, noToken},
		"multipart":               {tokenForm(ciKey), set("Content-Type", "multipart/form-data; boundary=x"), noForm},
		"text":                    {tokenForm(ciKey), set("Content-Type", "text/plain"), noForm},
		"no type":                 {tokenForm(ciKey), set("Content-Type"), noForm},
		"an empty type":           {tokenForm(ciKey), set("Content-Type", ""), noForm},
		"two types": {
			tokenForm(ciKey), set("Content-Type", "application/x-www-form-urlencoded", "application/json"), noForm,
		},
		"a broken type":      {tokenForm(ciKey), set("Content-Type", "application/x-www-form-urlencoded; ="), noForm},
		"compressed":         {tokenForm(ciKey), set("Content-Encoding", "gzip"), "the body must not be compressed"},
		"in the query":       {"", query(tokenForm(ciKey)), inQuery},
		"in the query too":   {tokenForm(ciKey), query(tokenForm(ciKey)), inQuery},
		"empty in the query": {tokenForm(ciKey), query("token"), inQuery},
		"a broken query":     {tokenForm(ciKey), query("token=" + ciKey + "&%zz"), inQuery},
		"GET":                {"", method(http.MethodGet), "the method must be POST"},
		"GET with a token":   {tokenForm(ciKey), method(http.MethodGet), "the method must be POST"},
		"PUT":                {tokenForm(ciKey), method(http.MethodPut), "the method must be POST"},
		"DELETE":             {tokenForm(ciKey), method(http.MethodDelete), "the method must be POST"},
		"OPTIONS":            {"", method(http.MethodOptions), "the method must be POST"},
		"an unknown method":  {tokenForm(ciKey), method("FROB"), "the method must be POST"},
		"64 KB and one": {
			tokenForm(ciKey) + "&x=" + strings.Repeat("y", 64<<10-len(tokenForm(ciKey))-2), nil,
			"the body is longer than 64 KiB",
		},
		"a megabyte": {tokenForm(strings.Repeat("x", 1<<20)), nil, "the body is longer than 64 KiB"},
		"a body that breaks off": {"", func(r *http.Request) {
			r.Body = io.NopCloser(io.MultiReader(strings.NewReader(tokenForm(ciKey)), iotest.ErrReader(io.ErrUnexpectedEOF)))
		}, "the body can't be read"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t)
			r := newRequest(c.body)
			if c.change != nil {
				c.change(r)
			}
			reply := h.serve(r)
			want, err := json.Marshal(map[string]string{"error": "invalid_request", "error_description": c.want})
			if err != nil {
				t.Fatal(err)
			}
			if reply.Code != http.StatusBadRequest || reply.Body.String() != string(want)+"\n" {
				t.Errorf("%d %s, want %s", reply.Code, reply.Body, want)
			}
			if reply.Header().Get("Content-Type") != "application/json" || reply.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%q", reply.Header())
			}
			noKeys(t, reply.Body.String()+h.log.String())
		})
	}
}

func TestIntrospect_AcceptsUnusualRequest(t *testing.T) {
	for name, c := range map[string]struct {
		body, contentType, query string
	}{
		"with a hint":          {tokenForm(ciKey) + "&token_type_hint=refresh_token", "", ""},
		"with a hint twice":    {"token_type_hint=a&token_type_hint=b&" + tokenForm(ciKey), "", ""},
		"with a character set": {tokenForm(ciKey), "application/x-www-form-urlencoded; charset=UTF-8", ""},
		"in upper case":        {tokenForm(ciKey), "Application/X-WWW-Form-Urlencoded", ""},
		"with other things":    {"client_id=x&" + tokenForm(ciKey) + "&client_secret=y&&", "", ""},
		"with another query":   {tokenForm(ciKey), "", "tenant=x"},
		"64 KB":                {tokenForm(ciKey) + "&x=" + strings.Repeat("y", 64<<10-len(tokenForm(ciKey))-3), "", ""},
		"needless escapes":     {"%74oken=%74he-key-of-a-program-named-ci", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRequest(c.body)
			if r.URL.RawQuery = c.query; c.contentType != "" {
				r.Header.Set("Content-Type", c.contentType)
			}
			if reply := newFixture(t).serve(r); reply.Code != http.StatusOK ||
				!strings.Contains(reply.Body.String(), `"sub":"Account/ci"`) {
				t.Errorf("%d %s", reply.Code, reply.Body)
			}
		})
	}
}

// Over a real connection.
func TestIntrospect_OverHTTP(t *testing.T) {
	h := newFixture(t)
	server := httptest.NewServer(h)
	defer server.Close()
	for body, want := range map[string]int{
		tokenForm(ciKey): 200, tokenForm(strings.Repeat("x", 1<<20)): 400, "token=%": 400,
	} {
		chunked := io.MultiReader(strings.NewReader(body))
		r, err := http.NewRequest(http.MethodPost, server.URL+"/introspect", chunked)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = newRequest("").Header
		response, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%.20q: %d, want %d", body, response.StatusCode, want)
		}
	}
}

func FuzzIntrospect(f *testing.F) {
	h := newFixture(f)
	f.Add("POST", "", "application/x-www-form-urlencoded", tokenForm(ciKey), "Bearer "+askerKey)
	f.Add("POST", "token=x", "application/x-www-form-urlencoded;charset", "token=%zz&token", "Bearer "+askerKey)
	f.Add("GET", "%", "", "\x00", "Basic Og==")
	f.Fuzz(func(t *testing.T, method, query, contentType, body, authorization string) {
		r := newRequest(body)
		r.Method, r.URL.RawQuery = method, query
		r.Header = http.Header{"Content-Type": {contentType}, "Authorization": {authorization}}
		reply := h.serve(r)
		switch reply.Code {
		case http.StatusOK, http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		default:
			t.Fatal(reply.Code)
		}
		if !json.Valid(reply.Body.Bytes()) || reply.Header().Get("Cache-Control") != "no-store" {
			t.Fatalf("%d %s", reply.Code, reply.Body)
		}
	})
}
