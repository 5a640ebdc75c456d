package apikey_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/lifecyclesuite"
)

var _ = Describe("The running controller", func() {
	It("reacts to a role that is created, changed and deleted", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.StartManager(ctx)
		e.Create(ctx, "ci", using(v1alpha1.RoleName(e.own("late"))))
		Eventually(ctx, e.State("ci")).Should(Equal("False/UnknownRole False/NoKey"))
		role := e.role(ctx, "late")
		Eventually(ctx, e.State("ci")).Should(Equal(lifecyclesuite.Works))
		e.editRole(ctx, role, maxTTL("1h"))
		Eventually(ctx, func() *metav1.Time { return e.Get(ctx, "ci").Status.Keys[0].ExpiresAt }).ShouldNot(BeNil())
		deleteRole(ctx, role)
		Eventually(ctx, e.State("ci")).Should(Equal("False/UnknownRole False/UnknownRole"))
		e.role(ctx, "late")
		Eventually(ctx, e.State("ci")).Should(Equal(lifecyclesuite.Works), "the same key again")
	}, NodeTimeout(20*time.Second))

	It("reacts to changes of the user a key speaks as", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.StartManager(ctx)
		carol := e.own("carol")
		e.Create(ctx, "ci", speakingAs(carol))
		Eventually(ctx, e.State("ci")).Should(Equal(lifecyclesuite.Works))

		binding := e.bind(ctx, "visitor", users(carol), denying)
		Eventually(ctx, e.State("ci")).Should(Equal("False/OwnerDenied False/OwnerDenied"))
		e.editBinding(ctx, binding, users("other"))
		Eventually(ctx, e.State("ci")).Should(Equal(lifecyclesuite.Works), "keys of former subjects are reconciled too")

		user := adminUser(ctx, e.System, carol, v1alpha1.StateDisabled)
		Eventually(ctx, e.State("ci")).Should(Equal("True/Issued False/OwnerDisabled"))
		user.Spec.State = v1alpha1.StateActive
		Expect(suite.Cached.Update(ctx, user)).To(Succeed())
		Eventually(ctx, e.State("ci")).Should(Equal(lifecyclesuite.Works))
	}, NodeTimeout(20*time.Second))

	It("detects by its own clock that a key has ended", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.StartManager(ctx)
		e.Create(ctx, "ci", ttl("2s"))
		Eventually(ctx, e.State("ci")).WithTimeout(10 * time.Second).Should(Equal("True/Issued False/Expired"))
	}, NodeTimeout(20*time.Second))
})
