package httpapi_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/fakeobjects"
)

// attempt is one call of a verb that returns a plaintext, requests one, or widens what a key may do.
type attempt struct {
	name string
	// by is the caller's key.
	by string
	// target prepares the key that the call is about, and returns its id. It may be nil.
	target func(testing.TB, *env) string
	// path and body have {id} where the id goes.
	path, body string
	may        bool
}

// handsOutNothing are the verbs that neither return a plaintext nor widen what a key may do.
var handsOutNothing = []string{
	"POST /api/auth/login", "POST /api/auth/logout", "POST /introspect", "POST /api/token-usage", "POST /v1/traces",
	"POST /api/admin/token-usage/reprice", "DELETE /api/admin/claims/{id}",
	"DELETE /api/admin/users/{username}",
	"DELETE /apiv1/users/{user}/apikeys/{id}",
	"DELETE /apiv1/accounts/{account}/apikeys/{id}",
	"DELETE /apiv1/integrations/{integration}/apikeys/{id}",
	"DELETE /apiv1/apikeys/{id}",
	graphQLVerb("revokeToken"), graphQLVerb("revokeIntegrationInstanceToken"),
}

// Whatever the verb and the surface, no caller gets a key that ends after its own or has a right that it lacks.
func TestIssue_StaysWithinCaller(t *testing.T) {
	verbs := slices.Clone(handsOutNothing)
	for verb, attempts := range issuingVerbs() {
		verbs = append(verbs, verb)
		for _, a := range attempts {
			t.Run(verb+"/"+a.name, func(t *testing.T) { a.run(t, verb) })
		}
	}
	checkVerbs(t, verbs)
}

func (a *attempt) run(t *testing.T, verb string) {
	e := newEnv(t)
	path, body := a.prepare(t, e)
	e.Reset()
	method, _, _ := strings.Cut(verb, " ")
	if method == "mutation" {
		method = http.MethodPost
	}
	got := e.ask(t, a.by, method, path, body)
	if a.may {
		if got.status >= 300 || len(e.Writes()) == 0 {
			t.Errorf("got %d %s, writes %q", got.status, got.body, e.Writes())
		}
		return
	}
	if got.status != http.StatusForbidden || !strings.Contains(got.text, "a caller can only give what it holds") {
		t.Errorf("got %d %s, want 403", got.status, got.body)
	}
	if len(e.Writes())+len(e.Events()) > 0 {
		t.Errorf("writes %q, events %v", e.Writes(), e.Events())
	}
}

// prepare prepares the target, and returns the path and the body of the call.
func (a *attempt) prepare(tb testing.TB, e *env) (path, body string) {
	tb.Helper()
	if a.target == nil {
		return a.path, a.body
	}
	replace := strings.NewReplacer("{id}", a.target(tb, e))
	return replace.Replace(a.path), replace.Replace(a.body)
}

func issuingVerbs() map[string][]attempt {
	all := map[string][]attempt{}
	for pattern, owner := range map[string]v1alpha1.Subject{
		"users/{user}":               {Kind: v1alpha1.SubjectUser, Name: "dave"},
		"accounts/{account}":         {Kind: v1alpha1.SubjectAccount, Name: "ci"},
		"integrations/{integration}": {Kind: v1alpha1.SubjectIntegration, Name: "lab-1"},
	} {
		path := "/apiv1/" + strings.ToLower(string(owner.Kind)) + "s/" + owner.Name + "/apikeys"
		all["POST /apiv1/"+pattern+"/apikeys"] = creations(path)
		all["PATCH /apiv1/"+pattern+"/apikeys/{id}"] = changes(path, path)
		all["POST /apiv1/"+pattern+"/apikeys/{id}/rotate"] = rotations(path, path, owner)
		all["PATCH "+byID+"/{id}"] = append(all["PATCH "+byID+"/{id}"], changes(path, byID)...)
		all["POST "+byID+"/{id}/rotate"] = append(all["POST "+byID+"/{id}/rotate"], rotations(path, byID, owner)...)
	}
	all["POST "+ownRotation] = ownRotations()
	addMutations(all)
	addUsers(all)
	addClaims(all)
	return all
}

const ownRotation = "/apiv1/self/rotate"

