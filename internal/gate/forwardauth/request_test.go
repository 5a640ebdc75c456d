package forwardauth

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// headers parses header lines, "Name: value".
func headers(lines ...string) http.Header {
	header := http.Header{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		header.Add(name, value)
	}
	return header
}

func TestGateRequest_FromEachGateway(t *testing.T) {
	for name, c := range map[string]struct {
		method string
		header http.Header
		want   [3]string // method, host and target
	}{
		"nothing":        {"GET", headers(), [3]string{}},
		"asked by HEAD":  {"HEAD", headers(), [3]string{}},
		"its own method": {"DELETE", headers(), [3]string{"DELETE"}},
		"nginx, Caddy": {
			"GET", headers("X-Forwarded-Method: PUT", "X-Forwarded-Host: app.example:8443", "X-Forwarded-Uri: /a?b=c"),
			[3]string{"PUT", "app.example:8443", "/a?b=c"},
		},
		"Traefik, with the method kept": {
			"PUT",
			headers(
				"X-Forwarded-Method: PUT", "X-Forwarded-Host: app.example", "X-Forwarded-Uri: /a", "X-Forwarded-Proto: https",
			),
			[3]string{"PUT", "app.example", "/a"},
		},
		"ingress-nginx": {
			"GET", headers("X-Original-Method: PUT", "X-Original-URL: https://app.example/a?b=c"),
			[3]string{"PUT", "app.example", "/a?b=c"},
		},
		"as in many a tutorial": {
			"GET", headers("X-Original-URI: /a?b=c", "X-Original-Method: PUT"), [3]string{"PUT", "", "/a?b=c"},
		},
		"both, and they agree": {
			"GET", headers(
				"X-Forwarded-Method: GET", "X-Forwarded-Uri: /a", "X-Forwarded-Host: app.example", "X-Original-Method: GET",
				"X-Original-URI: /a", "X-Original-URL: http://app.example/a",
			), [3]string{"GET", "app.example", "/a"},
		},
		"every header twice": {
			"GET", headers("X-Forwarded-Method: GET", "X-Forwarded-Method: GET", "X-Forwarded-Uri: /a", "X-Forwarded-Uri: /a"),
			[3]string{"GET", "", "/a"},
		},
		"empty values are ignored": {
			"GET",
			headers(
				"X-Forwarded-Method: ", "X-Original-Method: PUT", "X-Forwarded-Uri: ", "X-Original-URL: /a", "X-Forwarded-Host: ",
			),
			[3]string{"PUT", "", "/a"},
		},
		"only empty values": {
			"GET", headers("X-Forwarded-Method: ", "X-Forwarded-Uri: ", "X-Original-URL: "), [3]string{},
		},
		"an absolute URL": {
			"GET", headers("X-Forwarded-Uri: http://app.example/a"), [3]string{"", "app.example", "/a"},
		},
		"scheme in any case": {
			"GET", headers("X-Original-URL: HTTPS://app.example/a"), [3]string{"", "app.example", "/a"},
		},
		"without a path": {
			"GET", headers("X-Original-URL: https://app.example"), [3]string{"", "app.example", "/"},
		},
		"query without a path": {
			"GET", headers("X-Original-URL: https://app.example?a=/b"), [3]string{"", "app.example", "/?a=/b"},
		},
		"fragment without a path": {
			"GET", headers("X-Original-URL: https://app.example#a"), [3]string{"", "app.example", "/#a"},
		},
		"an address": {
			"GET", headers("X-Original-URL: https://[::1]:8443/a"), [3]string{"", "[::1]:8443", "/a"},
		},
		"without a host": {"GET", headers("X-Original-URL: https:///a"), [3]string{"", "", "/a"}},
		"no character is changed": {
			"GET", headers("X-Original-URL: https://h/%2e%2E//a;b?c=%zz#d"), [3]string{"", "h", "/%2e%2E//a;b?c=%zz#d"},
		},
		"a URL within the path": {
			"GET", headers("X-Forwarded-Uri: /http://other/b"), [3]string{"", "", "/http://other/b"},
		},
		"a path that begins like a host": {"GET", headers("X-Forwarded-Uri: //other/b"), [3]string{"", "", "//other/b"}},
		"the server itself": {
			"GET", headers("X-Forwarded-Method: OPTIONS", "X-Forwarded-Uri: *"), [3]string{"OPTIONS", "", "*"},
		},
		"other headers": {
			"GET", headers("X-Forwarded-Path: /a", "X-Rewrite-URL: /b", "X-Http-Method-Override: GET", "Forwarded: host=c"),
			[3]string{},
		},
		"in other spellings": {
			"GET", http.Header{"X_forwarded_uri": {"/a"}, "x-forwarded-method": {"GET"}}, [3]string{},
		},
		"a method that is not a token": {"GET", headers("X-Forwarded-Method: GET, POST"), [3]string{"GET, POST"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, "http://keywright/auth?a=b", nil)
			r.Header = c.header
			a := gateRequest(r)
			if got := [3]string{a.Method, a.Host, a.Target}; got != c.want || a.Contradictory {
				t.Errorf("got %q, contradictory: %t, want %q", got, a.Contradictory, c.want)
			}
		})
	}
}

