package graphql_test

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

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
