package httpapi_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"keywright.dev/keywright/internal/httpapi/openapi"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage/idempotency"
	"keywright.dev/keywright/internal/manage/idempotency/creation"
	"keywright.dev/keywright/test/fakeobjects"
)

// creatingVerb is a verb with header Idempotency-Key, and what it creates.
type creatingVerb struct{ path, body string }

// creatingVerbs are all verbs that create something. A key and the link to a key, an admin and the link to one, and the
// mutations of GraphQL have rows of their own.
var creatingVerbs = map[string][]creatingVerb{
	"POST /api/admin/users": {{"/api/admin/users", `{"username":"zoe"}`}},
	"POST /api/admin/claims": {
		{claimsPath, `{"kind":"key","subject":"Account/ci","key":{"name":"Nightly"}}`},
		{claimsPath, `{"kind":"user","username":"zoe"}`},
	},
	"POST /apiv1/users/{user}/apikeys":               {{"/apiv1/users/dave/apikeys", `{"name":"x"}`}},
	"POST /apiv1/accounts/{account}/apikeys":         {{"/apiv1/accounts/ci/apikeys", `{"name":"x"}`}},
	"POST /apiv1/integrations/{integration}/apikeys": {{"/apiv1/integrations/lab-1/apikeys", `{"name":"x"}`}},
	graphQLVerb("createToken"): {{
		"/graphql", mutate(`createToken(token: {name: "x", policy: "{\"permissions\":[]}"}) { id token }`),
	}},
	graphQLVerb("createCurrentUserToken"): {{
		"/graphql", mutate(`createCurrentUserToken(input: {name: "x", expiresAt: ` + millis("2031-01-01T00:00:00Z") + `}) { id token }`),
	}},
	graphQLVerb("createIntegrationInstanceToken"): {{
		"/graphql", mutate(`createIntegrationInstanceToken(id: "lab-1") { tokenId token }`),
	}},
}

// notCreating are the other verbs, and why they do without the header.
var notCreating = map[string]string{
	"POST /api/auth/login":                                       "a session that the client does not get ends by itself",
	"POST /api/auth/logout":                                      "ends a session",
	"POST /api/claim":                                            "a link can be used once",
	"POST /api/admin/users/{username}/rotate-key":                "gives a user another key",
	"POST /api/token-usage":                                      "a record has an id, and is stored once",
	"POST /api/admin/token-usage/reprice":                        "repeated, it changes nothing more",
	"POST /v1/traces":                                            "a span has an id, and is stored once",
	"POST /introspect":                                           "reads",
	"POST " + ownRotation:                                        "the second request has a former key",
	"PUT /api/admin/users/{username}/role":                       "the user has the role already",
	"PATCH /api/admin/users/{username}":                          "changes a user",
	"DELETE /api/admin/users/{username}":                         "deletes a user",
	"DELETE /api/admin/claims/{id}":                              "ends a link",
	graphQLVerb("revokeToken"):                                   "revokes a key",
	graphQLVerb("revokeIntegrationInstanceToken"):                "revokes a key",
	"POST /apiv1/apikeys/{id}/rotate":                            hasKeyID,
	"POST /apiv1/users/{user}/apikeys/{id}/rotate":               hasKeyID,
	"POST /apiv1/accounts/{account}/apikeys/{id}/rotate":         hasKeyID,
	"POST /apiv1/integrations/{integration}/apikeys/{id}/rotate": hasKeyID,
	"PATCH /apiv1/apikeys/{id}":                                  changesKey,
	"PATCH /apiv1/users/{user}/apikeys/{id}":                     changesKey,
	"PATCH /apiv1/accounts/{account}/apikeys/{id}":               changesKey,
	"PATCH /apiv1/integrations/{integration}/apikeys/{id}":       changesKey,
	"DELETE /apiv1/apikeys/{id}":                                 deletesKey,
	"DELETE /apiv1/users/{user}/apikeys/{id}":                    deletesKey,
	"DELETE /apiv1/accounts/{account}/apikeys/{id}":              deletesKey,
	"DELETE /apiv1/integrations/{integration}/apikeys/{id}":      deletesKey,
}

const (
	hasKeyID   = "key_id in the body makes the second rotation a conflict"
	changesKey = "changes a key"
	deletesKey = "deletes a key"
)

// Every verb that creates something takes the header, and the OpenAPI document says so. A new verb needs a row here.
func TestIdempotencyKey_OfEveryCreation(t *testing.T) {
	checkVerbs(t, append(slices.Collect(maps.Keys(creatingVerbs)), slices.Collect(maps.Keys(notCreating))...))
	var creating []string
	for verb, cases := range creatingVerbs {
		if len(cases) == 0 {
			t.Errorf("%s is not tried", verb)
		}
		if !strings.HasPrefix(verb, "mutation ") {
			creating = append(creating, verb)
		}
	}
	creating = append(creating, "POST /graphql")
	slices.Sort(creating)
	if documented := withParameter(t, "IdempotencyKey"); !slices.Equal(documented, creating) {
		t.Errorf("documented for %q, want %q", documented, creating)
	}
}

