package graphql_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
)

const anyQuery = `{"query": "{ __typename }"}`

// padded16 returns a query of 16 KiB and some bytes more.
func padded16(more int) string {
	return `{"query": "{ __typename }#` + strings.Repeat("x", 16<<10-len("{ __typename }#")+more) + `"}`
}

// The caller is checked first: others do not learn what is wrong with a request, and nothing is executed.
func TestUnproven_IsRefused(t *testing.T) {
	const envelope = `{"error":{"code":401,"what":"invalid token"}}` + "\n"
	for _, key := range []string{"", "another-key", savedName} {
		for _, body := range []string{
			document(t, seedCreate, seedInput()), anyQuery, "", "[]", "{", strings.Repeat("x", 1<<20),
		} {
			env := newEnv(t)
			for _, method := range []string{http.MethodPost, http.MethodGet} {
				r := newRequest(key, body)
				r.Method = method
				got := env.serve(r)
				if got.Code != http.StatusUnauthorized || got.Body.String() != envelope ||
					got.Header().Get("Cache-Control") != "no-store" || got.Header().Get("Www-Authenticate") == "" {
					t.Errorf("%q %.20q: %d %s", key, body, got.Code, got.Body)
				}
			}
			if env.ring.calls != 0 {
				t.Error("a query was executed")
			}
		}
	}
}