// ownRotations are of the key that the caller presents: a ttl that starts again is a right of its own.
func ownRotations() []attempt {
	at := func(name, by string, may bool) attempt {
		return attempt{name: name, by: by, path: ownRotation, may: may}
	}
	return []attempt{
		at("without an end, as the caller", bobsKey, true),
		at("with a ttl, by a key that may renew itself", renewingKey, true),
		at("with a ttl, by a key that may not", writingKey, false),
		at("of an admin by the current key", danaKey, true),
		at("of an admin by a superseded key", formerKey, false),
	}
}

func creations(path string) []attempt {
	return []attempt{
		{"without an end", endingKey, nil, path, `{"name":"x"}`, false},
		{"without an end, disabled", endingKey, nil, path, `{"name":"x","enabled":false}`, false},
		{"with a later end", endingKey, nil, path, `{"name":"x","expires_at":"` + tooLate + `"}`, false},
		{"with a longer ttl", endingKey, nil, path, `{"name":"x","expires_in_seconds":3601}`, false},
		{
			"with a ttl that it may start again", endingKey, nil, path,
			`{"name":"x","expires_in_seconds":60,"scopes":["apikeys.renew-self"]}`, false,
		},
		{"with an end in time", endingKey, nil, path, `{"name":"x","expires_at":"` + endsAt + `"}`, true},
		{"with a ttl in time", endingKey, nil, path, `{"name":"x","expires_in_seconds":3600}`, true},
		{
			"that may renew itself, with an end in time", endingKey, nil, path,
			`{"name":"x","expires_at":"` + endsAt + `","scopes":["apikeys.renew-self"]}`, true,
		},
		{"with a right too many", limitedKey, nil, path, `{"name":"x","scopes":["certs.write"]}`, false},
		{
			"that may renew itself, by one that may not", limitedKey, nil, path,
			`{"name":"x","scopes":["apikeys.renew-self"]}`, false,
		},
		{"with own rights", limitedKey, nil, path, `{"name":"x","scopes":["apikeys.read"]}`, true},
	}
}

// changes are of keys that are created at one path, and changed at another.
func changes(create, path string) []attempt {
	made := func(body string) func(testing.TB, *env) string { return created(create, body) }
	endless, ending := made(`{"name":"x"}`), made(`{"name":"x","expires_at":"`+inTime+`"}`)
	ttl, powerful := made(`{"name":"x","expires_in_seconds":60}`), made(`{"name":"x","scopes":["certs.write"]}`)
	path += "/{id}"
	return []attempt{
		{"removes the end", endingKey, ending, path, `{"expires_at":null}`, false},
		{"sets a later end", endingKey, ending, path, `{"expires_at":"` + tooLate + `"}`, false},
		{"sets an end that is longer from now", endingKey, ending, path, `{"expires_in_seconds":3601}`, false},
		{"sets an end in time", endingKey, ending, path, `{"expires_at":"` + endsAt + `"}`, true},
		{"ends a key without an end", endingKey, endless, path, `{"expires_in_seconds":3600}`, true},
		{"gives a right to a key without an end", endingKey, endless, path, `{"scopes":["certs.read"]}`, false},
		{"gives a right to a key that ends in time", endingKey, ending, path, `{"scopes":["certs.read"]}`, true},
		{"lets a key with a ttl renew itself", endingKey, ttl, path, `{"scopes":["apikeys.renew-self"]}`, false},
		{"enables a key without an end", endingKey, endless, path, `{"enabled":true}`, false},
		{"describes a key without an end", endingKey, endless, path, `{"name":"y"}`, true},
		{"disables a key without an end", endingKey, endless, path, `{"enabled":false}`, true},
		{"gives a right too many", limitedKey, endless, path, `{"scopes":["certs.write"]}`, false},
		{"enables a key with a right too many", limitedKey, powerful, path, `{"enabled":true}`, false},
		{"gives an own right", limitedKey, endless, path, `{"scopes":["apikeys.read"]}`, true},
		{"disables a key with a right too many", limitedKey, powerful, path, `{"enabled":false}`, true},
	}
}

