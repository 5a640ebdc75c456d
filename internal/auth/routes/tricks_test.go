package routes_test

import (
	"errors"
	"testing"

	"keywright.dev/keywright/internal/auth/routes"
)

// tricks are requests that some program reads as a path below /admin/.
var tricks = []string{
	"//admin/x",
	"///admin/x",
	"/admin//x",
	"//public/admin/x",
	`/\public/admin/x`,
	"/%2Fpublic/admin/x",
	"/./admin/x",
	"/%2e/admin/x",
	"/.%2e/admin/x",
	"/public/../admin/x",
	"/public/%2e%2e/admin/x",
	"/public/%2E./admin/x",
	"/public/..;/admin/x",
	"/public/..;a=b/admin/x",
	"/public/..%3B/admin/x",
	"/public/%2e%2e;/admin/x",
	"/public%2F..%2Fadmin/x",
	"/public/..%2Fadmin/x",
	`/public\..\admin/x`,
	`/public/..\admin/x`,
	"/public%5C..%5Cadmin%5Cx",
	"/public/%252e%252e/admin/x",
	"/public/%25252e%25252e/admin/x",
	"/public%252F..%252Fadmin/x",
	"/public%255c..%255cadmin/x",
	"/public//../../admin/x",
	"/public/x//../../../admin/x",
	"/admin%2Fx",
	`/admin\x`,
	"/admin%5cx",
	"/admin%252Fx",
	"/%2561dmin/x",
	"/%61%2564min/x",
	"/admin;/x",
	"/admin;a=b/x",
	"/admin/x/..",
	"/admin/x/../../public",
	"/admin/..%2Fpublic",
	"/admin/..;/public/x",
	"/admin%3F/../public",
	"/admin/x%3F/../../public/x",
	"/admin/x%23/../../public/x",
	"/admin/%253F/../../public/x",
	"/admin/;/../../public/x",
	"/admin/.",
	"/admin/%2e",
	"/admin/x\x00",
	"/admin/x%00.png",
	"/admin/x%2500.png",
	"/admin%0a/x",
	"/admin%09/x",
	"/admin%0d%0a/x",
	"/admin%7f/x",
	"/admin%C2%85/x",
	"/adm%C0%AE%C0%AEin/x",
	"/%C0%AFadmin/x",
	"/%u0061dmin/x",
	"/%admin/x",
	"/admin/x%",
	"/admin/x%4",
	"/admin/\xff",
	"/admin /x",
	"/admin/x HTTP/1.0",
	"/admin/x#",
	"/public#/../admin/x",
	"http://app.example/admin/x",
	"app.example/admin/x",
	"app.example:443",
	"admin/x",
	"?/admin/x",
	"",
	"*",
}

func TestFind_TricksDoNotReachAdmin(t *testing.T) {
	table := compile(
		t, routes.Route{Match: "/admin/", Action: "admin.use"}, routes.Route{Match: "/public/", Anonymous: true},
	)
	for _, target := range tricks {
		m, err := table.Find(routes.Request{Method: "GET", Target: target})
		if m.Pattern != "/admin/" && !errors.Is(err, routes.ErrAmbiguous) {
			t.Errorf("%q: %+v, %v", target, m, err)
		}
		if _, err := (*routes.Table)(nil).Find(routes.Request{Method: "GET", Target: target}); err != nil {
			t.Errorf("%q without routes: %v", target, err)
		}
	}
}

// For each path exactly one reading leads to the route, so no other rewrite can replace it.
func TestFind_UsesEveryWayToReadAPath(t *testing.T) {
	for name, c := range map[string]struct{ pattern, target string }{
		"encoded slash":       {"/admin/x", "/admin%2Fx"},
		"backslash":           {"/admin/x", `/admin\x`},
		"encoded backslash":   {"/admin/x", "/admin%5cx"},
		"encoded dots":        {"/admin", "/x/%2e%2E/admin"},
		"encoded dot alone":   {"/admin", "/%2e/admin"},
		"encoded semicolon":   {"/admin", "/admin%3bx"},
		"decoded twice":       {"/admin", "/%2561dmin"},
		"decoded three times": {"/admin", "/%252561dmin"},
		"decoded twice, with a part that stays encoded": {"/{x}/admin", "/100%25/%2561dmin"},
		"parameters to the end":                         {"/admin", "/admin;/x"},
		"parameters of a segment":                       {"/admin/x", "/admin;a/x;b"},
		"encoded question mark":                         {"/admin", "/admin%3Fx"},
		"encoded fragment":                              {"/admin", "/admin%23x"},
		"several slashes":                               {"/admin/x", "/admin///x"},
		"host":                                          {"/admin", "//x/admin"},
		"host alone":                                    {"/{$}", "//x"},
		"dots":                                          {"/admin", "/x/./../admin"},
		"more dots than there are levels":               {"/admin", "/x/../../../admin"},
		"dots at the end":                               {"/admin", "/admin/."},
		"dots at the end, with slash":                   {"/admin/{$}", "/admin/x/.."},
		"dots over an empty segment":                    {"/admin/x", "/admin//../x"},
		"one after the other":                           {"/admin", "/x%252f..%255c;y/%61dmin;z"},
		"a slash that is a segment":                     {"/a/{x}", "/a/%2F"},
		"nothing for a wildcard":                        {"/a/{x}/b", "/a//b"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := compile(t, matches(c.pattern)...).Find(routes.Request{Method: "GET", Target: c.target})
			if !errors.Is(err, routes.ErrAmbiguous) {
				t.Fatalf("got %+v, %v", m, err)
			}
		})
	}
}
