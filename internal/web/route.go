package web

import (
	"net/http"
	"net/url"
	"strings"

	"keywright.dev/keywright/internal/httpapi"
)

// Register is the path of the page to save a name or to sign in.
const Register = "/register"

// Get returns the route of a page.
func Get(path string, serve func(*httpapi.Call)) httpapi.Route {
	return route(http.MethodGet, path, serve)
}

// Post returns the route of a form.
func Post(path string, serve func(*httpapi.Call)) httpapi.Route {
	return route(http.MethodPost, path, serve)
}

// route leaves out the slash at the beginning of a path, which is the API's prefix.
func route(method, path string, serve func(*httpapi.Call)) httpapi.Route {
	return httpapi.Route{
		Method: method, Path: strings.TrimPrefix(path, "/"), Identification: httpapi.Lenient, Serve: known(serve),
	}
}

// Open returns a route that anonymous callers may use too.
func Open(method, path string, serve func(*httpapi.Call)) httpapi.Route {
	r := route(method, path, nil)
	r.Serve = serve
	return r
}

// known sends anonymous callers to the page to sign in, which leads back (docs/compatibility.md, "Pages").
func known(serve func(*httpapi.Call)) func(*httpapi.Call) {
	return func(c *httpapi.Call) {
		switch {
		case personOf(&c.Caller).Name != "":
			serve(c)
		case wantsHTML(c.R) && c.R.Method != http.MethodPost:
			SeeOther(c, signInPath(c.R), "")
		default:
			// A session that ended while a form was filled in: its values are kept.
			refuse(c.W, c.R, http.StatusUnauthorized, "You are not signed in, or your session has ended")
		}
	}
}

// Below returns the path of a page that is named below another: /users/bob. The names . and .. have none, because
// browsers resolve them.
func Below(path, name string) string {
	if name == "" || name == "." || name == ".." {
		return ""
	}
	return path + "/" + url.PathEscape(name)
}

// addressOf returns the path and the query of a request as they were sent. Those of r.URL may have been changed for the
// router: the segment %2F has a mark there.
func addressOf(r *http.Request) string {
	if sent, err := url.ParseRequestURI(r.RequestURI); err == nil {
		return sent.RequestURI()
	}
	return r.URL.RequestURI()
}

// RegisterPath returns the path of the page to sign in. back is the path and query of the page that follows it.
func RegisterPath(back string) string {
	if back == "" || back == "/" || !IsLocal(back) {
		return Register
	}
	return Register + "?" + url.Values{"next": {back}}.Encode()
}

// IsLocal reports whether a path leads to one of our pages, and to no other site.
func IsLocal(path string) bool {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\t\r\n") {
		return false
	}
	u, err := url.Parse(path)
	return err == nil && u.Host == "" && u.Scheme == ""
}
