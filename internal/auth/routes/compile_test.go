package routes_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/auth/routes"
)

func compile(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, entries ...routes.Route) *routes.Table {
	t.Helper()
	table, err := routes.Compile(entries)
	if err != nil {
		t.Fatalf("not compiled: %v", err)
	}
	return table
}

func matches(patterns ...string) []routes.Route {
	entries := make([]routes.Route, len(patterns))
	for i, p := range patterns {
		entries[i].Match = p
	}
	return entries
}

func TestCompile_AcceptsPatternsOfServeMux(t *testing.T) {
	for _, entries := range [][]routes.Route{
		nil,
		matches("/"),
		matches("/{$}", "/{path...}"),
		matches("GET /a", "HEAD /a", "POST /a", "/a", "/a/", "/a/{$}", "/a/{id}", "/a/b"),
		matches("GET\t /a", " /b"),
		matches("M-SEARCH /a"),
		matches("app.example.com/a", "GET app.example.com/a", "other/a", "[::1]/a", "192.0.2.1/a", "/a"),
		matches(
			"/caf%C3%A9/{größe}", "/straße/", "/a%20b/~c", "/%61bc", "/.well-known/x", "/a,b=c@d:e+f&g!'()*", "/100%25",
			"/...", "/%",
		),
		matches("/" + strings.Repeat("a", 511)),
		{{Match: "/a", Action: "certs.read"}},
		{{Match: "/a", Action: "dashboard:View", Resource: "*"}},
		{{Match: "/a", Action: "a-b:c_d.1", Resource: "certificate:*"}},
		{{Match: "/a", Owner: "alice"}},
		{{Match: "/{a}/{b}/{c...}", Action: "a.b", Resource: "x:{a}-{b}/{c}", Owner: "{b}"}},
		{{Match: "/{a}", Action: "a.b", Resource: "{a}"}},
		{{Match: "/{a}", Action: "a.b", Resource: "{a}:{a}"}},
		{{Match: "OPTIONS /", Anonymous: true}, {Match: "GET /{a}/", Anonymous: true}, {Match: "POST /", Action: "a.b"}},
	} {
		table := compile(t, entries...)
		if table.Len() != len(entries) {
			t.Errorf("%d routes of %v", table.Len(), entries)
		}
	}
}

