package forwardauth_test

import (
	"net/http"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/config"
)

// request is a client's request, with headers that make it look like another.
type request struct {
	method, host, target string
	added                []string
}

// gateways builds what each gateway sends: the client's headers, with its own on top.
var gateways = map[string]func(r request, header http.Header){
	"nginx": func(r request, header http.Header) {
		header.Set("X-Forwarded-Method", r.method)
		header.Set("X-Forwarded-Host", r.host)
		header.Set("X-Forwarded-Uri", r.target)
		header.Del("X-Original-Method")
		header.Del("X-Original-Url")
		header.Del("X-Forwarded-User")
	},
	"Caddy, Traefik": func(r request, header http.Header) {
		header.Set("X-Forwarded-Method", r.method)
		header.Set("X-Forwarded-Host", r.host)
		header.Set("X-Forwarded-Uri", r.target)
		header.Set("X-Forwarded-Proto", "https")
	},
	"ingress-nginx": func(r request, header http.Header) {
		header.Set("X-Original-Method", r.method)
		header.Set("X-Original-Url", "https://"+r.host+r.target)
	},
	"by both": func(r request, header http.Header) {
		header.Set("X-Forwarded-Method", r.method)
		header.Set("X-Forwarded-Uri", r.target)
		header.Set("X-Original-Method", r.method)
		header.Set("X-Original-Url", "http://"+r.host+r.target)
	},
}

// through returns the status that a gateway gets for a request.
func (h *fixture) through(gateway, key string, r request) int {
	header := from(append([]string{bearer(key)}, r.added...)...)
	gateways[gateway](r, header)
	return h.ask(http.MethodGet, header).Code
}

func TestGateways_ClientCannotDescribeAnotherRequest(t *testing.T) {
	h := newFixture(t, config.Runtime{Routes: appRoutes, AllowedUsers: []string{"bob"}})
	write := request{method: "POST", host: "app.example", target: "/certs"}
	another := request{method: "GET", host: "app.example", target: "/users/carol/"}
	elsewhere := request{method: "GET", host: "admin.example", target: "/secret"}
	for name, c := range map[string]struct {
		of    request
		added []string
	}{
		"a read, for a write":    {write, []string{"X-Forwarded-Method: GET", "X-Original-Method: GET"}},
		"a read, twice":          {write, []string{"X-Original-Method: GET", "X-Original-Method: GET"}},
		"a read, in another way": {write, []string{"X-Http-Method-Override: GET"}},
		"another path": {
			another, []string{"X-Forwarded-Uri: /public/", "X-Original-Url: /public/", "X-Original-Uri: /public/"},
		},
		"another path, once": {another, []string{"X-Original-Uri: /public/"}},
		"another path, in another way": {
			another, []string{"X-Rewrite-Url: /public/", "X-Forwarded-Path: /public/", "X-Forwarded-Prefix: /public"},
		},
		"another path, as a URL": {
			another, []string{"X-Forwarded-Uri: https://app.example/public/", "X-Original-Url: https://app.example/public/"},
		},
		"another path, with the host": {another, []string{"X-Original-Uri: https://app.example/public/"}},
		"a broken path":               {another, []string{"X-Original-Uri: public", "X-Original-Url: public"}},
		"empty paths":                 {another, []string{"X-Forwarded-Uri: ", "X-Original-Url: ", "X-Original-Uri: "}},
		"a prefix of the path":        {another, []string{"X-Original-Uri: /users/carol/?x"}},
		"her own": {
			another, []string{"X-Original-Uri: /users/bob/", "X-Original-Url: /users/bob/"},
		},
		"another host": {elsewhere, []string{"X-Forwarded-Host: app.example"}},
		"another host, twice": {
			elsewhere, []string{"X-Forwarded-Host: app.example", "X-Forwarded-Host: app.example"},
		},
		"another host, in a URL": {
			elsewhere, []string{"X-Original-Uri: https://app.example/secret", "X-Original-Url: https://app.example/secret"},
		},
		"another host, in another way": {
			elsewhere, []string{"Forwarded: host=app.example", "X-Host: app.example", "X-Original-Host: app.example"},
		},
		"an empty host":                     {elsewhere, []string{"X-Original-Uri: https:///secret", "X-Forwarded-Host: "}},
		"a true description of a write":     {write, []string{"X-Forwarded-Method: POST", "X-Forwarded-Uri: /certs"}},
		"nothing, for what is another user": {another, nil},
		"nothing, for another host":         {elsewhere, nil},
	} {
		for gateway := range gateways {
			c.of.added = c.added
			if status := h.through(gateway, bobs, c.of); status != http.StatusForbidden {
				t.Errorf("%s: %s: %d", gateway, name, status)
			}
		}
	}
	for gateway := range gateways {
		for _, allowed := range []request{
			{method: "GET", host: "app.example", target: "/certs"},
			{method: "POST", host: "app.example:8443", target: "/public/x?y=z"},
			{method: "DELETE", host: "app.example", target: "/users/bob/"},
		} {
			if status := h.through(gateway, bobs, allowed); status != http.StatusOK {
				t.Errorf("%s: %s %s: %d", gateway, allowed.method, allowed.target, status)
			}
		}
	}
}