func TestRequest_Refuses(t *testing.T) {
	type change = func(*http.Request)
	header := func(name string, values ...string) change { return func(r *http.Request) { r.Header[name] = values } }
	method := func(m string) change { return func(r *http.Request) { r.Method = m } }
	padded := func(n int) string {
		return `{"query": "{ __typename }", "variables": {"x": "` + strings.Repeat("y", n) + `"}}`
	}
	const post = `Send a POST with a JSON body such as {"query": "{ __typename }"}.`
	const crossSite = "Cross-origin request refused"
	for name, c := range map[string]struct {
		body   string
		change change
		status int
		text   string
	}{
		"nothing":               {"", nil, 400, "the body is not JSON"},
		"not JSON":              {"{ tokens }", nil, 400, "the body is not JSON"},
		"half of one":           {`{"query": "{ __typename }"`, nil, 400, "the body is not JSON"},
		"two":                   {anyQuery + anyQuery, nil, 400, "the body is not JSON"},
		"a batch":               {"[" + anyQuery + "]", nil, 400, "the body must be a JSON object"},
		"an empty batch":        {"[]", nil, 400, "the body must be a JSON object"},
		"null":                  {"null", nil, 400, "the body must be a JSON object"},
		"a string":              {`"{ __typename }"`, nil, 400, "the body must be a JSON object"},
		"no query":              {`{"variables": {}}`, nil, 400, "query: is required"},
		"an empty query":        {`{"query": ""}`, nil, 400, "query: is required"},
		"a query of a number":   {`{"query": 1}`, nil, 400, "query: must not be a number"},
		"a query twice":         {`{"query": "{ __typename }", "query": "{ a }"}`, nil, 400, "query: is given twice"},
		"an unknown field":      {`{"query": "{ __typename }", "id": "x"}`, nil, 400, "id: is not known"},
		"variables in a string": {`{"query": "{ __typename }", "variables": "{}"}`, nil, 400, "variables: must not be a string"},
		"variables in a list":   {`{"query": "{ __typename }", "variables": []}`, nil, 400, "variables: must not be an array"},
		"a variable twice":      {`{"query": "{ __typename }", "variables": {"a": {"b": 1, "b": 2}}}`, nil, 400, "variables.a.b: is given twice"},
		"a name of an object":   {`{"query": "{ __typename }", "operationName": {}}`, nil, 400, "operationName: must not be an object"},
		"half a character":      {`{"query": "{ __typename }", "variables": {"a": "\ud800"}}`, nil, 400, `the body has half a character: a \u escape without its other half`},
		"not UTF-8":             {"{\"query\": \"{ a(b: \\\"\xff\\\") }\"}", nil, 400, "the body is not UTF-8"},
		"16 KiB and one":        {padded16(1), nil, 413, "query: is longer than 16 KiB: pass long values as variables"},
		"256 KiB and more":      {padded(256 << 10), nil, 413, "the body is longer than 256 KiB"},
		"a megabyte":            {padded(1 << 20), nil, 413, "the body is longer than 256 KiB"},
		"a form": {
			"query={__typename}", header("Content-Type", "application/x-www-form-urlencoded"), 400,
			"the Content-Type must be application/json",
		},
		"text": {
			anyQuery, header("Content-Type", "text/plain"), 400, "the Content-Type must be application/json",
		},
		"of the query's type": {
			"{ __typename }", header("Content-Type", "application/graphql"), 400,
			"the Content-Type must be application/json",
		},
		"another character set": {
			anyQuery, header("Content-Type", "application/json; charset=utf-16"), 400,
			"the Content-Type must be application/json",
		},
		"compressed": {anyQuery, header("Content-Encoding", "gzip"), 400, "the body must not be compressed"},
		"a body that breaks off": {
			"", func(r *http.Request) { r.Body = io.NopCloser(iotest.ErrReader(errors.New("gone"))) }, 400,
			"the body can't be read to its end",
		},
		"GET": {"", method(http.MethodGet), 405, post},
		"GET with a query": {
			"", func(r *http.Request) { r.Method, r.URL.RawQuery = http.MethodGet, "query={__typename}" }, 405,
			post,
		},
		"HEAD":              {"", method(http.MethodHead), 405, post},
		"PUT":               {anyQuery, method(http.MethodPut), 405, post},
		"DELETE":            {"", method(http.MethodDelete), 405, post},
		"OPTIONS":           {"", method(http.MethodOptions), 405, post},
		"an unknown method": {anyQuery, method("FROB"), 405, post},
		"of another site":   {anyQuery, header("Sec-Fetch-Site", "cross-site"), 403, crossSite},
		"of a sister site":  {anyQuery, header("Sec-Fetch-Site", "same-site"), 403, crossSite},
		"of another origin": {anyQuery, header("Origin", "https://elsewhere.example"), 403, crossSite},
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			r := newRequest(aliceKey, c.body)
			if c.change != nil {
				c.change(r)
			}
			got := env.serve(r)
			var said reply
			if err := json.Unmarshal(got.Body.Bytes(), &said); err != nil {
				t.Fatalf("%v: %s", err, got.Body)
			}
			code := 4000
			if c.status == http.StatusForbidden {
				code = 4003
			}
			if got.Code != c.status || len(said.Errors) != 1 || said.Errors[0].Message != c.text ||
				said.Errors[0].Extensions.Code != code || said.Data != nil {
				t.Errorf("%d %s, want %d %s", got.Code, got.Body, c.status, c.text)
			}
			if got.Header().Get("Cache-Control") != "no-store" || got.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%q", got.Header())
			}
			if allow := got.Header().Get("Allow"); (allow == "POST") != (c.status == http.StatusMethodNotAllowed) {
				t.Errorf("Allow: %s", allow)
			}
			if env.ring.calls != 0 {
				t.Error("a query was executed")
			}
		})
	}
}

func TestRequest_Accepts(t *testing.T) {
	for name, c := range map[string]struct{ body, header, value string }{
		"no more than a query":     {anyQuery, "", ""},
		"with nulls":               {`{"query": "{ __typename }", "variables": null, "operationName": null, "extensions": null}`, "", ""},
		"with extensions":          {`{"query": "{ __typename }", "extensions": {"persistedQuery": {"version": 1}}}`, "", ""},
		"with unused variables":    {`{"query": "{ __typename }", "variables": {"unused": [1, {"a": null}]}}`, "", ""},
		"with a name":              {`{"query": "query A { __typename } query B { a: __typename }", "operationName": "A"}`, "", ""},
		"with a character set":     {anyQuery, "Content-Type", "application/json; charset=UTF-8"},
		"of the same origin":       {anyQuery, "Sec-Fetch-Site", "same-origin"},
		"typed into the URL":       {anyQuery, "Sec-Fetch-Site", "none"},
		"in 16 KiB":                {padded16(0), "", ""},
		"with a mark of the order": {`{"query": "\ufeff{ __typename }"}`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRequest(aliceKey, c.body)
			if c.header != "" {
				r.Header.Set(c.header, c.value)
			}
			if got := newEnv(t).serve(r); got.Code != http.StatusOK || got.Body.String() != `{"data":{"__typename":"Query"}}`+"\n" {
				t.Errorf("%d %s", got.Code, got.Body)
			}
		})
	}
}

