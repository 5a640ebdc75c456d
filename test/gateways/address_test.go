package gateways

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// Addresses of the client, of the gateway, and of a load balancer in front of it; and two that only headers have.
const (
	ofClient, ofGateway, ofLoadBalancer = "127.0.0.9", "127.0.0.1", "127.0.0.7"
	// claimed is what a client claims, and reported what the load balancer reports.
	claimed, reported = "203.0.113.66", "203.0.113.9"
)

// claims are the headers of a client that claims another address.
var claims = http.Header{
	"X-Forwarded-For": {claimed, claimed + ", " + claimed}, "X-Real-Ip": {claimed}, "True-Client-Ip": {claimed},
	"Cf-Connecting-Ip": {claimed}, "Forwarded": {"for=" + claimed},
	"Connection": {"X-Forwarded-For, X-Real-Ip, Forwarded"},
}

// namesItsClient declares the specs of the recorded address.
func namesItsClient(g *gateway) {
	listed, others := map[string]string{"TRUSTED_PROXIES": ofGateway}, map[string]string{"TRUSTED_PROXIES": "192.0.2.0/24"}
	for name, c := range map[string]struct {
		account  string
		settings map[string]string
		want     string
	}{
		"by default":              {"default", nil, ofClient},
		"as a trusted proxy":      {"listed", listed, ofClient},
		"not as an untrusted one": {"others", others, ofGateway},
	} {
		It("reports the address of its client, whatever the client claims: "+name, func(ctx SpecContext) {
			if c.settings != nil {
				configure(ctx, c.settings)
				DeferCleanup(func(ctx SpecContext) { configure(ctx, nil) })
			}
			received, from := g.use(ctx, c.account, ofClient, claims)
			want := c.want
			if g.isItself() {
				// Its peer is the client.
				want = ofClient
				expectNoClaims(received)
			}
			Expect(from).To(Equal(want))
		})
	}

	if !g.takesLoadBalancer {
		return
	}
	It("reports the address of the client of a load balancer in front", func(ctx SpecContext) {
		configure(ctx, map[string]string{"TRUSTED_PROXIES": ofGateway + ", " + ofLoadBalancer})
		DeferCleanup(func(ctx SpecContext) { configure(ctx, nil) })
		header := http.Header{"X-Forwarded-For": {claimed + ", " + reported}}
		_, from := g.use(ctx, "balanced", ofLoadBalancer, header)
		Expect(from).To(Equal(reported))
	})
}

// use uses a new key from an address. It returns the headers that the app receives, and the recorded address.
func (g *gateway) use(
	ctx context.Context, name, address string, header http.Header,
) (received http.Header, from string) {
	GinkgoHelper()
	account := "from-" + name + "-" + strings.ToLower(strings.ReplaceAll(g.name, " ", "-"))
	issueUnused(ctx, account)
	client := g.clientAt(address)
	Eventually(ctx, func() int {
		got := client.send(ctx, request{method: "GET", target: "/", who: account, by: byBearer, header: header})
		if got.app != nil {
			received = got.app.Header
		}
		return got.status
	}).Should(Equal(http.StatusOK))
	Eventually(ctx, lastUsedFrom(ctx, account)).ShouldNot(BeEmpty())
	return received, lastUsedFrom(ctx, account)()
}

// isItself reports whether Keywright itself is the proxy.
func (g *gateway) isItself() bool { return g.listen == proxyListen }

// expectNoClaims expects that the app receives the address of the client, and no other.
func expectNoClaims(header http.Header) {
	GinkgoHelper()
	for name, values := range header {
		Expect(strings.Join(values, ",")).NotTo(ContainSubstring(claimed), name)
	}
	Expect(header).To(HaveKeyWithValue("X-Real-Ip", []string{ofClient}))
	Expect(header).To(HaveKeyWithValue("X-Forwarded-For", []string{ofClient}))
}

// lastUsedFrom returns where the key of an account was last used from, as management reports it.
func lastUsedFrom(ctx context.Context, account string) func() string {
	return func() string {
		GinkgoHelper()
		url := s.ServerURL + "/apiv1/accounts/" + account + "/apikeys"
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		Expect(err).NotTo(HaveOccurred())
		request.Header = bearer(keys.get("alice"))
		reply, err := http.DefaultClient.Do(request)
		Expect(err).NotTo(HaveOccurred())
		defer reply.Body.Close()
		var page struct {
			Data struct {
				Items []struct {
					From *string `json:"last_used_from"`
				}
			}
		}
		Expect(json.NewDecoder(reply.Body).Decode(&page)).To(Succeed())
		Expect(page.Data.Items).To(HaveLen(1))
		if from := page.Data.Items[0].From; from != nil {
			return *from
		}
		return ""
	}
}
