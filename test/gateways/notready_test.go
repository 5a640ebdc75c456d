package gateways

import (
	"context"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/stack"
)

// Without an operator, the server that is started here has no configuration.
var _ = Describe("While Keywright is not ready", func() {
	It("every request is refused, and clients are asked to retry", func(ctx SpecContext) {
		var installed []*gateway
		for _, g := range all {
			if g.path != "" {
				g.open(ctx)
				installed = append(installed, g)
			}
		}
		Expect(s.Operator.Kill()).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			Expect(s.Operator.Restart(ctx)).To(Succeed())
			Eventually(ctx, ask(ctx, "GET", "/", bearer(keys.get("alice")))).Should(Equal(http.StatusOK))
		})
		Expect(s.Client.Delete(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
			Namespace: stack.Namespace, Name: v1alpha1.ConfigMapRuntime,
		}})).To(Succeed())
		Expect(s.Server.Kill()).To(Succeed())
		startUnready(ctx)

		for _, g := range installed {
			got := g.get(ctx, "/", "alice")
			if g.mute {
				Expect(got.status).To(Equal(http.StatusInternalServerError))
				continue
			}
			g.expectRefused(got, http.StatusServiceUnavailable, "not ready yet")
			Expect(got.header.Get("Retry-After")).To(Equal("1"), g.name)
		}

		Expect(s.Operator.Restart(ctx)).To(Succeed())
		for _, g := range installed {
			Eventually(ctx, func() int { return g.get(ctx, "/", "alice").status }).Should(Equal(http.StatusOK), g.name)
		}
	})
})

// startUnready starts a server and returns when it reports that it is not ready.
func startUnready(ctx context.Context) {
	GinkgoHelper()
	starting, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	Expect(s.Server.Start(starting)).NotTo(Succeed())
	Eventually(ctx, ask(ctx, "GET", "/", bearer(keys.get("alice")))).Should(Equal(http.StatusServiceUnavailable))
}
