package routes_test

import (
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/auth/routes"
)

// cleanSegments are segments that every program reads alike.
var cleanSegments = rapid.SampledFrom(
	[]string{
		"a", "b", "admin", "c%20d", "%C3%A9", "é", "%61", "x", "%41%62", "...", ".x", "x.y", "a,b", "a=b&c", "@", ":",
		"+", "!", "~", "*", "$", "{x}", "{$}",
	},
)

var cleanPaths = rapid.Custom(func(t *rapid.T) string {
	path := "/" + strings.Join(rapid.SliceOfN(cleanSegments, 0, 4).Draw(t, "segments"), "/")
	if len(path) > 1 && rapid.Bool().Draw(t, "slash") {
		path += "/"
	}
	return path
})

// acting returns routes of patterns. Their action makes the values of wildcards visible.
func acting(patterns []string) []routes.Route {
	entries := matches(patterns...)
	for i := range entries {
		entries[i].Action = "a.b"
	}
	return entries
}

func valuesOf(m routes.Match) map[string]string {
	if len(m.Needs) == 0 || m.Needs[0].Properties == nil {
		return map[string]string{}
	}
	return m.Needs[0].Properties
}

func TestFind_CleanPathsLikeServeMux(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		patterns := anyTable.Draw(t, "table")
		mux, served := http.NewServeMux(), answer{}
		for _, p := range patterns {
			mux.HandleFunc(p, func(_ http.ResponseWriter, r *http.Request) {
				served = answer{p, map[string]string{}}
				for _, name := range []string{"x", "y", "z", "rest"} {
					if strings.Contains(p, "{"+name) {
						served.values[name] = r.PathValue(name)
					}
				}
			})
		}
		method, path := anyMethod.Draw(t, "method"), cleanPaths.Draw(t, "path")
		w := httptest.NewRecorder()
		r := httptest.NewRequest(method, path, nil)
		mux.ServeHTTP(w, r)
		isRedirect := w.Code == http.StatusTemporaryRedirect
		if isRedirect {
			_, served.pattern = mux.Handler(r)
		}
		m, err := compile(t, acting(patterns)...).Find(routes.Request{Method: method, Target: path})
		if err != nil || m.Pattern != served.pattern || !isRedirect && !maps.Equal(valuesOf(m), served.values) {
			t.Fatalf("%s %s among %q: ServeMux %+v, Find %+v, %v", method, path, patterns, served, m, err)
		}
	})
}

func TestSpecification_IsServeMux(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		patterns := anyTable.Draw(t, "table")
		method, path := anyMethod.Draw(t, "method"), cleanPaths.Draw(t, "path")
		m, err := compile(t, acting(patterns)...).Find(routes.Request{Method: method, Target: path})
		if err != nil {
			t.Fatal(err)
		}
		a := byHand(specifyAll(patterns), method, programs["splits, then decodes"](path))
		if a.pattern != m.Pattern || !maps.Equal(a.values, valuesOf(m)) {
			t.Fatalf("%s %s among %q: by hand %+v, Find %+v", method, path, patterns, a, m)
		}
	})
}

func specifyAll(patterns []string) []*specified {
	all := make([]*specified, len(patterns))
	for i, p := range patterns {
		all[i] = specify(p)
	}
	return all
}

