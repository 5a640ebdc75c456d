package graphql_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"keywright.dev/keywright/test/fakeobjects"
)

// once sends a query with these values of header Idempotency-Key.
func (e *env) once(query string, values ...string) *httptest.ResponseRecorder {
	r := newRequest(fakeobjects.AliceKey, fmt.Sprintf(`{"query": %q}`, query))
	r.Header["Idempotency-Key"] = values
	return e.serve(r)
}

const (
	createOne = `createIntegrationInstanceToken(id: "lab-1") { tokenId }`
	createTwo = `a: createIntegrationInstanceToken(id: "lab-1") { tokenId } b: createCurrentUserToken(` +
		`input: {name: "x", expiresAt: 1893459600000}) { id }`
)

// The header is about the one token that a request creates.
func TestIdempotencyKey_OfOneCreation(t *testing.T) {
	const several = `{"errors":[{"message":"Idempotency-Key: a request with it may create one token only.",` +
		`"extensions":{"code":4000}}]}` + "\n"
	env, p := newServiceEnv(t)
	for _, query := range []string{
		"mutation { " + createTwo + " }",
		"mutation { ...two } fragment two on Mutation { " + createTwo + " }",
		`mutation { revokeToken(id: "none") { id } ` + createTwo + ` }`,
	} {
		if got := env.once(query, "7f3a"); got.Code != http.StatusOK || got.Body.String() != several {
			t.Errorf("%s: %d %s", query, got.Code, got.Body)
		}
	}
	if writes := p.Writes(); len(writes) > 0 {
		t.Errorf("%q", writes)
	}
	if got := env.once("mutation { " + createTwo + " }").Body.String(); strings.Contains(got, "errors") {
		t.Error(got)
	}
	// What is skipped is not created, and what creates nothing may have the header.
	for i := range 2 {
		query := `mutation { ` + createOne + ` b: createIntegrationInstanceToken(id: "x") @skip(if: true) { tokenId } }`
		if got := env.once(query, "7f3a").Body.String(); strings.Contains(got, `"code":4009`) != (i > 0) {
			t.Error(got)
		}
		if got := env.once("{ tokens { items { id } } }", "7f3a").Body.String(); strings.Contains(got, "errors") {
			t.Error(got)
		}
	}
}

func TestIdempotencyKey_ConflictHasID(t *testing.T) {
	env, p := newServiceEnv(t)
	first := env.once("mutation { "+createOne+" }", "7f3a").Body.String()
	_, id, _ := strings.Cut(first, `"tokenId":"`)
	id, _, _ = strings.Cut(id, `"`)
	again := env.once("mutation { "+createOne+" }", "7f3a")
	if id == "" || again.Code != http.StatusOK || len(p.Writes()) != 1 ||
		!strings.Contains(again.Body.String(), `"extensions":{"code":4009,"id":"`+id+`"}`) {
		t.Errorf("%s\n%d %s", first, again.Code, again.Body)
	}
}

// As any request that is not understood, and only to proven callers.
func TestIdempotencyKey_RefusesBadValues(t *testing.T) {
	for name, values := range map[string][]string{
		"too long": {strings.Repeat("x", 300)}, "a blank": {"a b"}, "empty": {""}, "twice": {"a", "a"},
	} {
		t.Run(name, func(t *testing.T) {
			env, p := newServiceEnv(t)
			got := env.once("mutation { "+createOne+" }", values...)
			if got.Code != http.StatusBadRequest || len(p.Writes()) > 0 ||
				!strings.Contains(got.Body.String(), `"Idempotency-Key: must be 1-255 visible ASCII characters`) {
				t.Errorf("%d %s", got.Code, got.Body)
			}
			r := newRequest("", anyQuery)
			r.Header["Idempotency-Key"] = values
			if got := env.serve(r); got.Code != http.StatusUnauthorized {
				t.Errorf("%d %s", got.Code, got.Body)
			}
		})
	}
}
