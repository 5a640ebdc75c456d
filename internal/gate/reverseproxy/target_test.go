package reverseproxy_test

import (
	"net/http"
	"strings"
	"testing"

	"keywright.dev/keywright/internal/auth/routes"
	"keywright.dev/keywright/internal/config"
)

func TestTarget_ReachesAppUnchanged(t *testing.T) {
	same := []string{
		"/", "/a", "/a/", "//", "//a//b", "///", "/a/../b", "/./a", "/%2e%2e/a", "/a%2fb%2Fc", "/%41", "/a;b=c/d", "/a:b@c",
		"/:80",
		"/?", "/??", "/a?", "/a??b?", "/a?b=c&d", "/a?b;c", "/a?%zz&b=%", "/a?b=../c", "//a?b", "//app.example/x",
		"/a?http://x",
		"/ü", "/\xff\xfe", "/a\"b", "/{x}<y>|^`\\",
		"/a#b", "/a?b#c", "/%C3%BC", "/%00", "/a+b%20c", "/~!$&'()*,", "/http://x/y", "/*",
		"/?" + strings.Repeat("a&", 10_001),
	}
	app, asked := recorder()
	h := newFixture(t, app, options{})
	for _, target := range same {
		if got := h.say(t, request("GET "+target)); got.StatusCode != http.StatusOK {
			t.Errorf("%q: %d %s", target, got.StatusCode, got.body)
			continue
		}
		if r := <-asked; r.RequestURI != target {
			t.Errorf("the app got %.60q for %.60q", r.RequestURI, target)
		}
	}
}

func TestTarget_Forms(t *testing.T) {
	const (
		host   = "The request's host can't be used"
		target = "The request's target can't be used"
		tunnel = "CONNECT is not supported"
	)
	for _, c := range []struct {
		line, host string
		// want is the target at the app, or the error.
		want   string
		status int
	}{
		{"GET http://other.example/a%2fb?c", "app.example", "/a%2fb?c", 200},
		{"GET HTTPS://other.example/a", "app.example", "/a", 200},
		{"GET http://other.example", "app.example", "/", 200},
		{"GET http://other.example?a=/b", "app.example", "/?a=/b", 200},
		{"GET http://other.example//a/../b", "app.example", "//a/../b", 200},
		{"GET http://other.example:80/", "app.example", "/", 200},
		{"GET http://[::1]:80/", "app.example", "/", 200},
		{"OPTIONS http://other.example", "app.example", "*", 200},
		{"OPTIONS *", "app.example", "*", 200},
		{"GET *", "app.example", target, 400},
		{"GET http://user@other.example/", "app.example", host, 400},
		{"GET http://user:password@other.example/", "app.example", host, 400},
		{"GET http:///a", "app.example", host, 400},
		{"GET http:a", "app.example", target, 400},
		{"GET ftp://other.example/", "app.example", target, 400},
		{"GET http://%C3%BC.example/", "app.example", host, 400},
		{"GET http://[fe80::1%25eth0]/", "app.example", host, 400},
		{"GET /", "[fe80::1%eth0]", host, 400},
		{"GET /", "a%41.example", host, 400},
		{"GET /", "", host, 400},
		{`GET //a"b`, "app.example", target, 400},
		{"CONNECT other.example:443", "app.example", tunnel, 403},
		{"CONNECT app.example", "app.example", tunnel, 403},
		{"CONNECT /a", "app.example", tunnel, 403},
		{"CONNECT http://other.example/", "app.example", tunnel, 403},
	} {
		app, asked := recorder()
		h := newFixture(t, app, options{})
		got := h.say(t, strings.Replace(request(c.line), "app.example", c.host, strings.Count(c.line, "app.example")+1))
		switch {
		case got.StatusCode != c.status:
			t.Errorf("%s: %d %s", c.line, got.StatusCode, got.body)
		case c.status != 200:
			never(t, asked)
			if !strings.Contains(got.body, `"what":"`+c.want+`"`) {
				t.Errorf("%s: %s", c.line, got.body)
			}
		default:
			r := <-asked
			if r.RequestURI != c.want {
				t.Errorf("%s: the app got %s", c.line, r.RequestURI)
			}
			if strings.Contains(c.line, "other.example") && !strings.HasPrefix(r.Host, "other.example") {
				t.Errorf("%s: host %s: the target's counts before the header's", c.line, r.Host)
			}
		}
	}
}

func TestTarget_FollowsBasePath(t *testing.T) {
	for _, c := range []struct{ path, target, want string }{
		{"/", "/a", "/a"},
		{"/base", "/a%2fb?c", "/base/a%2fb?c"},
		{"/base/", "/", "/base/"},
		{"/base/", "//a", "/base//a"},
		{"/b%2fse", `/a"b`, `/b%2fse/a"b`},
		{"/base", "http://app.example?a", "/base/?a"},
		{"/base", "/a..b/...", "/base/a..b/..."},
		{"/base", "/a?b=../c", "/base/a?b=../c"},
		// There may be other apps above the base.
		{"/base", "/..", ""},
		{"/base", "/a/../../b", ""},
		{"/base", "/%2E%2e/b", ""},
		{"/base", "/a/..;x=y/b", ""},
		{"/base", "/a%2f..%2f..%2fb", ""},
		{"/base", `/..\b`, ""},
		{"/base", "http://app.example/../b", ""},
		{"/", "/../b", "/../b"},
	} {
		app, asked := recorder()
		h := newFixture(t, app, options{path: c.path})
		got := h.say(t, request("GET "+c.target))
		if c.want == "" {
			never(t, asked)
			if got.StatusCode != http.StatusBadRequest {
				t.Errorf("%s: %d", c.target, got.StatusCode)
			}
			continue
		}
		if got.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", c.target, got.StatusCode, got.body)
			continue
		}
		if r := <-asked; r.RequestURI != c.want {
			t.Errorf("%s: the app got %s, want %s", c.target, r.RequestURI, c.want)
		}
	}
}

// The gate decides on the target that the app gets, in whichever form it was sent.
func TestTarget_RouteMatchesWhatTheAppGets(t *testing.T) {
	app, asked := recorder()
	h := newFixture(t, app, options{path: "/base", runtime: config.Runtime{Routes: []routes.Route{
		{Match: "other.example/a", Owner: "bob"}, {Match: "/base/", Owner: "bob"},
	}}})
	for line, want := range map[string]int{
		"GET /a": 200, "GET http://other.example/a": 403, "GET http://app.example/a": 200, "GET /base/a": 403,
	} {
		if got := h.say(t, as(ci, line)); got.StatusCode != want {
			t.Errorf("%s: %d, want %d", line, got.StatusCode, want)
		}
		if want == http.StatusOK {
			<-asked
		}
	}
	never(t, asked)
}
