package keys

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"keywright.dev/keywright/api/v1alpha1"
)

// prefix is where all of it is.
const prefix = "/apiv1/"

// route is one endpoint.
type route struct {
	method string
	// path is without the prefix. What is in braces stands for anything but nothing.
	path  string
	serve func(c *call)
}

// owners are those whose keys there are, by their places in a path.
var owners = []struct {
	path string
	kind v1alpha1.SubjectKind
}{
	{"users/{user}", v1alpha1.SubjectUser},
	{"accounts/{account}", v1alpha1.SubjectAccount},
	{"integrations/{integration}", v1alpha1.SubjectIntegration},
}

// me is the caller, where a user's name belongs.
const me = "me"

// table lists every endpoint.
func table() []route {
	routes := []route{{http.MethodGet, "permissions/catalog", (*call).catalog}}
	for _, owner := range owners {
		all := owner.path + "/apikeys"
		one := all + "/{id}"
		of := func(serve func(*call, v1alpha1.Subject)) func(*call) {
			return func(c *call) { serve(c, c.subject(owner.kind)) }
		}
		routes = append(routes,
			route{http.MethodGet, all, of((*call).list)},
			route{http.MethodPost, all, of((*call).create)},
			route{http.MethodGet, one, of((*call).get)},
			route{http.MethodPatch, one, of((*call).change)},
			route{http.MethodDelete, one, of((*call).remove)},
			route{http.MethodPost, one + "/rotate", of((*call).rotate)},
		)
	}
	return routes
}

// Endpoints are all methods and paths that are served, such as GET /apiv1/users/{user}/apikeys.
func Endpoints() []string {
	var all []string
	for _, r := range table() {
		all = append(all, r.method+" "+prefix+r.path)
	}
	return all
}

// subject is whom the path names.
func (c *call) subject(kind v1alpha1.SubjectKind) v1alpha1.Subject {
	name := c.values[0]
	if kind == v1alpha1.SubjectUser && name == me && c.caller.Username != "" {
		name = c.caller.Username
	}
	return v1alpha1.Subject{Kind: kind, Name: name}
}

// id is the key that the path names.
func (c *call) id() string { return c.values[1] }

// find is the route of a request and what its wildcards stand for, or the methods for which there is one.
func find(routes []route, r *http.Request) (found *route, values, allowed []string) {
	asked := segmentsOf(r)
	for i := range routes {
		values, matches := match(routes[i].path, asked)
		switch method := routes[i].method; {
		case !matches:
		case r.Method == method, r.Method == http.MethodHead && method == http.MethodGet:
			return &routes[i], values, nil
		case method == http.MethodGet:
			allowed = append(allowed, method, http.MethodHead)
		default:
			allowed = append(allowed, method)
		}
	}
	slices.Sort(allowed)
	return nil, nil, allowed
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
		if err != nil || decoded == "" {
			return nil
		}
		segments[i] = decoded
	}
	return segments
}

func match(path string, asked []string) (values []string, matches bool) {
	wanted := strings.Split(path, "/")
	if len(wanted) != len(asked) {
		return nil, false
	}
	for i, segment := range wanted {
		switch {
		case strings.HasPrefix(segment, "{"):
			values = append(values, asked[i])
		case segment != asked[i]:
			return nil, false
		}
	}
	return values, true
}
