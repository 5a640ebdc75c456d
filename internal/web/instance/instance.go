// Package instance has the pages about the instance itself: /audit, who did what, and /settings, how it runs.
package instance

import (
	"embed"

	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/manage/auditlog"
	"keywright.dev/keywright/internal/manage/instance"
	"keywright.dev/keywright/internal/web"
)

//go:embed templates
var files embed.FS

var (
	auditView    = web.NewView(files, "templates/audit.html")
	settingsView = web.NewView(files, "templates/settings.html")
)

type pages struct {
	trail    *auditlog.Service
	instance *instance.Service
}

// New serves the pages about the instance.
func New(trail *auditlog.Service, service *instance.Service) httpapi.Group {
	p := &pages{trail, service}
	return httpapi.Group{API: web.API, Routes: []httpapi.Route{
		web.Get("/audit", p.audit),
		web.Get("/settings", p.settings),
	}}
}
