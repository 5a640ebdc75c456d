package routes_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"keywright.dev/keywright/internal/auth/routes"
)

func TestFind_MatchesLikeServeMux(t *testing.T) {
	table := compile(t, matches(
		"GET /a", "POST /a", "/a/{id}", "/a/b", "/d/{id}", "DELETE /d/{id}", "/files/{path...}", "/tree/",
		"/index/{$}", "GET /caf%C3%A9/{x}",
		"app.example/a", "GET app.example/only", "[::1]/a", "HEAD /head", "GET /head", "M-SEARCH /d/{id}",
	)...)
	const get = "GET"
	for name, c := range map[string]struct {
		method, host, target, want string
	}{
		"method and path":              {get, "", "/a", "GET /a"},
		"another method":               {"POST", "", "/a", "POST /a"},
		"HEAD is GET":                  {"HEAD", "", "/a", "GET /a"},
		"HEAD by itself":               {"HEAD", "", "/head", "HEAD /head"},
		"only for other methods":       {"PUT", "", "/a", ""},
		"with a query":                 {get, "", "/a?x=/a/b", "GET /a"},
		"with an empty query":          {get, "", "/a?", "GET /a"},
		"any method":                   {"PUT", "", "/a/1", "/a/{id}"},
		"an unusual method":            {"M-SEARCH", "", "/d/1", "M-SEARCH /d/{id}"},
		"the more specific method":     {"DELETE", "", "/d/1", "DELETE /d/{id}"},
		"the more specific path":       {get, "", "/a/b", "/a/b"},
		"an empty segment":             {get, "", "/a/", ""},
		"nothing":                      {get, "", "/nothing", ""},
		"the root":                     {get, "", "/", ""},
		"case matters":                 {get, "", "/A", ""},
		"the rest":                     {get, "", "/files/a/b/c", "/files/{path...}"},
		"an empty rest":                {get, "", "/files/", "/files/{path...}"},
		"below a slash":                {get, "", "/tree/a/b", "/tree/"},
		"without the slash":            {get, "", "/tree", "/tree/"},
		"without the slash of a rest":  {get, "", "/files", "/files/{path...}"},
		"without the slash of the end": {get, "", "/index", "/index/{$}"},
		"nothing below the end":        {get, "", "/index/x", ""},
		"needless escapes":             {get, "", "/%61/%62", "/a/b"},
		"another alphabet":             {get, "", "/caf%c3%a9/x", "GET /caf%C3%A9/{x}"},
		"another alphabet, raw":        {get, "", "/café/x", "GET /caf%C3%A9/{x}"},
		"host":                         {get, "app.example", "/a", "app.example/a"},
		"host in upper case":           {get, "APP.Example", "/a", "app.example/a"},
		"host with port":               {get, "app.example:8080", "/a", "app.example/a"},
		"host with an empty port":      {get, "app.example:", "/a", "app.example/a"},
		"host with a dot at the end":   {get, "app.example.:8080", "/a", "app.example/a"},
		"another host":                 {get, "xapp.example", "/a", "GET /a"},
		"host with another method":     {"PUT", "app.example", "/only", ""},
		"address":                      {get, "[::1]", "/a", "[::1]/a"},
		"address with port":            {get, "[::1]:80", "/a", "[::1]/a"},
		"a path that begins with dots": {get, "x", "/.a/...", ""},
		"an encoded ? without action":  {get, "x", "/tree/what%3F", "/tree/"},
		"readings that agree":          {get, "x", "/tree/a//b/./c;d=e/%2F/%3F", "/tree/"},
		"an empty segment of the rest": {get, "x", "/tree//a", "/tree/"},
		"readings without a route":     {get, "x", "/nothing//a/./c;d=e/%2F/%252F", ""},
		"encoded dot in a name":        {get, "x", "/a/x%2Ey", "/a/{id}"},
		"encoded % in a name":          {get, "x", "/a/100%25", "/a/{id}"},
		"encoded space in a name":      {get, "x", "/a/1%202", "/a/{id}"},
		"unknown method":               {"FROB", "x", "/a/1", "/a/{id}"},
		"method in lower case":         {"delete", "x", "/tree/x", "/tree/"},
	} {
		t.Run(name, func(t *testing.T) {
			host := c.host
			if host == "" {
				host = "elsewhere.example"
			}
			m, err := table.Find(routes.Request{Method: c.method, Host: host, Target: c.target})
			if err != nil || m.Pattern != c.want || m.Owner != "" || m.Needs != nil {
				t.Fatalf("got %+v, %v", m, err)
			}
		})
	}
}

func TestFind_OptionsOfTheServerHasNoRoute(t *testing.T) {
	m, err := compile(t, matches("/")...).Find(routes.Request{Method: "OPTIONS", Target: "*"})
	if err != nil || m.Pattern != "" {
		t.Fatalf("got %+v, %v", m, err)
	}
}

