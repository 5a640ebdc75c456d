package gateways

import (
	"fmt"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// isNotFooled declares the specs of clients that forge headers and paths.
func isNotFooled(g *gateway) {
	It("ignores the identity headers of clients", func(ctx SpecContext) {
		forged := http.Header{}
		for _, name := range []string{"User", "Subject", "Key-Id", "Scopes", "Admin"} {
			for _, spelled := range []string{"X-Auth-" + name, "X_Auth_" + name, "X-Auth_" + name, "x_auth-" +
				strings.ToUpper(name), "X_AUTH_" + strings.ReplaceAll(name, "-", "_")} {
				forged[spelled] = []string{"true", "User/alice"}
			}
		}
		for _, hop := range []string{"", "close", "X-Auth-User, X-Auth-Subject, X-Auth-Key-Id, X-Auth-Scopes, X-Auth-Admin"} {
			header := forged.Clone()
			if hop != "" {
				header.Set("Connection", hop)
			}
			got := g.send(ctx, request{method: "GET", target: "/", who: "ci", by: byBearer, header: header})
			if got.app != nil {
				expectIdentity(got, ci)
				continue
			}
			// Keywright refuses another spelling where the gateway shows it one.
			g.expectRefused(got, http.StatusForbidden, "The request can be read in more than one way")
		}
		g.expectRefused(g.send(ctx, request{method: "GET", target: "/", header: forged}), http.StatusUnauthorized,
			"invalid token")
	})

	// Each would be let in if its headers were trusted.
	for _, forged := range []http.Header{
		{"X-Forwarded-Method": {"GET"}},
		{"X_forwarded_method": {"GET"}},
		{"X-Original-Method": {"GET"}},
		{"X-Http-Method-Override": {"GET"}},
		{"Connection": {"X-Forwarded-Method"}},
		{"X-Forwarded-Method": {"GET", "GET"}, "X-Original-Method": {"GET"},
			"Connection": {"close, X-Forwarded-Method, X-Original-Method"}},
	} {
		It(fmt.Sprintf("ignores a forged method: %v", forged), func(ctx SpecContext) {
			got := g.send(ctx, request{method: "POST", target: "/things", who: "reader", by: byBearer, header: forged})
			Expect(got.app).To(BeNil())
			Expect(got.status).To(Equal(http.StatusForbidden))
		})
	}

	for _, forged := range []http.Header{
		{"X-Forwarded-Uri": {"/things"}},
		{"X_forwarded_uri": {"/things"}},
		{"X-Original-Url": {"http://app.example.com/things"}},
		{"X-Original-Uri": {"/things"}},
		{"X-Rewrite-Url": {"/things"}},
		{"Connection": {"X-Forwarded-Uri, X-Original-Url"}},
	} {
		It(fmt.Sprintf("ignores a forged path: %v", forged), func(ctx SpecContext) {
			got := g.send(ctx, request{method: "GET", target: "/devices/7", who: "ci", by: byBearer, header: forged})
			Expect(got.app).To(BeNil())
			Expect(got.status).To(Equal(http.StatusForbidden))
		})
	}

	for _, name := range []string{"X-Forwarded-User", "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override",
		"X-Original-URL", "X-Rewrite-URL"} {
		It("removes a header that the app might read as the request: "+name, func(ctx SpecContext) {
			for _, spelled := range []string{name, strings.ReplaceAll(name, "-", "_")} {
				got := g.send(ctx, request{method: "GET", target: "/", who: "ci", by: byBearer,
					header: http.Header{spelled: {"DELETE"}}})
				if got.app == nil {
					g.expectRefused(got, http.StatusForbidden, "The request can be read in more than one way")
					continue
				}
				for arrived := range got.app.Header {
					Expect(taken(arrived)).NotTo(Equal(taken(name)))
				}
			}
		})
	}

	for _, target := range []string{
		"/certificates/../devices/7", "/certificates/%2e%2e/devices/7", "/./devices/7", "/x//../devices/7", "/%64evices/7",
		"/devices/%37", "/devices/7?x=/things",
	} {
		It("recognizes a disguised path: "+target, func(ctx SpecContext) {
			got := g.get(ctx, target, "ci")
			Expect(got.app).To(BeNil())
			Expect(got.status).To(BeNumerically("<", 500))
		})
	}
}
