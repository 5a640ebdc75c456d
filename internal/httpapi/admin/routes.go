package admin

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// prefix is where all of it is.
const prefix = "/api/"

// wildcard stands in a path for a name.
const wildcard = "{username}"

// route is one endpoint.
type route struct {
	method string
	// path is without the prefix. A wildcard in it is the call's name.
	path  string
	serve func(c *call)
	// needsCaller: somebody has to be recognized first. It is so for all under admin/.
	needsCaller bool
	// withoutDatabase: it is served while the database is away.
	withoutDatabase bool
}

// table lists every endpoint.
func (*handler) table() []route {
	return []route{
		{method: http.MethodPost, path: "auth/login", serve: (*call).login},
		{method: http.MethodPost, path: "auth/logout", serve: (*call).logout},
		{method: http.MethodGet, path: "auth/me", serve: (*call).me, needsCaller: true, withoutDatabase: true},
		{method: http.MethodGet, path: "admin/users", serve: (*call).listUsers},
		{method: http.MethodPost, path: "admin/users", serve: (*call).createUser},
		{method: http.MethodDelete, path: "admin/users/" + wildcard, serve: (*call).deleteUser},
		{method: http.MethodPut, path: "admin/users/" + wildcard + "/role", serve: (*call).setRole},
		{method: http.MethodPost, path: "admin/users/" + wildcard + "/rotate-key", serve: (*call).rotateKey},
		{method: http.MethodGet, path: "admin/audit", serve: (*call).listAudit},
	}
}

// Endpoints are all methods and paths that are served, such as PUT /api/admin/users/{username}/role.
func Endpoints() []string {
	var all []string
	for _, r := range (*handler)(nil).table() {
		all = append(all, r.method+" "+prefix+r.path)
	}
	return all
}

// segmentsOf is the path behind the prefix, taken apart before it is decoded: a name may hold a slash. What can't be
// decoded is no path of ours.
func segmentsOf(r *http.Request) []string {
	rest, under := strings.CutPrefix(r.URL.EscapedPath(), prefix)
	if !under {
		return nil
	}
	segments := strings.Split(rest, "/")
	for i, s := range segments {
		decoded, err := url.PathUnescape(s)
		if err != nil {
			return nil
		}
		segments[i] = decoded
	}
	return segments
}

// find is the route of a request, or the methods for which there is one.
func find(routes []route, method string, segments []string) (found *route, allowed []string) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for i := range routes {
		if !matches(routes[i].path, segments) {
			continue
		}
		if routes[i].method == method {
			return &routes[i], nil
		}
		allowed = append(allowed, routes[i].method)
	}
	return nil, allowed
}

func matches(path string, segments []string) bool {
	return slices.EqualFunc(strings.Split(path, "/"), segments, func(want, got string) bool {
		return want == got || want == wildcard && got != ""
	})
}

// name is what stands in the place of the wildcard.
func (c *call) name() string { return c.segments[2] }
