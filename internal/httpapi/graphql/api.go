package graphql

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"

	"github.com/graph-gophers/graphql-go"
	qerrors "github.com/graph-gophers/graphql-go/errors"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/idempotency"
)

// API is what /graphql replies besides answers to queries.
var API = &httpapi.API{Name: "graphql", Prefix: "/graphql", Refuse: refuse, Unmatched: unmatched}

// Keys manages API keys. It is an *apikeys.Service, or dryRun.
type Keys interface {
	Account() v1alpha1.Subject
	List(
		ctx context.Context, caller manage.Caller, subject v1alpha1.Subject, read manage.Read[*apikeys.Query],
	) (*apikeys.Page, error)
	Get(ctx context.Context, caller manage.Caller, subject v1alpha1.Subject, id string) (*apikeys.Key, error)
	Create(
		ctx context.Context, caller manage.Caller, subject v1alpha1.Subject, read manage.Read[*apikeys.Wanted],
	) (*apikeys.Issued, error)
	Revoke(ctx context.Context, caller manage.Caller, subject v1alpha1.Subject, id string) (*apikeys.Key, error)
}

// New serves /graphql: 401 to unproven callers, 400 to what is not a GraphQL request, and else 200, even when
// the query fails. Only proven callers learn what is wrong with a request.
func New(keys Keys, log *slog.Logger) httpapi.Group {
	e := newEngine(keys, log)
	return httpapi.Group{API: API, Routes: []httpapi.Route{{Method: http.MethodPost, Serve: e.serve}}}
}

func (e *engine) serve(c *httpapi.Call) {
	q, problem := read(c.W, c.R)
	if problem != nil {
		c.Refuse(problem.status, problem.text)
		return
	}
	if !c.Gate.Accepts(&c.Caller) {
		c.Refuse(http.StatusUnauthorized, "invalid token")
		return
	}
	once, err := c.IdempotencyKey()
	if err == nil {
		err = idempotency.CheckKey(once)
	}
	if err != nil {
		c.Refuse(http.StatusBadRequest, err.Error())
		return
	}
	response, understood := e.answer(c.R.Context(), c.Manager(), q, once)
	reply(c.W, c.R, status(c.R, understood), response)
}

func unmatched(c *httpapi.Call, allowed []string) {
	switch {
	case !c.Identify(httpapi.Proven):
	case len(allowed) == 0:
		c.Refuse(http.StatusNotFound, "Not found: the only path is /graphql")
	default:
		c.W.Header().Set("Allow", strings.Join(allowed, ", "))
		c.Refuse(http.StatusMethodNotAllowed, `Send a POST with a JSON body such as {"query": "{ __typename }"}.`)
	}
}

func refuse(w http.ResponseWriter, r *http.Request, status int, text string) {
	reply(w, r, status, &graphql.Response{Errors: []*qerrors.QueryError{newError(httpapi.Code(status), text)}})
}

// Media types of GraphQL over HTTP. A client that accepts mediaGraphQL wants status 400 for a query that is not
// understood. Other clients take every status but 200 for a failure of the connection.
const (
	mediaGraphQL = "application/graphql-response+json"
	mediaJSON    = "application/json"
)

func acceptsGraphQL(r *http.Request) bool {
	return strings.Contains(strings.ToLower(strings.Join(r.Header["Accept"], ",")), mediaGraphQL)
}

func status(r *http.Request, understood bool) int {
	if !understood && acceptsGraphQL(r) {
		return http.StatusBadRequest
	}
	return http.StatusOK
}

func reply(w http.ResponseWriter, r *http.Request, status int, response *graphql.Response) {
	body, err := json.Marshal(response)
	if err != nil {
		// A failed resolver can leave data that is not JSON.
		body = []byte(`{"errors":[{"message":"` + internalError + `","extensions":{"code":5000}}],"data":null}`)
	}
	media := mediaJSON
	if acceptsGraphQL(r) {
		media = mediaGraphQL
	}
	w.Header().Set("Content-Type", media)
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}
