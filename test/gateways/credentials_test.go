package gateways

import (
	"maps"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// byPlainAPIKey is a form that does not count by default.
var byPlainAPIKey by = func(header http.Header, key string) { header.Set("Api-Key", key) }

// withCredentials returns the page with the changes that it describes for other credentials.
func withCredentials(page blocks) blocks {
	GinkgoHelper()
	changed := maps.Clone(page)
	body := func(name string) string {
		_, text, _ := strings.Cut(page.with(name, nil), "\n")
		return text
	}
	lines := func(name, mark string) (all []string) {
		for line := range strings.Lines(page.with(name, nil)) {
			if strings.Contains(line, mark) {
				all = append(all, line)
			}
		}
		return all
	}
	replace := func(name string, replaced map[string]string) { changed[name] = page.with(name, replaced) }
	const protect, caddyfile, traefik = "/etc/nginx/keywright/protect.conf", "/etc/caddy/Caddyfile",
		"/etc/traefik/dynamic/app.yaml"
	replace(protect, map[string]string{
		"proxy_set_header Authorization  \"\";\nproxy_set_header X-API-Key      \"\";\n": body("credentials.conf"),
	})
	replace(caddyfile, map[string]string{
		"\trequest_header -Authorization\n\trequest_header -X-API-Key\n": body("credentials.caddy"),
	})
	requestHeaders, responseHeaders := lines(traefik, "authRequestHeaders:"), lines(traefik, "authResponseHeadersRegex:")
	Expect(append(requestHeaders, responseHeaders...)).To(HaveLen(2))
	asked, answered, _ := strings.Cut(body("credentials.yaml"), "\n")
	replace(traefik, map[string]string{
		strings.TrimSpace(requestHeaders[0]): asked, strings.TrimSpace(responseHeaders[0]): strings.TrimSpace(answered),
	})
	replace("gateway-api.yaml", map[string]string{
		"allowedHeaders: [X-API-Key, ":                   "allowedHeaders: [X-API-Key, api-key, ",
		"        - Authorization\n        - X-API-Key\n": "        - X-API-Key\n        - api-key\n",
	})
	replace("ingress.yaml", map[string]string{"Authorization,X-API-Key": "X-API-Key,api-key"})
	return changed
}

// The setting and the configurations of the page for an app with an Authorization of its own.
var _ = Describe("With other credentials", Ordered, ContinueOnFailure, func() {
	jwt := http.Header{"Authorization": {"Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl"}}

	BeforeAll(func(ctx SpecContext) {
		_, list, found := strings.Cut(page.with("credentials.env", nil), "CREDENTIALS=")
		Expect(found).To(BeTrue())
		before := page
		page = withCredentials(page)
		DeferCleanup(func(ctx SpecContext) {
			page = before
			configure(ctx, nil)
		})
		configureFor(ctx, map[string]string{"CREDENTIALS": strings.TrimSpace(list)}, func(key string) http.Header {
			return http.Header{"Api-Key": {key}}
		})
	})

	for _, g := range all {
		if g.path == "" {
			continue
		}
		It("an app behind "+g.name+" gets its own Authorization, and no key", func(ctx SpecContext) {
			g.open(ctx)
			for _, how := range []by{byPlainAPIKey, byAPIKey} {
				got := g.send(ctx, request{method: "POST", target: "/things", who: "ci", by: how, header: jwt})
				expectIdentity(got, ci)
				Expect(got.app.Header).To(HaveKeyWithValue("Authorization", jwt["Authorization"]))
				Expect(got.app.Header).NotTo(Or(HaveKey("Api-Key"), HaveKey("X-Api-Key")))
			}
			got := g.send(ctx, request{method: "GET", target: "/", header: jwt})
			g.expectRefused(got, http.StatusUnauthorized, "invalid token")
			Expect(got.header.Values("WWW-Authenticate")).To(And(Not(BeEmpty()), HaveEach(HavePrefix("ApiKey "))))
			g.expectRefused(g.get(ctx, "/", "ci"), http.StatusUnauthorized, "invalid token")
			both := http.Header{"X-Api-Key": {keys.get("alice")}}
			g.expectRefused(g.send(ctx, request{method: "GET", target: "/", who: "ci", by: byPlainAPIKey, header: both}),
				http.StatusUnauthorized, "several different keys")
			odd := g.send(ctx, request{method: "GET", target: "/", who: "ci", by: byPlainAPIKey,
				header: http.Header{"api_key": {"x"}}})
			if odd.app != nil {
				Expect(odd.app.Header).NotTo(HaveKey(WithTransform(taken, Equal("api-key"))))
			}
		})
	}
})
