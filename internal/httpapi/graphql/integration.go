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

// errNoID refuses an empty id: a subject without a name would stand for every integration.
var errNoID = manage.InvalidField("id", "is required")

type integrationPage struct {
	Tokens   []*integrationToken
	PageInfo pageInfo
}

// IntegrationInstanceTokens resolves a page of the tokens of one integration.
func (r *root) IntegrationInstanceTokens(ctx context.Context, args struct {
	ID text
	pageArgs
}) (*integrationPage, error) {
	if args.ID == "" {
		return nil, r.fail(ctx, errNoID)
	}
	page, err := r.list(ctx, []v1alpha1.Subject{integration(string(args.ID))}, &args.pageArgs)
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
	if id == "" {
		return nil, r.fail(ctx, errNoID)
	}
	issued, err := r.keys.Create(ctx, executionOf(ctx).caller, integration(id), func() (*apikeys.Wanted, error) {
		return &apikeys.Wanted{Name: id}, nil
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
