package gateways

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// blocks are the code blocks of the page, by the name in the first line of each.
type blocks map[string]string

// with returns a block with addresses replaced. The block has to contain each.
func (b blocks) with(name string, substitutions map[string]string) string {
	GinkgoHelper()
	text, found := b[name]
	Expect(found).To(BeTrue(), "the page has no %s", name)
	for from, to := range substitutions {
		Expect(text).To(ContainSubstring(from), name)
		text = strings.ReplaceAll(text, from, to)
	}
	return text
}

var _ = Describe("The page", func() {
	It("has only blocks that are tested", func() {
		Expect(page).To(HaveLen(len(ran) + len(manifests) + len(others)))
		for _, name := range append(append(ran, manifests...), others...) {
			Expect(page).To(HaveKey(name))
		}
	})
})

// ran are the blocks that the suite runs.
var ran = []string{
	"/etc/nginx/keywright/ask.conf", "/etc/nginx/keywright/server.conf", "/etc/nginx/keywright/protect.conf",
	"/etc/nginx/conf.d/keywright.conf", "/etc/nginx/conf.d/app.conf", "/etc/nginx/conf.d/git.conf", "clone.sh", "curl.sh",
	"/etc/nginx/conf.d/load-balancer.conf", "/etc/caddy/Caddyfile", "/etc/traefik/dynamic/app.yaml",
	"/etc/nginx/keywright/tls.conf", "transport-tls", "forward-auth-tls.yaml", "clone-url.sh", "public.yaml",
	"credentials.env", "credentials.conf", "credentials.caddy", "credentials.yaml",
}

// others are the blocks with their own spec.
var others = []string{
	"envoy.yaml", "envoy-tls.yaml", "istiod-values.yaml", "istiod-values-http.yaml",
	"proxy/kustomization.yaml", "proxy/service.yaml",
}
