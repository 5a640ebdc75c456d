package graphql_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
)

const (
	tooManyThings = "The query has too many top-level fields: at most 10 are allowed."
	tooManyFields = "The query is too large: its reply could have more than 25000 fields."
	tooManyPicked = "The query has too many fields: at most 500 are allowed, fragments included."
)

func repeat(n int, format string) string {
	var s strings.Builder
	for i := range n {
		fmt.Fprintf(&s, format, i)
	}
	return s.String()
}

// Excess is found before anything is done.
func TestBounds_Exceeded(t *testing.T) {
	const create = `k%d: createToken(token: {name: "x", policy: "{}"}) { token } `
	for name, c := range map[string]struct{ query, message string }{
		"11 changes":  {"mutation { " + repeat(11, create) + "}", tooManyThings},
		"100 changes": {"mutation { " + repeat(100, create) + "}", tooManyThings},
		"changes in fragments": {
			"mutation { ...A ...B } fragment A on Mutation { " + repeat(6, "a"+create) +
				"} fragment B on Mutation { " + repeat(6, "b"+create) + "}",
			tooManyThings,
		},
		"changes in a condition": {"mutation { ... @include(if: true) { " + repeat(11, create) + "} }", tooManyThings},
		"11 questions":           {"{ " + repeat(11, `t%d: token(id: "x") { id } `) + "}", tooManyThings},
		"lists and questions":    {"{ " + repeat(6, `t%d: tokens { items { id } } `) + repeat(6, `i%d: token(id: "x") { id } `) + "}", tooManyThings},
		"fields times keys":      {"{ tokens(limit: 1000) { items { " + repeat(30, "n%d: name ") + "} } }", tooManyFields},
		"lists times keys": {
			"{ " + repeat(9, "t%d: tokens(limit: 1000) { items { id name revoked } } ") + "}", tooManyFields,
		},
		"an integration's keys":  {`{ integrationInstanceTokens(id: "x", limit: 1000) { tokens { ` + repeat(30, "n%d: tokenId ") + "} } }", tooManyFields},
		"500 fields and one":     {"{ " + repeat(501, "n%d: __typename ") + "}", tooManyPicked},
		"fragments in fragments": {"{ ...F9 } fragment F0 on Query { __typename } " + repeat9(), tooManyPicked},
		"fields of all types":    {"{ __schema { types { fields { " + repeat(450, "n%d: name ") + "} } } }", tooManyFields},
		"16 fields deep":         {"{ __schema { types { " + strings.Repeat("ofType { ", 13) + "name " + strings.Repeat("} ", 13) + "} } }", `Field "name" has depth 16 that exceeds max depth 15`},
		"deeper than can be read": {
			"{ " + strings.Repeat("a { ", 1500) + "b " + strings.Repeat("} ", 1500) + "}", "Syntax error.",
		},
		"lists in lists": {
			"{ token(id: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + ") { id } }", "Syntax error.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			began := time.Now()
			env.refused(t, aliceKey, c.query, nil, 4000, c.message)
			if env.ring.calls != 0 {
				t.Error("a query was executed")
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %s to refuse", took)
			}
		})
	}
}

// repeat9 is nine fragments, each with the previous one twice.
func repeat9() string {
	var s strings.Builder
	for i := range 9 {
		fmt.Fprintf(&s, "fragment F%d on Query { ...F%d ... on Query { ...F%d } } ", i+1, i, i)
	}
	return s.String()
}

func TestBounds_Reached(t *testing.T) {
	env := newEnv(t)
	env.fill(1000)
	var made map[string]tokenReply
	env.get(t, aliceKey, "mutation { "+repeat(10, `k%d: createToken(token: {name: "x", policy: "{}"}) { token } `)+"}", nil, &made)
	if len(made) != 10 {
		t.Errorf("%d were made", len(made))
	}
	var page pageReply
	env.get(t, aliceKey, `{ tokens(limit: 1000) { items { id name category policy token revoked createdAt expiresAt __typename } pageInfo { endCursor hasNextPage } } }`, nil, &page)
	if len(page.Tokens.Items) != 1000 {
		t.Errorf("%d tokens are returned", len(page.Tokens.Items))
	}
}

