package gateways

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/test/kit"
)

// manifests are the blocks for a cluster.
var manifests = []string{
	"networkpolicy.yaml", "traefik.yaml", "envoy-gateway.yaml", "envoy-gateway-budgets.yaml", "istio.yaml", "ingress.yaml",
	"gateway-api.yaml", "contour.yaml",
}

// definitions are the CRDs in a module that a folder's go.mod pins.
var definitions = []struct{ pinned, module, files string }{
	{"hack/gatewaycrds", "github.com/envoyproxy/gateway", "charts/gateway-helm/charts/crds/crds/gatewayapi-crds.yaml"},
	{"hack/gatewaycrds", "github.com/envoyproxy/gateway", "charts/gateway-helm/charts/crds/crds/generated"},
	{"hack/gatewaycrds", "github.com/traefik/traefik/v3",
		"docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml"},
	{"hack/gatewaycrds", "github.com/projectcontour/contour", "examples/contour/01-crds.yaml"},
	{".", "istio.io/api", "kubernetes/customresourcedefinitions.gen.yaml"},
}

var _ = Describe("A manifest", Ordered, ContinueOnFailure, func() {
	BeforeAll(func(ctx SpecContext) {
		for _, d := range definitions {
			module := kit.ModuleFolder(ctx, filepath.Join(s.Root, d.pinned), d.module)
			kubectl(ctx, "apply", "--server-side", "-f", filepath.Join(module, d.files))
		}
		kubectl(ctx, "wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
		kubectl(ctx, "create", "namespace", "istio-system")
	})

	for _, name := range manifests {
		It("is accepted by the API server: "+name, func(ctx SpecContext) {
			text := page.with(name, nil)
			Expect(offer(ctx, text)).To(Succeed())
			Expect(offer(ctx, strings.Replace(text, "\nspec:\n", "\nspec:\n  noSuchField: x\n", 1))).
				NotTo(Succeed(), "the API server does not check the fields")
		})
	}

	It("makes a reverse proxy of the server", func(ctx SpecContext) {
		dir := GinkgoT().TempDir()
		Expect(os.Symlink(filepath.Join(s.Root, "config"), filepath.Join(dir, "config"))).To(Succeed())
		for _, name := range []string{"proxy/kustomization.yaml", "proxy/service.yaml"} {
			write(dir, name, page.with(name, nil))
		}
		built := kubectl(ctx, "kustomize", filepath.Join(dir, "proxy"))
		Expect(built).To(ContainSubstring("- --upstream=http://app.default.svc:8080\n"))
		// The changed objects of the installation.
		for _, object := range strings.Split(built, "---\n") {
			if strings.Contains(object, "name: keywright-server\n") && strings.Contains(object, "kind: Deployment\n") ||
				strings.Contains(object, "name: app-with-keys\n") {
				Expect(offer(ctx, object)).To(Succeed())
			}
		}
	})
})

func kubectl(ctx context.Context, args ...string) string {
	GinkgoHelper()
	out, err := s.Kubectl(ctx, args...)
	Expect(err).NotTo(HaveOccurred())
	return out
}

// offer creates a manifest in a dry run with strict validation, so unknown fields are errors.
func offer(ctx context.Context, text string) error {
	GinkgoHelper()
	_, err := s.Kubectl(ctx, "create", "--dry-run=server", "--validate=strict", "-f",
		write(GinkgoT().TempDir(), "manifest.yaml", text))
	return err
}
