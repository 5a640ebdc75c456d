package httpapi_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/test/fakeobjects"
)

const (
	usersPath = "/api/admin/users"
	danaKeys  = "/apiv1/users/dana/apikeys"
	byID      = "/apiv1/apikeys"
)

// issuesForUser has the verbs that return a key that speaks as a user, each with what issues a key of dana.
var issuesForUser = map[string]func(testing.TB, *env) (id, plaintext string){
	"POST /apiv1/users/{user}/apikeys": func(tb testing.TB, e *env) (id, plaintext string) {
		tb.Helper()
		return tokenOf(tb, e.ask(tb, danaKey, http.MethodPost, danaKeys, `{"name":"x"}`))
	},
	"POST /apiv1/users/{user}/apikeys/{id}/rotate": func(tb testing.TB, e *env) (id, plaintext string) {
		tb.Helper()
		id, _ = tokenOf(tb, e.ask(tb, danaKey, http.MethodPost, danaKeys, `{"name":"x"}`))
		return tokenOf(tb, e.ask(tb, fakeobjects.AliceKey, http.MethodPost, danaKeys+"/"+id+"/rotate", ""))
	},
	"POST /apiv1/apikeys/{id}/rotate": func(tb testing.TB, e *env) (id, plaintext string) {
		tb.Helper()
		id, _ = tokenOf(tb, e.ask(tb, danaKey, http.MethodPost, danaKeys, `{"name":"x"}`))
		return tokenOf(tb, e.ask(tb, danaKey, http.MethodPost, "/apiv1/apikeys/"+id+"/rotate", ""))
	},
	"POST /api/claim": func(tb testing.TB, e *env) (id, plaintext string) {
		tb.Helper()
		token := linkTo(tb, e, danaKey, `{"kind":"key","subject":"User/dana","key":{"name":"x"}}`)
		claimed := e.must(tb, http.MethodPost, "/api/claim", `{"token":"`+token+`"}`)
		var read struct {
			ID     string
			APIKey string `json:"api_key"`
		}
		if err := json.Unmarshal([]byte(claimed.body), &read); err != nil {
			tb.Fatal(err)
		}
		return read.ID, read.APIKey
	},
	"POST " + ownRotation: func(tb testing.TB, e *env) (id, plaintext string) {
		tb.Helper()
		body := `{"name":"x","scopes":["apikeys.renew-self"]}`
		_, former := tokenOf(tb, e.ask(tb, danaKey, http.MethodPost, danaKeys, body))
		return tokenOf(tb, e.ask(tb, former, http.MethodPost, ownRotation, ""))
	},
	graphQLVerb("createCurrentUserToken"): func(tb testing.TB, e *env) (id, plaintext string) {
		tb.Helper()
		mutation := mutate(`createCurrentUserToken(input: {name: "x", expiresAt: ` + millis(tooLate) + `}) { id token }`)
		return tokenOf(tb, e.ask(tb, danaKey, http.MethodPost, "/graphql", mutation))
	},
}

// issuesForOthers are the verbs that return a key of no user, or the key of an AdminUser, or change a key.
var issuesForOthers = []string{
	"POST /api/admin/claims",
	"POST " + usersPath, "PUT " + usersPath + "/{username}/role", "POST " + usersPath + "/{username}/rotate-key",
	"PATCH " + usersPath + "/{username}", "PATCH /apiv1/users/{user}/apikeys/{id}", "PATCH /apiv1/apikeys/{id}",
	"POST /apiv1/accounts/{account}/apikeys", "PATCH /apiv1/accounts/{account}/apikeys/{id}",
	"POST /apiv1/accounts/{account}/apikeys/{id}/rotate",
	"POST /apiv1/integrations/{integration}/apikeys", "PATCH /apiv1/integrations/{integration}/apikeys/{id}",
	"POST /apiv1/integrations/{integration}/apikeys/{id}/rotate",
	graphQLVerb("createToken"), graphQLVerb("createIntegrationInstanceToken"),
}

// removals are the ways in which dana goes.
var removals = map[string]func(testing.TB, *env){
	"deleted": func(tb testing.TB, e *env) { tb.Helper(); e.remove(tb, "dana", "", 1) },
	"deleted as a plain user": func(tb testing.TB, e *env) {
		tb.Helper()
		e.must(tb, http.MethodPut, usersPath+"/dana/role", `{"role":"user"}`)
		e.remove(tb, "dana", "?forget=true", 1)
	},
	"disabled, then deleted": func(tb testing.TB, e *env) {
		tb.Helper()
		e.must(tb, http.MethodPatch, usersPath+"/dana", disabled)
		e.remove(tb, "dana", "", 1)
	},
	"deleted by kubectl": func(tb testing.TB, e *env) {
		tb.Helper()
		if err := e.Delete(tb.Context(), e.AdminUser("dana")); err != nil {
			tb.Fatal(err)
		}
	},
}