// Tools such as GraphiQL begin with this query.
func TestSchema_Introspection(t *testing.T) {
	const query = `query IntrospectionQuery { __schema { queryType { name kind } mutationType { name kind } subscriptionType { name kind }
		types { ...FullType } directives { name description locations args(includeDeprecated: true) { ...InputValue } } } }
	fragment FullType on __Type { kind name description specifiedByURL
		fields(includeDeprecated: true) { name description args(includeDeprecated: true) { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason }
		inputFields(includeDeprecated: true) { ...InputValue } interfaces { ...TypeRef }
		enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } possibleTypes { ...TypeRef } }
	fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue isDeprecated deprecationReason }
	fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
		ofType { kind name ofType { kind name ofType { kind name } } } } } } } } } }`
	type typeRef struct {
		Name   *string
		Kind   string
		OfType *typeRef
	}
	var got struct {
		Schema struct {
			Types []struct {
				Name, Description string
				Fields            []struct {
					Name string
					Type typeRef
				}
				InputFields []struct {
					Name string
					Type typeRef
				}
			}
		} `json:"__schema"`
	}
	newEnv(t).get(t, bobKey, query, nil, &got)
	var spell func(r *typeRef) string
	spell = func(r *typeRef) string {
		switch r.Kind {
		case "NON_NULL":
			return spell(r.OfType) + "!"
		case "LIST":
			return "[" + spell(r.OfType) + "]"
		}
		return *r.Name
	}
	fields := map[string]string{}
	for _, typ := range got.Schema.Types {
		for _, f := range append(typ.Fields, typ.InputFields...) {
			fields[typ.Name+"."+f.Name] = spell(&f.Type)
		}
		if typ.Name == "Timestamp" && !strings.Contains(typ.Description, "milliseconds") {
			t.Errorf("%s: %s", typ.Name, typ.Description)
		}
	}
	// docs/compatibility.md, "GraphQL".
	for field, want := range map[string]string{
		"Mutation.createToken": "Token!", "Mutation.revokeToken": "Token!", "Mutation.createCurrentUserToken": "Token!",
		"Mutation.createIntegrationInstanceToken": "IntegrationInstanceToken",
		"Mutation.revokeIntegrationInstanceToken": "DeletionResult",
		"Query.token": "Token", "Query.tokens": "TokenPage",
		"Query.integrationInstanceTokens": "IntegrationInstanceTokenPage",
		"TokenInput.name":                 "String!", "TokenInput.category": "String", "TokenInput.policy": "String",
		"TokenInput.expiresAt":             "Timestamp",
		"CreateCurrentUserTokenInput.name": "String!", "CreateCurrentUserTokenInput.expiresAt": "Timestamp!",
		"Token.id": "ID!", "Token.name": "String!", "Token.category": "String", "Token.policy": "String",
		"Token.token": "String", "Token.revoked": "Boolean!",
		"Token.createdAt": "Timestamp!", "Token.expiresAt": "Timestamp",
		"IntegrationInstanceToken.tokenId": "String!", "IntegrationInstanceToken.token": "String",
		"IntegrationInstanceToken.createdAt": "Timestamp!", "IntegrationInstanceToken.expiresAt": "Timestamp",
		"DeletionResult.success": "Boolean!", "TokenPage.items": "[Token!]!", "TokenPage.pageInfo": "PageInfo!",
		"PageInfo.endCursor": "String", "PageInfo.hasNextPage": "Boolean!",
	} {
		if fields[field] != want {
			t.Errorf("%s is %q, want %q", field, fields[field], want)
		}
	}
}

// Policies can be long, and aliases repeat them.
func TestBounds_OmitsPolicies(t *testing.T) {
	env := newEnv(t)
	alice := gate.Caller{Username: "alice", Subject: "User/alice", Admin: true}
	long := make([]v1alpha1.Resource, 2000)
	for i := range long {
		long[i] = v1alpha1.Resource("x:" + strings.Repeat("y", 250))
	}
	policy := &v1alpha1.Policy{Permissions: []v1alpha1.Permission{{Effect: "ALLOW", Resources: long}}}
	env.ring.add(manage.Caller{Caller: &alice}, env.ring.Account(), apikeys.Wanted{Name: "x", Policy: policy})
	query := "{ tokens { items { id " + repeat(100, "p%d: policy ") + "} } }"
	var got struct {
		Tokens struct{ Items []map[string]*string }
	}
	problems := env.ask(t, aliceKey, query, nil, &got)
	if len(problems) != 1 ||
		problems[0].Message != "Policies are omitted: together they are longer than 8 MiB. Request fewer at a time." {
		t.Errorf("%+v", problems)
	}
	size := 0
	for _, p := range got.Tokens.Items[0] {
		if p != nil && *p != "uid-1" {
			size += len(*p)
		}
	}
	if size == 0 || size > 8<<20 {
		t.Errorf("%d bytes of policies", size)
	}
}

