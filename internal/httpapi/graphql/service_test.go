package graphql_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/test/fakeobjects"
)

// bobWrites is the key of a key object of bob that only writes keys.
const bobWrites = "a-key-of-bob-that-only-writes-keys"

// newPlace returns the real service and gate on a store in memory.
func newServiceEnv(t *testing.T) (*env, *fakeobjects.Fixture) {
	t.Helper()
	p := fakeobjects.NewFixture(t)
	p.Configure(t, config.Runtime{TrustProxyHeaders: true})
	give := func(scopes ...v1alpha1.Scope) func(*v1alpha1.APIKey) {
		return func(k *v1alpha1.APIKey) { k.Spec.Scopes = scopes }
	}
	bob := v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "bob"}
	p.PutKey("bob-manages", bob, bobKey, give("certs.read", "apikeys.read", "apikeys.write"))
	p.PutKey("bob-writes", bob, bobWrites, give("apikeys.write"))
	p.PutKey(
		"ci", v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"}, ciKey,
		give("apikeys.read", "apikeys.write"),
	)
	service := apikeys.New(apikeys.Config{
		Gate: p.Gate, Verifier: p.Verifier, Store: p.Store, Uses: p.Uses, Trail: p.Trail, Creations: p.Creations,
		Account: func() string { return "instance" }, Actions: func() []string { return nil }, Now: p.Time, Log: p.Logger(),
	})
	e := &env{backing: &backing{}, log: p.Log}
	e.mount(p.Gate, service, p.Logger())
	return e, p
}