// oddPieces make up paths that programs read differently.
var oddPieces = rapid.SampledFrom([]string{
	"/", "/", "/", "/a", "/b", "/admin", "a", "b", "admin", "//", "/.", "/..", ".", "..", "/../",
	"%2e", "%2E%2e", "/%2e%2e/", "%2f", "%2F",
	`\`, "%5c", "%5C", ";", ";x=1", "%3b", "%3B", "%25", "%2", "%252f", "%252e", "%252e%252e%252f",
	"%255c", "%25252f", "%3f", "%3F", "%23", "%253f", "%61", "%2561", "..;", "/..;/",
})

var oddPaths = rapid.Custom(func(t *rapid.T) string {
	return "/" + strings.Join(rapid.SliceOfN(oddPieces, 1, 8).Draw(t, "pieces"), "")
})

// checkPrograms compares the result of Find with every program.
func checkPrograms(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, patterns []string, method, path string) (m routes.Match, ok bool) {
	t.Helper()
	m, err := compile(t, acting(patterns)...).Find(routes.Request{Method: method, Target: path})
	if err != nil {
		if !errors.Is(err, routes.ErrAmbiguous) || m.Pattern != "" {
			t.Fatalf("%s %s: %+v, %v", method, path, m, err)
		}
		return m, false
	}
	all := specifyAll(patterns)
	for name, program := range programs {
		segments := program(path)
		a := byHand(all, method, segments)
		if a.pattern != m.Pattern || !maps.Equal(a.values, valuesOf(m)) {
			t.Fatalf(
				"%s %s among %q: program %q reads %q and uses %+v; Find returns %+v", method, path, patterns, name,
				segments, a, m,
			)
		}
	}
	return m, true
}

// This is the purpose of the package: however a program behind the gate reads the path, it uses the route
// that Find returns.
func TestFind_NoProgramUsesAnotherRoute(t *testing.T) {
	seen := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		patterns := anyTable.Draw(t, "table")
		m, ok := checkPrograms(t, patterns, anyMethod.Draw(t, "method"), oddPaths.Draw(t, "path"))
		switch {
		case !ok:
			seen["ambiguous"]++
		case m.Pattern == "":
			seen["nothing"]++
		default:
			seen["a route"]++
		}
	})
	if len(seen) < 3 {
		t.Fatalf("never seen: %v", seen)
	}
}

// A request passes without a caller only if every program behind the gate uses an anonymous route.
func TestFind_NoProgramLeavesAnonymousRoute(t *testing.T) {
	seen := map[bool]int{}
	rapid.Check(t, func(t *rapid.T) {
		patterns := anyTable.Draw(t, "table")
		entries, isAnonymous := matches(patterns...), map[string]bool{}
		for i := range entries {
			entries[i].Anonymous = rapid.Bool().Draw(t, "anonymous")
			isAnonymous[entries[i].Match] = entries[i].Anonymous
		}
		method, path := anyMethod.Draw(t, "method"), oddPaths.Draw(t, "path")
		m, err := compile(t, entries...).Find(routes.Request{Method: method, Target: path})
		if err == nil {
			seen[m.Anonymous]++
		}
		for name, program := range programs {
			a := byHand(specifyAll(patterns), method, program(path))
			if m.Anonymous && !isAnonymous[a.pattern] {
				t.Fatalf("%s %s among %v: program %q uses %q", method, path, entries, name, a.pattern)
			}
		}
	})
	if seen[true] == 0 || seen[false] == 0 {
		t.Fatalf("seen %v", seen)
	}
}

func FuzzFind(f *testing.F) {
	for _, trick := range tricks {
		f.Add("GET", "app.example", trick)
	}
	f.Add("OPTIONS", "APP.example.:443", "*")
	f.Add("get", "[::1]:80", "/admin/x?a=1&a=2&b=%41")
	f.Add("HEAD", "a b", "/public/é/%C3%A9?a;b")
	patterns := []string{
		"/admin/{x}", "/admin/", "GET /public/{x}/{rest...}", "/{x}", "/b/{x}/c", "/b/{rest...}", "POST /public/",
	}
	entries := append(
		acting(patterns), routes.Route{Match: "app.example/keys/{user}/", Owner: "{user}"},
		routes.Route{Match: "GET app.example/d/{path...}", Action: "a.b", Resource: "d:{path}"},
	)
	table := compile(f, entries...)
	f.Fuzz(func(t *testing.T, method, host, target string) {
		m, err := table.Find(routes.Request{Method: method, Host: host, Target: target})
		switch {
		case err != nil && (!errors.Is(err, routes.ErrAmbiguous) || m.Pattern != ""):
			t.Fatalf("got %+v, %v", m, err)
		case err == nil && strings.Contains(m.Pattern, "keys") && m.Owner == "":
			t.Fatal("a route with an owner allows any caller")
		case err == nil && (len(m.Needs) > 16 || strings.Contains(m.Pattern, "app.example/d/") && m.Needs == nil):
			t.Fatalf("%d needs", len(m.Needs))
		}
		path, _, _ := strings.Cut(target, "?")
		if u, err := url.ParseRequestURI(path); err == nil && u.Host == "" && strings.HasPrefix(path, "/") {
			checkPrograms(t, patterns, "GET", path)
		}
	})
}
