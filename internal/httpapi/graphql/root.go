package graphql

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"strings"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
)

const (
	defaultLimit = 20
	maxLimit     = 1000
)

// root resolves the fields of Query and Mutation.
type root struct {
	keys Keys
	log  *slog.Logger
}

// mine returns the subjects of tokens that are requested without a subject: the caller and the account.
func (r *root) mine(caller manage.Caller) []v1alpha1.Subject {
	subjects := make([]v1alpha1.Subject, 0, 2)
	if caller.Username != "" {
		subjects = append(subjects, v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: caller.Username})
	}
	return append(subjects, r.keys.Account())
}

// firstOf calls do for each subject until one has the key. If the key is missing from a subject that the caller
// may read, the error is that it was not found, and not that another subject is forbidden.
func firstOf(subjects []v1alpha1.Subject, do func(v1alpha1.Subject) (*apikeys.Key, error)) (*apikeys.Key, error) {
	var refused error
	for _, subject := range subjects {
		k, err := do(subject)
		switch {
		case err == nil:
			return k, nil
		case manage.Is(err, manage.NotFound):
			refused = err
		case manage.Is(err, manage.Forbidden):
			refused = cmp.Or(refused, err)
		default:
			return nil, err
		}
	}
	return nil, refused
}

// pageArgs chooses a page of a list.
type pageArgs struct {
	Limit  *count
	Cursor *text
}

func (p *pageArgs) query() (apikeys.Query, error) {
	q := apikeys.Query{Limit: defaultLimit, After: p.Cursor.string()}
	if p.Limit != nil {
		q.Limit = int(*p.Limit)
	}
	switch {
	case q.Limit < 1 || q.Limit > maxLimit:
		return q, manage.InvalidField("limit", "must be from 1 to 1000")
	case p.Cursor != nil && q.After == "":
		return q, apikeys.InvalidCursor()
	}
	return q, nil
}

// list merges the keys of several subjects, as far as the caller may read them. All lists have the same order,
// so that the first keys of all are among the first keys of each. An invalid query is an error only to a caller who may
// read the keys of a subject.
func (r *root) list(
	ctx context.Context, subjects []v1alpha1.Subject, query func() (apikeys.Query, error),
) (*apikeys.Page, error) {
	q, invalid := query()
	read := func() (*apikeys.Query, error) { return &q, invalid }
	var all apikeys.Page
	var refused error
	refusals := 0
	for _, subject := range subjects {
		page, err := r.keys.List(ctx, executionOf(ctx).caller, subject, read)
		switch {
		case err == nil:
			all.Items, all.More = append(all.Items, page.Items...), all.More || page.More
		case manage.Is(err, manage.Forbidden):
			refused, refusals = err, refusals+1
		default:
			return nil, err
		}
	}
	switch {
	case refusals == len(subjects):
		return nil, refused
	case invalid != nil:
		return nil, invalid
	}
	slices.SortFunc(all.Items, newestFirst)
	if len(all.Items) > q.Limit {
		all.Items, all.More = all.Items[:q.Limit], true
	}
	return &all, nil
}

// newestFirst is the order of apikeys.Service.List, and of cursors.
func newestFirst(a, b apikeys.Key) int {
	return cmp.Or(
		cmp.Compare(b.CreatedAt.Unix(), a.CreatedAt.Unix()), strings.Compare(a.Object.String(), b.Object.String()),
	)
}

type pageInfo struct {
	EndCursor   *string
	HasNextPage bool
}

func pageInfoOf(p *apikeys.Page) pageInfo {
	info := pageInfo{HasNextPage: p.More}
	if n := len(p.Items); n > 0 {
		cursor := p.Items[n-1].Cursor()
		info.EndCursor = &cursor
	}
	return info
}
