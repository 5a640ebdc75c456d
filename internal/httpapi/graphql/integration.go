package graphql

import (
	"context"

	"keywright.dev/keywright/api/v1alpha1"
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
		TokenID: k.ID, Token: optional(plaintext), Revoked: k.Revoked, CreatedAt: timestamp{at: k.CreatedAt}, ExpiresAt: stamp(k.ExpiresAt),
	}
}

func integration(id string) v1alpha1.Subject {
	return v1alpha1.Subject{Kind: v1alpha1.SubjectIntegration, Name: id}
}

// noIntegration: without a name, a subject is any of its kind, and nobody means that by an id that is empty.
var noIntegration = &apikeys.Error{Kind: apikeys.Invalid, Field: "id", Text: "is required"}

type integrationPage struct {
	Tokens   []*integrationToken
	PageInfo pageInfo
}

// IntegrationInstanceTokens are those of one integration.
func (r *root) IntegrationInstanceTokens(ctx context.Context, args struct {
	ID text
	part
}) (*integrationPage, error) {
	if args.ID == "" {
		return nil, r.fault(ctx, noIntegration)
	}
	page, err := r.list(ctx, []v1alpha1.Subject{integration(string(args.ID))}, &args.part)
	if err != nil {
		return nil, r.fault(ctx, err)
	}
	tokens := make([]*integrationToken, len(page.Items))
	for i := range page.Items {
		tokens[i] = newIntegrationToken(&page.Items[i], "")
	}
	return &integrationPage{Tokens: tokens, PageInfo: endOf(page)}, nil
}

// CreateIntegrationInstanceToken makes a key by which an integration is known. What an integration may do beyond that is
// for whoever it reports to, who is told which one it is.
func (r *root) CreateIntegrationInstanceToken(ctx context.Context, args struct{ ID text }) (*integrationToken, error) {
	id := string(args.ID)
	if id == "" {
		return nil, r.fault(ctx, noIntegration)
	}
	issued, err := r.keys.Create(ctx, askedBy(ctx).by, integration(id), func() (*apikeys.Wanted, error) {
		return &apikeys.Wanted{Name: id}, nil
	})
	if err != nil {
		return nil, r.fault(ctx, err)
	}
	return newIntegrationToken(&issued.Key, issued.Token), nil
}

type deletionResult struct{ Success bool }

// RevokeIntegrationInstanceToken revokes a token of whichever integration has it.
func (r *root) RevokeIntegrationInstanceToken(ctx context.Context, args struct{ TokenID text }) (*deletionResult, error) {
	if _, err := r.keys.Revoke(ctx, askedBy(ctx).by, integration(""), string(args.TokenID)); err != nil {
		return nil, r.fault(ctx, err)
	}
	return &deletionResult{Success: true}, nil
}
