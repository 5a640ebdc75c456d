package httpapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/test/fakeobjects"
)

// Bodies of PATCH /api/admin/users/{username}.
const (
	enabled  = `{"enabled":true}`
	disabled = `{"enabled":false}`
)

// otherName is the body of a PATCH. A refusal has the present name.
const otherName = `{"name":"other"}`

const (
	aliceKey   = fakeobjects.AliceKey
	unknownKey = "a-key-that-was-never-issued"
	lacks      = "API key lacks required permission"
	beyond     = lacks + ": a caller can only give what it holds"
	adminsOnly = "Admin access required"
)

// refused is a request with the fault of one step of the order, and as many faults of later steps as it can have.
type refused struct {
	by, path, body string
	// prepare runs before the request, and returns the id that replaces {id} in the path and the body. It may be nil.
	prepare func(testing.TB, *env) string
	status  int
	text    string
}

// notOrdered are the verbs that are not management: they have no order of refusals, or one of their own.
var notOrdered = []string{
	"POST /api/auth/login", "POST /api/auth/logout", "POST /introspect", "POST /api/token-usage", "POST /v1/traces",
	"POST /api/claim",
}

// docs/compatibility.md, "Order of refusals".
func TestRefusals_ComeInOneOrder(t *testing.T) {
	verbs := slices.Clone(notOrdered)
	for verb, steps := range orderOfRefusals() {
		verbs = append(verbs, verb)
		for _, step := range steps {
			t.Run(verb+"/"+step.text, func(t *testing.T) { step.run(t, verb) })
		}
	}
	checkVerbs(t, verbs)
}

func (r *refused) run(t *testing.T, verb string) {
	e, id := newEnv(t), ""
	if r.prepare != nil {
		id = r.prepare(t, e)
	}
	e.Reset()
	method, _, _ := strings.Cut(verb, " ")
	if method == "mutation" {
		method = http.MethodPost
	}
	replaceID := strings.NewReplacer("{id}", id)
	expect := func(status int, text string) {
		t.Helper()
		got := e.ask(t, r.by, method, replaceID.Replace(r.path), replaceID.Replace(r.body))
		if got.status != status || !strings.HasPrefix(got.text, text) {
			t.Errorf("got %d %q, want %d %q", got.status, got.text, status, text)
		}
	}
	expect(r.status, r.text)
	// A reason that cannot be recorded is a fault of the input: a caller without rights does not learn of it.
	e.headers = http.Header{httpapi.ReasonHeader: {"a", "b"}}
	if r.isBeforeInput() {
		expect(r.status, r.text)
	} else {
		expect(http.StatusBadRequest, httpapi.ReasonHeader+": must be one line of text")
	}
	if len(e.Writes())+len(e.Events()) > 0 {
		t.Errorf("writes %q, events %v", e.Writes(), e.Events())
	}
	for _, entry := range e.Trail.Entries() {
		if entry.Outcome != audit.Refused {
			t.Errorf("audit entry %+v", entry)
		}
	}
}

// isBeforeInput reports whether the order has the fault before the query, the body and the header with the reason.
func (r *refused) isBeforeInput() bool {
	isForbidden := r.status == http.StatusForbidden && (r.body == "{" || r.body == "" && r.text == adminsOnly)
	return isForbidden || r.by == unknownKey || r.by == powerlessKey || strings.Contains(r.text, "your own")
}

func orderOfRefusals() map[string][]refused {
	all := map[string][]refused{}
	orderUsers(all)
	orderUsage(all)
	orderClaims(all)
	for pattern, owner := range map[string]v1alpha1.Subject{
		"users/{user}":               {Kind: v1alpha1.SubjectUser, Name: "dave"},
		"accounts/{account}":         {Kind: v1alpha1.SubjectAccount, Name: "lab"},
		"integrations/{integration}": {Kind: v1alpha1.SubjectIntegration, Name: "lab-1"},
	} {
		orderKeys(all, "/apiv1/"+pattern+"/apikeys", owner)
	}
	orderKeysByID(all)
	orderOwn(all)
	orderMutations(all)
	return all
}

