package config

import (
	"strconv"
	"strings"

	"keywright.dev/keywright/internal/auth/routes"
	"keywright.dev/keywright/internal/key/keyformat"
)

var routeFields = []string{"match", "action", "resource", "owner"}

// parseRoutes has the routes compiled as the server will, to see whether they can be.
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
	route := routes.Route{Match: e.text("match"), Action: e.text("action"), Resource: e.text("resource"), Owner: e.text("owner")}
	// What has no path is no pattern. It is told here, where it is not quoted: it may be a key.
	if !strings.Contains(route.Match, "/") {
		e.fault("has no path at match")
	}
	return route
}

// hide shortens whatever in a text may be a key that somebody put into a route. Patterns stay: by them people find what
// is meant.
func hide(text string, list []routes.Route) string {
	for _, route := range list {
		for _, value := range []string{route.Action, route.Resource, route.Owner} {
			quoted := strconv.Quote(value)
			text = hideValue(hideValue(text, value), quoted[1:len(quoted)-1])
		}
	}
	return text
}

// hideValue finds a value by its beginning: the text may have cut it off.
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
