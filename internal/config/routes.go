package config

import (
	"strconv"
	"strings"

	"keywright.dev/keywright/internal/auth/routes"
	"keywright.dev/keywright/internal/key/keyformat"
)

var routeFields = []string{"match", "action", "resource", "owner", "anonymous"}

// parseRoutes compiles the routes like the server, to report its errors here.
func parseRoutes(s *Settings, value string) string {
	entries, problem := readList(value, routeFields)
	if problem != "" {
		return problem
	}
	var list []routes.Route
	for _, e := range entries {
		list = append(list, readRoute(e))
	}
	if problem := problemsOf(entries); problem != "" {
		return problem
	}
	if _, err := routes.Compile(list); err != nil {
		return hide(strings.ReplaceAll(err.Error(), "\n", ", "), list)
	}
	s.Service.Routes = list
	return ""
}

func readRoute(e *entry) routes.Route {
	e.require("match")
	route := routes.Route{
		Match: e.text("match"), Action: e.text("action"), Resource: e.text("resource"), Owner: e.text("owner"),
		Anonymous: e.truth("anonymous"),
	}
	// A text without a path is not a pattern, and may be a key in the wrong place. Unlike the error of Compile,
	// this fault does not quote it.
	if !strings.Contains(route.Match, "/") {
		e.fault("has no path at match")
	}
	return route
}

// hide shortens every value of a route in a text, because it may be a key. It keeps patterns, by which people
// find the route.
func hide(text string, list []routes.Route) string {
	for _, route := range list {
		for _, value := range []string{route.Action, route.Resource, route.Owner} {
			quoted := strconv.Quote(value)
			text = hideValue(hideValue(text, value), quoted[1:len(quoted)-1])
		}
	}
	return text
}

// hideValue finds a value by its beginning, because the text may contain the value shortened.
func hideValue(text, value string) string {
	if len(value) < keyformat.MinLength {
		return text
	}
	before, after, found := strings.Cut(text, value[:keyformat.MinLength])
	if !found {
		return text
	}
	rest := value[keyformat.MinLength:]
	for rest != "" && strings.HasPrefix(after, rest[:1]) {
		rest, after = rest[1:], after[1:]
	}
	return before + excerpt(value) + hideValue(after, value)
}
