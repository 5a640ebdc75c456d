package graphql

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	qerrors "github.com/graph-gophers/graphql-go/errors"
	"github.com/graph-gophers/graphql-go/introspection"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
)

// budget counts what a query would cost.
type budget struct {
	roots, fields atomic.Int64
	// creations are the tokens that it would create.
	creations atomic.Int64
	// stop ends the dry run.
	stop context.CancelFunc
}

type (
	budgetKey struct{}
	weightKey struct{}
)

func newBudget(ctx context.Context) (context.Context, *budget) {
	ctx, stop := context.WithCancel(ctx)
	b := &budget{stop: stop}
	return context.WithValue(ctx, budgetKey{}, b), b
}

// exceeded returns which bound the query exceeds, or "".
func (b *budget) exceeded() string {
	switch {
	case b.roots.Load() > maxRoots:
		return fmt.Sprintf("The query has too many top-level fields: at most %d are allowed.", maxRoots)
	case b.fields.Load() > maxFields:
		return fmt.Sprintf("The query is too large: its reply could have more than %d fields.", maxFields)
	}
	return ""
}

// meter charges fields to the budget.
type meter struct{}

// TraceQuery does nothing.
func (meter) TraceQuery(
	ctx context.Context, _, _ string, _ map[string]any, _ map[string]*introspection.Type,
) (context.Context, func([]*qerrors.QueryError)) {
	return ctx, func([]*qerrors.QueryError) {}
}

// TraceField charges each field once per item that a page may contain; the dry run returns one item per page.
func (meter) TraceField(
	ctx context.Context, _, typeName, fieldName string, _ bool, args map[string]any,
) (context.Context, func(*qerrors.QueryError)) {
	b, _ := ctx.Value(budgetKey{}).(*budget)
	weight, inPage := ctx.Value(weightKey{}).(int)
	if (typeName == "Query" || typeName == "Mutation") && !strings.HasPrefix(fieldName, "__") {
		b.roots.Add(1)
	}
	if !inPage {
		weight = 1
	}
	b.fields.Add(int64(weight))
	if b.exceeded() != "" {
		b.stop()
	}
	if strings.HasSuffix(strings.ToLower(fieldName), "tokens") && typeName == "Query" {
		ctx = context.WithValue(ctx, weightKey{}, perPage(args["limit"]))
	}
	return ctx, func(*qerrors.QueryError) {}
}

func perPage(limit any) int {
	if n, ok := whole(limit); ok && n > 0 && n <= maxLimit {
		return int(n)
	}
	return defaultLimit
}

// dryRun is Keys for the dry run: every operation is allowed, finds its key and does nothing.
type dryRun struct{}

func (dryRun) Account() v1alpha1.Subject { return v1alpha1.Subject{Kind: v1alpha1.SubjectAccount} }

func (dryRun) List(
	_ context.Context, _ manage.Caller, subject v1alpha1.Subject, _ manage.Read[*apikeys.Query],
) (*apikeys.Page, error) {
	page := &apikeys.Page{}
	if subject.Kind != v1alpha1.SubjectUser { // tokens merges two pages
		page.Items = []apikeys.Key{{}}
	}
	return page, nil
}

func (dryRun) Get(context.Context, manage.Caller, v1alpha1.Subject, string) (*apikeys.Key, error) {
	return &apikeys.Key{}, nil
}

func (dryRun) Create(
	ctx context.Context, _ manage.Caller, _ v1alpha1.Subject, _ manage.Read[*apikeys.Wanted],
) (*apikeys.Issued, error) {
	if b, _ := ctx.Value(budgetKey{}).(*budget); b != nil {
		b.creations.Add(1)
	}
	return &apikeys.Issued{}, nil
}

func (dryRun) Revoke(context.Context, manage.Caller, v1alpha1.Subject, string) (*apikeys.Key, error) {
	return &apikeys.Key{}, nil
}
