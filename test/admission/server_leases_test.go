package admission

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

	"keywright.dev/keywright/test/stack"
)

// account returns a client of a ServiceAccount of Keywright with its own token.
func account(ctx context.Context, name string) client.Client {
	GinkgoHelper()
	config, err := plane.ServiceAccountConfig(ctx, name)
	Expect(err).NotTo(HaveOccurred())
	c, err := client.New(config, client.Options{Scheme: plane.Client.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	return c
}

// leases grants all verbs on Leases.
var leases = rbacv1.PolicyRule{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"},
	Verbs: []string{"*"}}

func lease(namespace, name string) *coordinationv1.Lease {
	return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}

// hold takes over a Lease as a server does.
func hold(ctx context.Context, c client.Client, name string, options ...client.ApplyOption) error {
	wanted := coordinationac.Lease(name, stack.Namespace).WithSpec(coordinationac.LeaseSpec().WithHolderIdentity("me"))
	return c.Apply(ctx, wanted, append(options, client.FieldOwner("keywright-server"), client.ForceOwnership)...)
}

func notOfAServer(name string) string {
	return "the server may only write Leases whose name begins with keywright-server-, not " + name
}

var _ = Describe("The Lease of", func() {
	var server client.Client

	BeforeEach(func(ctx SpecContext) { server = account(ctx, "keywright-server") })

	It("a server is created and renewed by a server", func(ctx SpecContext) {
		DeferCleanup(func(ctx SpecContext) {
			Expect(plane.Client.Delete(ctx, lease(stack.Namespace, "keywright-server-a"))).To(Succeed())
		})
		for range 2 {
			Expect(hold(ctx, server, "keywright-server-a")).To(Succeed())
		}
	})

	It("the operator is created and renewed by the operator, and never by a server", func(ctx SpecContext) {
		expectRefusal(hold(ctx, server, "keywright-operator"), notOfAServer("keywright-operator"))

		operator := account(ctx, "keywright-operator")
		held := lease(stack.Namespace, "keywright-operator")
		held.Spec.HolderIdentity = new("the operator")
		Expect(operator.Create(ctx, held)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(plane.Client.Delete(ctx, held)).To(Succeed()) })
		expectRefusal(hold(ctx, server, "keywright-operator"), notOfAServer("keywright-operator"))
		for _, patch := range []client.Patch{
			client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"holderIdentity":"me"}}`)),
			client.RawPatch("application/json-patch+json", []byte(`[{"op":"remove","path":"/spec/holderIdentity"}]`)),
		} {
			expectRefusal(server.Patch(ctx, held.DeepCopy(), patch), notOfAServer("keywright-operator"))
		}
		held.Spec.HolderIdentity = new("the next operator")
		Expect(operator.Update(ctx, held)).To(Succeed())
	})

	DescribeTable("another name cannot be written by a server:",
		func(ctx SpecContext, name string) {
			expectRefusal(hold(ctx, server, name, client.DryRunAll), notOfAServer(name))
			expectRefusal(server.Create(ctx, lease(stack.Namespace, name), client.DryRunAll), notOfAServer(name))
		},
		Entry("of another program", "others"),
		Entry("nearly a server's", "keywright-server"),
		Entry("nearly a server's, longer", "keywright-serverx-a"),
		Entry("with a server's in its name", "x-keywright-server-a"),
	)

	It("a server may have a generated name, and another Lease of a server may not", func(ctx SpecContext) {
		generated := func(prefix string) error {
			l := lease(stack.Namespace, "")
			l.GenerateName = prefix
			return server.Create(ctx, l, client.DryRunAll)
		}
		Expect(generated("keywright-server-")).To(Succeed())
		Expect(refusal(generated("keywright-"))).To(HavePrefix(notOfAServer("keywright-")))
	})

	It("any name cannot be read, replaced or deleted by a server, nor written in another namespace",
		func(ctx SpecContext) {
			own := lease(stack.Namespace, "keywright-server-b")
			Expect(plane.Client.Create(ctx, own)).To(Succeed())
			DeferCleanup(func(ctx SpecContext) { Expect(plane.Client.Delete(ctx, own)).To(Succeed()) })
			expectNoRight(server.Get(ctx, client.ObjectKeyFromObject(own), own.DeepCopy()))
			expectNoRight(server.List(ctx, &coordinationv1.LeaseList{}, client.InNamespace(stack.Namespace)))
			expectNoRight(server.Update(ctx, own.DeepCopy()))
			expectNoRight(server.Delete(ctx, own.DeepCopy()))
			expectNoRight(server.Create(ctx, lease("default", "keywright-server-b")))
		})

	It("any name is left to RBAC by this policy for everyone else", func(ctx SpecContext) {
		for _, namespace := range []string{stack.Namespace, team} {
			user := person(ctx, namespace, leases)
			for _, name := range []string{"somebodys", "keywright-operator", "keywright-server-c"} {
				l := lease(namespace, name)
				Expect(user.Create(ctx, l)).To(Succeed())
				l.Spec.HolderIdentity = new("other")
				Expect(user.Update(ctx, l)).To(Succeed())
				Expect(user.Delete(ctx, l)).To(Succeed())
			}
		}
	})

	// The policy applies to the account even if RBAC grants it too much.
	It("the operator cannot be written by a server with every right", func(ctx SpecContext) {
		user := "system:serviceaccount:" + stack.Namespace + ":keywright-server"
		meta := metav1.ObjectMeta{Namespace: stack.Namespace, Name: newName(ctx, "too-much")}
		Expect(plane.Client.Create(ctx, &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{leases}})).To(Succeed())
		binding := &rbacv1.RoleBinding{
			ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
		}
		Expect(plane.Client.Create(ctx, binding)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			Expect(plane.Client.Delete(ctx, binding)).To(Succeed())
			Eventually(ctx, func() bool {
				return mayIn(ctx, leases.APIGroups[0], user, "delete", "leases", stack.Namespace,
					"")
			}).
				WithTimeout(time.Minute).Should(BeFalse())
		})
		awaitRules(ctx, user, stack.Namespace,
			[]rbacv1.PolicyRule{{APIGroups: leases.APIGroups, Resources: leases.Resources, Verbs: []string{"delete"}}})

		held := lease(stack.Namespace, "keywright-operator")
		Expect(plane.Client.Create(ctx, held)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(plane.Client.Delete(ctx, held)).To(Succeed()) })
		expectRefusal(server.Update(ctx, held.DeepCopy()), notOfAServer("keywright-operator"))
		expectRefusal(server.Delete(ctx, held.DeepCopy()), notOfAServer("keywright-operator"))
	})
})