// The Accept header decides about the status for a query that is not understood.
func TestReply_StatusAndMediaType(t *testing.T) {
	const graphQL = "application/graphql-response+json"
	for _, c := range []struct {
		accept, query string
		status        int
		media         string
	}{
		{"", "{ nonsense }", 200, "application/json"},
		{"*/*", "{ nonsense }", 200, "application/json"},
		{"application/json", "{ nonsense }", 200, "application/json"},
		{graphQL + ", application/json;q=0.9", "{ nonsense }", 400, graphQL},
		{graphQL + ", application/json;q=0.9", "{", 400, graphQL},
		{graphQL, "{ __typename }", 200, graphQL},
		// It is understood and refused.
		{graphQL, `mutation { revokeToken(id: "none") { id } }`, 200, graphQL},
	} {
		r := newRequest(aliceKey, document(t, c.query, nil))
		r.Header.Set("Accept", c.accept)
		got := newEnv(t).serve(r)
		if got.Code != c.status || got.Header().Get("Content-Type") != c.media ||
			got.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%q %s: %d %q", c.accept, c.query, got.Code, got.Header())
		}
	}
}

func TestCookies_SavedNameIsSet(t *testing.T) {
	r := newRequest("", anyQuery)
	r.Header.Set("X-Forwarded-User", "bob")
	if got := newEnv(t).serve(r).Header().Get("Set-Cookie"); !strings.HasPrefix(got, "keywright_user=bob; ") {
		t.Error(got)
	}
}

func TestCookies_SessionIsRenewedByUse(t *testing.T) {
	for _, renews := range []bool{false, true} {
		env := newEnv(t)
		env.backing.renews = renews
		r := newRequest("", anyQuery)
		r.Header.Set("Cookie", "keywright_session="+aliceSession)
		cookie := env.serve(r).Header().Get("Set-Cookie")
		if (cookie != "") != renews || renews && !strings.HasPrefix(cookie, "keywright_session="+aliceSession+"; ") ||
			len(env.backing.touched) != 1 {
			t.Errorf("renews %t: %q", renews, cookie)
		}
		env.serve(newRequest(bobKey, anyQuery))
		if len(env.backing.touched) != 1 {
			t.Error("a session that is not used is renewed")
		}
	}
}

func TestDatabaseDown_IsUnavailable(t *testing.T) {
	env := newEnv(t)
	env.backing.down = errors.New("it is away")
	for _, key := range []string{"", aliceKey} {
		got := env.serve(newRequest(key, document(t, seedCreate, seedInput())))
		const want = `{"errors":[{"message":"The database is unavailable: it is away","extensions":{"code":5000}}]}` + "\n"
		if got.Code != http.StatusServiceUnavailable || got.Body.String() != want || env.ring.calls != 0 ||
			got.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%d %s", got.Code, got.Body)
		}
	}
}

// The same over a real connection.
func TestRequest_OverHTTP(t *testing.T) {
	server := httptest.NewServer(newEnv(t))
	defer server.Close()
	for body, want := range map[string]int{anyQuery: 200, "[" + anyQuery + "]": 400, `{"query": "` + strings.Repeat("x", 1<<20) + `"}`: 413} {
		r, err := http.NewRequest(http.MethodPost, server.URL+"/graphql", io.MultiReader(strings.NewReader(body))) // chunked
		if err != nil {
			t.Fatal(err)
		}
		r.Header = newRequest(aliceKey, "").Header
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
