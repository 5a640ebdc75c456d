package admin

import (
	"net/http"

	"keywright.dev/keywright/internal/auth/credential"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/manage/login"
)

type loginRoutes struct {
	*login.Service
}

// Login serves /api/auth: login, logout and who the caller is.
func Login(service *login.Service) httpapi.Group {
	l := &loginRoutes{service}
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

func (l *loginRoutes) login(c *httpapi.Call) {
	var body struct {
		Username string `json:"username"`
		APIKey   string `json:"api_key"`
	}
	if err := read(c, &body); err != nil {
		fail(c, err)
		return
	}
	session, err := l.Begin(c.R.Context(), body.Username, body.APIKey, c.Gate.ClientAddress(c.R),
		credential.Session(c.R.Header))
	if err != nil {
		fail(c, err)
		return
	}
	httpapi.SendSession(c, session)
	reply(c, identityOf(&session.Caller))
}

// logout ends the session of the cookie, if there is one.
func (l *loginRoutes) logout(c *httpapi.Call) {
	if err := l.End(c.R.Context(), credential.Session(c.R.Header), c.Gate.ClientAddress(c.R)); err != nil {
		fail(c, err)
		return
	}
	c.W.Header().Add("Set-Cookie", httpapi.ClearSessionCookie(c.Gate.SecureCookies()))
	reply(c, map[string]bool{"ok": true})
}
