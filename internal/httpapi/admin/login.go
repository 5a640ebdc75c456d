package admin

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"keywright.dev/keywright/internal/auth/credential"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/loginthrottle"
	"keywright.dev/keywright/internal/program"
)

// Sessions begins and ends sessions. In the server they are in the database, which may be down.
type Sessions interface {
	Begin(ctx context.Context, username string, key pepper.Digest) (cookie string, err error)
	End(ctx context.Context, cookie string) error
}

// LoginConfig is what login and logout work with.
type LoginConfig struct {
	Sessions Sessions
	Throttle *loginthrottle.Throttle
	Trail    manage.Trail
	Now      func() time.Time
}

type loginRoutes struct {
	LoginConfig
}

// Login serves /api/auth: login, logout and who the caller is.
func Login(config LoginConfig) httpapi.Group {
	l := &loginRoutes{config}
	return httpapi.Group{API: API, Routes: []httpapi.Route{
		{Method: http.MethodPost, Path: "auth/login", Identification: httpapi.Unidentified, Serve: l.login},
		{Method: http.MethodPost, Path: "auth/logout", Identification: httpapi.Unidentified, Serve: l.logout},
		{Method: http.MethodGet, Path: "auth/me", Identification: httpapi.Lenient, WithoutDatabase: true, Serve: me},
	}}
}

// identity describes a caller.
type identity struct {
	Username string `json:"username"`
	Role     string `json:"role"`
	IsAdmin  bool   `json:"is_admin"`
}

func identityOf(c *gate.Caller) identity {
	i := identity{Username: c.Username, Role: "user", IsAdmin: c.Admin}
	if c.Admin {
		i.Role = "admin"
	}
	return i
}

func me(c *httpapi.Call) { reply(c, identityOf(&c.Caller)) }

// attempt is one login.
type attempt struct {
	*loginRoutes
	*httpapi.Call
	username, address string
}

func (l *loginRoutes) login(c *httpapi.Call) {
	var body struct {
		Username string `json:"username"`
		APIKey   string `json:"api_key"`
	}
	if err := read(c, &body); err != nil {
		fail(c, err)
		return
	}
	username, key := strings.TrimSpace(body.Username), strings.TrimSpace(body.APIKey)
	if username == "" || key == "" {
		c.Refuse(http.StatusBadRequest, "Username and api_key are required")
		return
	}
	a := &attempt{loginRoutes: l, Call: c, username: username, address: c.Gate.ClientAddress(c.R)}
	if a.wait() {
		a.try(key)
	}
}

// wait waits as long as the throttle demands, and reports whether the client is still there.
func (a *attempt) wait() bool {
	delay := a.Throttle.Begin(a.username, a.address, a.Now())
	return delay <= 0 || program.Pause(a.R.Context(), delay)
}

func (a *attempt) try(key string) {
	d := a.Gate.Authenticate(key, a.address)
	switch {
	case d.Outcome == gate.NotReady, d.Outcome == gate.Stale:
		a.Refuse(http.StatusServiceUnavailable, httpapi.NotReady)
	case d.Outcome != gate.Allowed || d.Caller.Username != a.username || d.Caller.Digest() == nil:
		if a.isLimited(a.Throttle.Failed(a.username, a.address, a.Now())) {
			return
		}
		a.recordRefused("")
		a.Refuse(http.StatusUnauthorized, "Invalid username or API key")
	default:
		a.Throttle.Succeeded(a.username, a.address)
		a.begin(&d.Caller)
	}
}

// isLimited refuses a failed attempt after too many others.
func (a *attempt) isLimited(retryAfter time.Duration) bool {
	if retryAfter <= 0 {
		return false
	}
	a.recordRefused("too many failed logins")
	seconds := strconv.Itoa(int(math.Ceil(retryAfter.Seconds())))
	a.W.Header().Set("Retry-After", seconds)
	a.Refuse(http.StatusTooManyRequests, "Too many failed logins: try again in "+seconds+" seconds")
	return true
}

func (a *attempt) recordRefused(why string) {
	a.Trail.Record(a.R.Context(), audit.Entry{
		From: a.address, Action: audit.Login, Target: "User/" + keyformat.Redact(a.username, a.Gate.IsKey),
		Outcome: audit.Refused, Detail: why,
	})
}

func (a *attempt) begin(caller *gate.Caller) {
	cookie, err := a.loginRoutes.Sessions.Begin(a.R.Context(), caller.Username, *caller.Digest())
	if err != nil {
		unavailable(a.Call, err)
		return
	}
	a.Trail.Record(a.R.Context(), audit.Entry{
		Actor: caller.Subject, KeyID: caller.KeyID, From: a.address,
		Action: audit.Login, Target: caller.Subject, Outcome: audit.Done,
	})
	secure := a.Gate.SecureCookies()
	a.W.Header().Add("Set-Cookie", httpapi.SessionCookie(cookie, secure))
	a.W.Header().Add("Set-Cookie", credential.SaveName(caller.Username, secure))
	reply(a.Call, identityOf(caller))
}

// logout ends the session of the cookie, if there is one.
func (l *loginRoutes) logout(c *httpapi.Call) {
	c.W.Header().Add("Set-Cookie", httpapi.ClearSessionCookie(c.Gate.SecureCookies()))
	cookie := credential.Session(c.R.Header)
	if cookie == "" {
		reply(c, map[string]bool{"ok": true})
		return
	}
	// Only a valid session is known to have been ended by its user.
	address := c.Gate.ClientAddress(c.R)
	d := c.Gate.AuthenticateSession(cookie, address)
	if err := l.Sessions.End(c.R.Context(), cookie); err != nil {
		c.W.Header().Del("Set-Cookie")
		unavailable(c, err)
		return
	}
	if d.Outcome == gate.Allowed {
		l.Trail.Record(c.R.Context(), audit.Entry{
			Actor: d.Caller.Subject, KeyID: d.Caller.KeyID, From: address,
			Action: audit.Logout, Target: d.Caller.Subject, Outcome: audit.Done,
		})
	}
	reply(c, map[string]bool{"ok": true})
}
