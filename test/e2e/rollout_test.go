package e2e

import (
	"context"
	"fmt"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/stack"
)

// reported is what each server that runs says of itself.
func reported(ctx context.Context) (revisions []string) {
	GinkgoHelper()
	var leases coordinationv1.LeaseList
	Expect(s.Client.List(ctx, &leases, client.InNamespace(stack.Namespace), client.MatchingLabels(v1alpha1.ServerLeaseLabels()))).To(Succeed())
	for i := range leases.Items {
		if *leases.Items[i].Spec.HolderIdentity != "" {
			revisions = append(revisions, leases.Items[i].Annotations[v1alpha1.AnnotationConfiguration])
		}
	}
	return revisions
}

// awaitTold waits until it is told that all servers run a configuration, in one event.
func awaitTold(ctx context.Context, note string) {
	GinkgoHelper()
	told := func() []string {
		return slices.DeleteFunc(configEvents(ctx, v1alpha1.EventConfigRunning), func(other string) bool { return other != note })
	}
	Eventually(ctx, told).WithTimeout(patience).Should(HaveLen(1), note)
}

// Not in parallel with other specs: they count on one server and on the configuration.
var _ = Describe("A new configuration", Serial, func() {
	It("is told of when every server runs it, and a server that was stopped is not waited for", func(ctx SpecContext) {
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
		awaitTold(ctx, fmt.Sprintf("All 2 servers run configuration %s.", both))
		Expect(reported(ctx)).To(ConsistOf(both, both))
		Expect(string(fetch(ctx, other.URL+"/readyz?verbose"))).To(ContainSubstring(both))

		Expect(other.Stop()).To(Succeed())
		Expect(reported(ctx)).To(ConsistOf(both))
		configure(ctx, map[string]string{"ALLOWED_USERS": "nobody"})
		awaitTold(ctx, fmt.Sprintf("The only server runs configuration %s.", running(ctx)))
	})
})

// What a server says of itself takes two rights, and reading it two.
var _ = Describe("Privileges on Leases", func() {
	for _, w := range []struct {
		account, verb, namespace, name string
		allowed                        bool
	}{
		{serverAccount, "create", stack.Namespace, "", true},
		{serverAccount, "patch", stack.Namespace, "", true},
		{serverAccount, "get", stack.Namespace, "", false},
		{serverAccount, "list", stack.Namespace, "", false},
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