// Whatever issued a key of a user, and however the user goes: the key is refused from then on, and does not pass to the
// next user of the name. A rotation returns another key for that user.
func TestKeysOfUser_EndWithUser(t *testing.T) {
	verbs := slices.Concat(handsOutNothing, issuesForOthers)
	for verb, issue := range issuesForUser {
		verbs = append(verbs, verb)
		for how, remove := range removals {
			t.Run(verb+"/"+how, func(t *testing.T) {
				e := newEnv(t)
				id, plaintext := issue(t, e)
				e.expect(t, plaintext, verify.Accepted)
				remove(t, e)
				e.expect(t, plaintext, verify.OwnerGone)
				e.must(t, http.MethodPost, usersPath, `{"username":"Dana"}`)
				e.expect(t, plaintext, verify.OwnerGone)
				rotate := "/apiv1/users/Dana/apikeys/" + id + "/rotate"
				_, next := tokenOf(t, e.ask(t, fakeobjects.AliceKey, http.MethodPost, rotate, ""))
				e.expect(t, next, verify.Accepted)
				e.expect(t, plaintext, verify.Unknown)
			})
		}
	}
	checkVerbs(t, verbs)
}

// A user who is demoted, or disabled and enabled again, is the same user.
func TestKeysOfUser_StayWithUser(t *testing.T) {
	e := newEnv(t)
	_, plaintext := issuesForUser["POST /apiv1/users/{user}/apikeys"](t, e)
	e.must(t, http.MethodPatch, usersPath+"/dana", disabled)
	e.expect(t, plaintext, verify.OwnerDisabled)
	e.must(t, http.MethodPatch, usersPath+"/dana", enabled)
	e.must(t, http.MethodPut, usersPath+"/dana/role", `{"role":"user"}`)
	e.expect(t, plaintext, verify.Accepted)
	e.must(t, http.MethodPut, usersPath+"/dana/role", `{"role":"admin"}`)
	e.expect(t, plaintext, verify.Accepted)
}

// A key of a user without an AdminUser has no owner, and a rotation makes it a key of the AdminUser that came later.
func TestKeysOfUser_WithoutAdminUser(t *testing.T) {
	e := newEnv(t)
	zoe := "/apiv1/users/zoe/apikeys"
	id, plaintext := tokenOf(t, e.ask(t, fakeobjects.AliceKey, http.MethodPost, zoe, `{"name":"x"}`))
	e.must(t, http.MethodPost, usersPath, `{"username":"zoe"}`)
	e.expect(t, plaintext, verify.Accepted)
	e.remove(t, "zoe", "", 0)
	e.expect(t, plaintext, verify.Accepted)
	e.must(t, http.MethodPost, usersPath, `{"username":"zoe"}`)
	_, next := tokenOf(t, e.ask(t, fakeobjects.AliceKey, http.MethodPost, zoe+"/"+id+"/rotate", ""))
	e.remove(t, "zoe", "", 1)
	e.expect(t, next, verify.OwnerGone)
}

// late is the body of a request. Something happens before it arrives.
type late struct {
	io.Reader
	happen func()
}

func (l *late) Read(p []byte) (int, error) {
	if l.happen != nil {
		l.happen()
		l.happen = nil
	}
	return l.Reader.Read(p)
}

// takesNoBody are the verbs without a body, which do nothing before they decide.
var takesNoBody = []string{
	"DELETE " + usersPath + "/{username}", "DELETE /apiv1/users/{user}/apikeys/{id}",
	"DELETE /apiv1/accounts/{account}/apikeys/{id}", "DELETE /apiv1/integrations/{integration}/apikeys/{id}",
	"DELETE /apiv1/apikeys/{id}", "DELETE /api/admin/claims/{id}",
}

// A caller who is deleted while the body is on its way does nothing any more.
func TestCallers_LoseRightsWhileBodyArrives(t *testing.T) {
	verbs := slices.Concat(notOrdered, takesNoBody)
	for verb, body := range lateBodies() {
		verbs = append(verbs, verb)
		t.Run(verb, func(t *testing.T) {
			e := newEnv(t)
			method, path, _ := strings.Cut(verb, " ")
			if method == "mutation" {
				method, path, body = http.MethodPost, "/graphql", mutate(body)
			}
			if strings.Contains(path, "{id}") {
				path = strings.ReplaceAll(path, "{id}", created(theirs(strings.TrimSuffix(path, "/rotate")), `{"name":"x"}`)(t, e))
			}
			before := len(e.Writes())
			got := e.send(t, danaKey, method, named(path), &late{strings.NewReader(body), func() {
				if err := e.Delete(t.Context(), e.AdminUser("dana")); err != nil {
					t.Fatal(err)
				}
			}})
			if got.status != http.StatusUnauthorized && got.status != http.StatusForbidden {
				t.Errorf("got %d %s", got.status, got.body)
			}
			if writes := e.Writes()[before:]; !slices.Equal(writes, []string{"delete dana"}) {
				t.Errorf("writes %q", writes)
			}
		})
	}
	checkVerbs(t, verbs)
}

