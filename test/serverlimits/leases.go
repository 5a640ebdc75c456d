package serverlimits

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationac "k8s.io/client-go/applyconfigurations/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/test/kit"
)

func (i *Installation) lease(name string) *coordinationv1.Lease {
	return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: i.Namespace, Name: name}}
}

// hold takes over a Lease as a server does.
func (i *Installation) hold(ctx context.Context, name string, options ...client.ApplyOption) error {
	wanted := coordinationac.Lease(name, i.Namespace).WithSpec(coordinationac.LeaseSpec().WithHolderIdentity("me"))
	return i.server.Apply(ctx, wanted, append(options, client.FieldOwner("keywright-server"), client.ForceOwnership)...)
}

func notOfAServer(name string) string {
	return "the server may only write Leases whose name begins with keywright-server-, not " + name
}

func (i *Installation) leaseSpecs() {
	It("creates and renews the Lease of a server", func(ctx SpecContext) {
		DeferCleanup(i.remove, i.lease("keywright-server-a"))
		for range 2 {
			Expect(i.hold(ctx, "keywright-server-a")).To(Succeed())
		}
	})

	It("never creates or takes over the operator's Lease, and the operator does", func(ctx SpecContext) {
		kit.ExpectRefusal(i.hold(ctx, "keywright-operator"), notOfAServer("keywright-operator"))

		operator := i.Account(ctx, "keywright-operator")
		held := i.lease("keywright-operator")
		held.Spec.HolderIdentity = new("the operator")
		Expect(operator.Create(ctx, held)).To(Succeed())
		DeferCleanup(i.remove, i.lease("keywright-operator"))
		kit.ExpectRefusal(i.hold(ctx, "keywright-operator"), notOfAServer("keywright-operator"))
		for _, patch := range []client.Patch{
			mergePatch(`{"spec":{"holderIdentity":"me"}}`),
			client.RawPatch("application/json-patch+json", []byte(`[{"op":"remove","path":"/spec/holderIdentity"}]`)),
		} {
			kit.ExpectRefusal(i.server.Patch(ctx, held.DeepCopy(), patch), notOfAServer("keywright-operator"))
		}
		held.Spec.HolderIdentity = new("the next operator")
		Expect(operator.Update(ctx, held)).To(Succeed())
	})

	DescribeTable("never writes another Lease:",
		func(ctx SpecContext, name string) {
			kit.ExpectRefusal(i.hold(ctx, name, client.DryRunAll), notOfAServer(name))
			kit.ExpectRefusal(i.server.Create(ctx, i.lease(name), client.DryRunAll), notOfAServer(name))
		},
		Entry("of another program", "others"),
		Entry("nearly a server's", "keywright-server"),
		Entry("nearly a server's, longer", "keywright-serverx-a"),
		Entry("with a server's in its name", "x-keywright-server-a"),
	)

	It("generates names of servers' Leases only", func(ctx SpecContext) {
		generated := func(prefix string) error {
			l := i.lease("")
			l.GenerateName = prefix
			return i.server.Create(ctx, l, client.DryRunAll)
		}
		Expect(generated("keywright-server-")).To(Succeed())
		Expect(kit.Refusal(generated("keywright-"))).To(HavePrefix(notOfAServer("keywright-")))
	})

	It("lists Leases, gets, replaces and deletes none, and has no right elsewhere", func(ctx SpecContext) {
		own := i.lease("keywright-server-b")
		Expect(i.Plane.Client.Create(ctx, own)).To(Succeed())
		DeferCleanup(i.remove, i.lease("keywright-server-b"))
		kit.ExpectNoRight(i.server.Get(ctx, client.ObjectKeyFromObject(own), own.DeepCopy()))
		Expect(i.server.List(ctx, &coordinationv1.LeaseList{}, client.InNamespace(i.Namespace))).To(Succeed())
		kit.ExpectNoRight(i.server.List(ctx, &coordinationv1.LeaseList{}, client.InNamespace(i.Elsewhere)))
		kit.ExpectNoRight(i.server.Update(ctx, own.DeepCopy()))
		kit.ExpectNoRight(i.server.Delete(ctx, own.DeepCopy()))
		elsewhere := i.lease("keywright-server-b")
		elsewhere.Namespace = i.Elsewhere
		kit.ExpectNoRight(i.server.Create(ctx, elsewhere))
	})
}

// overprivilegedLeaseSpecs: the policy applies to the account even if RBAC grants it too much.
func (i *Installation) overprivilegedLeaseSpecs() {
	for _, elsewhere := range []bool{false, true} {
		namespace := i.Namespace
		if elsewhere {
			namespace = i.Elsewhere
		}
		It("with every right on Leases in "+namespace+" cannot write the operator's", func(ctx SpecContext) {
			held := i.lease("keywright-operator")
			held.Namespace = namespace
			Expect(i.Plane.Client.Create(ctx, held)).To(Succeed())
			DeferCleanup(i.remove, held.DeepCopy())
			i.grantLeases(ctx, namespace, held)
			kit.ExpectRefusal(i.server.Update(ctx, held.DeepCopy()), notOfAServer("keywright-operator"))
			kit.ExpectRefusal(i.server.Delete(ctx, held.DeepCopy()), notOfAServer("keywright-operator"))
		})
	}
}

// grantLeases grants the server's account every verb on Leases until the spec ends. probe is a Lease that it may not
// delete without.
func (i *Installation) grantLeases(ctx context.Context, namespace string, probe *coordinationv1.Lease) {
	GinkgoHelper()
	c := i.Plane.Client
	role := &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "too-much-"},
		Rules: []rbacv1.PolicyRule{{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"},
			Verbs: []string{"*"}}},
	}
	Expect(c.Create(ctx, role)).To(Succeed())
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: i.Namespace, Name: "keywright-server"}},
	}
	Expect(c.Create(ctx, binding)).To(Succeed())
	tryDelete := func() error { return i.server.Delete(ctx, probe.DeepCopy(), client.DryRunAll) }
	Eventually(ctx, tryDelete).WithTimeout(time.Minute).WithPolling(5 * time.Millisecond).
		Should(Satisfy(kit.IsRefusedByPolicy))
	DeferCleanup(func(ctx SpecContext) {
		Expect(c.Delete(ctx, binding)).To(Succeed())
		Eventually(ctx, func() error { return i.server.Delete(ctx, probe.DeepCopy(), client.DryRunAll) }).
			WithTimeout(time.Minute).WithPolling(5 * time.Millisecond).Should(Satisfy(kit.IsRefusedByRBAC))
	})
}
