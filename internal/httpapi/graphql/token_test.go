package graphql_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/manage/apikeys"
)

// The queries of seed 4, to the letter.
const (
	seedCreate = "mutation CreateToken($token: TokenInput!) { createToken(token: $token) { token id name category policy revoked createdAt expiresAt __typename } }"
	seedRevoke = "mutation RevokeToken($id: String!) { revokeToken(id: $id) { token id name category policy revoked createdAt expiresAt __typename } }"
	seedPolicy = "{\n\t\"permissions\": [{\n\t\t\"effect\":\"ALLOW\",\n\t\t\"actions\":[\"dashboard:View\" ],\n\t\t\"resources\": [ \"dashboard:123456\" ]\n\t}]\n}"
)

func seedInput() map[string]any {
	return map[string]any{"token": map[string]any{"name": "Token Name", "category": "tags", "policy": seedPolicy}}
}

func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

func TestTheSeedsToken(t *testing.T) {
	h := newHouse(t)
	var made struct{ CreateToken tokenReply }
	h.get(t, "alice-key", seedCreate, seedInput(), &made)
	got := made.CreateToken
	const policy = `{"permissions":[{"effect":"ALLOW","actions":["dashboard:View"],"resources":["dashboard:123456"]}]}`
	if got.ID != "uid-1" || got.Name != "Token Name" || value(got.Category) != "tags" || value(got.Policy) != policy || got.Revoked ||
		got.CreatedAt.String() != millis(now) || got.ExpiresAt != nil || got.Typename != "Token" || value(got.Token) != plaintextOf(1) {
		t.Errorf("%+v", got)
	}
	k := h.ring.keys[0]
	if k.Subject != (v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "default"}) {
		t.Errorf("it speaks for %v", k.Subject)
	}
	if k.by.Username != "alice" || k.by.From != "192.0.2.1:1234" || k.wanted.Everything || k.wanted.Disabled || k.wanted.Scopes != nil || k.wanted.Roles != nil {
		t.Errorf("%+v by %+v", k.wanted, k.by)
	}

	var revoked struct{ RevokeToken tokenReply }
	h.get(t, "alice-key", seedRevoke, map[string]any{"id": got.ID}, &revoked)
	if r := revoked.RevokeToken; r.Token != nil || !r.Revoked || r.ID != got.ID || value(r.Policy) != policy || r.Typename != "Token" {
		t.Errorf("%+v", r)
	}

	var later struct {
		Token  tokenReply
		Tokens struct{ Items []tokenReply }
	}
	h.get(t, "alice-key", `query ($id: ID!) { token(id: $id) { id token revoked } tokens { items { id token revoked } } }`, map[string]any{"id": got.ID}, &later)
	for _, r := range append(later.Tokens.Items, later.Token) {
		if r.ID != got.ID || r.Token != nil || !r.Revoked {
			t.Errorf("%+v", r)
		}
	}
	if len(later.Tokens.Items) != 1 {
		t.Error("the row is gone")
	}
}

func TestATokenWithAnEnd(t *testing.T) {
	end := now.Add(time.Hour)
	for name, given := range map[string]any{
		"a number": end.UnixMilli(), "a string of digits": millis(end), "a float": json.Number(millis(end) + ".0"), "with an exponent": json.Number("1.8934596e12"),
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			input := seedInput()
			input["token"].(map[string]any)["expiresAt"] = given
			var made struct{ CreateToken tokenReply }
			h.get(t, "alice-key", seedCreate, input, &made)
			if at := h.ring.keys[0].wanted.ExpiresAt; at == nil || !at.Equal(end) {
				t.Errorf("%v", at)
			}
			if e := made.CreateToken.ExpiresAt; e == nil || e.String() != millis(end) {
				t.Errorf("%v", e)
			}
		})
	}
	t.Run("in the query", func(t *testing.T) {
		h := newHouse(t)
		h.get(t, "alice-key", `mutation { createToken(token: {name: "x", policy: "{}", expiresAt: `+millis(end)+`}) { id } }`, nil, nil)
		if at := h.ring.keys[0].wanted.ExpiresAt; at == nil || !at.Equal(end) {
			t.Errorf("%v", at)
		}
	})
}