func rotations(create, path string, owner v1alpha1.Subject) []attempt {
	made := func(body string) func(testing.TB, *env) string { return created(create, body) }
	inSecret := func(change func(*v1alpha1.APIKey)) func(testing.TB, *env) string {
		return func(_ testing.TB, e *env) string {
			return string(e.PutKey("in-secret", owner, "a-key-that-is-in-a-secret", change).UID)
		}
	}
	endless, ending := made(`{"name":"x"}`), made(`{"name":"x","expires_at":"`+inTime+`"}`)
	renewable := made(`{"name":"x","expires_in_seconds":60,"scopes":["apikeys.renew-self"]}`)
	soon, minute := metav1.NewTime(instant(inTime)), v1alpha1.Duration("1m")
	rotate := path + "/{id}/rotate"
	return []attempt{
		{"without an end", endingKey, endless, rotate, "", false},
		{"with a longer ttl", endingKey, made(`{"name":"x","expires_in_seconds":3601}`), rotate, "", false},
		{"with a ttl that it may start again", endingKey, renewable, rotate, "", false},
		{"with an end in time", endingKey, ending, rotate, "", true},
		{"with a ttl in time", endingKey, made(`{"name":"x","expires_in_seconds":60}`), rotate, "", true},
		{"in a Secret, without an end", endingKey, inSecret(nil), rotate, "", false},
		{
			"in a Secret, with a ttl from an unknown time on", endingKey,
			inSecret(func(k *v1alpha1.APIKey) { k.Spec.TTL = &minute }), rotate, "", false,
		},
		{
			"in a Secret, with an end in time", endingKey,
			inSecret(func(k *v1alpha1.APIKey) { k.Spec.ExpiresAt = &soon }), rotate, "", true,
		},
		{"with a right too many", limitedKey, made(`{"name":"x","scopes":["certs.write"]}`), rotate, "", false},
		{"with own rights", limitedKey, made(`{"name":"x","scopes":["apikeys.read"]}`), rotate, "", true},
	}
}

// created returns a target that an admin creates through the API.
func created(path, body string) func(testing.TB, *env) string {
	return func(tb testing.TB, e *env) string {
		tb.Helper()
		made := e.ask(tb, fakeobjects.AliceKey, http.MethodPost, path, body)
		var read struct{ Data struct{ ID string } }
		if err := json.Unmarshal([]byte(made.body), &read); err != nil || read.Data.ID == "" {
			tb.Fatal(made.body)
		}
		return read.Data.ID
	}
}

func addMutations(all map[string][]attempt) {
	policy := func(action string) string {
		return strconv.Quote(`{"permissions":[{"effect":"ALLOW","actions":["` + action + `"],"resources":["*"]}]}`)
	}
	try := func(verb, name, by, mutation string, may bool) {
		a := attempt{name: name, by: by, path: "/graphql", body: mutate(mutation), may: may}
		all[graphQLVerb(verb)] = append(all[graphQLVerb(verb)], a)
	}
	account := func(action, end string) string {
		return `createToken(token: {name: "x", policy: ` + policy(action) + end + `}) { token }`
	}
	try("createToken", "without an end", endingKey, account("certs.read", ""), false)
	try("createToken", "with a later end", endingKey, account("certs.read", ", expiresAt: "+millis(tooLate)), false)
	try("createToken", "with an end in time", endingKey, account("certs.read", ", expiresAt: "+millis(endsAt)), true)
	try("createToken", "with a right too many", limitedKey, account("certs.write", ""), false)
	try("createToken", "with own rights", limitedKey, account("apikeys.read", ""), true)
	own := func(end string) string {
		return `createCurrentUserToken(input: {name: "x", expiresAt: ` + millis(end) + `}) { token }`
	}
	try("createCurrentUserToken", "with a later end", endingKey, own(tooLate), false)
	try("createCurrentUserToken", "with an end in time", endingKey, own(endsAt), true)
	try("createCurrentUserToken", "with a right too many", limitedKey, own(inTime), false)
	const integration = `createIntegrationInstanceToken(id: "lab-1") { token }`
	try("createIntegrationInstanceToken", "without an end", endingKey, integration, false)
	try("createIntegrationInstanceToken", "with own rights", limitedKey, integration, true)
}

// addClaims adds the links, which are judged as the keys that they hand over, and their claims, which are judged as
// acts of the creator: package claims has more cases.
func addClaims(all map[string][]attempt) {
	const path = "/api/admin/claims"
	for _, c := range creations("") {
		c.path, c.body = path, `{"kind":"key","subject":"Account/ci","key":`+c.body+`}`
		all["POST "+path] = append(all["POST "+path], c)
	}
	all["POST "+path] = append(all["POST "+path],
		attempt{"an admin, by the current key", danaKey, nil, path, `{"kind":"user","username":"new"}`, true})
	all["POST /api/claim"] = []attempt{{
		"of a link whose creator may issue the key", powerlessKey, claimable, "/api/claim", `{"token":"{id}"}`, true,
	}}
	addRotationLinks(all)
}

