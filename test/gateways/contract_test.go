package gateways

import (
	"context"
	"net/http"
	"strings"
	"time"
	"unicode"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
)

// all returns the gateways that can run here.
var all = []*gateway{nginx(), caddy(), traefik(), ingressNginx(), externalAuth(), itself()}

// The contract that the page gives for every gateway.
var _ = Describe("A gateway", func() {
	for _, g := range all {
		if g.path == "" {
			without(g.name, g.install)
			continue
		}
		Describe(g.name, Ordered, ContinueOnFailure, func() {
			BeforeAll(func(ctx SpecContext) { g.open(ctx) })
			passes(g)
			refuses(g)
			limits(g)
			isPublic(g)
			isNotFooled(g)
			namesItsClient(g)
			becomesWebsockets(g)
			keepsUp(g)
		})
	}
})

// identity is the identity in the app's headers.
type identity struct{ user, subject, scopes, admin string }

// atOnce bounds the effect of a revocation on a busy machine.
const atOnce = 5 * time.Second

var (
	alice  = identity{"alice", "User/alice", "", "true"}
	ci     = identity{"", "Account/ci", "certs.read certs.write", "false"}
	reader = identity{"", "Account/reader", "certs.read", "false"}
)

// expectIdentity expects exactly this identity in the app's headers, in one spelling, and no key.
func expectIdentity(got reply, want identity) {
	GinkgoHelper()
	Expect(got.app).NotTo(BeNil(), "%d %s", got.status, got.body)
	Expect(got.body).NotTo(ContainSubstring(aKey))
	expectHeaders(got, want, HaveExactElements(MatchRegexp("^[0-9a-f]{16}$")))
}

// expectHeaders expects exactly this identity, in one spelling.
func expectHeaders(got reply, want identity, keyID types.GomegaMatcher) {
	GinkgoHelper()
	headers := map[string][]string{}
	for name, values := range got.app.Header {
		if plain := taken(name); strings.HasPrefix(plain, "x-auth-") {
			headers[plain] = append(headers[plain], values...)
		}
	}
	Expect(headers["x-auth-key-id"]).To(keyID)
	for name, value := range map[string]string{
		"x-auth-user": want.user, "x-auth-subject": want.subject, "x-auth-scopes": want.scopes, "x-auth-admin": want.admin,
	} {
		// An empty header may be missing.
		if value != "" || len(headers[name]) > 0 {
			Expect(headers).To(HaveKeyWithValue(name, []string{value}))
		}
	}
}

// taken returns the name that an app may read a header as.
func taken(name string) string {
	return strings.ToLower(strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) || unicode.IsDigit(c) {
			return c
		}
		return '-'
	}, name))
}

func passes(g *gateway) {
	for name, how := range map[string]by{"Bearer": byBearer, "Basic": byBasic, "X-API-Key": byAPIKey} {
		It("accepts a key by "+name+", and passes its owner on", func(ctx SpecContext) {
			got := g.send(ctx, request{method: "GET", target: "/some/where%2Felse/?a=b%20c&d", who: "alice", by: how})
			Expect(got.status).To(Equal(http.StatusOK))
			expectIdentity(got, alice)
			Expect(got.app.Target).To(Equal("/some/where%2Felse/?a=b%20c&d"))
			Expect(got.app.Host).To(Equal("app.example.com"))
			expectIdentity(g.send(ctx, request{method: "GET", target: "/", who: "ci", by: how}), ci)
		})
	}

	It("lets only a listed program write", func(ctx SpecContext) {
		send := func(method, who string) reply {
			return g.send(ctx, request{method: method, target: "/things", body: "a thing", who: who, by: byBearer})
		}
		for _, method := range []string{"POST", "PUT", "DELETE"} {
			got := send(method, "ci")
			expectIdentity(got, ci)
			Expect(*got.app).To(SatisfyAll(HaveField("Method", method), HaveField("Body", "a thing")))
			g.expectRefused(send(method, "reader"), http.StatusForbidden,
				"User not allowed. Contact an administrator to be added to the allow list.")
		}
		expectIdentity(send("POST", "alice"), alice)
		expectIdentity(g.get(ctx, "/things", "reader"), reader)
	})

	It("applies the permissions of routes", func(ctx SpecContext) {
		expectIdentity(g.get(ctx, "/certificates/one?x", "reader"), reader)
		expectIdentity(g.send(ctx, request{method: "POST", target: "/certificates/one", who: "ci", by: byBearer}), ci)
		g.expectRefused(g.get(ctx, "/devices/7", "ci"), http.StatusForbidden, "API key lacks required permission")
		expectIdentity(g.get(ctx, "/devices/7", "alice"), alice)
	})

	It("passes the app's own errors on", func(ctx SpecContext) {
		got := g.get(ctx, "/broken", "ci")
		Expect(got.status).To(Equal(http.StatusInternalServerError))
		expectIdentity(got, ci)
	})
}