func TestEndsThatCanNotBe(t *testing.T) {
	const stamp = "A Timestamp has to be milliseconds since 1970: a whole number, or a string of digits."
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
			h := newHouse(t)
			input := seedInput()
			input["token"].(map[string]any)["expiresAt"] = c.end
			h.refused(t, "alice-key", seedCreate, input, 4000, c.message)
			if len(h.ring.keys) != 0 {
				t.Error("a key was made")
			}
		})
	}
}

func TestPolicies(t *testing.T) {
	for name, c := range map[string]struct {
		policy  any
		message string
	}{
		"none":                 {nil, "policy: is required: the account's token may do what it allows, and no more"},
		"empty":                {"", "policy: is required: the account's token may do what it allows, and no more"},
		"no JSON":              {"ALLOW", "policy: must be a JSON object"},
		"half of one":          {`{"permissions": [`, "policy: must be a JSON object"},
		"two":                  {`{} {}`, "policy: must be a JSON object"},
		"a list":               {`[]`, "policy: must be a JSON object"},
		"null":                 {`null`, "policy: must be a JSON object"},
		"a string":             {`"x"`, "policy: must be a JSON object"},
		"an unknown field":     {`{"permissions": [], "version": "secret-value"}`, "policy.version: is not known"},
		"of another case":      {`{"Permissions": []}`, "policy.Permissions: is not known"},
		"an unknown one below": {`{"permissions": [{"Effect": "ALLOW"}]}`, "policy.permissions[0].Effect: is not known"},
		"twice":                {`{"permissions": [], "permissions": []}`, "policy.permissions: is there twice"},
		"an effect twice":      {`{"permissions": [{"effect": "DENY", "effect": "ALLOW"}]}`, "policy.permissions[0].effect: is there twice"},
		"another type":         {`{"permissions": [{"effect": 1}]}`, "policy.permissions.effect: must not be a number"},
		"an unknown condition": {`{"permissions": [{"condition": {"stringLike": {"a": "b"}}}]}`, "policy.permissions[0].condition.stringLike: is not known"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			input := map[string]any{"token": map[string]any{"name": "x", "policy": c.policy}}
			h.refused(t, "alice-key", seedCreate, input, 4000, c.message)
			// Nobody else learns what is wrong with it.
			h.refused(t, "bob-key", seedCreate, input, 4003, "API key lacks required permission")
			if len(h.ring.keys) != 0 {
				t.Error("a key was made")
			}
		})
	}
}

// What a policy has comes to the use case, and back to the caller, as it is.
func TestAPolicyIsKept(t *testing.T) {
	const policy = `{"permissions":[{"effect":"DENY","actions":["query:ReadGraphData","*"],"resources":["*"],"condition":{"stringEquals":{"_type":"github_repo"}}}]}`
	h := newHouse(t)
	var made struct{ CreateToken tokenReply }
	h.get(t, "alice-key", seedCreate, map[string]any{"token": map[string]any{"name": "x", "policy": policy}}, &made)
	if value(made.CreateToken.Policy) != policy || made.CreateToken.Category != nil {
		t.Error(value(made.CreateToken.Policy))
	}
	p := h.ring.keys[0].wanted.Policy.Permissions[0]
	if p.Effect != v1alpha1.EffectDeny || p.Actions[1] != "*" || p.Resources[0] != "*" || p.Condition.StringEquals["_type"] != "github_repo" {
		t.Errorf("%+v", p)
	}
}

const createOwn = `mutation ($input: CreateCurrentUserTokenInput!) { createCurrentUserToken(input: $input) { id name token policy category revoked expiresAt } }`

