package graphql

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/manage/apikeys"
)

const (
	defaultLimit = 20
	maxLimit     = 1000
)

// root has a method for each field of Query and Mutation.
type root struct {
	keys Keys
	log  *slog.Logger
}

// mine are whose tokens a caller means who does not say whose.
func (r *root) mine(by apikeys.By) []v1alpha1.Subject {
	subjects := make([]v1alpha1.Subject, 0, 2)
	if by.Username != "" {
		subjects = append(subjects, v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: by.Username})
	}
	return append(subjects, r.keys.Account())
}

// among does something with the key of that id, whichever of the subjects has it. Whoever may look at some and does not
// find it there is told so, and not what they may not.
func among(subjects []v1alpha1.Subject, do func(v1alpha1.Subject) (*apikeys.Key, error)) (*apikeys.Key, error) {
	var refused error
	for _, subject := range subjects {
		k, err := do(subject)
		switch {
		case err == nil:
			return k, nil
		case is(err, apikeys.NotFound):
			refused = err
		case is(err, apikeys.Forbidden):
			refused = cmp.Or(refused, err)
		default:
			return nil, err
		}
	}
	return nil, refused
}

func is(err error, kind apikeys.Kind) bool {
	var e *apikeys.Error
	return errors.As(err, &e) && e.Kind == kind
}

// part is which part of a list is asked for.
type part struct {
	Limit  *count
	Cursor *text
}

func (p *part) query() (apikeys.Query, error) {
	q := apikeys.Query{Limit: defaultLimit, After: p.Cursor.string()}
	if p.Limit != nil {
		q.Limit = int(*p.Limit)
	}
	switch {
	case q.Limit < 1 || q.Limit > maxLimit:
		return q, &apikeys.Error{Kind: apikeys.Invalid, Field: "limit", Text: "must be from 1 to 1000"}
	case p.Cursor != nil && q.After == "":
		return q, &apikeys.Error{Kind: apikeys.Invalid, Field: "cursor", Text: "is not one that a list has ended with"}
	}
	return q, nil
}

// list puts together what the caller may see of the subjects' keys. Each is a list in the same order, so that what comes
// first of all of them is among what comes first of each.
func (r *root) list(ctx context.Context, subjects []v1alpha1.Subject, p *part) (*apikeys.Page, error) {
	q, err := p.query()
	if err != nil {
		return nil, err
	}
	var all apikeys.Page
	var refused error
	refusals := 0
	for _, subject := range subjects {
		page, err := r.keys.List(ctx, askedBy(ctx).by, subject, func() (*apikeys.Query, error) { return &q, nil })
		switch {
		case err == nil:
			all.Items, all.More = append(all.Items, page.Items...), all.More || page.More
		case is(err, apikeys.Forbidden):
			refused, refusals = err, refusals+1
		default:
			return nil, err
		}
	}
	if refusals == len(subjects) {
		return nil, refused
	}
	slices.SortFunc(all.Items, newestFirst)
	if len(all.Items) > q.Limit {
		all.Items, all.More = all.Items[:q.Limit], true
	}
	return &all, nil
}

// newestFirst is the order of apikeys.Service.List, and so that of cursors.
func newestFirst(a, b apikeys.Key) int {
	return cmp.Or(cmp.Compare(b.CreatedAt.Unix(), a.CreatedAt.Unix()), strings.Compare(a.Object.String(), b.Object.String()))
}

type pageInfo struct {
	EndCursor   *string
	HasNextPage bool
}

func endOf(p *apikeys.Page) pageInfo {
	info := pageInfo{HasNextPage: p.More}
	if n := len(p.Items); n > 0 {
		cursor := p.Items[n-1].Cursor()
		info.EndCursor = &cursor
	}
	return info
}