// withParameter returns the operations of the OpenAPI document with a parameter.
func withParameter(t *testing.T, name string) (all []string) {
	t.Helper()
	var document struct {
		Paths map[string]struct {
			Post, Put, Patch, Delete struct {
				Parameters []map[string]any
			}
		}
	}
	if err := yaml.Unmarshal(openapi.Document(), &document); err != nil {
		t.Fatal(err)
	}
	for path, methods := range document.Paths {
		for method, parameters := range map[string][]map[string]any{
			"POST": methods.Post.Parameters, "PUT": methods.Put.Parameters, "PATCH": methods.Patch.Parameters,
			"DELETE": methods.Delete.Parameters,
		} {
			if slices.ContainsFunc(parameters, func(p map[string]any) bool {
				return p["$ref"] == "#/components/parameters/"+name
			}) {
				all = append(all, method+" "+path)
			}
		}
	}
	slices.Sort(all)
	return all
}

// onEveryCreation runs a test on each verb that creates something, with a function that sends it as alice with these
// values of the header.
func onEveryCreation(t *testing.T, test func(t *testing.T, e *env, send func(values ...string) outcome)) {
	t.Helper()
	for verb, cases := range creatingVerbs {
		for _, c := range cases {
			t.Run(verb+" "+c.body, func(t *testing.T) {
				e := newEnv(t)
				test(t, e, func(values ...string) outcome {
					e.headers = http.Header{}
					if len(values) > 0 {
						e.headers[idempotency.Header] = values
					}
					return e.ask(t, aliceKey, http.MethodPost, c.path, c.body)
				})
			})
		}
	}
}

func TestIdempotencyKey_RefusesBadValues(t *testing.T) {
	const text = "Idempotency-Key: must be 1-255 visible ASCII characters"
	onEveryCreation(t, func(t *testing.T, e *env, send func(...string) outcome) {
		t.Helper()
		for _, c := range []struct {
			values []string
			text   string
		}{
			{[]string{strings.Repeat("x", 300)}, text}, {[]string{"a b"}, text}, {[]string{"\xfc"}, text},
			{[]string{""}, text + ", given once"}, {[]string{"a", "a"}, text + ", given once"},
		} {
			if got := send(c.values...); got.status != http.StatusBadRequest || got.text != c.text {
				t.Errorf("%.20q: %d %s", c.values, got.status, got.body)
			}
		}
		if writes := e.Writes(); len(writes) > 0 {
			t.Errorf("%q", writes)
		}
		if got := send(strings.Repeat("x", 255)); got.status >= 300 {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
}

// created returns the object that was created last.
func (e *env) created(t *testing.T) objects.Object {
	t.Helper()
	name := ""
	for _, write := range e.Writes() {
		if created, is := strings.CutPrefix(write, "create "); is {
			name = created
		}
	}
	if user := e.AdminUser(name); user != nil {
		return user
	}
	k, err := e.Key(t.Context(), objects.ID{Namespace: fakeobjects.Namespace, Name: name})
	if err != nil || k == nil {
		t.Fatalf("nothing was created: %q %v", e.Writes(), err)
	}
	return k
}

// madeID returns the id in an error that names what was created already.
func madeID(t *testing.T, o outcome) string {
	t.Helper()
	var read struct {
		ID     string
		Error  struct{ ID string }
		Errors []struct {
			Extensions struct{ ID string }
		}
	}
	if err := json.Unmarshal([]byte(o.body), &read); err != nil {
		t.Fatal(o.body)
	}
	if len(read.Errors) > 0 {
		return read.Errors[0].Extensions.ID
	}
	return read.ID + read.Error.ID
}

// Within 24 hours, the same key of the same caller creates nothing twice, whatever becomes of the first object.
func TestIdempotencyKey_CreatesOnce(t *testing.T) {
	onEveryCreation(t, func(t *testing.T, e *env, send func(...string) outcome) {
		t.Helper()
		first := send("7f3a")
		if first.status >= 300 || len(e.Writes()) != 1 {
			t.Fatalf("%d %s", first.status, first.body)
		}
		o := e.created(t)
		refuse := func() {
			t.Helper()
			again := send("7f3a")
			if again.status != http.StatusConflict || madeID(t, again) != string(o.GetUID()) ||
				!strings.HasPrefix(again.text, "was created already as "+string(o.GetUID())+"; its key or claim link was shown") {
				t.Errorf("%d %s", again.status, again.body)
			}
		}
		refuse()
		if err := e.Delete(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		refuse()
		e.Reset()
		e.Pass(creation.Window - time.Second)
		refuse()
		if writes := e.Writes(); len(writes) > 0 {
			t.Errorf("%q", writes)
		}
	})
}

// Without the header, and with another one, creations have nothing to do with each other.
func TestIdempotencyKey_OfAnotherCreation(t *testing.T) {
	onEveryCreation(t, func(t *testing.T, e *env, send func(...string) outcome) {
		t.Helper()
		for _, values := range [][]string{{"a"}, {"b"}, nil, nil} {
			if got := send(values...); got.status >= 300 {
				t.Errorf("%q: %d %s", values, got.status, got.body)
			}
			if err := e.Delete(t.Context(), e.created(t)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
