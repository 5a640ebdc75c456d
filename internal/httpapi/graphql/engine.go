package graphql

import (
	"context"
	_ "embed" // the schema
	"log/slog"
	"runtime"

	"github.com/graph-gophers/graphql-go"
	qerrors "github.com/graph-gophers/graphql-go/errors"
	"github.com/graph-gophers/graphql-go/log"

	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/key/keylog"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/idempotency"
)

//go:embed schema.graphql
var definition string

// engine runs queries. It runs each query twice: first dry, without touching any key, to find every error and
// excess before the first change is made, and then for real.
type engine struct {
	dry, real *graphql.Schema
	log       *slog.Logger
}

func newEngine(keys Keys, logger *slog.Logger) *engine {
	e := &engine{log: logger}
	e.dry = e.parse(&root{keys: dryRun{}, log: logger}, graphql.Tracer(meter{}))
	e.real = e.parse(&root{keys: keys, log: logger})
	return e
}

func (e *engine) parse(r *root, more ...graphql.SchemaOpt) *graphql.Schema {
	return graphql.MustParseSchema(definition, r, append(more,
		graphql.UseStringDescriptions(), graphql.UseFieldResolvers(), graphql.DisableFieldSelections(),
		graphql.MaxDepth(maxDepth), graphql.MaxSelections(maxSelections), graphql.OverlapValidationLimit(maxPairs),
		graphql.PanicHandler(e), graphql.Logger(log.LoggerFunc(e.logPanic)))...)
}

// answer runs a query. once is the idempotency key of the token that it creates, and may be empty. understood reports
// whether the query was valid.
func (e *engine) answer(
	ctx context.Context, caller manage.Caller, q *query, once string,
) (response *graphql.Response, understood bool) {
	ctx, execution := withExecution(ctx, caller, once)
	if problems := e.check(ctx, q); len(problems) > 0 {
		return &graphql.Response{Errors: problems}, false
	}
	return e.run(ctx, execution, q), true
}

// check runs a query dry and returns what is wrong with it.
func (e *engine) check(ctx context.Context, q *query) (problems []*qerrors.QueryError) {
	ctx, budget := newBudget(ctx)
	defer budget.stop()
	defer func() {
		// The library panics on strings that GraphQL allows and Go does not, such as a lone surrogate.
		if value := recover(); value != nil {
			e.logPanic(ctx, value)
			problems = oneError(httpapi.CodeBadRequest, "The query can't be read.")
		}
	}()
	response := e.dry.Exec(ctx, q.Query, q.OperationName, q.Variables)
	if excess := budget.exceeded(); excess != "" {
		return oneError(httpapi.CodeBadRequest, excess)
	}
	if executionOf(ctx).once != "" && budget.creations.Load() > 1 {
		return oneError(httpapi.CodeBadRequest, idempotency.Header+": a request with it may create one token only.")
	}
	return queryErrors(response.Errors)
}

// run runs a query for real. All that it is refused becomes one entry of the audit trail.
func (e *engine) run(ctx context.Context, x *execution, q *query) (response *graphql.Response) {
	request := ctx
	ctx, batch := audit.InBatch(request)
	defer batch.End(request)
	defer func() {
		if value := recover(); value != nil {
			e.logPanic(ctx, value)
			response = &graphql.Response{Errors: oneError(httpapi.CodeInternal, internalError)}
		}
	}()
	response = e.real.Exec(ctx, q.Query, q.OperationName, q.Variables)
	response.Errors = append(response.Errors, x.errors()...)
	return response
}

// logPanic logs the message of a panic only if it is Go's own: any other may repeat a value of the query.
func (e *engine) logPanic(ctx context.Context, value any) {
	message := "withheld: it may repeat the request"
	if err, ok := value.(runtime.Error); ok {
		message = err.Error()
	}
	e.log.ErrorContext(ctx, "A GraphQL query panicked", "panic", message, "stack", keylog.StackHere())
}

// MakePanicError returns the error of a field that panicked.
func (*engine) MakePanicError(context.Context, any) *qerrors.QueryError {
	return newError(httpapi.CodeInternal, internalError)
}