// orderKeysByID has no step for a bad subject: an id has none. A key that the caller may not manage is not found.
func orderKeysByID(all map[string][]refused) {
	const none, key, enable = "/apiv1/apikeys/none", "/apiv1/apikeys/{id}", `{"enabled":true}`
	powerful := func(k *v1alpha1.APIKey) { k.Spec.Scopes = []v1alpha1.Scope{"certs.write"} }
	owner := v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "alice"}
	byManifest, byAPI := revokedKey(owner, powerful, true), revokedKey(owner, powerful, false)
	others := revokedKey(v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "bob"}, powerful, false)
	const notFound = "API key not found"
	all["PATCH "+key] = []refused{
		{by: unknownKey, path: none, body: `{`, status: 401, text: "invalid token"},
		{by: powerlessKey, path: key, prepare: byAPI, body: `{`, status: 403, text: lacks},
		{by: aliceKey, path: none, body: `{"name":""}`, status: 400, text: "name: is required"},
		{by: limitedKey, path: none, body: enable, status: 404, text: notFound},
		{by: bobsKey, path: key, body: enable, prepare: byAPI, status: 404, text: notFound},
		{by: limitedKey, path: key, body: enable, prepare: byManifest, status: 403, text: beyond},
		{by: limitedKey, path: key, body: enable, prepare: others, status: 403, text: beyond},
		{by: aliceKey, path: key, body: enable, prepare: byManifest, status: 409, text: "API key revoked comes from"},
		{by: aliceKey, path: key, body: otherName, prepare: byManifest, status: 409, text: "API key revoked comes from"},
		{by: aliceKey, path: key, body: enable, prepare: byAPI, status: 409, text: "API key revoked is revoked"},
	}
	all["POST "+key+"/rotate"] = []refused{
		{by: unknownKey, path: none + "/rotate", body: `{`, status: 401, text: "invalid token"},
		{by: powerlessKey, path: key + "/rotate", prepare: byAPI, body: `{`, status: 403, text: lacks},
		{by: aliceKey, path: none + "/rotate", body: `{"x":1}`, status: 400, text: "x: is not known"},
		{by: limitedKey, path: none + "/rotate", status: 404, text: notFound},
		{by: bobsKey, path: key + "/rotate", prepare: byAPI, status: 404, text: notFound},
		{by: limitedKey, path: key + "/rotate", prepare: byAPI, status: 403, text: beyond},
		{by: aliceKey, path: key + "/rotate", prepare: byAPI, status: 409, text: "API key revoked is revoked"},
	}
	all["DELETE "+key] = []refused{
		{by: unknownKey, path: none, status: 401, text: "invalid token"},
		{by: powerlessKey, path: key, prepare: byAPI, status: 403, text: lacks},
		{by: aliceKey, path: none, status: 404, text: notFound},
		{by: bobsKey, path: key, prepare: byAPI, status: 404, text: notFound},
		{by: aliceKey, path: key, prepare: byManifest, status: 409, text: "API key revoked comes from"},
	}
}

// orderOwn has no step for a subject and an id: the key is the caller's.
func orderOwn(all map[string][]refused) {
	all["POST "+ownRotation] = []refused{
		{by: unknownKey, path: ownRotation, body: `{`, status: 401, text: "invalid token"},
		{by: powerlessKey, path: ownRotation, body: `{`, status: 403, text: lacks + ": a key needs apikeys.renew-self"},
		{by: formerKey, path: ownRotation, body: `{`, status: 403, text: beyond},
		{by: secretKey, path: ownRotation, body: `{"key_id":"x"}`, status: 400, text: "key_id: is not known"},
		{by: gitKey, path: ownRotation, body: `{"overlap_seconds":1}`, status: 400, text: "overlap_seconds: is for an APIKey"},
		{by: writingKey, path: ownRotation, status: 403, text: beyond},
		{by: secretKey, path: ownRotation, status: 409, text: "API key secret is delivered in Secret team/secret-api-key"},
		{by: gitKey, path: ownRotation, status: 409, text: "The key of 'git' is delivered in Secret"},
		{by: fakeobjects.BootstrapKey, path: ownRotation, status: 409, text: "The bootstrap key comes from"},
	}
}

