package account

import (
	"embed"
	"net/http"

	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/manage/login"
	"keywright.dev/keywright/internal/web"
)

//go:embed templates
var files embed.FS

var (
	registerView = web.NewView(files, "templates/register.html")
	reloadView   = web.NewView(files, "templates/reload.html")
	overviewView = web.NewView(files, "templates/overview.html")
)

type pages struct {
	login *login.Service
}

// New serves the pages about the caller.
func New(service *login.Service) httpapi.Group {
	p := &pages{service}
	return httpapi.Group{API: web.API, Routes: []httpapi.Route{
		web.Get("/{$}", p.overview),
		web.Open(http.MethodGet, web.Register, p.register),
		web.Open(http.MethodPost, web.Register, p.save),
		web.Open(http.MethodPost, "/sign-out", p.signOut),
	}}
}

func (p *pages) overview(c *httpapi.Call) {
	web.Render(c, web.Page{Title: "Overview", Section: web.Overview, View: overviewView})
}
