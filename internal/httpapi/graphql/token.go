package graphql

import (
	"context"

	"github.com/graph-gophers/graphql-go"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/httpapi/jsonbody"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/audit"
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
	execution *execution
}

// Policy resolves the field policy.
func (t *token) Policy() *string { return t.execution.policy(t.given) }

func newToken(ctx context.Context, k *apikeys.Key, plaintext string) *token {
	return &token{
		ID: graphql.ID(k.ID), Name: k.Name, Category: httpapi.OrNull(k.Category),
		Token: httpapi.OrNull(plaintext), Revoked: k.Revoked,
		CreatedAt: timestamp{at: k.CreatedAt}, ExpiresAt: stamp(k.ExpiresAt), given: k.Policy, execution: executionOf(ctx),
	}
}

// Token resolves a token of the caller or of the account.
func (r *root) Token(ctx context.Context, args struct{ ID identifier }) (*token, error) {
	caller := executionOf(ctx).caller
	k, err := firstOf(r.mine(caller), func(subject v1alpha1.Subject) (*apikeys.Key, error) {
		return r.keys.Get(ctx, caller, subject, string(args.ID))
	})
	if err != nil {
		return nil, r.fail(ctx, err)
	}
	return newToken(ctx, k, ""), nil
}

type tokenPage struct {
	Items    []*token
	PageInfo pageInfo
}

// Tokens resolves a page of the tokens of the caller and of the account.
func (r *root) Tokens(ctx context.Context, args pageArgs) (*tokenPage, error) {
	page, err := r.list(ctx, r.mine(executionOf(ctx).caller), args.query)
	if err != nil {
		return nil, r.fail(ctx, err)
	}
	tokens := make([]*token, len(page.Items))
	for i := range page.Items {
		tokens[i] = newToken(ctx, &page.Items[i], "")
	}
	return &tokenPage{Items: tokens, PageInfo: pageInfoOf(page)}, nil
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
	return &apikeys.Wanted{
		Name: string(in.Name), Category: in.Category.string(), Policy: policy, ExpiresAt: in.ExpiresAt.time(),
	}, nil
}

// CreateToken creates a key of the account.
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

// CreateCurrentUserToken creates a key of the caller.
func (r *root) CreateCurrentUserToken(ctx context.Context, args struct{ Input userTokenInput }) (*token, error) {
	user := executionOf(ctx).caller.Username
	if user == "" {
		return nil, r.fail(
			ctx, manage.Errorf(manage.Forbidden, "The caller is not a user: only users have tokens of their own"),
		)
	}
	return r.create(ctx, v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: user}, args.Input.wanted)
}

func (r *root) create(
	ctx context.Context, subject v1alpha1.Subject, read manage.Read[*apikeys.Wanted],
) (*token, error) {
	issued, err := r.createKey(ctx, subject, read)
	if err != nil {
		return nil, r.fail(ctx, err)
	}
	return newToken(ctx, &issued.Key, issued.Token.Plaintext()), nil
}

// createKey creates a key with the idempotency key of the request.
func (r *root) createKey(
	ctx context.Context, subject v1alpha1.Subject, read manage.Read[*apikeys.Wanted],
) (*apikeys.Issued, error) {
	x := executionOf(ctx)
	return r.keys.Create(ctx, x.caller, subject, func() (*apikeys.Wanted, error) {
		wanted, err := read()
		if err != nil {
			return nil, err
		}
		wanted.Once = x.once
		return wanted, nil
	})
}

// RevokeToken revokes a token of the caller or of the account.
func (r *root) RevokeToken(ctx context.Context, args struct{ ID text }) (*token, error) {
	k, err := r.revoke(ctx, executionOf(ctx).caller, string(args.ID))
	if err != nil {
		return nil, r.fail(ctx, err)
	}
	return newToken(ctx, k, ""), nil
}

// revoke first looks for the key among the subjects that the caller may read, and then tries the others. The attempts
// are one operation in the audit trail.
func (r *root) revoke(ctx context.Context, caller manage.Caller, id string) (*apikeys.Key, error) {
	var missing error
	var unseen []v1alpha1.Subject
	for _, subject := range r.mine(caller) {
		_, err := r.keys.Get(ctx, caller, subject, id)
		switch {
		case err == nil:
			return r.keys.Revoke(ctx, caller, subject, id)
		case manage.Is(err, manage.NotFound):
			missing = err
		case manage.Is(err, manage.Forbidden):
			unseen = append(unseen, subject)
		default:
			return nil, err
		}
	}
	switch {
	case len(unseen) == 0 && caller.BadReason != nil:
		return nil, caller.BadReason
	case len(unseen) == 0:
		return nil, missing
	}
	attempts, batch := audit.InBatch(ctx)
	k, err := firstOf(unseen, func(subject v1alpha1.Subject) (*apikeys.Key, error) {
		return r.keys.Revoke(attempts, caller, subject, id)
	})
	batch.EndAsOne(ctx, err == nil)
	if missing != nil && manage.Is(err, manage.Forbidden) {
		return nil, missing
	}
	return k, err
}

const fieldPolicy = "policy"

// readPolicy decodes a policy as strictly as the body of a request. The API server checks its content.
func readPolicy(document string) (*v1alpha1.Policy, error) {
	if document == "" {
		return nil, manage.InvalidField(fieldPolicy, "is required: a token of the account may do only what its policy allows")
	}
	var policy v1alpha1.Policy
	err := jsonbody.Parse([]byte(document), &policy)
	switch {
	case err == nil:
		return &policy, nil
	case err.Kind == jsonbody.BadField:
		return nil, manage.InvalidField(fieldPolicy+"."+err.Field, err.Problem)
	}
	return nil, manage.InvalidField(fieldPolicy, "must be a JSON object")
}
