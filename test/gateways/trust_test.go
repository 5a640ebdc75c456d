package gateways

import (
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("With a trusted proxy", Ordered, ContinueOnFailure, func() {
	dora := http.Header{"X-Forwarded-User": {"dora"}}

	BeforeAll(func(ctx SpecContext) {
		configure(ctx, map[string]string{"TRUST_PROXY_HEADERS": "true"})
		DeferCleanup(func(ctx SpecContext) { configure(ctx, nil) })
	})

	for _, g := range []*gateway{nginx(), caddy(), traefik(), ingressNginx()} {
		if g.path == "" {
			continue
		}
		It("a client of "+g.name+" is not trusted", func(ctx SpecContext) {
			g.open(ctx)
			Expect(ask(ctx, "GET", "/", dora)()).To(Equal(http.StatusOK), "Keywright itself trusts it")
			g.expectRefused(g.send(ctx, request{method: "GET", target: "/", header: dora}), http.StatusUnauthorized,
				"invalid token")
			got := g.send(ctx, request{method: "GET", target: "/", who: "ci", by: byBearer, header: dora})
			expectIdentity(got, ci)
		})
	}
})