func TestCompile_DescribesTheFault(t *testing.T) {
	const notPattern = "match is not a pattern of Go's http.ServeMux: "
	const unmatchable = `never matches a request: write its path without // . .. ; \ and without encoded / ? # %`
	for name, c := range map[string]struct {
		entry routes.Route
		want  string
	}{
		"nothing": {routes.Route{}, "route 1: match is empty: write a pattern such as GET /devices/{id}"},
		"no path": {
			routes.Route{Match: "GET"},
			"route 1 (GET): " + notPattern + "at offset 0: host/path missing /",
		},
		"no slash": {
			routes.Route{Match: "GET a"},
			"route 1 (GET a): " + notPattern + "at offset 4: host/path missing /",
		},
		"method": {
			routes.Route{Match: "GÉT /a"},
			"route 1 (GÉT /a): " + notPattern + `at offset 0: invalid method "GÉT"`,
		},
		"lower case": {
			routes.Route{Match: "get /a"}, "route 1 (get /a): match has the method get: write it in upper case",
		},
		"CONNECT": {
			routes.Route{Match: "CONNECT /a"},
			"route 1 (CONNECT /a): match has the method CONNECT, whose requests have no path",
		},
		"open brace": {
			routes.Route{Match: "/a/{id"},
			"route 1 (/a/{id): " + notPattern + "at offset 3: bad wildcard segment (must end with '}')",
		},
		"part of a segment": {
			routes.Route{Match: "/a/x{id}"},
			"route 1 (/a/x{id}): " + notPattern + "at offset 3: bad wildcard segment (must start with '{')",
		},
		"wildcard twice": {
			routes.Route{Match: "/{a}/{a}"},
			"route 1 (/{a}/{a}): " + notPattern + `at offset 5: duplicate wildcard name "a"`,
		},
		"rest in the middle": {
			routes.Route{Match: "/{a...}/b"},
			"route 1 (/{a...}/b): " + notPattern + "at offset 1: {...} wildcard not at end",
		},
		"host with a port": {
			routes.Route{Match: "a.example:8080/x"},
			"route 1 (a.example:8080/x): match has the host a.example:8080: write it as a.example",
		},
		"host in upper case": {
			routes.Route{Match: "A.example/x"},
			"route 1 (A.example/x): match has the host A.example: write it as a.example",
		},
		"host with a dot": {
			routes.Route{Match: "a.example./x"},
			"route 1 (a.example./x): match has the host a.example.: write it as a.example",
		},
		"no host": {
			routes.Route{Match: "*.example/x"},
			"route 1 (*.example/x): match has the host *.example, which is not a host name",
		},
		"host by its letters": {
			routes.Route{Match: "straße.example/x"},
			"route 1 (straße.example/x): match has the host straße.example, which is not a host name",
		},
		"unclean": {
			routes.Route{Match: "GET /a/../b"},
			"route 1 (GET /a/../b): " + notPattern + "at offset 4: non-CONNECT pattern with unclean path can never match",
		},
		"slashes":       {routes.Route{Match: "/a//b"}, "route 1 (/a//b): match " + unmatchable},
		"dots":          {routes.Route{Match: "/a/../b"}, "route 1 (/a/../b): match " + unmatchable},
		"parameter":     {routes.Route{Match: "/a;b"}, "route 1 (/a;b): match " + unmatchable},
		"backslash":     {routes.Route{Match: `/a\b`}, `route 1 ("/a\\b"): match ` + unmatchable},
		"query":         {routes.Route{Match: "/a?b=c"}, "route 1 (/a?b=c): match " + unmatchable},
		"encoded slash": {routes.Route{Match: "/a%2Fb"}, "route 1 (/a%2Fb): match " + unmatchable},
		"encoded twice": {routes.Route{Match: "/a%2541"}, "route 1 (/a%2541): match " + unmatchable},
		"NUL":           {routes.Route{Match: "/a\x00"}, `route 1 ("/a\x00"): match ` + unmatchable},
		"line end":      {routes.Route{Match: "/a\nb"}, `route 1 ("/a\nb"): match ` + unmatchable},
		"not UTF-8":     {routes.Route{Match: "/\xff"}, `route 1 ("/\xff"): match ` + unmatchable},
		"too long": {
			routes.Route{Match: "/" + strings.Repeat("a", 512)},
			"route 1 (/" + strings.Repeat("a", 79) + "…): match is longer than 512 bytes",
		},
		"any action": {
			routes.Route{Match: "/a", Action: "*"},
			"route 1 (/a): action can't be *: a request is one action, such as certs.read",
		},
		"action of one word": {
			routes.Route{Match: "/a", Action: "read"},
			"route 1 (/a): action read is not of the form certs.read or dashboard:View",
		},
		"action with a line": {
			routes.Route{Match: "/a", Action: "certs.read\n"},
			`route 1 (/a): action "certs.read\n" is not of the form certs.read or dashboard:View`,
		},
		"action with {}": {
			routes.Route{Match: "/{a}", Action: "certs.{a}"},
			"route 1 (/{a}): action certs.{a} is not of the form certs.read or dashboard:View",
		},
		"action too long": {
			routes.Route{Match: "/a", Action: "a." + strings.Repeat("b", 62)},
			"route 1 (/a): action is longer than 63 characters",
		},
		"anonymous with an action": {
			routes.Route{Match: "/a", Anonymous: true, Action: "a.b"},
			"route 1 (/a): anonymous contradicts action: a caller without a credential is allowed no action",
		},
		"anonymous with an owner": {
			routes.Route{Match: "/{a}", Anonymous: true, Owner: "{a}"},
			"route 1 (/{a}): anonymous contradicts owner: a caller without a credential owns nothing",
		},
		"anonymous with a resource": {
			routes.Route{Match: "/a", Anonymous: true, Resource: "a:b"},
			"route 1 (/a): action is missing: a resource needs one",
		},
		"resource alone": {
			routes.Route{Match: "/a", Resource: "a:b"}, "route 1 (/a): action is missing: a resource needs one",
		},
		"resource's form": {
			routes.Route{Match: "/a", Action: "a.b", Resource: "device"},
			"route 1 (/a): resource device is neither of the form device:{id} nor *",
		},
		"resource's kind": {
			routes.Route{Match: "/{a}", Action: "a.b", Resource: "*:{a}"},
			"route 1 (/{a}): resource *:{a} is neither of the form device:{id} nor *",
		},
		"resource with space": {
			routes.Route{Match: "/a", Action: "a.b", Resource: "a: b"},
			"route 1 (/a): resource has spaces or control characters",
		},
		"resource too long": {
			routes.Route{Match: "/a", Action: "a.b", Resource: "a:" + strings.Repeat("b", 511)},
			"route 1 (/a): resource is longer than 512 bytes",
		},
		"resource not UTF-8": {
			routes.Route{Match: "/a", Action: "a.b", Resource: "a:\xff"}, "route 1 (/a): resource is not UTF-8",
		},
		"unknown wildcard": {
			routes.Route{Match: "/{a}/{b...}", Action: "a.b", Resource: "a:{c}"},
			"route 1 (/{a}/{b...}): resource names the wildcard {c}, but the pattern has {a}, {b}",
		},
		"pattern without wildcards": {
			routes.Route{Match: "/a/", Owner: "{user}"},
			"route 1 (/a/): owner names the wildcard {user}, but the pattern has none",
		},
		"dots of the rest": {
			routes.Route{Match: "/{b...}", Owner: "{b...}"},
			"route 1 (/{b...}): owner names the wildcard {b...}, but the pattern has {b}",
		},
		"the end": {
			routes.Route{Match: "/{a}/{$}", Owner: "{$}"},
			"route 1 (/{a}/{$}): owner names the wildcard {$}, but the pattern has {a}",
		},
		"empty braces": {
			routes.Route{Match: "/{a}/", Owner: "{}"},
			"route 1 (/{a}/): owner names the wildcard {}, but the pattern has {a}",
		},
		"never closed": {routes.Route{Match: "/{a}", Owner: "{a"}, "route 1 (/{a}): owner has a { without }"},
		"never opened": {routes.Route{Match: "/{a}", Owner: "{a}}"}, "route 1 (/{a}): owner has a } without {"},
		"opened twice": {routes.Route{Match: "/{a}", Owner: "{{a}}"}, "route 1 (/{a}): owner has a { without }"},
		"owner of space": {
			routes.Route{Match: "/{a}", Owner: " "}, "route 1 (/{a}): owner has spaces or control characters",
		},
	} {
		t.Run(name, func(t *testing.T) {
			table, err := routes.Compile([]routes.Route{c.entry})
			if err == nil || table != nil {
				t.Fatalf("compiled to %v", table)
			}
			if err.Error() != c.want {
				t.Fatalf("got   %s\nwant  %s", err, c.want)
			}
		})
	}
}