func orderUsage(all map[string][]refused) {
	const reprice = "/api/admin/token-usage/reprice"
	all["POST "+reprice] = []refused{
		{by: limitedKey, path: reprice, body: `{`, status: 403, text: adminsOnly},
		{by: aliceKey, path: reprice, body: `{`, status: 400, text: "Invalid JSON body"},
		{by: aliceKey, path: reprice, body: `{"since":"x","dry_run":"x"}`, status: 400, text: "since: must be a time such as"},
		{by: aliceKey, path: reprice, body: `{"since":"2030-01-31","dry_run":1}`, status: 400, text: "dry_run: must be true"},
	}
}

func orderUsers(all map[string][]refused) {
	const users, admins = "/api/admin/users", adminsOnly
	fromGit := "User 'git' comes from a manifest"
	all["POST "+users] = []refused{
		{by: limitedKey, path: users, body: `{`, status: 403, text: admins},
		{by: formerKey, path: users, body: `{`, status: 403, text: beyond},
		{by: aliceKey, path: users, body: `{`, status: 400, text: "Invalid JSON body"},
		{by: aliceKey, path: users, body: `{"username":"ADMIN"}`, status: 400, text: "Username 'admin' is reserved"},
		{by: aliceKey, path: users, body: `{"username":"root"}`, status: 409, text: "User 'root' already exists"},
	}
	all["DELETE "+users+"/{username}"] = []refused{
		{by: limitedKey, path: users + "/alice?forget=x", status: 403, text: admins},
		{by: gitKey, path: users + "/git?forget=x", status: 400, text: "Cannot delete your own account"},
		{by: aliceKey, path: users + "/missing?forget=x", status: 400, text: "forget must be true or false"},
		{by: aliceKey, path: users + "/gitplain", status: 404, text: "Admin user 'gitplain' not found"},
		{by: aliceKey, path: users + "/git", prepare: leaveOnly("git"), status: 409, text: fromGit},
		{by: aliceKey, path: users + "/gitplain?forget=true", status: 409, text: "User 'gitplain' comes from a manifest"},
		{by: aliceKey, path: users + "/root", prepare: leaveOnly("root"), status: 400, text: "Cannot delete the last admin"},
	}
	role := func(name string) string { return users + "/" + name + "/role" }
	const admin, user = `{"role":"admin"}`, `{"role":"user"}`
	all["PUT "+role("{username}")] = []refused{
		{by: limitedKey, path: role("alice"), body: `{`, status: 403, text: admins},
		{by: gitKey, path: role("git"), body: `{`, status: 400, text: "Cannot change your own role"},
		{by: aliceKey, path: role("admin"), body: `{`, status: 400, text: "Invalid JSON body"},
		{by: aliceKey, path: role("admin"), body: `{"role":"root"}`, status: 400, text: "Invalid role: 'root'"},
		{by: endingKey, path: role("admin"), body: admin, status: 403, text: admins},
		{by: formerKey, path: role("admin"), body: admin, status: 403, text: beyond},
		{by: aliceKey, path: role("admin"), body: user, status: 400, text: "Cannot change role of reserved 'admin' user"},
		{by: aliceKey, path: role("missing"), body: user, status: 404, text: "User 'missing' not found"},
		{by: aliceKey, path: role("git"), body: admin, status: 409, text: fromGit},
		{by: aliceKey, path: role("git"), body: user, prepare: leaveOnly("git"), status: 409, text: fromGit},
		{by: aliceKey, path: role("root"), body: admin, status: 400, text: "User 'root' already has role 'admin'"},
		{
			by: aliceKey, path: role("root"), body: user, prepare: leaveOnly("root"), status: 400,
			text: "Cannot demote the last admin user",
		},
	}
	all["PATCH "+users+"/{username}"] = []refused{
		{by: limitedKey, path: users + "/alice", body: `{`, status: 403, text: admins},
		{by: gitKey, path: users + "/git", body: `{`, status: 400, text: "Cannot disable your own account"},
		{by: aliceKey, path: users + "/missing", body: `{`, status: 400, text: "Invalid JSON body"},
		{by: aliceKey, path: users + "/missing", body: `{"enabled":1}`, status: 400, text: "enabled must be true or false"},
		{by: aliceKey, path: users + "/missing", body: `{}`, status: 400, text: "enabled must be true or false"},
		{by: endingKey, path: users + "/missing", body: enabled, status: 403, text: admins},
		{by: formerKey, path: users + "/missing", body: enabled, status: 403, text: beyond},
		{by: aliceKey, path: users + "/admin", body: disabled, status: 404, text: "User 'admin' not found"},
		{by: aliceKey, path: users + "/missing", body: disabled, status: 404, text: "User 'missing' not found"},
		{by: aliceKey, path: users + "/missing", body: enabled, status: 404, text: "User 'missing' not found"},
		{by: aliceKey, path: users + "/git", body: enabled, status: 409, text: fromGit},
		{by: aliceKey, path: users + "/git", body: disabled, prepare: leaveOnly("git"), status: 409, text: fromGit},
		{by: aliceKey, path: users + "/gitplain", body: disabled, status: 409, text: "User 'gitplain' comes from a manifest"},
		{
			by: aliceKey, path: users + "/root", body: disabled, prepare: leaveOnly("root"), status: 400,
			text: "Cannot disable the last admin user",
		},
	}
	rotate := func(name string) string { return users + "/" + name + "/rotate-key" }
	const taken = `{"new_key":"` + danaKey + `"}`
	all["POST "+rotate("{username}")] = []refused{
		{by: limitedKey, path: rotate("missing"), body: `{`, status: 403, text: admins},
		{by: formerKey, path: rotate("missing"), body: `{`, status: 403, text: beyond},
		{by: aliceKey, path: rotate("missing"), body: `{`, status: 400, text: "Invalid JSON body"},
		{by: aliceKey, path: rotate("missing"), body: `{"new_key":"x"}`, status: 400, text: "API key must be at least 16"},
		{by: aliceKey, path: rotate("plain"), body: taken, status: 404, text: "Admin user 'plain' not found"},
		{by: aliceKey, path: rotate("git"), body: taken, status: 409, text: "The key of 'git' is delivered in Secret"},
		{by: aliceKey, path: rotate("root"), body: taken, status: 409, text: "API key is already in use"},
		{
			by: aliceKey, path: rotate("root"), body: `{"new_key":"` + unknownKey + `"}`, prepare: revokeKey(unknownKey),
			status: 409, text: "API key was revoked before",
		},
	}
}

