package graphql

import (
	"context"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
)

// integrationToken is a key of an integration.
type integrationToken struct {
	TokenID   string
	Token     *string
	Revoked   bool
	CreatedAt timestamp
	ExpiresAt *timestamp
}

func newIntegrationToken(k *apikeys.Key, plaintext string) *integrationToken {
	return &integrationToken{
		TokenID: k.ID, Token: httpapi.OrNull(plaintext), Revoked: k.Revoked,
		CreatedAt: timestamp{at: k.CreatedAt}, ExpiresAt: stamp(k.ExpiresAt),
	}
}

func integration(id string) v1alpha1.Subject {
	return v1alpha1.Subject{Kind: v1alpha1.SubjectIntegration, Name: id}
}

// checkID refuses an empty id: a subject without a name would stand for every integration.
func checkID(id string) error {
	if id == "" {
		return manage.InvalidField("id", "is required")
	}
	return nil
}

type integrationPage struct {
	Tokens   []*integrationToken
	PageInfo pageInfo
}

// IntegrationInstanceTokens resolves a page of the tokens of one integration.
func (r *root) IntegrationInstanceTokens(ctx context.Context, args struct {
	ID text
	pageArgs
}) (*integrationPage, error) {
	id := string(args.ID)
	page, err := r.list(ctx, []v1alpha1.Subject{integration(id)}, func() (apikeys.Query, error) {
		if err := checkID(id); err != nil {
			return apikeys.Query{}, err
		}
		return args.query()
	})
	if err != nil {
		return nil, r.fail(ctx, err)
	}
	tokens := make([]*integrationToken, len(page.Items))
	for i := range page.Items {
		tokens[i] = newIntegrationToken(&page.Items[i], "")
	}
	return &integrationPage{Tokens: tokens, PageInfo: pageInfoOf(page)}, nil
}

// CreateIntegrationInstanceToken creates a key that authenticates an integration and grants nothing: the
// service that the integration reports to decides by its subject.
func (r *root) CreateIntegrationInstanceToken(ctx context.Context, args struct{ ID text }) (*integrationToken, error) {
	id := string(args.ID)
	issued, err := r.createKey(ctx, integration(id), func() (*apikeys.Wanted, error) {
		return &apikeys.Wanted{Name: id}, checkID(id)
	})
	if err != nil {
		return nil, r.fail(ctx, err)
	}
	return newIntegrationToken(&issued.Key, issued.Token.Plaintext()), nil
}

type deletionResult struct{ Success bool }

// RevokeIntegrationInstanceToken revokes a token of any integration.
func (r *root) RevokeIntegrationInstanceToken(
	ctx context.Context, args struct{ TokenID text },
) (*deletionResult, error) {
	if _, err := r.keys.Revoke(ctx, executionOf(ctx).caller, integration(""), string(args.TokenID)); err != nil {
		return nil, r.fail(ctx, err)
	}
	return &deletionResult{Success: true}, nil
}
