package graphql

import (
	"context"

	"github.com/graph-gophers/graphql-go"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/manage/apikeys"
)

// token is a key of the account or of a user.
type token struct {
	ID        graphql.ID
	Name      string
	Category  *string
	Token     *string
	Revoked   bool
	CreatedAt timestamp
	ExpiresAt *timestamp
	given     *v1alpha1.Policy
	asked     *asking
}

// Policy is the field of that name.
func (t *token) Policy() *string { return t.asked.policy(t.given) }

// optional is nil for what is not set.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func newToken(ctx context.Context, k *apikeys.Key, plaintext string) *token {
	return &token{
		ID: graphql.ID(k.ID), Name: k.Name, Category: optional(k.Category), Token: optional(plaintext), Revoked: k.Revoked,
		CreatedAt: timestamp{at: k.CreatedAt}, ExpiresAt: stamp(k.ExpiresAt), given: k.Policy, asked: askedBy(ctx),
	}
}

// Token is a token of the account, or of the caller's own.
func (r *root) Token(ctx context.Context, args struct{ ID identifier }) (*token, error) {
	by := askedBy(ctx).by
	k, err := among(r.mine(by), func(subject v1alpha1.Subject) (*apikeys.Key, error) {
		return r.keys.Get(ctx, by, subject, string(args.ID))
	})
	if err != nil {
		return nil, r.fault(ctx, err)
	}
	return newToken(ctx, k, ""), nil
}

type tokenPage struct {
	Items    []*token
	PageInfo pageInfo
}

// Tokens are those of the account and of the caller's own.
func (r *root) Tokens(ctx context.Context, args part) (*tokenPage, error) {
	page, err := r.list(ctx, r.mine(askedBy(ctx).by), &args)
	if err != nil {
		return nil, r.fault(ctx, err)
	}
	tokens := make([]*token, len(page.Items))
	for i := range page.Items {
		tokens[i] = newToken(ctx, &page.Items[i], "")
	}
	return &tokenPage{Items: tokens, PageInfo: endOf(page)}, nil
}

type tokenInput struct {
	Name             text
	Category, Policy *text
	ExpiresAt        *timestamp
}

func (in *tokenInput) wanted() (*apikeys.Wanted, error) {
	policy, err := readPolicy(in.Policy.string())
	if err != nil {
		return nil, err
	}
	return &apikeys.Wanted{Name: string(in.Name), Category: in.Category.string(), Policy: policy, ExpiresAt: in.ExpiresAt.time()}, nil
}

// CreateToken makes a key of the account.
func (r *root) CreateToken(ctx context.Context, args struct{ Token tokenInput }) (*token, error) {
	return r.create(ctx, r.keys.Account(), args.Token.wanted)
}

type userTokenInput struct {
	Name      text
	ExpiresAt timestamp
}

func (in *userTokenInput) wanted() (*apikeys.Wanted, error) {
	return &apikeys.Wanted{Name: string(in.Name), Everything: true, ExpiresAt: &in.ExpiresAt.at}, nil
}

// CreateCurrentUserToken makes a key of the caller's own.
func (r *root) CreateCurrentUserToken(ctx context.Context, args struct{ Input userTokenInput }) (*token, error) {
	user := askedBy(ctx).by.Username
	if user == "" {
		return nil, r.fault(ctx, &apikeys.Error{Kind: apikeys.Forbidden, Text: "The caller is no user: only a user has tokens of their own"})
	}
	return r.create(ctx, v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: user}, args.Input.wanted)
}

func (r *root) create(ctx context.Context, subject v1alpha1.Subject, read apikeys.Read[apikeys.Wanted]) (*token, error) {
	issued, err := r.keys.Create(ctx, askedBy(ctx).by, subject, read)
	if err != nil {
		return nil, r.fault(ctx, err)
	}
	return newToken(ctx, &issued.Key, issued.Token), nil
}

// RevokeToken revokes a token of the account, or of the caller's own.
func (r *root) RevokeToken(ctx context.Context, args struct{ ID text }) (*token, error) {
	k, err := r.revoke(ctx, askedBy(ctx).by, string(args.ID))
	if err != nil {
		return nil, r.fault(ctx, err)
	}
	return newToken(ctx, k, ""), nil
}

// revoke looks for the key where the caller may look, and tries where not: of each attempt a trail is left, and one at
// the wrong subject would be of nothing.
func (r *root) revoke(ctx context.Context, by apikeys.By, id string) (*apikeys.Key, error) {
	var missing error
	var unseen []v1alpha1.Subject
	for _, subject := range r.mine(by) {
		_, err := r.keys.Get(ctx, by, subject, id)
		switch {
		case err == nil:
			return r.keys.Revoke(ctx, by, subject, id)
		case is(err, apikeys.NotFound):
			missing = err
		case is(err, apikeys.Forbidden):
			unseen = append(unseen, subject)
		default:
			return nil, err
		}
	}
	if len(unseen) == 0 {
		return nil, missing
	}
	k, err := among(unseen, func(subject v1alpha1.Subject) (*apikeys.Key, error) { return r.keys.Revoke(ctx, by, subject, id) })
	if missing != nil && is(err, apikeys.Forbidden) {
		return nil, missing
	}
	return k, err
}