// named returns the path of a verb with names in place of wildcards.
func named(path string) string {
	return strings.NewReplacer(
		"{username}", "root", "{user}", "root", "{account}", "ci", "{integration}", "lab-1",
	).Replace(path)
}

// theirs returns the path of the keys that a path below them is of.
func theirs(path string) string {
	if strings.HasPrefix(path, byID) {
		path = "/apiv1/accounts/{account}/apikeys"
	}
	return named(strings.TrimSuffix(path, "/{id}"))
}

func lateBodies() map[string]string {
	all := map[string]string{
		"POST " + usersPath: `{"username":"new"}`, "PATCH " + usersPath + "/{username}": disabled,
		"PUT " + usersPath + "/{username}/role": `{"role":"user"}`, "POST " + usersPath + "/{username}/rotate-key": `{}`,
		"POST /api/admin/token-usage/reprice": `{"since":"2030-01-31"}`, "POST " + ownRotation: `{}`,
		"POST /api/admin/claims": `{"kind":"user","username":"new"}`,
		graphQLVerb("createCurrentUserToken"): `createCurrentUserToken(input: {name: "x", expiresAt: ` + millis(inTime) +
			`}) { id }`,
		graphQLVerb("createToken"): `createToken(token: {name: "x", ` +
			`policy: "{\"permissions\":[{\"effect\":\"ALLOW\",\"actions\":[\"*\"],\"resources\":[\"*\"]}]}"}) { id }`,
		graphQLVerb("createIntegrationInstanceToken"): `createIntegrationInstanceToken(id: "lab-1") { tokenId }`,
		graphQLVerb("revokeToken"):                    `revokeToken(id: "uid-of-powerless") { id }`,
		graphQLVerb("revokeIntegrationInstanceToken"): `revokeIntegrationInstanceToken(tokenId: "x") { success }`,
	}
	for _, keys := range []string{
		byID, "/apiv1/users/{user}/apikeys", "/apiv1/accounts/{account}/apikeys", "/apiv1/integrations/{integration}/apikeys",
	} {
		if keys != byID {
			all["POST "+keys] = `{"name":"x"}`
		}
		all["PATCH "+keys+"/{id}"] = `{"name":"y"}`
		all["POST "+keys+"/{id}/rotate"] = `{}`
	}
	return all
}

// expect compares why this server refuses a key now.
func (e *env) expect(tb testing.TB, plaintext string, want verify.Reason) {
	tb.Helper()
	if got := e.Verifier.Verify(plaintext, e.Time()).Reason; got != want {
		tb.Fatalf("the key is %s, want %s", got, want)
	}
}

// must sends a request of an admin and expects success.
func (e *env) must(tb testing.TB, method, path, body string) outcome {
	tb.Helper()
	got := e.ask(tb, fakeobjects.AliceKey, method, path, body)
	if got.status != http.StatusOK {
		tb.Fatalf("%s %s: %d %s", method, path, got.status, got.body)
	}
	return got
}

// remove deletes a user through the API. The reply, the event and the audit trail count the keys that are refused.
func (e *env) remove(tb testing.TB, name, query string, keys int) {
	tb.Helper()
	reply := struct {
		Deleted string
		APIKeys int `json:"api_keys"`
	}{}
	got := e.must(tb, http.MethodDelete, usersPath+"/"+name+query, "")
	if err := json.Unmarshal([]byte(got.body), &reply); err != nil || reply.Deleted != name || reply.APIKeys != keys {
		tb.Fatalf("%s, want %d keys", got.body, keys)
	}
	events, entries := e.Events(), e.Trail.Entries()
	event, entry := events[len(events)-1], entries[len(entries)-1]
	detail := map[int]string{0: "", 1: "1 API key of the user is refused"}[keys]
	if entry.Detail != detail || event.Reason != v1alpha1.EventDeleted || !strings.HasSuffix(event.Message, detail) {
		tb.Fatalf("event %+v, audit entry %+v", event, entry)
	}
}

// tokenOf returns id and plaintext of the key in a reply.
func tokenOf(tb testing.TB, got outcome) (id, plaintext string) {
	tb.Helper()
	type token struct{ ID, Token string }
	var reply struct {
		Data struct {
			token
			CreateCurrentUserToken token
		}
	}
	if err := json.Unmarshal([]byte(got.body), &reply); err != nil {
		tb.Fatal(err)
	}
	found := reply.Data.token
	if found.ID == "" {
		found = reply.Data.CreateCurrentUserToken
	}
	if found.Token == "" {
		tb.Fatal(got.body)
	}
	return found.ID, found.Token
}