func TestATokenOfTheCallersOwn(t *testing.T) {
	h := newHouse(t)
	end := now.Add(time.Hour)
	input := map[string]any{"input": map[string]any{"name": "mine", "expiresAt": end.UnixMilli()}}
	var made struct{ CreateCurrentUserToken tokenReply }
	h.get(t, "bob-key", createOwn, input, &made)
	k := h.ring.keys[0]
	if k.Subject != (v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "bob"}) || !k.wanted.Everything || !k.wanted.ExpiresAt.Equal(end) || k.wanted.Policy != nil {
		t.Errorf("%v %+v", k.Subject, k.wanted)
	}
	id := made.CreateCurrentUserToken.ID
	if value(made.CreateCurrentUserToken.Token) != plaintextOf(1) || made.CreateCurrentUserToken.ExpiresAt.String() != millis(end) {
		t.Errorf("%+v", made)
	}

	var later struct {
		Token  tokenReply
		Tokens struct{ Items []tokenReply }
	}
	h.get(t, "bob-key", `query ($id: ID!) { token(id: $id) { id token } tokens { items { id token } } }`, map[string]any{"id": id}, &later)
	if later.Token.ID != id || later.Token.Token != nil || len(later.Tokens.Items) != 1 || later.Tokens.Items[0].Token != nil {
		t.Errorf("%+v", later)
	}
	var revoked struct{ RevokeToken tokenReply }
	h.get(t, "bob-key", seedRevoke, map[string]any{"id": id}, &revoked)
	if !revoked.RevokeToken.Revoked || revoked.RevokeToken.Token != nil {
		t.Errorf("%+v", revoked)
	}

	h.refused(t, "bob-key", createOwn, map[string]any{"input": map[string]any{"name": "x", "expiresAt": now.UnixMilli()}}, 4000, "expiresAt: must be in the future")
	h.refused(t, "bob-key", createOwn, map[string]any{"input": map[string]any{"name": "x"}}, 4000, `Variable "expiresAt" must not be null.`)
	h.refused(t, "bob-key", createOwn, map[string]any{"input": map[string]any{"expiresAt": end.UnixMilli()}}, 4000, `Variable "name" must not be null.`)
	h.refused(t, "ci-key", createOwn, input, 4003, "The caller is no user: only a user has tokens of their own")
	if len(h.ring.keys) != 1 {
		t.Error("there are more keys")
	}
}

func TestWhoMay(t *testing.T) {
	h := newHouse(t)
	const lacks = "API key lacks required permission"
	h.get(t, "alice-key", seedCreate, seedInput(), nil)
	account := map[string]any{"id": "uid-1"}
	h.refused(t, "bob-key", seedCreate, seedInput(), 4003, lacks)
	h.refused(t, "ci-key", seedCreate, seedInput(), 4003, lacks)
	h.refused(t, "ci-key", seedRevoke, account, 4003, lacks)
	h.refused(t, "ci-key", `{ tokens { items { id } } }`, nil, 4003, lacks)
	h.refused(t, "ci-key", `query ($id: ID!) { token(id: $id) { id } }`, account, 4003, lacks)
	// Bob may look at his own, and it is none of these.
	h.refused(t, "bob-key", seedRevoke, account, 4001, "API key not found")
	h.refused(t, "bob-key", `query ($id: ID!) { token(id: $id) { id } }`, account, 4001, "API key not found")
	h.refused(t, "alice-key", seedRevoke, map[string]any{"id": "none"}, 4001, "API key not found")
	h.refused(t, "alice-key", seedRevoke, map[string]any{"id": ""}, 4001, "API key not found")
	var bobs struct{ Tokens struct{ Items []tokenReply } }
	h.get(t, "bob-key", `{ tokens { items { id } } }`, nil, &bobs)
	if len(bobs.Tokens.Items) != 0 || h.ring.keys[0].Revoked {
		t.Errorf("%+v", bobs)
	}
}