func TestFind_RefusesAmbiguousRequests(t *testing.T) {
	const host = "app.example"
	table := compile(t, append(
		matches("GET app.example/", "DELETE /x", "/dir/", "/z/{a}/b", "/p/{x}/b/{rest...}"),
		routes.Route{Match: "/act/{x}", Action: "a.b"},
		routes.Route{Match: "/of/{user}/{path...}", Owner: "{user}"},
		routes.Route{Match: "/acts/", Action: "a.b"},
	)...)
	long := "/dir/" + strings.Repeat("a", 64<<10)
	for name, c := range map[string]struct {
		method, host, target, want string
	}{
		"no method":              {"", host, "/dir/", "the method is not valid"},
		"two methods":            {"GET /x", host, "/dir/", "the method is not valid"},
		"line end in the method": {"GET\n", host, "/dir/", "the method is not valid"},
		"CONNECT":                {"CONNECT", host, "/dir/", "the method is not valid"},
		"connect":                {"connect", host, "/dir/", "the method is not valid"},
		"method in lower case":   {"delete", "x", "/x", "programs that read it differently would use different routes"},
		"method in lower case, oddly": {
			"delete", "x", "/x/.", "programs that read it differently would use different routes",
		},
		"no host":                             {"GET", "", "/dir/", "the host is not valid"},
		"host is a port":                      {"GET", ":80", "/dir/", "the host is not valid"},
		"host is a dot":                       {"GET", ".", "/dir/", "the host is not valid"},
		"host with two dots":                  {"GET", host + "..", "/dir/", "the host is not valid"},
		"host with a user":                    {"GET", "a@" + host, "/dir/", "the host is not valid"},
		"host with a path":                    {"GET", host + "/", "/dir/", "the host is not valid"},
		"host with a comma":                   {"GET", host + ",x", "/dir/", "the host is not valid"},
		"host with an escape":                 {"GET", "app%2eexample", "/dir/", "the host is not valid"},
		"host with a line end":                {"GET", host + "\n", "/dir/", "the host is not valid"},
		"host beyond ASCII":                   {"GET", "app\u3002example", "/dir/", "the host is not valid"},
		"port of letters":                     {"GET", host + ":http", "/dir/", "the host is not valid"},
		"two ports":                           {"GET", host + ":1:2", "/dir/", "the host is not valid"},
		"address without brackets":            {"GET", "::1", "/dir/", "the host is not valid"},
		"address without its closing bracket": {"GET", "[::1", "/dir/", "the host is not valid"},
		"address with a zone":                 {"GET", "[fe80::1%eth0]", "/dir/", "the host is not valid"},
		"no target":                           {"GET", host, "", "the target is not a path that begins with /"},
		"query alone":                         {"GET", host, "?a", "the target is not a path that begins with /"},
		"absolute form": {
			"GET", host, "http://app.example/dir/", "the target is not a path that begins with /",
		},
		"authority form":           {"GET", host, "app.example:443", "the target is not a path that begins with /"},
		"asterisk":                 {"GET", host, "*", "the target is not a path that begins with /"},
		"fragment":                 {"GET", host, "/dir/#", "the target has a fragment"},
		"fragment after the query": {"GET", host, "/dir/?a#b", "the target has a fragment"},
		"too long":                 {"GET", host, long, "the target is too long"},
		"space":                    {"GET", host, "/dir/ x", "the target has control characters or spaces"},
		"line end in the query":    {"GET", host, "/dir/?a\r\n", "the target has control characters or spaces"},
		"NUL":                      {"GET", host, "/dir/\x00", "the target has control characters or spaces"},
		"DEL":                      {"GET", host, "/dir/\x7f", "the target has control characters or spaces"},
		"escape of one digit":      {"GET", host, "/dir/%4", "the path has an invalid escape"},
		"escape of other letters":  {"GET", host, "/dir/%4g", "the path has an invalid escape"},
		"escape of IIS":            {"GET", host, "/dir/%u0041", "the path has an invalid escape"},
		"encoded NUL":              {"GET", host, "/dir/%00", "the path is not UTF-8, or has control characters"},
		"encoded line end":         {"GET", host, "/dir/%0A", "the path is not UTF-8, or has control characters"},
		"encoded C1 control":       {"GET", host, "/dir/%C2%9F", "the path is not UTF-8, or has control characters"},
		"encoded twice NUL":        {"GET", host, "/dir/%2500", "the path is not UTF-8, or has control characters"},
		"overlong encoding":        {"GET", host, "/dir/%C0%AF", "the path is not UTF-8, or has control characters"},
		"Latin-1":                  {"GET", host, "/dir/\xe9", "the path is not UTF-8, or has control characters"},
		"odd and long": {
			"GET", host, "/dir/" + strings.Repeat("a", 8<<10) + "//", "there are too many ways to read the path",
		},
		"odd in every way": {
			"GET", host, `/dir/a//b/./c;d%2Fe%5Cf\g%3Bh%3Fi%252Fj`, "there are too many ways to read the path",
		},
		"another route with the slash": {
			"PUT", host, "/z/y%2Fb", "programs that read it differently would use different routes",
		},
		"a wildcard that is empty": {
			"PUT", host, "/p//b/b", "programs that read it differently would use different routes",
		},
		"another value of an action's": {
			"PUT", host, "/act/1;2", "programs that read it differently would use different routes",
		},
		"parameters in the path": {
			"PUT", host, "/acts/x%3Fenv=prod%26?env=dev", "programs that read it differently would use different routes",
		},
		"parameters encoded twice": {
			"PUT", host, "/acts/x%253Fenv=prod?env=dev", "programs that read it differently would use different routes",
		},
		"another value of an owner's": {
			"PUT", host, "/of/alice;bob/x", "programs that read it differently would use different routes",
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := table.Find(routes.Request{Method: c.method, Host: c.host, Target: c.target})
			if !errors.Is(err, routes.ErrAmbiguous) || m.Pattern != "" || m.Owner != "" || m.Needs != nil {
				t.Fatalf("got %+v, %v", m, err)
			}
			if want := "the request can be read in more than one way: " + c.want; err.Error() != want {
				t.Fatalf("got %s, want %s", err, want)
			}
		})
	}
}

