package gateways

import (
	"context"
	"net/http"
	"os/exec"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// anonymous is the identity of a caller without a credential.
var anonymous = identity{admin: "false"}

// expectAnonymous expects that a request reached the app, without an identity.
func expectAnonymous(got reply) {
	GinkgoHelper()
	Expect(got.app).NotTo(BeNil(), "%d %s", got.status, got.body)
	expectHeaders(got, anonymous, Or(BeEmpty(), HaveExactElements("")))
}

// isPublic declares the specs of the public routes of the page.
func isPublic(g *gateway) {
	It("lets a preflight pass without a key", func(ctx SpecContext) {
		got := g.send(ctx, request{method: "OPTIONS", target: "/things", header: http.Header{
			"Origin": {"https://other.example.com"}, "Access-Control-Request-Method": {"DELETE"},
			"Access-Control-Request-Headers": {"authorization"},
		}})
		expectAnonymous(got)
		Expect(got.app.Header).To(HaveKeyWithValue("Access-Control-Request-Method", []string{"DELETE"}))
		g.expectRefused(g.get(ctx, "/things", ""), http.StatusUnauthorized, "invalid token")
	})

	It("lets health checks and webhooks pass, also without the allow list", func(ctx SpecContext) {
		expectAnonymous(g.get(ctx, "/healthz", ""))
		hook := request{method: "POST", target: "/hooks/github?id=1", body: "{}", header: http.Header{"X-Signature": {"x"}}}
		got := g.send(ctx, hook)
		expectAnonymous(got)
		Expect(*got.app).To(SatisfyAll(HaveField("Body", "{}"), HaveField("Target", hook.target)))
		hook.who, hook.by = "reader", byBearer
		expectIdentity(g.send(ctx, hook), reader)
		hook.who = "unknown"
		g.expectRefused(g.send(ctx, hook), http.StatusUnauthorized, "invalid token")
		g.expectRefused(g.send(ctx, request{method: "POST", target: "/healthz"}), http.StatusUnauthorized, "invalid token")
	})

	It("passes no identity on that an anonymous client claims", func(ctx SpecContext) {
		got := g.send(ctx, request{method: "OPTIONS", target: "/", header: http.Header{
			"X-Auth-User": {"alice"}, "X-Auth-Subject": {"User/alice"}, "X-Auth-Key-Id": {"1"}, "X-Auth-Scopes": {"*"},
			"X-Auth-Admin": {"true"}, "X-Forwarded-User": {"alice"}, "Cookie": {"keywright_user=alice; keywright_session=ended"},
		}})
		expectAnonymous(got)
		Expect(got.app.Header).NotTo(HaveKey("X-Forwarded-User"))
	})

	for _, target := range []string{
		"/hooks/github/../../things", "/hooks/github%2F..%2F..%2Fthings", "/hooks/github;/../../things",
		"/things/..%2Fhealthz", "/healthz%2F..%2Fthings", "/HEALTHZ", "/healthz/", "/healthz%00", "/hooks/github/",
	} {
		It("does not take for a public path: "+target, func(ctx SpecContext) {
			for _, method := range []string{"GET", "POST"} {
				got := g.send(ctx, request{method: method, target: target})
				Expect(got.app).To(BeNil())
				Expect(got.status).To(SatisfyAll(BeNumerically(">=", 400), BeNumerically("<", 500)))
			}
		})
	}
}

// Keywright itself proxies requests of a real client.
var _ = Describe("curl without a key", func() {
	if find("curl") == "" {
		without("curl", installIt)
		return
	}
	status := func(ctx context.Context, args ...string) string {
		GinkgoHelper()
		args = append([]string{"-s", "-o", "/dev/null", "-w", "%{http_code}", "--noproxy", "*"}, args...)
		out, err := exec.CommandContext(ctx, find("curl"), args...).Output()
		Expect(err).NotTo(HaveOccurred())
		return strings.TrimSpace(string(out))
	}

	It("reaches public paths, and no others", func(ctx SpecContext) {
		app := "http://" + proxyListen
		Expect(status(ctx, app+"/healthz")).To(Equal("200"))
		Expect(status(ctx, "-X", "OPTIONS", "-H", "Origin: https://other.example.com", app+"/things")).To(Equal("200"))
		Expect(status(ctx, "-d", "{}", app+"/hooks/github")).To(Equal("200"))
		Expect(status(ctx, "-d", "{}", app+"/things")).To(Equal("401"))
		Expect(status(ctx, "--path-as-is", app+"/healthz/../things")).To(Equal("401"))
		Expect(status(ctx, "-u", unknownKey+":", app+"/healthz")).To(Equal("401"))
	})
})
