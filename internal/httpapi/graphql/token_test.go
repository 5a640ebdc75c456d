package graphql_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/manage"
)

// Queries of existing clients.
const (
	seedCreate = "mutation CreateToken($token: TokenInput!) { createToken(token: $token) { token id name " +
		"category policy revoked createdAt expiresAt __typename } }"
	seedRevoke = "mutation RevokeToken($id: String!) { revokeToken(id: $id) { token id name category policy " +
		"revoked createdAt expiresAt __typename } }"
	seedPolicy = "{\n\t\"permissions\": [{\n\t\t\"effect\":\"ALLOW\",\n\t\t\"actions\":[\"dashboard:View\" " +
		"],\n\t\t\"resources\": [ \"dashboard:123456\" ]\n\t}]\n}"
)

func seedInput() map[string]any {
	return map[string]any{"token": map[string]any{"name": "Token Name", "category": "tags", "policy": seedPolicy}}
}

func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

func TestCreateToken_ReturnsTokenOnce(t *testing.T) {
	env := newEnv(t)
	var made struct{ CreateToken tokenReply }
	env.get(t, aliceKey, seedCreate, seedInput(), &made)
	got := made.CreateToken
	const policy = `{"permissions":[{"effect":"ALLOW","actions":["dashboard:View"],"resources":["dashboard:123456"]}]}`
	if got.ID != "uid-1" || got.Name != "Token Name" || value(got.Category) != "tags" ||
		value(got.Policy) != policy || got.Revoked ||
		got.CreatedAt.String() != millis(now) || got.ExpiresAt != nil || got.Typename != "Token" ||
		value(got.Token) != plaintextOf(1) {
		t.Errorf("%+v", got)
	}
	k := env.ring.keys[0]
	if k.Subject != (v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "default"}) {
		t.Errorf("its subject is %v", k.Subject)
	}
	if k.by.Username != "alice" || k.by.From != "192.0.2.1" || k.wanted.Everything || k.wanted.Disabled ||
		k.wanted.Scopes != nil || k.wanted.Roles != nil {
		t.Errorf("%+v by %+v", k.wanted, k.by)
	}

	var revoked struct{ RevokeToken tokenReply }
	env.get(t, aliceKey, seedRevoke, map[string]any{"id": got.ID}, &revoked)
	if r := revoked.RevokeToken; r.Token != nil || !r.Revoked || r.ID != got.ID || value(r.Policy) != policy ||
		r.Typename != "Token" {
		t.Errorf("%+v", r)
	}

	var later struct {
		Token  tokenReply
		Tokens struct{ Items []tokenReply }
	}
	env.get(t, aliceKey, `query ($id: ID!) { token(id: $id) { id token revoked } tokens { items { id token revoked } } }`, map[string]any{"id": got.ID}, &later)
	for _, r := range append(later.Tokens.Items, later.Token) {
		if r.ID != got.ID || r.Token != nil || !r.Revoked {
			t.Errorf("%+v", r)
		}
	}
	if len(later.Tokens.Items) != 1 {
		t.Error("the token is missing")
	}
}

func TestCreateToken_WithEnd(t *testing.T) {
	end := now.Add(time.Hour)
	for name, given := range map[string]any{
		"a number": end.UnixMilli(), "a string of digits": millis(end), "a float": json.Number(millis(end) + ".0"),
		"with an exponent": json.Number("1.8934596e12"),
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			input := seedInput()
			input["token"].(map[string]any)["expiresAt"] = given
			var made struct{ CreateToken tokenReply }
			env.get(t, aliceKey, seedCreate, input, &made)
			if at := env.ring.keys[0].wanted.ExpiresAt; at == nil || !at.Equal(end) {
				t.Errorf("%v", at)
			}
			if e := made.CreateToken.ExpiresAt; e == nil || e.String() != millis(end) {
				t.Errorf("%v", e)
			}
		})
	}
	t.Run("in the query", func(t *testing.T) {
		env := newEnv(t)
		env.get(t, aliceKey, `mutation { createToken(token: {name: "x", policy: "{}", expiresAt: `+millis(end)+`}) { id } }`, nil, nil)
		if at := env.ring.keys[0].wanted.ExpiresAt; at == nil || !at.Equal(end) {
			t.Errorf("%v", at)
		}
	})
}