// revokeKey revokes a key that no object records any more.
func revokeKey(plaintext string) func(testing.TB, *env) string {
	return func(_ testing.TB, e *env) string {
		e.Store.Index.Revoke([]pepper.Digest{e.Store.Ring.Digest(plaintext)})
		return ""
	}
}

// leaveOnly removes all AdminUsers that are admins but one.
func leaveOnly(name string) func(testing.TB, *env) string {
	return func(tb testing.TB, e *env) string {
		tb.Helper()
		all, err := e.Users(tb.Context())
		if err != nil {
			tb.Fatal(err)
		}
		for i := range all {
			if all[i].IsAdmin() && all[i].EffectiveUsername() != name {
				if err := e.Store.Delete(tb.Context(), &all[i]); err != nil {
					tb.Fatal(err)
				}
			}
		}
		return ""
	}
}

func orderKeys(all map[string][]refused, pattern string, owner v1alpha1.Subject) {
	below := "/apiv1/" + strings.ToLower(string(owner.Kind)) + "s/"
	path, bad := below+owner.Name+"/apikeys", below+"-bad/apikeys"
	badName := strings.ToLower(string(owner.Kind)) + ": must be "
	if owner.Kind == v1alpha1.SubjectUser {
		bad, badName = below+"admin/apikeys", "user: username 'admin' is reserved"
	}
	powerful := func(k *v1alpha1.APIKey) { k.Spec.Scopes = []v1alpha1.Scope{"certs.write"} }
	byManifest, byAPI := revokedKey(owner, powerful, true), revokedKey(owner, powerful, false)
	all["POST "+pattern] = []refused{
		{by: unknownKey, path: bad, body: `{`, status: 401, text: "invalid token"},
		{by: powerlessKey, path: bad, body: `{`, status: 403, text: lacks},
		{by: aliceKey, path: bad, body: `{"name":""}`, status: 400, text: "name: is required"},
		{by: limitedKey, path: bad, body: `{"name":"x","scopes":["certs.write"]}`, status: 400, text: badName},
		{by: limitedKey, path: path, body: `{"name":"x","scopes":["certs.write"]}`, status: 403, text: beyond},
	}
	const enable, of = `{"enabled":true}`, "/{id}"
	all["PATCH "+pattern+of] = []refused{
		{by: unknownKey, path: bad + "/none", body: `{`, status: 401, text: "invalid token"},
		{by: powerlessKey, path: bad + "/none", body: `{`, status: 403, text: lacks},
		{by: aliceKey, path: bad + "/none", body: `{"name":""}`, status: 400, text: "name: is required"},
		{by: aliceKey, path: bad + "/none", body: enable, status: 400, text: badName},
		{by: limitedKey, path: path + "/none", body: enable, status: 404, text: "API key not found"},
		{by: limitedKey, path: path + of, body: enable, prepare: byManifest, status: 403, text: beyond},
		{by: aliceKey, path: path + of, body: enable, prepare: byManifest, status: 409, text: "API key revoked comes from"},
		{
			by: aliceKey, path: path + of, body: otherName, prepare: byManifest, status: 409,
			text: "API key revoked comes from",
		},
		{by: aliceKey, path: path + of, body: enable, prepare: byAPI, status: 409, text: "API key revoked is revoked"},
	}
	all["POST "+pattern+of+"/rotate"] = []refused{
		{by: unknownKey, path: bad + "/none/rotate", body: `{`, status: 401, text: "invalid token"},
		{by: powerlessKey, path: bad + "/none/rotate", body: `{`, status: 403, text: lacks},
		{by: aliceKey, path: bad + "/none/rotate", body: `{"x":1}`, status: 400, text: "x: is not known"},
		{by: aliceKey, path: bad + "/none/rotate", status: 400, text: badName},
		{by: limitedKey, path: path + "/none/rotate", status: 404, text: "API key not found"},
		{by: limitedKey, path: path + of + "/rotate", prepare: byAPI, status: 403, text: beyond},
		{by: aliceKey, path: path + of + "/rotate", prepare: byAPI, status: 409, text: "API key revoked is revoked"},
	}
	all["DELETE "+pattern+of] = []refused{
		{by: unknownKey, path: bad + "/none", status: 401, text: "invalid token"},
		{by: powerlessKey, path: bad + "/none", status: 403, text: lacks},
		{by: aliceKey, path: bad + "/none", status: 400, text: badName},
		{by: aliceKey, path: path + "/none", status: 404, text: "API key not found"},
		{by: aliceKey, path: path + of, prepare: byManifest, status: 409, text: "API key revoked comes from"},
	}
}