// A query with an error is not executed at all, not even the part before the error.
func TestDryRun_FindsEveryErrorFirst(t *testing.T) {
	for _, second := range []string{
		`b: createToken(token: {name: "x", policy: "{}", expiresAt: "soon"}) { id }`,
		`b: createToken(token: {name: 1, policy: "{}"}) { id }`,
		`b: revokeToken(id: $unknown) { id }`,
		`b: nothing`,
		`b: revokeToken(id: "\uD800") { id }`,
	} {
		env := newEnv(t)
		problems := env.ask(t, aliceKey, `mutation { a: createToken(token: {name: "x", policy: "{}"}) { id } `+second+` }`, nil, nil)
		if len(problems) != 1 || problems[0].Extensions.Code != 4000 || env.ring.calls != 0 {
			t.Errorf("%s: %+v, %d calls", second, problems, env.ring.calls)
		}
	}
}

func TestErrors_OfOneFieldLeaveOthers(t *testing.T) {
	env := newEnv(t)
	env.get(t, aliceKey, seedCreate, seedInput(), nil)
	var got map[string]*tokenReply
	problems := env.ask(t, aliceKey, `{ a: token(id: "uid-1") { id } b: token(id: "none") { id } }`, nil, &got)
	if len(problems) != 1 || fmt.Sprint(problems[0].Path) != "[b]" || problems[0].Extensions.Code != 4001 ||
		got["a"] == nil || got["b"] != nil {
		t.Errorf("%+v %+v", problems, got)
	}
}

func TestPanics_AreInternalErrors(t *testing.T) {
	for name, value := range map[string]any{"of ours": "the-secret-of-a-panic", "an error": errSecret} {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			env.ring.panics = value
			env.refused(t, aliceKey, seedCreate, seedInput(), 5000, "internal error")
			env.refused(t, aliceKey, "{ tokens { items { id } } }", nil, 5000, "internal error")
			if log := env.log.String(); strings.Contains(log, "the-secret") || strings.Contains(log, "dashboard") ||
				!strings.Contains(log, "A GraphQL query panicked") {
				t.Error(log)
			}
		})
	}
}

