package httpapi

import (
	"context"
	"net/http"

	"keywright.dev/keywright/internal/auth/credential"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/manage/login"
	"keywright.dev/keywright/internal/manage/sessions"
)

// SessionRenewer extends a session that is in use; see sessions.Sessions.Touch.
type SessionRenewer interface {
	Touch(ctx context.Context, cookie string) (renewed bool)
}

// SendCookies sets the cookies that follow from a decision: a saved name that has changed, and a session that
// was renewed.
func SendCookies(w http.ResponseWriter, r *http.Request, d *gate.Decision, s SessionRenewer, secure bool) {
	if d.SetCookie != "" {
		w.Header().Add("Set-Cookie", d.SetCookie)
	}
	if d.Caller.Credential != gate.CredentialSession {
		return
	}
	if cookie := credential.Session(r.Header); s.Touch(r.Context(), cookie) {
		w.Header().Add("Set-Cookie", SessionCookie(cookie, secure))
	}
}

// SendSession sets the cookies of a session that has begun: its own, and the saved name.
func SendSession(c *Call, s *login.Session) {
	secure := c.Gate.SecureCookies()
	c.W.Header().Add("Set-Cookie", SessionCookie(s.Cookie, secure))
	c.W.Header().Add("Set-Cookie", credential.SaveName(s.Caller.Username, secure))
}

// SessionCookie returns the Set-Cookie header of a session; see docs/compatibility.md, "Sessions".
func SessionCookie(value string, secure bool) string {
	return setSessionCookie(value, int(sessions.Lifetime.Seconds()), secure)
}

// ClearSessionCookie returns the Set-Cookie header that removes the session from a browser.
func ClearSessionCookie(secure bool) string { return setSessionCookie("", -1, secure) }

func setSessionCookie(value string, maxAge int, secure bool) string {
	c := http.Cookie{ //nolint:gosec // Secure is off only where SECURE_COOKIES=false
		Name: credential.SessionCookie, Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: secure, SameSite: http.SameSiteStrictMode,
	}
	return c.String()
}
