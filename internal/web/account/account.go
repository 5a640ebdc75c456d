package account

import (
	"embed"
	"net/http"

	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/login"
	"keywright.dev/keywright/internal/manage/tokenusage"
	"keywright.dev/keywright/internal/manage/users"
	"keywright.dev/keywright/internal/web"
)

//go:embed templates
var files embed.FS

var (
	registerView = web.NewView(files, "templates/register.html")
	reloadView   = web.NewView(files, "templates/reload.html")
	overviewView = web.NewView(files, "templates/overview.html")
)

// Services are the use cases of the pages.
type Services struct {
	Login *login.Service
	Keys  *apikeys.Service
	Users *users.Service
	Usage *tokenusage.Service
}

type pages struct {
	Services
}

// New serves the pages about the caller.
func New(s Services) httpapi.Group {
	p := &pages{s}
	return httpapi.Group{API: web.API, Routes: []httpapi.Route{
		web.Get("/{$}", p.overview),
		web.Open(http.MethodGet, web.Register, p.register),
		web.Open(http.MethodPost, web.Register, p.save),
		web.Open(http.MethodPost, "/sign-out", p.signOut),
	}}
}
