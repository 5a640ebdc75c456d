package adminuser_test

import (
	"fmt"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/lifecyclesuite"
)

func named(username string) func(*v1alpha1.AdminUser) {
	return func(u *v1alpha1.AdminUser) { u.Spec.Username = username }
}

func byAPI(u *v1alpha1.AdminUser) { u.Spec.Delivery = v1alpha1.DeliveryResponse }

var _ = Describe("A role", func() {
	It("revokes the key on demotion, and a new one is issued on promotion", func(ctx SpecContext) {
		e := suite.NewEnv(ctx)
		e.Apply(ctx, "alice")
		old := e.Plaintext(ctx, "alice-admin-key")
		e.Events.Take()

		user := e.Change(ctx, "alice", setRole(v1alpha1.RoleUser))
		Expect(user.Status.Keys).To(BeEmpty())
		Expect(user.Status.SecretName).To(BeEmpty())
		lifecyclesuite.ExpectConditions(user, "True/Demoted", "False/Demoted")
		e.NoSecret(ctx, "alice-admin-key")
		Expect(e.Events.Take()).To(ConsistOf(HavePrefix("Normal KeyRevoked"), HavePrefix("Normal SecretRemoved")))

		user = e.Change(ctx, "alice", setRole(v1alpha1.RoleAdmin))
		Expect(lifecyclesuite.Condition(user, "Active")).To(Equal("True/Accepted"))
		Expect(e.Accepted(ctx, "alice", old)).To(BeFalse())
		Expect(e.Accepted(ctx, "alice", e.Plaintext(ctx, "alice-admin-key"))).To(BeTrue())
	})
})

var _ = Describe("Username claims", func() {
	It("are unique without regard to case: the holder of keys wins, and the rival continues when it is gone",
		func(ctx SpecContext) {
			e := suite.NewEnv(ctx)
			first := e.Apply(ctx, "alice")
			e.Apply(ctx, "other", named("ALICE"))
			second := e.PassGrace(ctx, "other")
			Expect(lifecyclesuite.Condition(second, "Stalled")).To(Equal("True/UsernameTaken"))
			Expect(lifecyclesuite.Condition(second, "Active")).To(Equal("False/UsernameTaken"))
			Expect(second.Status.Keys).To(BeEmpty())
			Expect(e.Events.Take()).To(ContainElement(And(HavePrefix("Warning UsernameTaken"),
				ContainSubstring("AdminUser alice"))))
			Expect(lifecyclesuite.Condition(first, "Active")).To(Equal("True/Accepted"))

			e.Remove(ctx, "alice")
			e.Reconcile(ctx, "other")
			Expect(lifecyclesuite.Condition(e.Get(ctx, "other"), "Active")).To(Equal("True/Accepted"))
			Expect(string(e.Secret(ctx, "other-admin-key").Data["username"])).To(Equal("ALICE"))
		})

	It("prefer an object with keys to an older one without", func(ctx SpecContext) {
		e := suite.NewEnv(ctx)
		e.Create(ctx, "a-older", named("bob"), byAPI)
		newer := e.Create(ctx, "newer", named("Bob"), byAPI)
		newer.Status.Keys = []v1alpha1.KeyStatus{e.Recorded("issued-by-the-api-" + e.Namespace)}
		Expect(suite.Cached.Status().Update(ctx, newer)).To(Succeed())
		e.Reconcile(ctx, "a-older")
		e.Reconcile(ctx, "newer")
		Expect(lifecyclesuite.Condition(e.PassGrace(ctx, "a-older"), "Stalled")).To(Equal("True/UsernameTaken"))
		Expect(lifecyclesuite.Condition(e.Get(ctx, "newer"), "Active")).To(Equal("True/Accepted"))
	})

	It("are honoured for one object only, however many claim a name at the same time", func(ctx SpecContext) {
		e := suite.NewEnv(ctx)
		r := e.NewReconciler()
		const claimants = 6
		for i := range claimants {
			e.Create(ctx, fmt.Sprintf("claimant-%d", i), named([]string{"carol", "Carol", "CAROL"}[i%3]))
		}
		var working sync.WaitGroup
		for i := range claimants {
			working.Go(func() {
				defer GinkgoRecover()
				_, err := r.Reconcile(ctx, reconcile.Request{NamespacedName: e.Key(fmt.Sprintf("claimant-%d", i))})
				Expect(err).NotTo(HaveOccurred())
			})
		}
		working.Wait()
		issued := 0
		for _, event := range e.Events.Take() {
			if strings.HasPrefix(event, "Normal KeyIssued") {
				issued++
			}
		}
		Expect(issued).To(Equal(1))
	})
})
