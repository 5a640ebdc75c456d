package graphql

import (
	"context"
	_ "embed" // the schema
	"log/slog"
	"runtime"
	"runtime/debug"

	"github.com/graph-gophers/graphql-go"
	qerrors "github.com/graph-gophers/graphql-go/errors"
	"github.com/graph-gophers/graphql-go/log"

	"keywright.dev/keywright/internal/manage/apikeys"
)

// Bounds of a question, next to maxQuery and those of a budget.
const (
	// maxDepth of fields in fields. The question that tools begin with, on all types there are, has 15.
	maxDepth = 15
	// maxSelections bounds the fields of an operation when fragments are put in where they are used.
	maxSelections = 500
	// maxPairs bounds the work of finding out whether two fields of the same name contradict each other.
	maxPairs = 10_000
)

//go:embed schema.graphql
var definition string

// engine answers questions. Each is rehearsed before it is performed, with nothing behind it: whatever is wrong with it,
// or too much, is found out before any of its changes is made.
type engine struct {
	rehearsal, performance *graphql.Schema
	log                    *slog.Logger
}

func newEngine(keys Keys, logger *slog.Logger) *engine {
	e := &engine{log: logger}
	e.rehearsal = e.parse(&root{keys: stage{}, log: logger}, graphql.Tracer(meter{}))
	e.performance = e.parse(&root{keys: keys, log: logger})
	return e
}

func (e *engine) parse(r *root, more ...graphql.SchemaOpt) *graphql.Schema {
	return graphql.MustParseSchema(definition, r, append(more,
		graphql.UseStringDescriptions(), graphql.UseFieldResolvers(), graphql.DisableFieldSelections(), graphql.MaxDepth(maxDepth),
		graphql.MaxSelections(maxSelections), graphql.OverlapValidationLimit(maxPairs), graphql.PanicHandler(e), graphql.Logger(log.LoggerFunc(e.panicked)))...)
}

// answer says whether it was understood, and then what has become of it.
func (e *engine) answer(ctx context.Context, by apikeys.By, q *question) (response *graphql.Response, understood bool) {
	ctx, asked := ask(ctx, by)
	if problems := e.rehearse(ctx, q); len(problems) > 0 {
		return &graphql.Response{Errors: problems}, false
	}
	return e.perform(ctx, asked, q), true
}

func (e *engine) rehearse(ctx context.Context, q *question) (problems []*qerrors.QueryError) {
	ctx, budget := newBudget(ctx)
	defer budget.stop()
	defer func() {
		// The library fails at some texts that the language knows and Go does not, such as one with half a character.
		if value := recover(); value != nil {
			e.panicked(ctx, value)
			problems = single(codeBadRequest, "The query can't be read.")
		}
	}()
	response := e.rehearsal.Exec(ctx, q.Query, q.OperationName, q.Variables)
	if excess := budget.exceeded(); excess != "" {
		return single(codeBadRequest, excess)
	}
	return tell(response.Errors)
}

func (e *engine) perform(ctx context.Context, asked *asking, q *question) (response *graphql.Response) {
	defer func() {
		if value := recover(); value != nil {
			e.panicked(ctx, value)
			response = &graphql.Response{Errors: single(codeInternal, internalError)}
		}
	}()
	response = e.performance.Exec(ctx, q.Query, q.OperationName, q.Variables)
	response.Errors = append(response.Errors, asked.complaint()...)
	return response
}

// panicked logs no more of a panic than is surely none of the question: what Go's runtime says, and where.
func (e *engine) panicked(ctx context.Context, value any) {
	what := "not told: it may be of the request"
	if err, is := value.(runtime.Error); is {
		what = err.Error()
	}
	e.log.ErrorContext(ctx, "A GraphQL query could not be carried out", "panic", what, "stack", string(debug.Stack()))
}

// MakePanicError is what a caller is told of a panic.
func (*engine) MakePanicError(context.Context, any) *qerrors.QueryError {
	return problem(codeInternal, internalError)
}
