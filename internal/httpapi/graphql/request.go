package graphql

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"

	qerrors "github.com/graph-gophers/graphql-go/errors"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/httpapi/jsonbody"
	"keywright.dev/keywright/internal/manage"
)

// query is a request of GraphQL over HTTP.
type query struct {
	Query         string         `json:"query"`
	OperationName string         `json:"operationName"`
	Variables     map[string]any `json:"variables"`
	// Extensions are accepted and ignored.
	Extensions map[string]any `json:"extensions"`
}

// badRequest is why a request has no query.
type badRequest struct {
	status int
	text   string
}

func read(w http.ResponseWriter, r *http.Request) (*query, *badRequest) {
	var q query
	if err := jsonbody.Read(w, r, &q); err != nil {
		status := http.StatusBadRequest
		if err.Kind == jsonbody.TooLong {
			status = http.StatusRequestEntityTooLarge
		}
		return nil, &badRequest{status, err.Error()}
	}
	switch {
	case q.Query == "":
		return nil, &badRequest{http.StatusBadRequest, "query: is required"}
	case len(q.Query) > maxQuery:
		return nil, &badRequest{
			http.StatusRequestEntityTooLarge,
			fmt.Sprintf("query: is longer than %d KiB: pass long values as variables", maxQuery>>10),
		}
	}
	return &q, nil
}

// execution is one query while it runs: its caller, its idempotency key, and the size of the policies in its reply so
// far.
type execution struct {
	caller   manage.Caller
	once     string
	policies atomic.Int64
	isCut    atomic.Bool
}

type executionKey struct{}

func withExecution(ctx context.Context, caller manage.Caller, once string) (context.Context, *execution) {
	e := &execution{caller: caller, once: once}
	return context.WithValue(ctx, executionKey{}, e), e
}

func executionOf(ctx context.Context) *execution {
	e, _ := ctx.Value(executionKey{}).(*execution)
	return e
}

// maxPolicies bounds the policies in one reply, in bytes. Only policies can be long, and aliases can repeat them.
const maxPolicies = 8 << 20

// policy returns a policy as a JSON text, or nil for a key without one, and when the reply has reached maxPolicies.
func (e *execution) policy(p *v1alpha1.Policy) *string {
	if p == nil {
		return nil
	}
	document, err := json.Marshal(p)
	if err != nil || e.policies.Add(int64(len(document))) > maxPolicies {
		e.isCut.Store(true)
		return nil
	}
	text := string(document)
	return &text
}

// errors returns an error when policies are missing from the reply.
func (e *execution) errors() []*qerrors.QueryError {
	if !e.isCut.Load() {
		return nil
	}
	return oneError(httpapi.CodeBadRequest,
		"Policies are omitted: together they are longer than 8 MiB. Request fewer at a time.")
}