func TestCreateToken_RefusesBadEnds(t *testing.T) {
	const stamp = "A Timestamp must be milliseconds since 1970: a whole number, or a string of digits."
	for name, c := range map[string]struct {
		end     any
		message string
	}{
		"past":               {now.UnixMilli(), "expiresAt: must be in the future"},
		"long past":          {0, "expiresAt: must be in the future"},
		"before 1970":        {-1, stamp},
		"after 9999":         {json.Number("253402300800000"), stamp},
		"far beyond":         {json.Number("1e300"), stamp},
		"too many digits":    {json.Number("99999999999999999999"), stamp},
		"a string too long":  {"99999999999999999999", stamp},
		"with a sign":        {"+1893459600000", stamp},
		"with a fraction":    {json.Number("1893459600000.5"), stamp},
		"as people write it": {"2031-01-01T00:00:00Z", stamp},
		"empty":              {"", stamp},
		"a boolean":          {true, stamp},
		"a list":             {[]int{1}, stamp},
		"an object":          {map[string]int{"a": 1}, stamp},
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			input := seedInput()
			input["token"].(map[string]any)["expiresAt"] = c.end
			env.refused(t, aliceKey, seedCreate, input, 4000, c.message)
			if len(env.ring.keys) != 0 {
				t.Error("a key was created")
			}
		})
	}
}

func TestCreateToken_RefusesBadPolicies(t *testing.T) {
	for name, c := range map[string]struct {
		policy  any
		message string
	}{
		"none":                 {nil, "policy: is required: a token of the account may do only what its policy allows"},
		"empty":                {"", "policy: is required: a token of the account may do only what its policy allows"},
		"not JSON":             {"ALLOW", "policy: must be a JSON object"},
		"half of one":          {`{"permissions": [`, "policy: must be a JSON object"},
		"two":                  {`{} {}`, "policy: must be a JSON object"},
		"a list":               {`[]`, "policy: must be a JSON object"},
		"null":                 {`null`, "policy: must be a JSON object"},
		"a string":             {`"x"`, "policy: must be a JSON object"},
		"an unknown field":     {`{"permissions": [], "version": "secret-value"}`, "policy.version: is not known"},
		"of another case":      {`{"Permissions": []}`, "policy.Permissions: is not known"},
		"an unknown one below": {`{"permissions": [{"Effect": "ALLOW"}]}`, "policy.permissions[0].Effect: is not known"},
		"twice":                {`{"permissions": [], "permissions": []}`, "policy.permissions: is given twice"},
		"an effect twice":      {`{"permissions": [{"effect": "DENY", "effect": "ALLOW"}]}`, "policy.permissions[0].effect: is given twice"},
		"another type":         {`{"permissions": [{"effect": 1}]}`, "policy.permissions.effect: must not be a number"},
		"an unknown condition": {`{"permissions": [{"condition": {"stringLike": {"a": "b"}}}]}`, "policy.permissions[0].condition.stringLike: is not known"},
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			input := map[string]any{"token": map[string]any{"name": "x", "policy": c.policy}}
			env.refused(t, aliceKey, seedCreate, input, 4000, c.message)
			// Others do not learn what is wrong with it.
			env.refused(t, bobKey, seedCreate, input, 4003, "API key lacks required permission")
			if len(env.ring.keys) != 0 {
				t.Error("a key was created")
			}
		})
	}
}

// The service gets the policy unchanged, and so does the caller.
func TestCreateToken_KeepsPolicy(t *testing.T) {
	const policy = `{"permissions":[{"effect":"DENY","actions":["query:ReadGraphData","*"],"resources":["*"],"condition":{"stringEquals":{"_type":"github_repo"}}}]}`
	env := newEnv(t)
	var made struct{ CreateToken tokenReply }
	env.get(t, aliceKey, seedCreate, map[string]any{"token": map[string]any{"name": "x", "policy": policy}}, &made)
	if value(made.CreateToken.Policy) != policy || made.CreateToken.Category != nil {
		t.Error(value(made.CreateToken.Policy))
	}
	p := env.ring.keys[0].wanted.Policy.Permissions[0]
	if p.Effect != v1alpha1.EffectDeny || p.Actions[1] != "*" || p.Resources[0] != "*" ||
		p.Condition.StringEquals["_type"] != "github_repo" {
		t.Errorf("%+v", p)
	}
}

const createOwn = `mutation ($input: CreateCurrentUserTokenInput!) { createCurrentUserToken(input: $input) { id name token policy category revoked expiresAt } }`