func TestCompile_RefusesOverlappingPatterns(t *testing.T) {
	for name, c := range map[string]struct {
		first, second, common string
	}{
		"twice":                           {"GET /a/{id}", "GET /a/{id}", "GET /a/x"},
		"by another name":                 {"GET /a/{id}", "GET /a/{name}", "GET /a/x"},
		"by another spelling":             {"GET /a/b", "GET  /a/%62", "GET /a/b"},
		"rest by another name":            {"/a/", "/a/{rest...}", "/a/"},
		"wildcards in different segments": {"/a/{x}", "/{x}/b", "/a/b"},
		"methods against paths":           {"GET /{x...}", "/a", "GET /a"},
		"paths against methods":           {"/a", "GET /", "GET /a"},
		"HEAD is GET too":                 {"GET /a", "HEAD /{x}", "HEAD /a"},
		"the rest against a part":         {"/a/{x...}", "/{x}/b/c", "/a/b/c"},
		"the end":                         {"/{x}/{$}", "/a/", "/a/"},
		"the end against a rest":          {"/{x}/{$}", "/a/{rest...}", "/a/"},
		"a rest against the end":          {"/a/{rest...}", "/{x}/{$}", "/a/"},
		"with a host":                     {"GET h.example/a/{x}", "h.example/{x}/b", "GET h.example/a/b"},
		"what needs an escape":            {"/a%20b/{x}", "/{x}/é", "/a%20b/%C3%A9"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := routes.Compile(matches("POST /other", c.first, c.second))
			want := fmt.Sprintf(
				"route 3 (%s): match overlaps with route 2 (%s): both match %s, and neither is more specific", c.second,
				c.first, c.common,
			)
			if err == nil || err.Error() != want {
				t.Fatalf("got   %v\nwant  %s", err, want)
			}
		})
	}
}

