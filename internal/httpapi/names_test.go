package httpapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"keywright.dev/keywright/internal/httpapi/openapi"
	"keywright.dev/keywright/test/fakeobjects"
)

// A key that was pasted in place of a name is refused, whatever the verb: no object is created, found or listed by it.
func TestNames_AreNoKeys(t *testing.T) {
	e := newEnv(t)
	generated, err := e.Generate()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{generated.Plaintext, limitedKey} {
		for operation, request := range withNames(t) {
			t.Run(operation+"/"+key[:3], func(t *testing.T) {
				e.Reset()
				method, _, _ := strings.Cut(operation, " ")
				if method == "query" || method == "mutation" {
					method = http.MethodPost
				}
				path, body := strings.ReplaceAll(request[0], "{name}", key), strings.ReplaceAll(request[1], "{name}", key)
				got := e.ask(t, fakeobjects.AliceKey, method, path, body)
				const refusal = "is a key, and keys must not appear as names"
				if got.status != http.StatusBadRequest || !strings.HasSuffix(got.text, refusal) ||
					strings.Contains(got.body, key) {
					t.Errorf("got %d %s", got.status, got.body)
				}
				if len(e.Writes()) > 0 {
					t.Errorf("writes %q", e.Writes())
				}
			})
		}
	}
}

// withNames returns path and body of every operation below a subject of keys, and of the fields of GraphQL that take
// one.
func withNames(t *testing.T) map[string][2]string {
	t.Helper()
	operations, err := openapi.Operations()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][2]string{
		"query integrationInstanceTokens": {
			"/graphql", `{"query":"{ integrationInstanceTokens(id: \"{name}\") { tokens { tokenId } } }"}`,
		},
		graphQLVerb("createIntegrationInstanceToken"): {
			"/graphql", mutate(`createIntegrationInstanceToken(id: "{name}") { tokenId }`),
		},
	}
	name := strings.NewReplacer("{user}", "{name}", "{account}", "{name}", "{integration}", "{name}", "{id}", "none")
	for _, operation := range operations {
		method, pattern, _ := strings.Cut(operation, " ")
		if path := name.Replace(pattern); strings.Contains(path, "{name}") {
			body := ""
			if slices.Contains([]string{http.MethodPost, http.MethodPatch}, method) && !strings.HasSuffix(path, "/rotate") {
				body = `{"name":"x"}`
			}
			all[operation] = [2]string{path, body}
		}
	}
	if len(all) < 20 {
		t.Fatalf("only %d operations have a name", len(all))
	}
	return all
}

// A key that was pasted into a text is refused, whatever the verb: everyone who may read the object would see it.
func TestTexts_HoldNoKeys(t *testing.T) {
	e := newEnv(t)
	generated, err := e.Generate()
	if err != nil {
		t.Fatal(err)
	}
	// The handlers of accounts and integrations are the same.
	path := "/apiv1/users/alice/apikeys"
	one := path + "/" + created(path, `{"name":"x"}`)(t, e)
	const token = `createToken(token: {policy: "{\"permissions\":[]}", `
	for _, c := range []struct{ method, path, body, field string }{
		{http.MethodPost, path, `{"name":"{key}"}`, "name"},
		{http.MethodPost, path, `{"name":"the key {key} of alice"}`, "name"},
		{http.MethodPost, path, `{"name":"x","description":"was\n{key}"}`, "description"},
		{http.MethodPost, path, `{"name":"x","scopes":["certs.read","{key}"]}`, "scopes"},
		{http.MethodPost, path, `{"name":"x","roles":["{key}"]}`, "roles"},
		{
			http.MethodPost, "/api/admin/claims",
			`{"kind":"key","subject":"User/alice","key":{"name":"x","description":"was {key}"}}`, "description",
		},
		{http.MethodPatch, one, `{"name":"{key}"}`, "name"},
		{http.MethodPatch, one, `{"description":"{key}"}`, "description"},
		{http.MethodPatch, one, `{"scopes":["{key}"]}`, "scopes"},
		{http.MethodPatch, one, `{"roles":["{key}"]}`, "roles"},
		{http.MethodPost, "/graphql", mutate(`createCurrentUserToken(input: {name: "{key}", expiresAt: ` +
			millis(tooLate) + `}) { id }`), "name"},
		{http.MethodPost, "/graphql", mutate(token + `name: "{key}"}) { id }`), "name"},
		{http.MethodPost, "/graphql", mutate(token + `name: "x", category: "{key}"}) { id }`), "category"},
	} {
		for _, key := range []string{generated.Plaintext, limitedKey} {
			e.Reset()
			got := e.ask(t, fakeobjects.AliceKey, c.method, c.path, strings.ReplaceAll(c.body, "{key}", key))
			if got.status != http.StatusBadRequest || strings.Contains(got.body, key) ||
				!strings.HasSuffix(got.text, "has a key in it, and keys must not be stored as text") ||
				!strings.Contains(got.body, c.field) {
				t.Errorf("%s %s %s: %d %s", c.method, c.path, c.body, got.status, got.body)
			}
			if len(e.Writes()) > 0 {
				t.Errorf("writes %q", e.Writes())
			}
		}
	}
	// What only looks like one is a text like any other.
	for _, text := range []string{"ak_", "ak_nightly", generated.Plaintext[:48], "a-key-that-was-not-issued"} {
		if got := e.ask(t, aliceKey, http.MethodPost, path, `{"name":"`+text+`"}`); got.status != http.StatusCreated {
			t.Errorf("%s: %d %s", text, got.status, got.body)
		}
	}
}

// Below /graphql there is nothing, and the reply says so in the form of GraphQL.
func TestMount_RefusesBelowTheOnlyRoute(t *testing.T) {
	for _, path := range []string{"/graphql/", "/graphql/x"} {
		for _, method := range []string{http.MethodPost, http.MethodGet} {
			got := newEnv(t).ask(t, fakeobjects.AliceKey, method, path, `{"query":"{ __typename }"}`)
			if got.status != http.StatusNotFound || got.text != "Not found: the only path is /graphql" {
				t.Errorf("%s %s: %d %s", method, path, got.status, got.body)
			}
		}
		if got := newEnv(t).ask(t, unknownKey, http.MethodPost, path, ""); got.status != http.StatusUnauthorized {
			t.Errorf("%s without a key: %d %s", path, got.status, got.body)
		}
	}
}