func TestFind_UnusedWildcardMayBeReadDifferently(t *testing.T) {
	table := compile(t, routes.Route{Match: "/of/{user}/{path...}", Owner: "{user}"}, routes.Route{Match: "/free/{x}"})
	for target, want := range map[string]string{"/of/alice/a;b//c%3Fd": "alice", "/free/a;b": ""} {
		if m, err := table.Find(
			routes.Request{Method: "GET", Target: target},
		); err != nil || m.Owner != want || m.Pattern == "" {
			t.Errorf("%s: %+v, %v", target, m, err)
		}
	}
}

func TestFind_IgnoresTheHostWithoutHostPatterns(t *testing.T) {
	for _, host := range []string{"", "a b", "\x00", ":::"} {
		m, err := compile(t, matches("/a")...).Find(routes.Request{Method: "GET", Host: host, Target: "/a"})
		if err != nil || m.Pattern != "/a" {
			t.Errorf("%q: %+v, %v", host, m, err)
		}
	}
}

func TestFind_WithoutRoutesAcceptsAnything(t *testing.T) {
	for _, table := range []*routes.Table{nil, {}, compile(t)} {
		m, err := table.Find(routes.Request{Method: "\n", Host: "\n", Target: "\n%"})
		if err != nil || m.Pattern != "" || m.Owner != "" || m.Needs != nil || table.Len() != 0 {
			t.Errorf("%+v, %v", m, err)
		}
	}
}

func TestFind_FillsInTheOwner(t *testing.T) {
	table := compile(t,
		routes.Route{Match: "/users/{user}/", Owner: "{user}"},
		routes.Route{Match: "/team/{team}/{user}", Owner: "{team}-{user}@example"},
		routes.Route{Match: "/fixed", Owner: "alice"},
		routes.Route{Match: "/all/{users...}", Owner: "{users}"},
	)
	for target, want := range map[string]string{
		"/users/alice/":       "alice",
		"/users/alice":        "alice", // like a redirect
		"/users/al%69ce/x/y":  "alice",
		"/users/alice?user=x": "alice",
		"/users/Al%20ice/":    "Al ice",
		"/users/J%C3%B6rg/":   "Jörg",
		"/team/a/b":           "a-b@example",
		"/fixed":              "alice",
		"/all/a/b/":           "a/b/",
	} {
		if m, err := table.Find(
			routes.Request{Method: "GET", Target: target},
		); err != nil || m.Owner != want || m.Needs != nil {
			t.Errorf("%s: %+v, %v", target, m, err)
		}
	}
}

// An empty Owner allows any caller, so a template that comes out empty, even in part, is refused.
func TestFind_RefusesAnEmptyOwner(t *testing.T) {
	table := compile(t,
		routes.Route{Match: "/all/{users...}", Owner: "{users}"},
		routes.Route{Match: "/part/{users...}", Owner: "team-{users}"},
		routes.Route{Match: "/act/{users...}", Owner: "{users}", Action: "a.b"},
	)
	for _, target := range []string{"/all/", "/all", "/part/", "/part", "/act/", "/act"} {
		m, err := table.Find(routes.Request{Method: "GET", Target: target})
		const want = "the request can be read in more than one way: the owner is empty"
		if !errors.Is(err, routes.ErrAmbiguous) || m.Pattern != "" || err.Error() != want {
			t.Errorf("%s: %+v, %v", target, m, err)
		}
	}
}

func TestFind_ConcurrentUse(t *testing.T) {
	table := compile(t, fifty()...)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for _, target := range []string{"/api/v1/kind7/42?a=1&a=2", "/api/v1/kind7/42%2F", "/x//y"} {
				_, _ = table.Find(routes.Request{Method: "GET", Target: target})
			}
		})
	}
	all.Wait()
}

// fifty returns the routes of an API of medium size.
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
		// The most expensive request that is not refused.
		"most readings": {Method: "GET", Target: "/elsewhere/a%2Fb;c/../d/" + strings.Repeat("/e%252Ff", 30)},
		"many readings": {Method: "GET", Target: "/elsewhere/a%2Fb;c/../d//e%252Ff"},
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
