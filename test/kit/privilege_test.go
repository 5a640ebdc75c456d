package kit_test

import (
	"testing"

	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

const account = "a"

func grant(namespace, resource, verb string, names ...string) kit.Grant {
	return kit.Grant{Account: account, Namespace: namespace, Resource: resource, Verb: verb, Names: names}
}

func TestUnneededGrants(t *testing.T) {
	get := stack.Request{Account: account, Verb: "get", Resource: "secrets", Namespace: "x", Name: "s", Code: 200}
	for name, c := range map[string]struct {
		grants   []kit.Grant
		request  stack.Request
		unneeded int
	}{
		"used":                          {[]kit.Grant{grant("", "secrets", "get")}, get, 0},
		"used in its namespace":         {[]kit.Grant{grant("x", "secrets", "get")}, get, 0},
		"used under its name":           {[]kit.Grant{grant("x", "secrets", "get", "r", "s")}, get, 0},
		"another verb":                  {[]kit.Grant{grant("", "secrets", "list")}, get, 1},
		"another resource":              {[]kit.Grant{grant("", "configmaps", "get")}, get, 1},
		"another namespace":             {[]kit.Grant{grant("y", "secrets", "get")}, get, 1},
		"another name":                  {[]kit.Grant{grant("x", "secrets", "get", "r")}, get, 1},
		"a subresource":                 {[]kit.Grant{grant("", "secrets/status", "get")}, get, 1},
		"of another account":            {[]kit.Grant{{Account: "b", Resource: "secrets", Verb: "get"}}, get, 1},
		"granted twice":                 {[]kit.Grant{grant("", "secrets", "get"), grant("x", "secrets", "get")}, get, 2},
		"an apply that created nothing": {[]kit.Grant{grant("", "secrets", "create")}, patched(200), 1},
		"an apply that created it": {[]kit.Grant{grant("", "secrets", "create"), grant("", "secrets", "patch")},
			patched(201), 0},
		"a namespace": {[]kit.Grant{grant("x", "namespaces", "get", "x")},
			stack.Request{Account: account, Verb: "get", Resource: "namespaces", Name: "x"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := kit.UnneededGrants(c.grants, []stack.Request{c.request}); len(got) != c.unneeded {
				t.Errorf("got %v, want %d", got, c.unneeded)
			}
		})
	}
}

func patched(code int) stack.Request {
	return stack.Request{Account: account, Verb: "patch", Resource: "secrets", Namespace: "x", Name: "s", Code: code}
}

func TestRefusedRequests(t *testing.T) {
	requests := []stack.Request{patched(200), patched(403), patched(409)}
	if got := kit.RefusedRequests(requests); len(got) != 1 || got[0].Code != 403 {
		t.Errorf("got %v", got)
	}
}
