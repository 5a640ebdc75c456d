package admin

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/users"
)

// Gate says who somebody is, and what they may.
type Gate interface {
	IdentifyOrAnonymous(r *http.Request) gate.Decision
	May(c *gate.Caller, r access.Request) bool
	// IsKey says that a text is a key on record, be it accepted or refused.
	IsKey(text string) bool
	SecureCookies() bool
	ClientAddress(r *http.Request) string
}

// Users are the use cases of users.
type Users interface {
	List(ctx context.Context, by users.By) ([]users.User, error)
	Create(ctx context.Context, by users.By, read users.Read[string]) (*users.Issued, error)
	Delete(ctx context.Context, by users.By, name string, read users.Read[bool]) error
	SetRole(ctx context.Context, by users.By, name string, read users.Read[string]) (*users.Issued, error)
	RotateKey(ctx context.Context, by users.By, name string, read users.Read[string]) (*users.Issued, error)
}

// Sessions are begun and ended here. What one is worth, gate says.
type Sessions interface {
	Begin(ctx context.Context, username string, key pepper.Digest) (cookie string, err error)
	httpapi.SessionRenewer
	End(ctx context.Context, cookie string) error
}

// Throttle delays and refuses logins after failures.
type Throttle interface {
	// Begin returns the delay of this try. A positive retryAfter refuses it until then.
	Begin(user, address string, now time.Time) (delay, retryAfter time.Duration)
	// Failed returns a positive retryAfter if the user has failed too often. The reply then does not reveal that the
	// key was wrong.
	Failed(user, address string, now time.Time) (retryAfter time.Duration)
	// ShouldAudit reports whether a refused try deserves an audit entry.
	ShouldAudit(user, address string, now time.Time) bool
	Succeeded(user, address string)
}

// Trail is where it is written down what was done.
type Trail interface {
	Record(ctx context.Context, e audit.Entry)
}

// Entries is where that is read.
type Entries interface {
	List(ctx context.Context, f audit.Filter) ([]audit.Entry, error)
}

// Database is what management can't go on without.
type Database interface {
	// Err says for a person why it can't be used now, and is nil when it can.
	Err() error
}

// Config is what the handler works with.
type Config struct {
	Gate     Gate
	Users    Users
	Sessions Sessions
	Throttle Throttle
	Trail    Trail
	Entries  Entries
	Database Database
	Now      func() time.Time
	Log      *slog.Logger
}

type handler struct {
	Config
	routes []route
}

// New serves /api/.
func New(c Config) http.Handler {
	h := &handler{Config: c}
	h.routes = h.table()
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		prepare(w)
		refuse(w, http.StatusForbidden, "Cross-origin request refused")
	}))
	return protection.Handler(h)
}

// ServeHTTP answers one request.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	prepare(w)
	c := &call{handler: h, w: w, r: r, segments: segmentsOf(r)}
	found, allowed := find(h.routes, r.Method, c.segments)
	if err := h.Database.Err(); err != nil && (found == nil || !found.withoutDatabase) {
		refuse(w, http.StatusServiceUnavailable, "The database is unavailable: "+err.Error())
		return
	}
	isAdmins := len(c.segments) > 0 && c.segments[0] == "admin"
	if isAdmins || found != nil && found.needsCaller {
		if !c.recognize() {
			return
		}
	}
	switch {
	case found != nil:
		found.serve(c)
	case isAdmins && !c.mayAnything():
		refuse(w, http.StatusForbidden, adminOnly)
	case len(allowed) > 0:
		refuseMethod(w, allowed)
	default:
		refuse(w, http.StatusNotFound, "Not found")
	}
}

const adminOnly = "Admin access required"

// call is one request on its way.
type call struct {
	*handler
	w        http.ResponseWriter
	r        *http.Request
	segments []string
	caller   gate.Caller
}

// recognize finds out who calls, and is false when it has answered that this can't be done now. A session that is in use
// goes on for longer by it.
func (c *call) recognize() bool {
	d := c.Gate.IdentifyOrAnonymous(c.r)
	if d.Outcome != gate.Allowed {
		refuse(c.w, http.StatusServiceUnavailable, "The server does not know enough of the cluster yet to tell who you are")
		return false
	}
	c.caller = d.Caller
	httpapi.SendCookies(c.w, c.r, &d, c.Sessions, c.Gate.SecureCookies())
	return true
}

func (c *call) by() users.By { return users.By{Caller: &c.caller, From: c.Gate.ClientAddress(c.r)} }

func (c *call) may(action string) bool {
	return c.Gate.May(&c.caller, access.Request{Action: action, Resource: access.Any})
}

// mayAnything: who may do nothing under /api/admin/ does not learn what there is.
func (c *call) mayAnything() bool {
	return c.caller.Admin || c.may("users.read") || c.may("users.write") || c.may(actionAudit)
}
