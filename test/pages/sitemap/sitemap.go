// Package sitemap lists the pages, for every test that has to cover all of them. A test of cmd/server compares the list
// with the routes that are served.
package sitemap

import (
	"net/url"
	"slices"
)

// Reader is who asks for a page.
type Reader int

// Readers: an admin, another user, and an anonymous caller.
const (
	Admin Reader = iota
	User
	Anonymous
)

// Facts are what the addresses of pages are made of.
type Facts struct {
	// Key is the id of a key, User a username, and Job a job with token usage.
	Key, User, Job string
}

// Page is one page in one state.
type Page struct {
	// Name is that of its pictures.
	Name string
	// Route is the route that serves it, without the method. Empty: none does.
	Route string
	// Address is the address on an instance with these facts.
	Address func(Facts) string
	Reader  Reader
	// Status is the HTTP status of the reply. 0: 200.
	Status int
	// Plain: it is not one of internal/web, and has headers of its own.
	Plain bool
	// Picture: the documentation shows it.
	Picture bool
	// Narrow: it shows it on a phone, too.
	Narrow bool
}

func at(address string) func(Facts) string { return func(Facts) string { return address } }

// Pages returns all pages.
func Pages() []Page {
	return []Page{
		{Name: "docs", Route: "/docs", Address: at("/docs"), Reader: Anonymous, Plain: true},
		{Name: "register", Route: "/register", Address: at("/register"), Reader: Anonymous, Picture: true},
		{Name: "signed-in", Route: "/register", Address: at("/register")},
		{Name: "overview", Route: "/{$}", Address: at("/"), Picture: true, Narrow: true},
		{Name: "overview-user", Route: "/{$}", Address: at("/"), Reader: User},
		{Name: "keys", Route: "/keys", Address: at("/keys"), Picture: true, Narrow: true},
		{Name: "keys-none", Route: "/keys", Address: at("/keys?search=no-such-key")},
		{Name: "keys-user", Route: "/keys", Address: at("/keys"), Reader: User},
		{Name: "keys-new", Route: "/keys/new", Address: at("/keys/new"), Picture: true},
		{Name: "keys-new-user", Route: "/keys/new", Address: at("/keys/new"), Reader: User},
		{Name: "claim", Route: "/claim", Address: at("/claim"), Reader: Anonymous, Picture: true, Narrow: true},
		{Name: "claims", Route: "/claims", Address: at("/claims")},
		{Name: "usage", Route: "/usage", Address: at("/usage"), Picture: true, Narrow: true},
		{Name: "usage-grouped", Route: "/usage", Address: at("/usage?group_by=model")},
		{Name: "usage-refused", Route: "/usage", Address: at("/usage?start_date=never"), Status: 400},
		{Name: "usage-forbidden", Route: "/usage", Address: at("/usage"), Reader: User, Status: 403},
		{Name: "budgets", Route: "/usage/budgets", Address: at("/usage/budgets")},
		{
			Name: "job", Route: "/usage/jobs/{job}",
			Address: func(f Facts) string { return "/usage/jobs/" + url.PathEscape(f.Job) },
		},
		{Name: "job-absent", Route: "/usage/jobs/{job}", Address: at("/usage/jobs/no-such-job"), Status: 404},
		{Name: "usage-by-day", Route: "/usage", Address: at("/usage?group_by=day&show=tokens&period=7d")},
		{Name: "usage-none", Route: "/usage", Address: at("/usage?ai_model=none")},
		{Name: "audit", Route: "/audit", Address: at("/audit"), Picture: true},
		{Name: "audit-refused", Route: "/audit", Address: at("/audit?since=yesterday"), Status: 400},
		{Name: "audit-forbidden", Route: "/audit", Address: at("/audit"), Reader: User, Status: 403},
		{Name: "settings", Route: "/settings", Address: at("/settings"), Picture: true},
		{Name: "settings-forbidden", Route: "/settings", Address: at("/settings"), Reader: User, Status: 403},
		{Name: "key", Route: "/keys/{id}", Address: func(f Facts) string { return "/keys/" + f.Key }, Picture: true},
		{
			Name: "key-may", Route: "/keys/{id}",
			Address: func(f Facts) string { return "/keys/" + f.Key + "?action=certs.read" },
		},
		{
			Name: "key-revoke", Route: "/keys/{id}/{action}",
			Address: func(f Facts) string { return "/keys/" + f.Key + "/revoke" },
		},
		{Name: "users", Route: "/users", Address: at("/users"), Picture: true, Narrow: true},
		{Name: "users-none", Route: "/users", Address: at("/users?search=zzz")},
		{Name: "user", Route: "/users/{name}", Address: func(f Facts) string { return "/users/" + f.User }},
		{
			Name: "user-delete", Route: "/users/{name}/{action}",
			Address: func(f Facts) string { return "/users/" + f.User + "/delete" },
		},
		{Name: "absent", Address: at("/no-such-page"), Reader: User, Status: 404},
	}
}

// others are GET routes that serve no page.
var others = []string{}

// Routes returns every route that is asked for with GET, in order and once.
func Routes() []string {
	routes := slices.Clone(others)
	for _, page := range Pages() {
		if page.Route != "" && !page.Plain {
			routes = append(routes, page.Route)
		}
	}
	slices.Sort(routes)
	return slices.Compact(routes)
}