func refuses(g *gateway) {
	It("challenges for a key, by Bearer and by Basic", func(ctx SpecContext) {
		for _, who := range []string{"", "unknown"} {
			got := g.get(ctx, "/", who)
			g.expectRefused(got, http.StatusUnauthorized, `{"error":{"code":401,"what":"invalid token"}}`)
			challenges := strings.Join(got.header.Values("WWW-Authenticate"), ", ")
			Expect(challenges).To(ContainSubstring(`Bearer realm="keywright"`))
			if !g.mute {
				Expect(challenges).To(ContainSubstring(`Basic realm="keywright", charset="UTF-8"`))
				Expect(strings.Contains(challenges, `error="invalid_token"`)).To(Equal(who != ""))
			}
		}
	})

	It("refuses a key as soon as it is revoked", func(ctx SpecContext) {
		name := "revoked-at-" + taken(g.name)
		key := issue(ctx, name)
		for _, how := range []by{byBearer, byBasic, byAPIKey} {
			Expect(g.send(ctx, request{method: "GET", target: "/", who: name, by: how}).status).To(Equal(http.StatusOK))
		}
		_, err := s.Kubectl(ctx, "patch", "-n", key.Namespace, "apikey", name, "--type=merge", `-p={"spec":{"state":"Revoked"}}`)
		Expect(err).NotTo(HaveOccurred())
		Eventually(ctx, func() int { return g.get(ctx, "/", name).status }).WithTimeout(atOnce).
			Should(Equal(http.StatusUnauthorized))
		for range 20 {
			g.expectRefused(g.get(ctx, "/", name), http.StatusUnauthorized, "invalid token")
		}
	})

	It("accepts large headers and refuses huge ones", func(ctx SpecContext) {
		large := http.Header{"X-Large": {strings.Repeat("x", 6<<10)}}
		got := g.send(ctx, request{method: "GET", target: "/", who: "ci", by: byBearer, header: large})
		expectIdentity(got, ci)
		Expect(got.app.Header).To(HaveKeyWithValue("X-Large", large["X-Large"]))

		huge := http.Header{"X-Api-Key": {strings.Repeat("x", 200<<10)}}
		got = g.send(ctx, request{method: "GET", target: "/", who: "ci", by: byBearer, header: huge})
		Expect(got.app == nil).To(BeTrue(), "it did not reach the app")
		Expect(got.status).To(BeElementOf(http.StatusBadRequest, http.StatusUnauthorized,
			http.StatusRequestHeaderFieldsTooLarge))
	})
}

// keepsUp declares the specs of an outage of Keywright.
func keepsUp(g *gateway) {
	It("refuses every request while Keywright is down, and recovers by itself", func(ctx SpecContext) {
		Expect(s.Server.Kill()).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(s.Server.Restart(ctx)).To(Succeed()) })
		for _, who := range []string{"alice", "ci", "unknown", ""} {
			Expect(g.statusOf(ctx, who)).To(Equal(g.down))
		}
		Expect(s.Server.Restart(ctx)).To(Succeed())
		Eventually(ctx, func() int { return g.statusOf(ctx, "alice") }).Should(Equal(http.StatusOK))
		expectIdentity(g.get(ctx, "/", "ci"), ci)
	})
}

// statusOf returns the status, or 0 without a reply.
func (g *gateway) statusOf(ctx context.Context, who string) int {
	if g.down == 0 && dial(ctx, g.listen) != nil {
		return 0
	}
	return g.get(ctx, "/", who).status
}