// No error repeats a value: it may be a key or a policy.
func TestErrors_RepeatNoValue(t *testing.T) {
	const secret = "ak_this_is_a_secret"
	token := func(v any) map[string]any { return map[string]any{"token": v, "id": v, "limit": v, "if": v, "kind": v} }
	for name, c := range map[string]struct {
		query     string
		variables any
		message   string
	}{
		"a string for an object":      {seedCreate, token(secret), `Variable "token" has a value of the wrong type.`},
		"a list of them":              {seedCreate, token([]string{secret, secret}), `Variable "token" has a value of the wrong type.`},
		"a list for a string":         {seedRevoke, token([]string{secret}), "A String must be a string."},
		"an object for a string":      {seedRevoke, token(map[string]any{secret: secret}), "A String must be a string."},
		"a number for a string":       {seedRevoke, token(65), "A String must be a string."},
		"null for a string":           {seedRevoke, token(nil), `Variable "id" must not be null.`},
		"a list for an ID":            {`query ($id: ID!) { token(id: $id) { id } }`, token([]string{secret}), "An ID must be a string, or a whole number."},
		"a string for a number":       {pageQuery, token(secret), "An Int must be a whole number of 32 bits."},
		"a string for a boolean":      {`query ($if: Boolean!) { __typename @skip(if: $if) }`, token(secret), "A value has the wrong type."},
		"a boolean for a type's name": {`query ($id: String!) { __type(name: $id) { name } }`, token([]string{secret}), "A value has the wrong type."},
		"a string for an enum":        {`query ($kind: __TypeKind) { __typename }`, token(secret), `Variable "kind" has a value of the wrong type.`},
		"a number for an enum":        {`query ($kind: __TypeKind) { __typename }`, token(12345), `Variable "kind" has a value of the wrong type.`},
		"an unknown field":            {seedCreate, token(map[string]any{"name": secret, "polcy": secret}), `Variable "token": Field "polcy" is not defined by type "TokenInput". Did you mean "policy"?`},
		"in place of an object":       {`mutation { createToken(token: "` + secret + `") { id } }`, nil, `Expected value of type "TokenInput".`},
		"a word":                      {`mutation { createToken(token: ` + secret + `) { id } }`, nil, `Expected value of type "TokenInput".`},
		"a word for a string":         {`mutation { revokeToken(id: ` + secret + `) { id } }`, nil, "String cannot represent a non string value."},
		"in place of a number":        {`{ tokens(limit: "` + secret + `") { items { id } } }`, nil, "Int cannot represent non-integer value."},
		"a word for an enum":          {`query ($kind: __TypeKind = ` + secret + `) { __typename }`, nil, "A value has the wrong type."},
		"a text for an enum":          {`query ($kind: __TypeKind = "` + secret + `") { __typename }`, nil, `Enum "__TypeKind" cannot represent non-enum value.`},
		"null":                        {`mutation { revokeToken(id: null) { id } }`, nil, `Expected value of type "String!", found null.`},
		"out of place":                {`{ tokens "` + secret + `" }`, nil, "Syntax error: expecting Ident."},
		"unfinished":                  {`{ token(id: "` + secret, nil, "Syntax error."},
		"as an operation":             {secret + ` { tokens }`, nil, `Syntax error: expecting "fragment".`},
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			got := env.serve(newRequest(aliceKey, document(t, c.query, c.variables)))
			var said reply
			if err := json.Unmarshal(got.Body.Bytes(), &said); err != nil || len(said.Errors) == 0 ||
				said.Errors[0].Message != c.message || said.Errors[0].Extensions.Code != 4000 {
				t.Errorf("%s, want %s", got.Body, c.message)
			}
			if strings.Contains(got.Body.String()+env.log.String(), secret) || strings.Contains(got.Body.String(), "12345") {
				t.Error("the value is repeated")
			}
			if got.Code != http.StatusOK || env.ring.calls != 0 {
				t.Errorf("%d, %d calls", got.Code, env.ring.calls)
			}
		})
	}
}

func TestErrors_NameTheFault(t *testing.T) {
	for query, want := range map[string]string{
		"{ tokns { items { id } } }":               `Cannot query field "tokns" on type "Query". Did you mean "tokens"?`,
		"{ tokens }":                               `Field "tokens" of type "TokenPage" must have a selection of subfields. Did you mean "tokens { ... }"?`,
		"mutation { createToken { id } }":          `Field "createToken" argument "token" of type "TokenInput!" is required, but it was not provided.`,
		"subscription { tokens { items { id } } }": "Subscriptions are not supported.",
		"query A { __typename } query B { __typename }": "The query has more than one operation: operationName " +
			"must name one of them.",
		"fragment A on Query { __typename }":    `Fragment "A" is never used.`,
		"#":                                     "The query has no operation.",
		"{ ...A } fragment A on Query { ...A }": `Cannot spread fragment "A" within itself.`,
	} {
		newEnv(t).refused(t, aliceKey, query, nil, 4000, want)
	}
	env := newEnv(t)
	got := env.serve(newRequest(aliceKey, `{"query": "query A { __typename }", "operationName": "ak_secret"}`))
	if !strings.Contains(got.Body.String(), "no operation with the name in operationName") ||
		strings.Contains(got.Body.String(), "ak_secret") {
		t.Error(got.Body)
	}
	got = env.serve(newRequest(aliceKey, document(t, "{ "+repeat(400, "n%d ")+"}", nil)))
	if n := strings.Count(got.Body.String(), `"message"`); n != 10 {
		t.Errorf("%d errors are reported", n)
	}
	got = env.serve(newRequest(aliceKey, document(t, "{ "+strings.Repeat("ä", 2000)+" }", nil)))
	if got.Body.Len() > 600 {
		t.Errorf("%d bytes are reported", got.Body.Len())
	}
}
