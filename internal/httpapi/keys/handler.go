package keys

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/manage/apikeys"
)

// Gate says who somebody is.
type Gate interface {
	Identify(r *http.Request, needs ...access.Request) gate.Decision
	SecureCookies() bool
	ClientAddress(r *http.Request) string
}

// Keys are the use cases of API keys.
type Keys interface {
	List(ctx context.Context, by apikeys.By, subject v1alpha1.Subject, read apikeys.Read[apikeys.Query]) (*apikeys.Page, error)
	Get(ctx context.Context, by apikeys.By, subject v1alpha1.Subject, id string) (*apikeys.Key, error)
	Create(ctx context.Context, by apikeys.By, subject v1alpha1.Subject, read apikeys.Read[apikeys.Wanted]) (*apikeys.Issued, error)
	Change(ctx context.Context, by apikeys.By, subject v1alpha1.Subject, id string, read apikeys.Read[apikeys.Change]) (*apikeys.Key, error)
	Rotate(ctx context.Context, by apikeys.By, subject v1alpha1.Subject, id string, check func() error) (*apikeys.Issued, error)
	Delete(ctx context.Context, by apikeys.By, subject v1alpha1.Subject, id string) error
	Catalog(ctx context.Context, by apikeys.By) (*apikeys.Catalog, error)
}

// Database is what management can't go on without.
type Database interface {
	// Err says for a person why it can't be used now, and is nil when it can.
	Err() error
}

// Config is what the handler works with.
type Config struct {
	Gate     Gate
	Keys     Keys
	Sessions httpapi.SessionRenewer
	Database Database
	Now      func() time.Time
	Log      *slog.Logger
}

type handler struct {
	Config
	routes []route
}

// New serves /apiv1/.
func New(c Config) http.Handler {
	h := &handler{Config: c, routes: table()}
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		prepare(w)
		refuse(w, http.StatusForbidden, codeForbidden, "cross-origin request refused")
	}))
	return protection.Handler(h)
}

// ServeHTTP answers one request.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	prepare(w)
	if err := h.Database.Err(); err != nil {
		// Who comes by a session can't be told from nobody now, and is not to be told to log in again.
		refuse(w, http.StatusServiceUnavailable, codeInternal, unavailable(err))
		return
	}
	c := &call{handler: h, w: w, r: r}
	if !c.identify() {
		return
	}
	found, values, allowed := find(h.routes, r)
	switch {
	case found != nil:
		c.values = values
		found.serve(c)
	case len(allowed) > 0:
		refuseMethod(w, allowed)
	default:
		refuse(w, http.StatusNotFound, codeNotFound, "not found")
	}
}

func unavailable(err error) string { return "The database is unavailable: " + err.Error() }

// call is one request on its way.
type call struct {
	*handler
	w http.ResponseWriter
	r *http.Request
	// values are what stands for the wildcards of the path.
	values []string
	caller gate.Caller
	// isTooLong: the body was not read to its end.
	isTooLong bool
}

// identify finds out who calls, and is false when it has answered that nobody does who may be known. A session that is in
// use goes on for longer by it.
func (c *call) identify() bool {
	d := c.Gate.Identify(c.r).Proven()
	if refusal := d.Refusal(); refusal != nil {
		refusal.Answer(c.w)
		return false
	}
	c.caller = d.Caller
	httpapi.SendCookies(c.w, c.r, &d, c.Sessions, c.Gate.SecureCookies())
	return true
}

func (c *call) by() apikeys.By { return apikeys.By{Caller: &c.caller, From: c.Gate.ClientAddress(c.r)} }
