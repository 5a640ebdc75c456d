package routes_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/routes"
)

func TestFind_Needs(t *testing.T) {
	table := compile(t,
		routes.Route{Match: "GET /certs", Action: "certs.read"},
		routes.Route{Match: "/certs/{id}", Action: "certs.write", Resource: "certificate:{id}"},
		routes.Route{Match: "/all", Action: "dashboard:View", Resource: "certificate:*"},
		routes.Route{Match: "/{kind}/{id}/{path...}", Action: "any.thing", Resource: "{kind}:{id}/{path}"},
		routes.Route{Match: "/free/{id}"},
	)
	type props = map[string]string
	for target, want := range map[string][]access.Request{
		"/certs":                   {{Action: "certs.read", Resource: "*"}},
		"/certs?":                  {{Action: "certs.read", Resource: "*"}},
		"/certs?env=prod&x=":       {{Action: "certs.read", Resource: "*", Properties: props{"env": "prod", "x": ""}}},
		"/certs?x&&y=%0A+%2B%3B=&": {{Action: "certs.read", Resource: "*", Properties: props{"x": "", "y": "\n +;="}}},
		"/certs?%C3%A9=%c3%a9&é=é": {{Action: "certs.read", Resource: "*", Properties: props{"é": "é"}}},
		"/certs?a=1?b=2/../":       {{Action: "certs.read", Resource: "*", Properties: props{"a": "1?b=2/../"}}},
		"/certs?a=1&a=1":           {{Action: "certs.read", Resource: "*", Properties: props{"a": "1"}}},
		"/certs?a=2&b=3&a=1&a=2": {
			{Action: "certs.read", Resource: "*", Properties: props{"a": "1", "b": "3"}},
			{Action: "certs.read", Resource: "*", Properties: props{"a": "2", "b": "3"}},
		},
		"/certs?b=2&a=1&b=1&a=&c": {
			{Action: "certs.read", Resource: "*", Properties: props{"a": "", "b": "1", "c": ""}},
			{Action: "certs.read", Resource: "*", Properties: props{"a": "", "b": "2", "c": ""}},
			{Action: "certs.read", Resource: "*", Properties: props{"a": "1", "b": "1", "c": ""}},
			{Action: "certs.read", Resource: "*", Properties: props{"a": "1", "b": "2", "c": ""}},
		},
		"/certs/42": {{Action: "certs.write", Resource: "certificate:42", Properties: props{"id": "42"}}},
		"/certs/4%202?id=1&id=2&ID=3": {
			{Action: "certs.write", Resource: "certificate:4 2", Properties: props{"id": "4 2", "ID": "3"}},
		},
		"/certs/*": {{Action: "certs.write", Resource: "certificate:*", Properties: props{"id": "*"}}},
		"/all":     {{Action: "dashboard:View", Resource: "certificate:*"}},
		"/a/b/": {
			{Action: "any.thing", Resource: "a:b/", Properties: props{"kind": "a", "id": "b", "path": ""}},
		},
		"/a/b/c/d/": {
			{Action: "any.thing", Resource: "a:b/c/d/", Properties: props{"kind": "a", "id": "b", "path": "c/d/"}},
		},
		"/a/b/c%2Fd": {
			{Action: "any.thing", Resource: "a:b/c/d", Properties: props{"kind": "a", "id": "b", "path": "c/d"}},
		},
		"/free/1?a=1&a=2&%zz;": nil,
	} {
		m, err := table.Find(routes.Request{Method: "GET", Target: target})
		if err != nil || m.Pattern == "" || !reflect.DeepEqual(m.Needs, want) {
			t.Errorf("%s: %+v, %v", target, m, err)
		}
	}
}

func TestFind_RefusesAmbiguousQueriesOfActions(t *testing.T) {
	table := compile(t, routes.Route{Match: "/act", Action: "a.b"}, routes.Route{Match: "/free"})
	for query, want := range map[string]string{
		"a=%":                     "the query can't be parsed",
		"a=%zz":                   "the query can't be parsed",
		"%4=a":                    "the query can't be parsed",
		"a=1;b=2":                 "the query can't be parsed",
		"a=%00":                   "a parameter of the query is not UTF-8, or has control characters",
		"a=%1B":                   "a parameter of the query is not UTF-8, or has control characters",
		"a=%FF":                   "a parameter of the query is not UTF-8, or has control characters",
		"a=\xff":                  "a parameter of the query is not UTF-8, or has control characters",
		"%00=a":                   "a parameter of the query is not UTF-8, or has control characters",
		"a%0A=a":                  "a parameter of the query is not UTF-8, or has control characters",
		"a=1&a=%00":               "a parameter of the query is not UTF-8, or has control characters",
		numbered(17):              "parameters of the query are given too often",
		"b=1&b=2&" + numbered(9):  "parameters of the query are given too often",
		strings.Repeat("a&", 256): "the query has too many parameters",
	} {
		m, err := table.Find(routes.Request{Method: "GET", Target: "/act?" + query})
		if !errors.Is(err, routes.ErrAmbiguous) || m.Pattern != "" || m.Needs != nil {
			t.Errorf("%.40q: %+v, %v", query, m, err)
			continue
		}
		if err.Error() != "the request can be read in more than one way: "+want {
			t.Errorf("%.40q: %+v, %v", query, m, err)
		}
		if m, err := table.Find(routes.Request{Method: "GET", Target: "/free?" + query}); err != nil || m.Pattern != "/free" {
			t.Errorf("%.40q without an action: %+v, %v", query, m, err)
		}
	}
	for query, want := range map[string]int{numbered(16): 16, "b=1&b=2&" + numbered(8): 16, strings.Repeat("a&", 255): 1} {
		m, err := table.Find(routes.Request{Method: "GET", Target: "/act?" + query})
		if err != nil || len(m.Needs) != want {
			t.Errorf("%.40q: %d needs, %v", query, len(m.Needs), err)
		}
	}
}

// numbered returns a query that gives one parameter n values.
func numbered(n int) string {
	params := make([]string, n)
	for i := range params {
		params[i] = fmt.Sprintf("a=%d", i)
	}
	return strings.Join(params, "&")
}

// A caller that is allowed all needs is allowed whichever value the app uses.
func TestFind_NeedsEveryValueOfAParameter(t *testing.T) {
	table := compile(t, routes.Route{Match: "/act", Action: "a.b"})
	m, err := table.Find(routes.Request{Method: "GET", Target: "/act?env=dev&env=prod"})
	if err != nil {
		t.Fatal(err)
	}
	permission := access.Scope("a.b")
	permission.StringEquals = map[string]string{"env": "dev"}
	dev := access.Grant{Permissions: []access.Permission{permission}}
	allowed := 0
	for _, need := range m.Needs {
		if access.May(dev, nil, need) {
			allowed++
		}
	}
	if len(m.Needs) != 2 || allowed != 1 {
		t.Fatalf("%d of %d allowed", allowed, len(m.Needs))
	}
}