// Headers that a client adds never get it further than without them.
func TestGateways_AddedHeadersNeverHelp(t *testing.T) {
	hosts := rapid.SampledFrom([]string{"app.example", "admin.example", "APP.example", "app.example:443"})
	methods := rapid.SampledFrom([]string{"GET", "HEAD", "POST", "DELETE", "FROB"})
	targets := rapid.SampledFrom(
		[]string{"/certs", "/users/bob/", "/users/carol/", "/public/", "/", "/certs?a=b", "//certs", "/public/..%2fcerts"},
	)
	additions := rapid.Custom(func(t *rapid.T) string {
		path := targets.Draw(t, "as target")
		switch rapid.SampledFrom([]string{"method", "host", "target", "url"}).Draw(t, "add") {
		case "method":
			return rapid.SampledFrom([]string{"X-Forwarded-Method", "X-Original-Method"}).Draw(t, "by") + ": " +
				rapid.OneOf(methods, rapid.Just("")).Draw(
					t, "as method",
				)
		case "host":
			return "X-Forwarded-Host: " + rapid.OneOf(hosts, rapid.Just("")).Draw(t, "as host")
		case "url":
			path = rapid.SampledFrom([]string{"https", "HTTP", "ftp"}).Draw(t, "scheme") + "://" + hosts.Draw(t, "as host") +
				path
		}
		return rapid.SampledFrom([]string{"X-Forwarded-Uri", "X-Original-Uri", "X-Original-Url"}).Draw(t, "by") + ": " + path
	})
	for name, runtime := range map[string]config.Runtime{
		"list": {AllowedUsers: []string{"zoe"}}, "routes": {Routes: appRoutes},
		"routes alone": {Routes: appRoutes, DenyUnmatched: true},
		"everything":   {Routes: appRoutes, AllowedUsers: []string{"bob"}, AnonymousReads: true, TrustUsernames: true},
	} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t, runtime)
			rapid.Check(t, func(t *rapid.T) {
				r := request{method: methods.Draw(t, "method"), host: hosts.Draw(t, "host"), target: targets.Draw(t, "target")}
				gateway := rapid.SampledFrom([]string{"nginx", "Caddy, Traefik", "ingress-nginx", "by both"}).Draw(t, "gateway")
				key := rapid.SampledFrom([]string{bobs, ci, unknown}).Draw(t, "key")
				plain := h.through(gateway, key, r)
				r.added = rapid.SliceOfN(additions, 1, 4).Draw(t, "added")
				added := h.through(gateway, key, r)
				if added == http.StatusOK && plain != http.StatusOK {
					t.Fatalf("admitted by the added headers, and refused without: %d", plain)
				}
				if !slices.Contains([]int{http.StatusOK, http.StatusUnauthorized, http.StatusForbidden}, added) {
					t.Fatal(added)
				}
			})
		})
	}
}

// The reply is always one that gateways understand: nginx treats any other as a failure.
func FuzzAuth(f *testing.F) {
	houses := []*fixture{
		newFixture(f, config.Runtime{}),
		newFixture(
			f,
			config.Runtime{
				Routes: appRoutes, AllowedUsers: []string{"bob"}, TrustProxyHeaders: true, TrustUsernames: true,
				AnonymousReads: true,
			},
		),
	}
	f.Add("GET", "Bearer "+ci, "", "a=b", "carol", "GET", "/certs?a=b", "https://app.example/certs?a=b", "app.example")
	f.Add("POST", "Basic Og==", "\x00\xff", "keywright_user=%zz", "a\r\nb", "", "://", "*", "[::1")
	f.Add("", "", "", "", "", "get", "/%2e%2e;//\\", "HTTP://", ",")
	f.Fuzz(func(t *testing.T, asks, authorization, apiKey, cookie, user, method, uri, url, host string) {
		header := http.Header{
			"Authorization": {authorization}, "X-Api-Key": {apiKey, authorization}, "Cookie": {cookie, user},
			"X-Forwarded-User":   {user},
			"X-Forwarded-Method": {method}, "X-Original-Method": {method, asks}, "X-Forwarded-Uri": {uri},
			"X-Original-Uri": {uri, url},
			"X-Original-Url": {url}, "X-Forwarded-Host": {host},
		}
		if authorization == "" {
			delete(header, "Authorization")
		}
		if apiKey == "" {
			delete(header, "X-Api-Key")
		}
		for _, h := range houses {
			reply := h.ask(asks, header)
			switch reply.Code {
			case http.StatusOK, http.StatusUnauthorized, http.StatusForbidden:
			default:
				t.Fatal(reply.Code)
			}
			if admin := reply.Header().Get("X-Auth-Admin"); admin == "true" {
				t.Fatal("an admin without a key")
			}
		}
	})
}