// revokedKey prepares a revoked key named revoked, of a manifest or of the API.
func revokedKey(
	owner v1alpha1.Subject, change func(*v1alpha1.APIKey), fromManifest bool,
) func(testing.TB, *env) string {
	return func(tb testing.TB, e *env) string {
		tb.Helper()
		k := e.PutKey("revoked", owner, "a-key-that-was-revoked", func(k *v1alpha1.APIKey) {
			change(k)
			k.Spec.State = v1alpha1.StateRevoked
			if !fromManifest {
				k.Labels = map[string]string{v1alpha1.LabelCreatedBy: v1alpha1.CreatedByAPI}
				k.Spec.Delivery = v1alpha1.DeliveryResponse
			}
		})
		if objects.FromManifest(k) != fromManifest {
			tb.Fatal("the key has the wrong source")
		}
		return string(k.UID)
	}
}

func orderMutations(all map[string][]refused) {
	order := func(verb string, steps ...refused) {
		for i := range steps {
			steps[i].path, steps[i].body = "/graphql", mutate(steps[i].body)
		}
		all[graphQLVerb(verb)] = steps
	}
	account := func(name, policy string) string {
		return `createToken(token: {name: "` + name + `", policy: "` + policy + `"}) { id }`
	}
	const writes = `{\"permissions\":[{\"effect\":\"ALLOW\",\"actions\":[\"certs.write\"],\"resources\":[\"*\"]}]}`
	order("createToken",
		refused{by: powerlessKey, body: account("", "{"), status: 403, text: lacks},
		refused{by: limitedKey, body: account("", "{"), status: 400, text: "policy: must be a JSON object"},
		refused{by: limitedKey, body: account("", writes), status: 400, text: "name: is required"},
		refused{by: limitedKey, body: account("x", writes), status: 403, text: beyond},
	)
	own := func(name string) string {
		return `createCurrentUserToken(input: {name: "` + name + `", expiresAt: ` + millis(inTime) + `}) { id }`
	}
	order("createCurrentUserToken",
		refused{by: powerlessKey, body: own(""), status: 403, text: "The caller is not a user"},
		refused{by: fakeobjects.BootstrapKey, body: own(""), status: 400, text: "name: is required"},
		refused{by: fakeobjects.BootstrapKey, body: own("x"), status: 400, text: "user: username 'admin' is reserved"},
		refused{by: limitedKey, body: own("x"), status: 403, text: beyond},
	)
	const integration = `createIntegrationInstanceToken(id: "") { tokenId }`
	order("createIntegrationInstanceToken",
		refused{by: powerlessKey, body: integration, status: 403, text: lacks},
		refused{by: endingKey, body: integration, status: 400, text: "id: is required"},
		refused{
			by: endingKey, body: `createIntegrationInstanceToken(id: "-x") { tokenId }`, status: 400, text: "id: must be",
		},
		refused{
			by: endingKey, body: `createIntegrationInstanceToken(id: "x") { tokenId }`, status: 403, text: beyond,
		},
	)
	const revoke = `revokeToken(id: "{id}") { id }`
	keep := func(*v1alpha1.APIKey) {}
	alice := v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "alice"}
	order("revokeToken",
		refused{by: powerlessKey, body: revoke, status: 403, text: lacks},
		refused{by: aliceKey, body: revoke, status: 404, text: "API key not found"},
		refused{by: aliceKey, body: revoke, prepare: revokedKey(alice, keep, true), status: 409, text: "API key revoked"},
	)
	const revokeIntegration = `revokeIntegrationInstanceToken(tokenId: "{id}") { success }`
	lab := v1alpha1.Subject{Kind: v1alpha1.SubjectIntegration, Name: "lab-1"}
	order("revokeIntegrationInstanceToken",
		refused{by: powerlessKey, body: revokeIntegration, status: 403, text: lacks},
		refused{by: aliceKey, body: revokeIntegration, status: 404, text: "API key not found"},
		refused{
			by: aliceKey, body: revokeIntegration, prepare: revokedKey(lab, keep, true), status: 409,
			text: "API key revoked comes from",
		},
	)
}
