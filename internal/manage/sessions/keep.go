package sessions

import (
	"context"
	"net/http"

	"keywright.dev/keywright/internal/auth/credential"
	"keywright.dev/keywright/internal/gate"
)

// Toucher begins the life of a session anew when little of it is left; see Sessions.Touch.
type Toucher interface {
	Touch(ctx context.Context, cookie string) (renewed bool)
}

// SendCookies sends those that follow from a decision on a request to the management surfaces: a name that has changed,
// and a session that goes on for longer because it is in use.
func SendCookies(w http.ResponseWriter, r *http.Request, d *gate.Decision, s Toucher, secure bool) {
	if d.SetCookie != "" {
		w.Header().Add("Set-Cookie", d.SetCookie)
	}
	if d.Caller.By != gate.BySession {
		return
	}
	if cookie := credential.Session(r.Header); s.Touch(r.Context(), cookie) {
		w.Header().Add("Set-Cookie", Cookie(cookie, secure))
	}
}
