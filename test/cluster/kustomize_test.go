package cluster

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/test/stack"
)

var _ = Describe("Installed by kustomize, with SQLite", Ordered, func() {
	It("is ready in time, on a cluster that enforces the restricted standard", func(ctx SpecContext) {
		install(ctx, "kustomize", func() { kubectl(ctx, "apply", "--server-side", "-k", "config/default") })
		startWorkload(ctx)
	})

	It("refuses calls during a rollout of the server, and never a valid key", func(ctx SpecContext) {
		total, refused := duringWhich(ctx, func() {
			kubectl(ctx, "rollout", "restart", "-n", stack.Namespace, "deployment/keywright-server")
			rolledOut(ctx, stack.Namespace, programs...)
		})
		report("rollout with SQLite", "%d calls, refused: %v", total, refused)
		Expect(refused).NotTo(Or(HaveKey("401"), HaveKey("403")))
	})

	It("refuses calls until the killed server is back, and never a valid key", func(ctx SpecContext) {
		begun := time.Now()
		total, refused := duringWhich(ctx, func() { kill(ctx, "server", 0) })
		report("SIGKILL of the server with SQLite", "%d calls in %.0f s, refused: %v",
			total, time.Since(begun).Seconds(), refused)
		Expect(refused).NotTo(Or(HaveKey("401"), HaveKey("403")))
	})

	It("leaves nothing where it is removed as docs/install.md says", func(ctx SpecContext) {
		noneForbidden()
		run(ctx, "make", "undeploy")
		expectRemoved(ctx)
	})
})

// expectRemoved checks that nothing of Keywright is left in the cluster.
func expectRemoved(ctx context.Context) {
	GinkgoHelper()
	for _, kind := range []string{"namespaces", "customresourcedefinitions", "clusterroles", "clusterrolebindings",
		"validatingadmissionpolicies", "validatingadmissionpolicybindings"} {
		for name := range strings.FieldsSeq(kubectl(ctx, "get", kind, "-o", "name")) {
			Expect(name).NotTo(ContainSubstring("keywright"))
		}
	}
	Expect(plane.Client.Get(ctx, client.ObjectKey{Name: stack.Namespace}, namespace())).NotTo(Succeed())
}
