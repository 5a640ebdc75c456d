package graphql_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// FuzzGraphQL checks that every body gets a reply of the documented form, and that no reply fails or leaks a key.
func FuzzGraphQL(f *testing.F) {
	for _, query := range []string{
		seedCreate, seedRevoke, pageQuery, createOwn,
		`mutation { a: createToken(token: {name: "\uD800", policy: """{}"""}) { ...F } } fragment F on Token { token policy }`,
		`query ($a: [[Int!]!] = [[1]], $b: Boolean = true) { tokens(limit: 1, cursor: null) @include(if: $b) @skip(if: false) { __typename items { id } } }`,
		`{ __type(name: "Token") { ...on __Type { fields(includeDeprecated: true) { type { ofType { name } } } } } }`,
		`subscription { a } "text" query A { b(c: -"x") } # end`, "\"\\z\" query { a }", `{ a(b: 1e999, c: -, d: 99999999999999999999) }`,
		`fragment A on Query { ...B } fragment B on Query { ...A } { ...A }`, "\ufeff{__typename}", `query "\uDC00" { a }`, `"\uD83D" { a }`,
		`{ token(id: 99999999999999999999999) { id } }`, `mutation { createToken(token: {name: "a", policy: "{}", expiresAt: 1e400}) { id } }`,
	} {
		f.Add("POST", "application/json", document(f, query, seedInput()), true)
		f.Add(
			"POST", "application/json",
			document(
				f, query,
				map[string]any{"id": []any{nil, 1, "x"}, "limit": 1e300, "token": map[string]any{"name": nil}},
			),
			true,
		)
	}
	f.Add("GET", "text/html", "", true)
	f.Add("POST", "application/json", `[{"query":"{a}"}]`, false)
	env := newEnv(f)
	f.Fuzz(func(t *testing.T, method, contentType, body string, known bool) {
		r := newRequest("", body)
		r.Method, r.Header = method, http.Header{"Content-Type": {contentType}}
		if known {
			r.Header.Set("Authorization", "Bearer "+aliceKey)
		}
		checkReply(t, env, r, known)
	})
}

// FuzzQuery fuzzes the query in a valid body.
func FuzzQuery(f *testing.F) {
	f.Add(seedCreate, `{"token": {"name": "x", "policy": "{}", "expiresAt": "1"}}`)
	f.Add(`{ token(id: "\uD800") { id } }`, `{}`)
	f.Add(`query ($a: __TypeKind = X, $b: TokenInput = {name: "a", expiresAt: [1]}) { token(id: 1) { id } }`, `{"a": "LIST", "b": {}}`)
	f.Add(`{ a: __schema { types { name } } ... on Query { tokens { items { ... on Token { id @skip(if: $x) } } } } }`, `{"x": 1}`)
	f.Add(`mutation { revokeToken(id: """`+"\n"+` a \""" """) { id __schema { types { name } } } }`, `null`)
	env := newEnv(f)
	f.Fuzz(func(t *testing.T, query, variables string) {
		if !json.Valid([]byte(variables)) {
			return
		}
		checkReply(t, env, newRequest(aliceKey, document(t, query, json.RawMessage(variables))), true)
	})
}

func checkReply(t *testing.T, env *env, r *http.Request, known bool) {
	t.Helper()
	env.ring.keys, everyKey = nil, nil
	got := env.serve(r)
	switch got.Code {
	case 200, 400, 401, 405, 413:
	default:
		t.Fatal(got.Code)
	}
	if (got.Code == http.StatusUnauthorized) == known {
		t.Fatalf("known %t: %d", known, got.Code)
	}
	if !json.Valid(got.Body.Bytes()) || got.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %s", got.Code, got.Body)
	}
	// The real run never fails: the dry run finds what the library can't execute.
	if strings.Contains(got.Body.String(), `"code":5000`) {
		t.Fatalf("%s\n%s", got.Body, env.log)
	}
}

// Random queries of GraphQL tokens get replies of the documented form.
func TestQueries_Random(t *testing.T) {
	words := rapid.SampledFrom([]string{
		"{", "}", "(", ")", "[", "]", ":", "!", "=", "$", "@", "...", ",", "#", "\n", "-", "&", "|", `"`, `"""`, `"\u`, `\"`, `"a"`, `"\uD83D\uDE00"`, `"\uD800"`, `"\u{110000}"`,
		"query", "mutation", "subscription", "fragment", "on", "null", "true", "1", "1.5", "1e999",
		"99999999999999999999", "0x1f", "'a'", "A", "F", "a", "é", "\x00",
		"Query", "Mutation", "Token", "TokenInput!", "[String!]", "Timestamp", "__TypeKind", "token", "tokens",
		"createToken", "revokeToken", "items", "pageInfo", "id", "name", "policy", "expiresAt", "limit", "cursor",
		"input", "include", "skip", "if", "deprecated", "__typename", "__schema", "__type", "types", "fields", "ofType",
		"{ tokens { items { id } } }", "token(id: 1) { id }", "fragment F on Token { id }", "...F", "($a: ID = 1)", "@skip(if: $a)", `createToken(token: {name: "a", policy: "{}"}) { token }`, "query A($a: Int!) {",
	})
	values := rapid.SampledFrom([]string{"null", "{}", `{"a": 1}`, `{"a": "x", "token": {"name": "a", "policy": "{}", "expiresAt": [[]]}}`, `{"a": {"a": []}}`, `{"a": 1e308}`})
	rapid.Check(t, func(rt *rapid.T) {
		query := strings.Join(
			rapid.SliceOfN(words, 0, 30).Draw(rt, "query"),
			rapid.SampledFrom([]string{" ", ""}).Draw(rt, "between"),
		)
		env := newEnv(t)
		got := env.serve(newRequest(aliceKey, document(t, query, json.RawMessage(values.Draw(rt, "variables")))))
		if got.Code != 200 && (got.Code != 400 || query != "") || !json.Valid(got.Body.Bytes()) || strings.Contains(got.Body.String(), `"code":5000`) {
			rt.Fatalf("%q: %d %s\n%s", query, got.Code, got.Body, env.log)
		}
	})
}