func TestCreateCurrentUserToken(t *testing.T) {
	env := newEnv(t)
	end := now.Add(time.Hour)
	input := map[string]any{"input": map[string]any{"name": "mine", "expiresAt": end.UnixMilli()}}
	var made struct{ CreateCurrentUserToken tokenReply }
	env.get(t, bobKey, createOwn, input, &made)
	k := env.ring.keys[0]
	if k.Subject != (v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "bob"}) || !k.wanted.Everything ||
		!k.wanted.ExpiresAt.Equal(end) || k.wanted.Policy != nil {
		t.Errorf("%v %+v", k.Subject, k.wanted)
	}
	id := made.CreateCurrentUserToken.ID
	if value(made.CreateCurrentUserToken.Token) != plaintextOf(1) ||
		made.CreateCurrentUserToken.ExpiresAt.String() != millis(end) {
		t.Errorf("%+v", made)
	}

	var later struct {
		Token  tokenReply
		Tokens struct{ Items []tokenReply }
	}
	env.get(t, bobKey, `query ($id: ID!) { token(id: $id) { id token } tokens { items { id token } } }`, map[string]any{"id": id}, &later)
	if later.Token.ID != id || later.Token.Token != nil || len(later.Tokens.Items) != 1 ||
		later.Tokens.Items[0].Token != nil {
		t.Errorf("%+v", later)
	}
	var revoked struct{ RevokeToken tokenReply }
	env.get(t, bobKey, seedRevoke, map[string]any{"id": id}, &revoked)
	if !revoked.RevokeToken.Revoked || revoked.RevokeToken.Token != nil {
		t.Errorf("%+v", revoked)
	}

	env.refused(
		t, bobKey, createOwn, map[string]any{"input": map[string]any{"name": "x", "expiresAt": now.UnixMilli()}},
		4000, "expiresAt: must be in the future",
	)
	env.refused(t, bobKey, createOwn, map[string]any{"input": map[string]any{"name": "x"}}, 4000, `Variable "expiresAt" must not be null.`)
	env.refused(t, bobKey, createOwn, map[string]any{"input": map[string]any{"expiresAt": end.UnixMilli()}}, 4000, `Variable "name" must not be null.`)
	env.refused(t, ciKey, createOwn, input, 4003, "The caller is not a user: only users have tokens of their own")
	if len(env.ring.keys) != 1 {
		t.Error("there are more keys")
	}
}

func TestTokens_NeedRights(t *testing.T) {
	env := newEnv(t)
	const lacks = "API key lacks required permission"
	env.get(t, aliceKey, seedCreate, seedInput(), nil)
	account := map[string]any{"id": "uid-1"}
	env.refused(t, bobKey, seedCreate, seedInput(), 4003, lacks)
	env.refused(t, ciKey, seedCreate, seedInput(), 4003, lacks)
	env.refused(t, ciKey, seedRevoke, account, 4003, lacks)
	env.refused(t, ciKey, `{ tokens { items { id } } }`, nil, 4003, lacks)
	env.refused(t, ciKey, `query ($id: ID!) { token(id: $id) { id } }`, account, 4003, lacks)
	// Bob may read his own keys, and has none.
	env.refused(t, bobKey, seedRevoke, account, 4001, "API key not found")
	env.refused(t, bobKey, `query ($id: ID!) { token(id: $id) { id } }`, account, 4001, "API key not found")
	env.refused(t, aliceKey, seedRevoke, map[string]any{"id": "none"}, 4001, "API key not found")
	env.refused(t, aliceKey, seedRevoke, map[string]any{"id": ""}, 4001, "API key not found")
	var bobs struct{ Tokens struct{ Items []tokenReply } }
	env.get(t, bobKey, `{ tokens { items { id } } }`, nil, &bobs)
	if len(bobs.Tokens.Items) != 0 || env.ring.keys[0].Revoked {
		t.Errorf("%+v", bobs)
	}
}