func TestIntegrationTokens(t *testing.T) {
	h := newHouse(t)
	var made struct{ CreateIntegrationInstanceToken tokenReply }
	const create = `mutation ($id: String!) { createIntegrationInstanceToken(id: $id) { tokenId token createdAt expiresAt revoked __typename } }`
	h.get(t, "alice-key", create, map[string]any{"id": "github-1"}, &made)
	got, k := made.CreateIntegrationInstanceToken, h.ring.keys[0]
	if got.TokenID != "uid-1" || value(got.Token) != plaintextOf(1) || got.CreatedAt.String() != millis(now) || got.ExpiresAt != nil || got.Typename != "IntegrationInstanceToken" {
		t.Errorf("%+v", got)
	}
	if k.Subject != (v1alpha1.Subject{Kind: v1alpha1.SubjectIntegration, Name: "github-1"}) || k.wanted.Everything || k.wanted.Policy != nil {
		t.Errorf("%v %+v", k.Subject, k.wanted)
	}
	h.get(t, "alice-key", create, map[string]any{"id": "github-2"}, nil)
	h.get(t, "alice-key", seedCreate, seedInput(), nil)

	const revoke = `mutation ($id: String!) { revokeIntegrationInstanceToken(tokenId: $id) { success } }`
	var revoked struct{ RevokeIntegrationInstanceToken struct{ Success bool } }
	h.get(t, "alice-key", revoke, map[string]any{"id": "uid-1"}, &revoked)
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
	h.get(t, "alice-key", `{ integrationInstanceTokens(id: "github-1") { tokens { tokenId token revoked } pageInfo { endCursor hasNextPage } } }`, nil, &listed)
	list := listed.IntegrationInstanceTokens
	if len(list.Tokens) != 1 || list.Tokens[0].TokenID != "uid-1" || list.Tokens[0].Token != nil || !list.Tokens[0].Revoked || list.PageInfo.HasNextPage || list.PageInfo.EndCursor == nil {
		t.Errorf("%+v", list)
	}

	const lacks = "API key lacks required permission"
	h.refused(t, "bob-key", create, map[string]any{"id": "github-1"}, 4003, lacks)
	h.refused(t, "bob-key", revoke, map[string]any{"id": "uid-2"}, 4003, lacks)
	h.refused(t, "bob-key", `{ integrationInstanceTokens(id: "github-1") { tokens { tokenId } } }`, nil, 4003, lacks)
	h.refused(t, "alice-key", revoke, map[string]any{"id": "none"}, 4001, "API key not found")
	// A token of the account is none of an integration, and the other way round.
	h.refused(t, "alice-key", revoke, map[string]any{"id": "uid-3"}, 4001, "API key not found")
	h.refused(t, "alice-key", seedRevoke, map[string]any{"id": "uid-2"}, 4001, "API key not found")
	h.refused(t, "alice-key", create, map[string]any{"id": ""}, 4000, "id: is required")
	h.refused(t, "alice-key", `{ integrationInstanceTokens(id: "") { tokens { tokenId } } }`, nil, 4000, "id: is required")
	if len(h.ring.keys) != 3 {
		t.Error("there are more keys")
	}
}

func TestFailuresAndTheirCodes(t *testing.T) {
	for name, c := range map[string]struct {
		fail    error
		code    int
		message string
	}{
		"unauthorized": {&apikeys.Error{Kind: apikeys.Unauthorized, Text: "invalid token"}, 401, "invalid token"},
		"forbidden":    {&apikeys.Error{Kind: apikeys.Forbidden, Text: "no"}, 4003, "no"},
		"not found":    {&apikeys.Error{Kind: apikeys.NotFound, Text: "API key not found"}, 4001, "API key not found"},
		"invalid":      {&apikeys.Error{Kind: apikeys.Invalid, Field: "policy.permissions[0].effect", Text: "must be x"}, 4000, "policy.permissions[0].effect: must be x"},
		"an end":       {&apikeys.Error{Kind: apikeys.Invalid, Field: "expires_at", Text: "must be x"}, 4000, "expiresAt: must be x"},
		"conflict":     {&apikeys.Error{Kind: apikeys.Conflict, Text: "it comes from a manifest"}, 4009, "it comes from a manifest"},
		"unavailable":  {&apikeys.Error{Kind: apikeys.Unavailable, Text: "The API server can't be reached", Cause: errSecret}, 5000, "The API server can't be reached"},
		"failed":       {&apikeys.Error{Text: "failed", Cause: errSecret}, 5000, "failed"},
		"anything":     {errSecret, 5000, "internal error"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.ring.fail = c.fail
			h.refused(t, "alice-key", seedCreate, seedInput(), c.code, c.message)
			h.refused(t, "alice-key", seedRevoke, map[string]any{"id": "x"}, c.code, c.message)
			h.refused(t, "alice-key", `{ tokens { items { id } } }`, nil, c.code, c.message)
			if strings.Contains(h.log.String(), "Token Name") || strings.Contains(h.log.String(), "dashboard") {
				t.Error("a variable is in the log")
			}
		})
	}
}
