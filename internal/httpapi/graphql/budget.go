package graphql

import (
	"context"
	"strings"
	"sync/atomic"

	qerrors "github.com/graph-gophers/graphql-go/errors"
	"github.com/graph-gophers/graphql-go/introspection"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/manage/apikeys"
)

const (
	// maxRoots bounds what one request may ask the API server for, or to do.
	maxRoots = 10
	// maxFields bounds the fields of a reply.
	maxFields = 25_000
)

// budget is how much a question may still ask for.
type budget struct {
	roots, fields atomic.Int64
	// stop ends the rehearsal: no other field is looked at.
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

// exceeded says of what there was too much, or nothing.
func (b *budget) exceeded() string {
	switch {
	case b.roots.Load() > maxRoots:
		return "The query asks for too many things at once: 10 are the most."
	case b.fields.Load() > maxFields:
		return "The query asks for too much: its reply could have more than 25000 fields."
	}
	return ""
}

// meter takes what a field costs from the budget.
type meter struct{}

// TraceQuery does nothing.
func (meter) TraceQuery(
	ctx context.Context, _, _ string, _ map[string]any, _ map[string]*introspection.Type,
) (context.Context, func([]*qerrors.QueryError)) {
	return ctx, func([]*qerrors.QueryError) {}
}

// TraceField counts a field as often as there may be one of it: on the stage each page has one key, where in earnest it
// may have as many as its limit.
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
	if n, is := whole(limit); is && n > 0 && n <= maxLimit {
		return int(n)
	}
	return defaultLimit
}

// stage is Keys for a rehearsal: everybody may, everything is there, and nothing is done.
type stage struct{}

func (stage) Account() v1alpha1.Subject { return v1alpha1.Subject{Kind: v1alpha1.SubjectAccount} }

func (stage) List(_ context.Context, _ apikeys.By, subject v1alpha1.Subject, _ apikeys.Read[apikeys.Query]) (*apikeys.Page, error) {
	page := &apikeys.Page{}
	if subject.Kind != v1alpha1.SubjectUser { // or there would be two on the page of tokens
		page.Items = []apikeys.Key{{}}
	}
	return page, nil
}

func (stage) Get(context.Context, apikeys.By, v1alpha1.Subject, string) (*apikeys.Key, error) {
	return &apikeys.Key{}, nil
}

func (stage) Create(context.Context, apikeys.By, v1alpha1.Subject, apikeys.Read[apikeys.Wanted]) (*apikeys.Issued, error) {
	return &apikeys.Issued{}, nil
}

func (stage) Revoke(context.Context, apikeys.By, v1alpha1.Subject, string) (*apikeys.Key, error) {
	return &apikeys.Key{}, nil
}
