package admission

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/test/stack"
)

var _ = Describe("The limit on the Leases of servers", func() {
	It("leaves every name to RBAC for everyone else", func(ctx SpecContext) {
		leases := rbacv1.PolicyRule{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"},
			Verbs: []string{"*"}}
		for _, namespace := range []string{stack.Namespace, team} {
			user := person(ctx, namespace, leases)
			for _, name := range []string{"somebodys", "keywright-operator", "keywright-server-c"} {
				l := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
				Expect(user.Create(ctx, l)).To(Succeed())
				l.Spec.HolderIdentity = new("other")
				Expect(user.Update(ctx, l)).To(Succeed())
				Expect(user.Delete(ctx, l)).To(Succeed())
			}
		}
	})
})
