package e2e

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/stack"
)

// reported returns the revision that each running server reports.
func reported(ctx context.Context) (revisions []string) {
	GinkgoHelper()
	var leases coordinationv1.LeaseList
	Expect(s.Client.List(ctx, &leases, client.InNamespace(stack.Namespace),
		client.MatchingLabels(v1alpha1.ServerLeaseLabels()))).To(Succeed())
	for i := range leases.Items {
		if *leases.Items[i].Spec.HolderIdentity != "" {
			revisions = append(revisions, leases.Items[i].Annotations[v1alpha1.AnnotationConfiguration])
		}
	}
	return revisions
}

// awaitEvent waits for the one event that all servers run a configuration.
func awaitEvent(ctx context.Context, note string) {
	GinkgoHelper()
	events := func() []string {
		return slices.DeleteFunc(configEvents(ctx, v1alpha1.EventConfigRunning),
			func(other string) bool { return other != note })
	}
	Eventually(ctx, events).WithTimeout(patience).Should(HaveLen(1), note)
}

// Serial, because other specs rely on one server and on the configuration.
var _ = Describe("A new configuration", Serial, func() {
	It("is reported when every server runs it, without waiting for a stopped server", func(ctx SpecContext) {
		before := running(ctx)
		DeferCleanup(func(ctx SpecContext) {
			write(ctx, plain)
			awaitRunning(ctx, Equal(before))
		})
		other, err := s.AddServer(ctx)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(other.Stop)
		Eventually(ctx, func() []string { return reported(ctx) }).WithTimeout(patience).Should(ConsistOf(before, before))

		configure(ctx, map[string]string{"ALLOWED_USERS": "everybody"})
		both := running(ctx)
		awaitEvent(ctx, fmt.Sprintf("All 2 replicas run configuration %s.", both))
		Expect(reported(ctx)).To(ConsistOf(both, both))
		Expect(string(fetch(ctx, other.URL+"/readyz?verbose"))).To(ContainSubstring(both))
		Expect(manage(ctx, http.MethodGet, "/api/admin/settings", "")).To(SatisfyAll(
			HaveKeyWithValue("revision", both), HaveKeyWithValue("in_step", true)))

		Expect(other.Stop()).To(Succeed())
		Expect(reported(ctx)).To(ConsistOf(both))
		configure(ctx, map[string]string{"ALLOWED_USERS": "alice"})
		awaitEvent(ctx, fmt.Sprintf("The only replica runs configuration %s.", running(ctx)))
	})
})

// Servers need three rights on Leases, and so does the operator.
var _ = Describe("Privileges on Leases", func() {
	for _, w := range []struct {
		account, verb, namespace, name string
		allowed                        bool
	}{
		{serverAccount, "create", stack.Namespace, "", true},
		{serverAccount, "patch", stack.Namespace, "", true},
		{serverAccount, "get", stack.Namespace, "", false},
		{serverAccount, "list", stack.Namespace, "", true},
		{serverAccount, "watch", stack.Namespace, "", false},
		{serverAccount, "update", stack.Namespace, "", false},
		{serverAccount, "delete", stack.Namespace, "", false},
		{serverAccount, "create", "default", "", false},
		{operatorAccount, "watch", stack.Namespace, "", true},
		{operatorAccount, "patch", stack.Namespace, "", false},
		{operatorAccount, "delete", stack.Namespace, "", false},
		{operatorAccount, "update", stack.Namespace, "keywright-server-a", false},
		{operatorAccount, "list", "default", "", false},
	} {
		It(fmt.Sprintf("%s may %s %q in %q: %t", w.account, w.verb, w.name, w.namespace, w.allowed), func(ctx SpecContext) {
			Expect(may(ctx, w.account, w.verb, "coordination.k8s.io", "leases", "", w.namespace, w.name)).To(Equal(w.allowed))
		})
	}
})