// A token is created, may do what its policy allows, and is refused once it is revoked.
func TestToken_Lifecycle(t *testing.T) {
	env, p := newServiceEnv(t)
	var made struct{ CreateToken tokenReply }
	env.get(t, fakeobjects.AliceKey, seedCreate, seedInput(), &made)
	plaintext := value(made.CreateToken.Token)
	c := p.Bearer(plaintext)
	if c.Subject != "Account/instance" || c.Username != "" || c.Admin {
		t.Errorf("%+v", c)
	}
	for _, c := range []struct {
		action, resource string
		want             bool
	}{
		{"dashboard:View", "dashboard:123456", true}, {"dashboard:View", "dashboard:1", false}, {
			"dashboard:Edit", "dashboard:123456", false,
		},
	} {
		if got := p.May(plaintext, c.action, c.resource); got != c.want {
			t.Errorf("%s on %s: %t", c.action, c.resource, got)
		}
	}
	id := map[string]any{"id": made.CreateToken.ID}
	// Neither a token of the account nor a user may revoke it.
	env.refused(t, bobKey, seedRevoke, id, 4001, "API key not found")
	env.refused(t, ciKey, seedRevoke, id, 4003, apikeys.NotPermitted)
	env.refused(t, plaintext, seedRevoke, id, 4003, apikeys.NotPermitted)
	var revoked struct{ RevokeToken tokenReply }
	env.get(t, fakeobjects.AliceKey, seedRevoke, id, &revoked)
	if !revoked.RevokeToken.Revoked || revoked.RevokeToken.Token != nil {
		t.Errorf("%+v", revoked)
	}
	if got := env.serve(newRequest(plaintext, anyQuery)); got.Code != http.StatusUnauthorized {
		t.Errorf("the revoked token: %d", got.Code)
	}
	var listed pageReply
	env.get(t, fakeobjects.AliceKey, `{ tokens { items { id revoked token } } }`, nil, &listed)
	if items := listed.Tokens.Items; len(items) != 1 || !items[0].Revoked || items[0].Token != nil {
		t.Errorf("%+v", listed)
	}
	if strings.Contains(env.log.String(), plaintext) {
		t.Error("the token is in the log")
	}
	// Lookups under the wrong subject are not audited.
	var trail []string
	for _, e := range p.Trail.Entries() {
		trail = append(trail, e.Actor+" "+e.Action+" "+e.Outcome)
	}
	want := "User/alice " + audit.KeyCreate + " " + audit.Done + ",User/bob " + audit.KeyRevoke + " " +
		audit.Refused + ",Account/ci " + audit.KeyRevoke + " " + audit.Refused +
		",Account/instance " + audit.KeyRevoke + " " + audit.Refused + ",User/alice " + audit.KeyRevoke + " " + audit.Done
	if got := strings.Join(trail, ","); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Conditions are enforced, and a DENY beats every ALLOW.
func TestPolicy_IsEnforced(t *testing.T) {
	env, p := newServiceEnv(t)
	const policy = `{"permissions": [{"effect": "ALLOW", "actions": ["*"], "resources": ["*"]}, {"effect": "DENY", "actions": ["settings:GetSettings"], "resources": ["*"]}]}`
	var made struct{ CreateToken tokenReply }
	env.get(
		t, fakeobjects.AliceKey, seedCreate,
		map[string]any{"token": map[string]any{"name": "x", "policy": policy}}, &made,
	)
	plaintext := value(made.CreateToken.Token)
	if !p.May(plaintext, "dashboard:View", "dashboard:1") ||
		p.May(plaintext, "settings:GetSettings", "settings-category:1") {
		t.Error("the token may do something else")
	}
}

func TestCurrentUserToken_HoldsRightsOfUser(t *testing.T) {
	env, p := newServiceEnv(t)
	input := map[string]any{"input": map[string]any{"name": "mine", "expiresAt": p.Time().AddDate(0, 0, 1).UnixMilli()}}
	var made struct{ CreateCurrentUserToken tokenReply }
	env.get(t, fakeobjects.AliceKey, createOwn, input, &made)
	plaintext := value(made.CreateCurrentUserToken.Token)
	if c := p.Bearer(plaintext); c.Username != "alice" || c.Admin || !p.May(plaintext, "certs.write", "certificate:1") {
		t.Errorf("%+v", c)
	}
	var listed pageReply
	env.get(t, plaintext, `{ tokens { items { id } } }`, nil, &listed)
	if len(listed.Tokens.Items) != 1 {
		t.Errorf("%+v", listed)
	}

	// A key with fewer rights than its user can give only its own.
	env.refused(t, bobKey, createOwn, input, 4003, apikeys.NotPermitted+": a caller can only give what it holds")
	env.refused(t, ciKey, createOwn, input, 4003, "The caller is not a user: only users have tokens of their own")
	problems := env.ask(t, fakeobjects.BootstrapKey, createOwn, input, nil)
	if len(problems) != 1 || problems[0].Extensions.Code != 4000 {
		t.Errorf("the bootstrap key: %+v", problems)
	}
	p.Pass(48 * time.Hour)
	if got := env.serve(newRequest(plaintext, anyQuery)); got.Code != http.StatusUnauthorized {
		t.Errorf("after its end: %d", got.Code)
	}
}

// A user named by a proxy manages their own tokens as their roles allow.
func TestProxyUser_ManagesOwnTokens(t *testing.T) {
	env, p := newServiceEnv(t)
	ask := func(query string, variables any) string {
		r := newRequest("", document(t, query, variables))
		r.Header.Set("X-Forwarded-User", "bob")
		return env.serve(r).Body.String()
	}
	end := p.Time().AddDate(0, 0, 1).UnixMilli()
	if got := ask(createOwn, map[string]any{"input": map[string]any{"name": "mine", "expiresAt": end}}); !strings.Contains(got, `"token":"ak_`) {
		t.Error(got)
	}
	if got := ask(`{ tokens { items { name } } }`, nil); strings.Count(got, `"name"`) != 3 || !strings.Contains(got, `"mine"`) {
		t.Error(got)
	}
	if got := ask(seedCreate, seedInput()); !strings.Contains(got, `"code":4003`) {
		t.Error(got)
	}
}

// A caller who may write but not read may revoke. Keys from manifests are changed there.
func TestRevoke_WithoutRightToRead(t *testing.T) {
	env, _ := newServiceEnv(t)
	problems := env.ask(t, bobWrites, seedRevoke, map[string]any{"id": "uid-of-bob-manages"}, nil)
	if len(problems) != 1 || problems[0].Extensions.Code != 4009 ||
		!strings.Contains(problems[0].Message, "team/bob-manages") {
		t.Errorf("%+v", problems)
	}
	env.refused(t, bobWrites, seedRevoke, map[string]any{"id": "none"}, 4001, "API key not found")
	env.refused(t, bobWrites, `{ tokens { items { id } } }`, nil, 4003, apikeys.NotPermitted)
}

func TestIntegrationToken_Authenticates(t *testing.T) {
	env, p := newServiceEnv(t)
	var made struct{ CreateIntegrationInstanceToken tokenReply }
	env.get(t, fakeobjects.AliceKey, `mutation { createIntegrationInstanceToken(id: "github-1") { tokenId token } }`, nil, &made)
	got := made.CreateIntegrationInstanceToken
	if c := p.Bearer(value(got.Token)); c.Subject != "Integration/github-1" || p.May(value(got.Token), "certs.read", "*") {
		t.Errorf("%+v", c)
	}
	env.get(t, fakeobjects.AliceKey, `mutation { revokeIntegrationInstanceToken(tokenId: "`+got.TokenID+`") { success } }`, nil, nil)
	if got := env.serve(newRequest(value(got.Token), anyQuery)); got.Code != http.StatusUnauthorized {
		t.Errorf("the revoked token: %d", got.Code)
	}
	env.refused(t, fakeobjects.AliceKey, `mutation { createIntegrationInstanceToken(id: "no/name") { tokenId } }`, nil, 4000,
		"id: must be 1-63 letters, digits, '.', '_', '-', a letter or digit first")
}
