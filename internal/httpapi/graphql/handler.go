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
	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/manage/apikeys"
)

// Gate says who asks.
type Gate interface {
	Identify(r *http.Request, needs ...access.Request) gate.Decision
	SecureCookies() bool
	ClientAddress(r *http.Request) string
}

// Database is what management can't go on without.
type Database interface {
	// Err says for a person why it can't be used now, and is nil when it can.
	Err() error
}

// Keys is what can be done with keys.
type Keys interface {
	Account() v1alpha1.Subject
	List(ctx context.Context, by apikeys.By, subject v1alpha1.Subject, read apikeys.Read[apikeys.Query]) (*apikeys.Page, error)
	Get(ctx context.Context, by apikeys.By, subject v1alpha1.Subject, id string) (*apikeys.Key, error)
	Create(ctx context.Context, by apikeys.By, subject v1alpha1.Subject, read apikeys.Read[apikeys.Wanted]) (*apikeys.Issued, error)
	Revoke(ctx context.Context, by apikeys.By, subject v1alpha1.Subject, id string) (*apikeys.Key, error)
}

// Config is what /graphql works with.
type Config struct {
	Gate     Gate
	Keys     Keys
	Sessions httpapi.SessionRenewer
	Database Database
	Log      *slog.Logger
}

type handler struct {
	Config
	engine *engine
}

// New serves /graphql: 401 to nobody, 400 to what is no question, and 200 to questions, whatever becomes of them. Who asks
// comes first: nobody else learns what is wrong with a question.
func New(c Config) http.Handler {
	h := &handler{Config: c, engine: newEngine(c.Keys, c.Log)}
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse(w, r, http.StatusForbidden, codeForbidden, "Requests from pages of other sites are refused.")
	}))
	return guard.Handler(h)
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h.Database.Err(); err != nil {
		// Who comes by a session can't be told from nobody now, and is not to be told to log in again.
		refuse(w, r, http.StatusServiceUnavailable, codeInternal, "The database is unavailable: "+err.Error())
		return
	}
	d := h.Gate.Identify(r).Proven()
	if refusal := d.Refusal(); refusal != nil {
		refusal.Answer(w)
		return
	}
	httpapi.SendCookies(w, r, &d, h.Sessions, h.Gate.SecureCookies())
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		refuse(w, r, http.StatusMethodNotAllowed, codeBadRequest, `Ask by POST, with a JSON body such as {"query": "{ __typename }"}.`)
		return
	}
	q, problem := read(w, r)
	if problem != nil {
		refuse(w, r, problem.status, codeBadRequest, problem.text)
		return
	}
	by := apikeys.By{Caller: &d.Caller, From: h.Gate.ClientAddress(r)}
	response, understood := h.engine.answer(r.Context(), by, q)
	answer(w, r, status(r, understood), response)
}

func refuse(w http.ResponseWriter, r *http.Request, status, code int, text string) {
	answer(w, r, status, &graphql.Response{Errors: []*qerrors.QueryError{problem(code, text)}})
}

// The media types of GraphQL over HTTP. By the first one, a client asks to be told by the status that a question was not
// understood; others, and all older ones, take anything but 200 for a broken connection.
const (
	mediaGraphQL = "application/graphql-response+json"
	mediaJSON    = "application/json"
)

func asksForStatus(r *http.Request) bool {
	return strings.Contains(strings.ToLower(strings.Join(r.Header["Accept"], ",")), mediaGraphQL)
}

func status(r *http.Request, understood bool) int {
	if !understood && asksForStatus(r) {
		return http.StatusBadRequest
	}
	return http.StatusOK
}

func answer(w http.ResponseWriter, r *http.Request, status int, response *graphql.Response) {
	body, err := json.Marshal(response)
	if err != nil {
		// What was put together before a failure is no JSON.
		body = []byte(`{"errors":[{"message":"` + internalError + `","extensions":{"code":5000}}],"data":null}`)
	}
	media := mediaJSON
	if asksForStatus(r) {
		media = mediaGraphQL
	}
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Type", media)
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}