func TestGateRequest_Contradictory(t *testing.T) {
	for name, c := range map[string]struct {
		method string
		header http.Header
	}{
		"two methods":             {"GET", headers("X-Forwarded-Method: GET", "X-Original-Method: PUT")},
		"two methods of one name": {"GET", headers("X-Forwarded-Method: GET", "X-Forwarded-Method: PUT")},
		"two methods, one an empty one": {
			"GET", headers("X-Forwarded-Method: ", "X-Forwarded-Method: GET", "X-Original-Method: PUT"),
		},
		"methods in different cases":         {"GET", headers("X-Forwarded-Method: GET", "X-Original-Method: get")},
		"asked by another method":            {"DELETE", headers("X-Forwarded-Method: GET")},
		"asked by a third method":            {"POST", headers("X-Original-Method: GET")},
		"two targets":                        {"GET", headers("X-Forwarded-Uri: /a", "X-Original-URI: /b")},
		"two targets, one a URL":             {"GET", headers("X-Forwarded-Uri: /a", "X-Original-URL: https://h/b")},
		"two targets of one name":            {"GET", headers("X-Forwarded-Uri: /a", "X-Forwarded-Uri: /b")},
		"targets alike":                      {"GET", headers("X-Forwarded-Uri: /a", "X-Original-URI: /%61")},
		"targets but for the query":          {"GET", headers("X-Forwarded-Uri: /a?b", "X-Original-URI: /a")},
		"two hosts":                          {"GET", headers("X-Forwarded-Host: h", "X-Original-URL: https://g/a")},
		"two hosts of one name":              {"GET", headers("X-Forwarded-Host: h", "X-Forwarded-Host: g")},
		"two hosts in two URLs":              {"GET", headers("X-Original-URI: https://g/a", "X-Original-URL: https://h/a")},
		"no target":                          {"GET", headers("X-Forwarded-Uri: a")},
		"no URL that has a host":             {"GET", headers("X-Forwarded-Uri: mailto:a")},
		"another scheme":                     {"GET", headers("X-Forwarded-Uri: ftp://h/a")},
		"an empty scheme":                    {"GET", headers("X-Forwarded-Uri: ://h/a")},
		"a query alone":                      {"GET", headers("X-Forwarded-Uri: ?a")},
		"an invalid host":                    {"GET", headers("X-Original-URL: https://h%zz/a")},
		"a host without its closing bracket": {"GET", headers("X-Original-URL: https://[::1/a")},
		"a good one and a bad one":           {"GET", headers("X-Forwarded-Uri: /a", "X-Original-URL: b")},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, "http://keywright/auth", nil)
			r.Header = c.header
			if a := gateRequest(r); !a.Contradictory {
				t.Errorf("read as %s %s%s", a.Method, a.Host, a.Target)
			}
		})
	}
}