// addRotationLinks adds the links that rotate, which are judged as a rotation is. They write nothing until the claim.
func addRotationLinks(all map[string][]attempt) {
	const path, body = "/api/admin/claims", `{"kind":"key-rotation","id":"{id}"}`
	owner := v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"}
	for _, r := range rotations("/apiv1/accounts/ci/apikeys", "", owner) {
		r.name = "rotation " + r.name
		switch made := r.target; {
		case !r.may:
			r.path, r.body = path, body
			all["POST "+path] = append(all["POST "+path], r)
		case !strings.Contains(r.name, "in a Secret"):
			by := r.by
			r.target = func(tb testing.TB, e *env) string {
				tb.Helper()
				return linkTo(tb, e, by, strings.ReplaceAll(body, "{id}", made(tb, e)))
			}
			r.by, r.path, r.body = powerlessKey, "/api/claim", `{"token":"{id}"}`
			all["POST /api/claim"] = append(all["POST /api/claim"], r)
		}
	}
	const ofRoot = `{"kind":"user-rotation","username":"root"}`
	all["POST /api/claim"] = append(all["POST /api/claim"], attempt{
		"rotation of an admin by the current key", powerlessKey,
		func(tb testing.TB, e *env) string { tb.Helper(); return linkTo(tb, e, danaKey, ofRoot) },
		"/api/claim", `{"token":"{id}"}`, true,
	})
}

// claimable returns the token of a link to a key that ends before its creator's.
func claimable(tb testing.TB, e *env) string {
	tb.Helper()
	body := `{"kind":"key","subject":"Account/ci","key":{"name":"x","expires_at":"` + inTime + `"}}`
	return linkTo(tb, e, endingKey, body)
}

// linkTo returns the token of a new link.
func linkTo(tb testing.TB, e *env, by, body string) string {
	tb.Helper()
	made := e.ask(tb, by, http.MethodPost, "/api/admin/claims", body)
	var read struct{ Token string }
	if err := json.Unmarshal([]byte(made.body), &read); err != nil || read.Token == "" {
		tb.Fatal(made.body)
	}
	return read.Token
}

// off disables root.
func off(tb testing.TB, e *env) string {
	tb.Helper()
	e.must(tb, http.MethodPatch, "/api/admin/users/root", disabled)
	return ""
}

// addUsers adds the verbs that issue or enable keys of admins, which have no end. An APIKey may call none of them.
func addUsers(all map[string][]attempt) {
	const create, users = "POST /api/admin/users", "/api/admin/users"
	const role, rotate = "PUT " + users + "/{username}/role", "POST " + users + "/{username}/rotate-key"
	all[create] = []attempt{
		{"by a superseded key", formerKey, nil, users, `{"username":"new"}`, false},
		{"by the current key", danaKey, nil, users, `{"username":"new"}`, true},
	}
	all[role] = []attempt{
		{"promotion by a superseded key", formerKey, nil, users + "/plain/role", `{"role":"admin"}`, false},
		{"promotion by the current key", danaKey, nil, users + "/plain/role", `{"role":"admin"}`, true},
		{"demotion by a superseded key", formerKey, nil, users + "/root/role", `{"role":"user"}`, true},
	}
	all["PATCH "+users+"/{username}"] = []attempt{
		{"enabling by a superseded key", formerKey, off, users + "/root", enabled, false},
		{"enabling by the current key", danaKey, off, users + "/root", enabled, true},
		{"disabling by a superseded key", formerKey, nil, users + "/root", disabled, true},
	}
	all[rotate] = []attempt{
		{"another's by a superseded key", formerKey, nil, users + "/root/rotate-key", "", false},
		{"its own by a superseded key", formerKey, nil, users + "/dana/rotate-key", "", false},
		{
			"to a brought key by a superseded key", formerKey, nil, users + "/dana/rotate-key",
			`{"new_key":"a-key-that-dana-brought"}`, false,
		},
		{"in a Secret by a superseded key", formerKey, nil, users + "/git/rotate-key", "", false},
		{"its own by the current key", danaKey, nil, users + "/dana/rotate-key", "", true},
		{"another's by the current key", danaKey, nil, users + "/root/rotate-key", "", true},
		{"in a Secret by the current key", danaKey, nil, users + "/git/rotate-key", "", true},
	}
}

func millis(text string) string { return strconv.FormatInt(instant(text).UnixMilli(), 10) }

func instant(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}