func TestIntegrationTokens_Lifecycle(t *testing.T) {
	env := newEnv(t)
	var made struct{ CreateIntegrationInstanceToken tokenReply }
	const create = `mutation ($id: String!) { createIntegrationInstanceToken(id: $id) { tokenId token createdAt expiresAt revoked __typename } }`
	env.get(t, aliceKey, create, map[string]any{"id": "github-1"}, &made)
	got, k := made.CreateIntegrationInstanceToken, env.ring.keys[0]
	if got.TokenID != "uid-1" || value(got.Token) != plaintextOf(1) || got.CreatedAt.String() != millis(now) ||
		got.ExpiresAt != nil || got.Typename != "IntegrationInstanceToken" {
		t.Errorf("%+v", got)
	}
	if k.Subject != (v1alpha1.Subject{Kind: v1alpha1.SubjectIntegration, Name: "github-1"}) || k.wanted.Everything ||
		k.wanted.Policy != nil {
		t.Errorf("%v %+v", k.Subject, k.wanted)
	}
	env.get(t, aliceKey, create, map[string]any{"id": "github-2"}, nil)
	env.get(t, aliceKey, seedCreate, seedInput(), nil)

	const revoke = `mutation ($id: String!) { revokeIntegrationInstanceToken(tokenId: $id) { success } }`
	var revoked struct{ RevokeIntegrationInstanceToken struct{ Success bool } }
	env.get(t, aliceKey, revoke, map[string]any{"id": "uid-1"}, &revoked)
	if !revoked.RevokeIntegrationInstanceToken.Success || !k.Revoked {
		t.Errorf("%+v", revoked)
	}

	var listed struct {
		IntegrationInstanceTokens struct {
			Tokens   []tokenReply
			PageInfo struct {
				EndCursor   *string
				HasNextPage bool
			}
		}
	}
	env.get(t, aliceKey, `{ integrationInstanceTokens(id: "github-1") { tokens { tokenId token revoked } pageInfo { endCursor hasNextPage } } }`, nil, &listed)
	list := listed.IntegrationInstanceTokens
	if len(list.Tokens) != 1 || list.Tokens[0].TokenID != "uid-1" || list.Tokens[0].Token != nil ||
		!list.Tokens[0].Revoked || list.PageInfo.HasNextPage || list.PageInfo.EndCursor == nil {
		t.Errorf("%+v", list)
	}

	const lacks = "API key lacks required permission"
	env.refused(t, bobKey, create, map[string]any{"id": "github-1"}, 4003, lacks)
	env.refused(t, bobKey, revoke, map[string]any{"id": "uid-2"}, 4003, lacks)
	env.refused(t, bobKey, `{ integrationInstanceTokens(id: "github-1") { tokens { tokenId } } }`, nil, 4003, lacks)
	env.refused(t, aliceKey, revoke, map[string]any{"id": "none"}, 4001, "API key not found")
	// Tokens of the account are not found as tokens of an integration, nor the other way round.
	env.refused(t, aliceKey, revoke, map[string]any{"id": "uid-3"}, 4001, "API key not found")
	env.refused(t, aliceKey, seedRevoke, map[string]any{"id": "uid-2"}, 4001, "API key not found")
	env.refused(t, aliceKey, create, map[string]any{"id": ""}, 4000, "id: is required")
	env.refused(t, aliceKey, `{ integrationInstanceTokens(id: "") { tokens { tokenId } } }`, nil, 4000, "id: is required")
	if len(env.ring.keys) != 3 {
		t.Error("there are more keys")
	}
}

func TestErrors_HaveCodes(t *testing.T) {
	for name, c := range map[string]struct {
		fail    error
		code    int
		message string
	}{
		"unauthorized": {&manage.Error{Kind: manage.Unauthorized, Text: "invalid token"}, 401, "invalid token"},
		"forbidden":    {&manage.Error{Kind: manage.Forbidden, Text: "no"}, 4003, "no"},
		"not found":    {&manage.Error{Kind: manage.NotFound, Text: "API key not found"}, 4001, "API key not found"},
		"invalid": {
			&manage.Error{Kind: manage.Invalid, Field: "policy.permissions[0].effect", Text: "must be x"}, 4000,
			"policy.permissions[0].effect: must be x",
		},
		"an end": {
			&manage.Error{Kind: manage.Invalid, Field: "expires_at", Text: "must be x"}, 4000,
			"expiresAt: must be x",
		},
		"conflict": {
			&manage.Error{Kind: manage.Conflict, Text: "it comes from a manifest"}, 4009,
			"it comes from a manifest",
		},
		"unavailable": {
			&manage.Error{Kind: manage.Unavailable, Text: "The API server can't be reached", Cause: errSecret},
			5000, "The API server can't be reached",
		},
		"failed":   {&manage.Error{Text: "failed", Cause: errSecret}, 5000, "failed"},
		"anything": {errSecret, 5000, "internal error"},
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			env.ring.fail = c.fail
			env.refused(t, aliceKey, seedCreate, seedInput(), c.code, c.message)
			env.refused(t, aliceKey, seedRevoke, map[string]any{"id": "x"}, c.code, c.message)
			env.refused(t, aliceKey, `{ tokens { items { id } } }`, nil, c.code, c.message)
			if strings.Contains(env.log.String(), "Token Name") || strings.Contains(env.log.String(), "dashboard") {
				t.Error("a variable is in the log")
			}
		})
	}
}
