package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
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

	It("issues and deletes thousands of keys at once", func(ctx SpecContext) {
		kubectl(ctx, "create", "namespace", "thousands")
		begun := time.Now()
		kubectl(ctx, "create", "-f", manyKeys("thousands", thousands))
		kubectl(ctx, "wait", "--for=condition=Ready", "--timeout="+patience.String(), "-n", "thousands", "apikeys", "--all")
		report("issuing", "%d keys: %.0f s", thousands, time.Since(begun).Seconds())
		begun = time.Now()
		kubectl(ctx, "delete", "apikeys", "--all", "-n", "thousands")
		Eventually(ctx, func() string { return kubectl(ctx, "get", "secrets", "-n", "thousands", "-o", "name") }).
			Should(BeEmpty())
		report("deletion", "%d keys, with their Secrets: %.0f s", thousands, time.Since(begun).Seconds())
		report("operator", "%d MiB resident at most", peakMemory(ctx, "operator")>>20)
		for _, component := range []string{"operator", "server"} {
			Expect(podsOf(ctx, component)).To(HaveEach(HaveField("Status.ContainerStatuses",
				HaveEach(HaveField("RestartCount", BeZero())))))
		}
		kubectl(ctx, "delete", "namespace", "thousands")
	})

	It("leaves nothing where it is removed as docs/install.md says", func(ctx SpecContext) {
		noneForbidden()
		run(ctx, "make", "undeploy")
		expectRemoved(ctx)
	})
})

// thousands is the number of keys that docs/operations.md has a figure for.
const thousands = 2000

// manyKeys writes a file with APIKeys.
func manyKeys(namespace string, n int) string {
	GinkgoHelper()
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "---\napiVersion: keywright.dev/v1alpha1\nkind: APIKey\nmetadata: {name: key-%d, namespace: %s}\n"+
			"spec: {subject: {kind: Account, name: ci}}\n", i, namespace)
	}
	path := filepath.Join(GinkgoT().TempDir(), "keys.yaml")
	Expect(os.WriteFile(path, []byte(text.String()), 0o600)).To(Succeed())
	return path
}

// peakMemory returns the largest resident memory that a program has had, in bytes.
func peakMemory(ctx context.Context, component string) int {
	GinkgoHelper()
	pod := podsOf(ctx, component)[0]
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", processOf(containerOf(&pod))))
	Expect(err).NotTo(HaveOccurred())
	_, peak, found := strings.Cut(string(status), "\nVmHWM:")
	Expect(found).To(BeTrue())
	peak, _, _ = strings.Cut(peak, " kB")
	return number(peak) << 10
}

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
