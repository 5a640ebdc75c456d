package httpapi

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// API is what the groups below one path have in common.
type API struct {
	// Name is the group of routes in metrics.
	Name string
	// Prefix is the path of all routes, with a slash at its end, or the path of the only route.
	Prefix string
	// Refuse replies with an error in the form of the API.
	Refuse func(w http.ResponseWriter, r *http.Request, status int, text string)
	// Unmatched replies to a request without a route. allowed are the methods of the path; without any, the
	// path is unknown. The caller is not identified yet.
	Unmatched func(c *Call, allowed []string)
	// RefusesForGate: Refuse replies with the gate's refusals too, which otherwise have the form of the gate.
	RefusesForGate bool
}

// Group is a group of routes of an API.
type Group struct {
	*API
	Routes []Route
}

// Route is one endpoint.
type Route struct {
	Method string
	// Path follows the Prefix. It may have wildcards, as in patterns of http.ServeMux: users/{username}/role.
	Path           string
	Identification Identification
	// WithoutDatabase routes are served while the database is down.
	WithoutDatabase bool
	Serve           func(c *Call)
}

// Mount serves groups of routes behind a guard.
func Mount(mux *http.ServeMux, guard *Guard, groups ...Group) {
	routes := map[*API]map[string][]Route{}
	for _, group := range groups {
		if routes[group.API] == nil {
			routes[group.API] = map[string][]Route{}
		}
		for _, route := range group.Routes {
			pattern := group.Prefix + route.Path
			routes[group.API][pattern] = append(routes[group.API][pattern], route)
		}
	}
	for api, byPattern := range routes {
		handler := guard.Latency.Of(api.Name, protect(api, newRouter(guard, api, byPattern)))
		handler = guard.Gate.Tracer.Of(api.Name, handler)
		mux.Handle(api.Prefix, handler)
		if !strings.HasSuffix(api.Prefix, "/") {
			// What is below the only route is refused in the form of the API too.
			mux.Handle(api.Prefix+"/", handler)
		}
	}
}

// Endpoints returns the methods and paths of groups, such as "PUT /api/admin/users/{username}/role".
func Endpoints(groups ...Group) (all []string) {
	for _, group := range groups {
		for _, route := range group.Routes {
			all = append(all, route.Method+" "+group.Prefix+route.Path)
		}
	}
	return all
}

// router finds the routes of a path with a ServeMux. The patterns have no methods, because the reply to a wrong
// method is the API's own.
type router struct {
	*Guard
	api *API
	mux *http.ServeMux
}

func newRouter(guard *Guard, api *API, byPattern map[string][]Route) *router {
	rt := &router{Guard: guard, api: api, mux: http.NewServeMux()}
	for pattern, routes := range byPattern {
		rt.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { rt.serve(w, r, routes) })
	}
	below := strings.TrimSuffix(api.Prefix, "/") + "/"
	if _, taken := byPattern[below]; !taken {
		rt.mux.HandleFunc(below, func(w http.ResponseWriter, r *http.Request) { rt.serve(w, r, nil) })
	}
	return rt
}

// ServeHTTP serves one request.
func (rt *router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setHeaders(w)
	if strings.HasSuffix(rt.api.Prefix, "/") && r.URL.EscapedPath() != rt.api.Prefix {
		shielded := shield(r, rt.api.Prefix)
		if shielded == nil {
			rt.serve(w, r, nil)
			return
		}
		r = shielded
	}
	rt.mux.ServeHTTP(w, r)
}

// serve serves a request with one of the routes of its path.
func (rt *router) serve(w http.ResponseWriter, r *http.Request, routes []Route) {
	c := &Call{W: w, R: r, Guard: rt.Guard, api: rt.api}
	route := find(routes, r.Method)
	if route != nil {
		rt.Gate.Tracer.Route(r.Context(), route.Method, r.Pattern)
	}
	if err := rt.Database.Err(); err != nil && (route == nil || !route.WithoutDatabase) {
		// Without the database a session can't be checked: 401 would make its user log in again. Nothing has been done yet,
		// so that any request may be sent again.
		w.Header().Set("Retry-After", "1")
		c.Refuse(http.StatusServiceUnavailable, databaseDown(err))
		return
	}
	switch {
	case route == nil:
		rt.api.Unmatched(c, methodsOf(routes))
	case c.Identify(route.Identification):
		route.Serve(c)
	}
}

func find(routes []Route, method string) *Route {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	i := slices.IndexFunc(routes, func(r Route) bool { return r.Method == method })
	if i < 0 {
		return nil
	}
	return &routes[i]
}

func methodsOf(routes []Route) (methods []string) {
	for i := range routes {
		methods = append(methods, routes[i].Method)
	}
	if slices.Contains(methods, http.MethodGet) {
		methods = append(methods, http.MethodHead)
	}
	return methods
}

// shield returns r with a path that ServeMux matches segment by segment. By itself ServeMux redirects a path
// with "." and ".." segments, which may be names here, and takes the segment %2F for the end of the path.
// shield returns nil for a path that no route can match.
func shield(r *http.Request, prefix string) *http.Request {
	path := r.URL.EscapedPath()
	rest, below := strings.CutPrefix(path, prefix)
	if !below {
		return nil
	}
	segments := strings.Split(rest, "/")
	for i, segment := range segments {
		if segment == "" {
			return nil
		}
		segments[i] = shieldSegment(segment)
	}
	shielded := prefix + strings.Join(segments, "/")
	if shielded == path {
		return r
	}
	decoded, err := url.PathUnescape(shielded)
	if err != nil {
		return nil
	}
	copied, target := *r, *r.URL
	target.Path, target.RawPath = decoded, shielded
	copied.URL = &target
	return &copied
}

func shieldSegment(segment string) string {
	switch segment {
	case ".", "..":
		return strings.ReplaceAll(segment, ".", "%2E")
	}
	if decoded, err := url.PathUnescape(segment); err == nil && isShielded("\x00"+decoded) {
		return "%00" + segment
	}
	return segment
}

// isShielded reports whether a path value was %2F, with or without NULs before it, and got one more NUL.
func isShielded(value string) bool {
	return strings.HasPrefix(value, "\x00") && strings.TrimLeft(value, "\x00") == "/"
}

// Param returns the value of a wildcard of the route.
func (c *Call) Param(name string) string {
	value := c.R.PathValue(name)
	if isShielded(value) {
		return value[1:]
	}
	return value
}
