package routes_test

import (
	"fmt"
	"strings"
	"testing"

	"keywright.dev/keywright/internal/auth/routes"
)

// fifty routes, as an API of some size has them.
func fifty() []routes.Route {
	var entries []routes.Route
	for i := range 10 {
		path := fmt.Sprintf("/api/v1/kind%d", i)
		entries = append(entries,
			routes.Route{Match: "GET " + path, Action: "kind.list"},
			routes.Route{Match: "POST " + path, Action: "kind.create"},
			routes.Route{Match: "GET " + path + "/{id}", Action: "kind.read", Resource: "kind:{id}"},
			routes.Route{Match: "DELETE " + path + "/{id}", Action: "kind.delete", Resource: "kind:{id}"},
			routes.Route{Match: path + "/{id}/users/{user}/", Owner: "{user}"},
		)
	}
	return entries
}

func BenchmarkFind(b *testing.B) {
	table, err := routes.Compile(fifty())
	if err != nil {
		b.Fatal(err)
	}
	for name, r := range map[string]routes.Request{
		"nothing":          {Method: "GET", Target: "/elsewhere/index.html"},
		"list":             {Method: "GET", Target: "/api/v1/kind7"},
		"resource":         {Method: "GET", Target: "/api/v1/kind7/42"},
		"query":            {Method: "GET", Target: "/api/v1/kind7/42?env=prod&verbose=1"},
		"owner":            {Method: "PUT", Target: "/api/v1/kind7/42/users/alice/keys"},
		"redirect":         {Method: "PUT", Target: "/api/v1/kind7/42/users/alice"},
		"escapes":          {Method: "GET", Target: "/api/v1/kind7/j%C3%BCrgen%20m"},
		"several readings": {Method: "GET", Target: "/elsewhere/a%2Fb"},
		// As much as can be made of a request.
		"as many as may be": {Method: "GET", Target: "/elsewhere/a%2Fb;c/../d/" + strings.Repeat("/e%252Ff", 30)},
		"many readings":     {Method: "GET", Target: "/elsewhere/a%2Fb;c/../d//e%252Ff"},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := table.Find(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