func TestCompile_ReportsEveryFault(t *testing.T) {
	_, err := routes.Compile([]routes.Route{
		{Match: "GET /{id}", Action: "*", Resource: "x:{a}", Owner: "}"},
		{Match: "{"},
		{Match: "GET /ok"},
		{Match: "GET /{name}", Action: "read"},
	})
	want := strings.Join([]string{
		"route 1 (GET /{id}): action can't be *: a request is one action, such as certs.read",
		"route 1 (GET /{id}): resource names the wildcard {a}, but the pattern has {id}",
		"route 1 (GET /{id}): owner has a } without {",
		"route 2 ({): match is not a pattern of Go's http.ServeMux: at offset 0: host/path missing /",
		"route 4 (GET /{name}): action read is not of the form certs.read or dashboard:View",
		"route 4 (GET /{name}): match overlaps with route 1 (GET /{id}): both match GET /x, and neither is more specific",
	}, "\n")
	if err == nil || err.Error() != want {
		t.Fatalf("got\n%v\nwant\n%s", err, want)
	}
}

func TestCompile_BoundsTheTable(t *testing.T) {
	entries := make([]routes.Route, 257)
	for i := range entries {
		entries[i].Match = fmt.Sprintf("/%d/{id}", i)
	}
	if _, err := routes.Compile(entries); err == nil || err.Error() != "there are 257 routes; the maximum is 256" {
		t.Fatalf("got %v", err)
	}
	if table := compile(t, entries[:256]...); table.Len() != 256 {
		t.Fatalf("%d routes", table.Len())
	}
}

// ServeMux decides whether two patterns overlap. The example in the error must match both.
func TestCompile_ExampleOfAnOverlapMatchesBothPatterns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first, second := anyPattern.Draw(t, "first"), anyPattern.Draw(t, "second")
		_, err := routes.Compile(matches(first, second))
		if overlap := overlaps(first, second); overlap != (err != nil) {
			t.Fatalf("ServeMux: %t, Compile: %v", overlap, err)
		}
		if err == nil {
			return
		}
		_, rest, _ := strings.Cut(err.Error(), "both match ")
		example, _, _ := strings.Cut(rest, ", and")
		method, target, found := strings.Cut(example, " ")
		if !found {
			method, target = "PUT", example
		}
		host, path, _ := strings.Cut(target, "/")
		for _, p := range []string{first, second} {
			m, err := compile(t, matches(p)...).Find(routes.Request{Method: method, Host: host, Target: "/" + path})
			if err != nil || m.Pattern != p {
				t.Fatalf("%s does not match %s: %v", p, example, err)
			}
		}
	})
}

func overlaps(first, second string) (overlap bool) {
	defer func() { overlap = recover() != nil }()
	mux := http.NewServeMux()
	mux.Handle(first, http.NotFoundHandler())
	mux.Handle(second, http.NotFoundHandler())
	return false
}

func FuzzCompile(f *testing.F) {
	f.Add("GET /a/{id}", "certs.read", "device:{id}", "", "GET /{x}/b", false)
	f.Add("h.example/{user}/{path...}", "", "", "{user}", "/", true)
	f.Add("/a//b", "*", "{", "}", "{", true)
	f.Add("/{$}", "a:b", "{$}", "{}", "/ /", false)
	f.Add(" /%zz/\xff", "a", " ", "\n", "CONNECT /", true)
	f.Fuzz(func(t *testing.T, match, action, resource, owner, other string, anonymous bool) {
		table, err := routes.Compile([]routes.Route{
			{Match: match, Action: action, Resource: resource, Owner: owner, Anonymous: anonymous}, {Match: other},
		})
		if err == nil {
			if table.Len() != 2 || overlaps(match, other) || table.HasAnonymous() != anonymous ||
				anonymous && action+owner != "" {
				t.Fatalf("compiled %q and %q", match, other)
			}
			return
		}
		if len(err.Error()) > 8<<10 {
			t.Errorf("%d bytes of text", len(err.Error()))
		}
		for line := range strings.SplitSeq(err.Error(), "\n") {
			if !strings.HasPrefix(line, "route 1") && !strings.HasPrefix(line, "route 2") || strings.Contains(line, ".go:") {
				t.Errorf("unexpected line %q", line)
			}
		}
	})
}
