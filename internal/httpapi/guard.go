package httpapi

import (
	"log/slog"
	"maps"
	"net/http"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/idempotency"
)

// Database reports whether management can use the database.
type Database interface {
	// Err returns nil, or why the database can't be used now.
	Err() error
}

// Guard is what every request to management passes before its handler runs.
type Guard struct {
	Gate     *gate.Gate
	Sessions SessionRenewer
	Database Database
	Log      *slog.Logger
	// Latency may be nil.
	Latency *Latency
}

// Identification is how a route identifies its caller. The zero value is the strictest.
type Identification uint8

const (
	// Proven refuses invalid keys and callers whose identity is not proven.
	Proven Identification = iota
	// Lenient takes an invalid key for no key. The caller may be anonymous, or known by a saved name only.
	Lenient
	// Unidentified does not look at the caller, as for login.
	Unidentified
)

// Call is one request to a surface.
type Call struct {
	W http.ResponseWriter
	R *http.Request
	// Caller is anonymous until the call is identified.
	Caller gate.Caller

	*Guard
	api *API
}

// Refuse replies with an error in the form of the surface.
func (c *Call) Refuse(status int, text string) { c.api.Refuse(c.W, c.R, status, text) }

// Manager returns the caller as the use cases take it.
func (c *Call) Manager() manage.Caller {
	reason, err := c.reason()
	return manage.Caller{Caller: &c.Caller, From: c.Gate.ClientAddress(c.R), Reason: reason, BadReason: err}
}

// May reports whether the caller may do the action on every resource.
func (c *Call) May(action string) bool {
	return c.Gate.May(&c.Caller, access.Request{Action: action, Resource: access.Any})
}

// IdempotencyKey returns the idempotency key of a request that creates something, or "". The use case checks its form.
func (c *Call) IdempotencyKey() (string, error) {
	return idempotency.Read(c.R.Header.Values(idempotency.Header))
}

// RefuseUnavailable replies that the server can't do this now, with the reason if the database is down.
func (c *Call) RefuseUnavailable(text string) {
	if down := c.Database.Err(); down != nil {
		text = databaseDown(down)
	}
	c.Refuse(http.StatusServiceUnavailable, text)
}

func databaseDown(err error) string { return "The database is unavailable: " + err.Error() }

// Identify identifies the caller and renews its session cookie. It reports false when it has refused the request.
func (c *Call) Identify(how Identification) bool {
	if how == Unidentified {
		return true
	}
	var d gate.Decision
	if how == Lenient {
		d = c.Gate.IdentifyOrAnonymous(c.R)
	} else {
		d = c.Gate.Identify(c.R).Proven()
	}
	c.Gate.Trace(c.R.Context(), &d)
	switch refusal := d.Refusal(); {
	case refusal == nil:
	case how == Lenient:
		c.Refuse(http.StatusServiceUnavailable, manage.NotReady().Text)
		return false
	default:
		c.refuseForGate(refusal)
		return false
	}
	c.Caller = d.Caller
	if c.Caller.Credential == gate.CredentialSavedName {
		// TRUST_USERNAMES is about the apps behind the gate.
		c.Caller.Credential = gate.CredentialDisplayName
	}
	SendCookies(c.W, c.R, &d, c.Sessions, c.Gate.SecureCookies())
	return true
}

func (c *Call) refuseForGate(refusal *gate.Refusal) {
	if !c.api.RefusesForGate {
		refusal.Answer(c.W)
		return
	}
	maps.Copy(c.W.Header(), refusal.Header)
	c.Refuse(refusal.Status, refusal.Text)
}

// crossOrigin recognizes requests that the page of another site has sent.
var crossOrigin = http.NewCrossOriginProtection()

// IsCrossOrigin reports whether the page of another site has sent a request that may change something. It is refused,
// and nothing of it may be offered to be sent again.
func IsCrossOrigin(r *http.Request) bool { return crossOrigin.Check(r) != nil }

// protect refuses cross-origin requests to an API.
func protect(api *API, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if IsCrossOrigin(r) {
			setHeaders(w)
			api.Refuse(w, r, http.StatusForbidden, "Cross-origin request refused")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// setHeaders sets the headers of every reply. No reply may be stored: some carry a key.
func setHeaders(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Type", "application/json")
	header.Set("X-Content-Type-Options", "nosniff")
}
