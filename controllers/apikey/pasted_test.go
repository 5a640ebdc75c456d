package apikey_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// pasted writes a key of another object into the status of an APIKey.
func (e *env) pasted(ctx context.Context, name string, key v1alpha1.KeyStatus) *v1alpha1.APIKey {
	GinkgoHelper()
	return e.EditStatus(ctx, name, func(s *v1alpha1.KeyHolderStatus) { s.Keys = []v1alpha1.KeyStatus{key} })
}

var _ = Describe("A digest pasted from another object", func() {
	It("belongs to the older object, and a rotation helps the younger one", func(ctx SpecContext) {
		e := newEnv(ctx)
		older, younger := "first", "second"
		if first, second := e.Apply(ctx, "first"), e.Apply(ctx, "second"); keyholder.Older(second, first) {
			older, younger = younger, older
		}
		plaintext := e.Plaintext(ctx, older+"-api-key")
		e.Events.Take()
		k := e.pasted(ctx, younger, e.Get(ctx, older).Status.Keys[0])
		expectConditions(k, "False/KeyInUse", "False/KeyInUse")
		k = e.PassGrace(ctx, younger)
		expectConditions(k, "False/KeyInUse", "False/KeyInUse")
		wanted := "The recorded key belongs to APIKey " + e.Namespace + "/" + older +
			", which is older: request a new key with annotation keywright.dev/rotate. " +
			"Keywright checks it again every minute."
		Expect(message(k, "Ready")).To(Equal(wanted))
		Expect(e.Events.Take()).To(ConsistOf("Warning KeyInUse " + wanted))
		expectConditions(e.At(ctx, 0, older), "True/Issued", "True/Accepted")
		Expect(e.Accepted(ctx, older, plaintext)).To(BeTrue())

		k = e.Change(ctx, younger, rotate("1"))
		expectConditions(k, "True/Issued", "True/Accepted")
		Expect(k.Status.Keys).To(HaveLen(1), "no overlap for another object's key")
		Expect(e.Accepted(ctx, younger, e.Plaintext(ctx, younger+"-api-key"))).To(BeTrue())
		Expect(e.Accepted(ctx, younger, plaintext)).To(BeFalse())
	})

	It("belongs to the younger object when the older one is gone", func(ctx SpecContext) {
		e := newEnv(ctx)
		older, younger := "first", "second"
		if first, second := e.Apply(ctx, "first"), e.Apply(ctx, "second"); keyholder.Older(second, first) {
			older, younger = younger, older
		}
		e.pasted(ctx, younger, e.Get(ctx, older).Status.Keys[0])
		e.Remove(ctx, older)
		e.Reconcile(ctx, younger)
		expectConditions(e.Get(ctx, younger), "True/Issued", "True/Accepted")
		Expect(e.Accepted(ctx, younger, e.Plaintext(ctx, younger+"-api-key"))).To(BeTrue())
	})

	It("is checked again every minute", func(ctx SpecContext) {
		e := newEnv(ctx)
		carol := adminUser(ctx, e.System, "carol", v1alpha1.StateActive)
		withKeys(ctx, carol, e.Recorded(e.Brought()))
		e.createYounger(ctx, "ci", carol)
		e.pasted(ctx, "ci", e.Recorded(e.Brought()))
		Expect(e.Reconcile(ctx, "ci")).To(Equal(time.Minute), "the other object is not watched")
	})

	It("into the older object blocks the younger one only until the older one is reconciled", func(ctx SpecContext) {
		e := newEnv(ctx)
		older, younger := "first", "second"
		if first, second := e.Apply(ctx, "first"), e.Apply(ctx, "second"); keyholder.Older(second, first) {
			older, younger = younger, older
		}
		e.pasted(ctx, older, e.Get(ctx, younger).Status.Keys[0])
		e.Reconcile(ctx, younger)
		expectConditions(e.Get(ctx, older), "True/Issued", "True/Accepted")
		Expect(e.Accepted(ctx, older, e.Plaintext(ctx, older+"-api-key"))).To(BeTrue(),
			"its Secret does not hold the recorded key")
		e.Reconcile(ctx, younger)
		expectConditions(e.Get(ctx, younger), "True/Issued", "True/Accepted")
	})

	It("is recognized across kinds", func(ctx SpecContext) {
		e := newEnv(ctx)
		carol := adminUser(ctx, e.System, "carol", v1alpha1.StateActive)
		plaintext := e.Brought()
		withKeys(ctx, carol, e.Recorded(plaintext))
		e.createYounger(ctx, "ci", carol)
		e.pasted(ctx, "ci", e.Recorded(plaintext))
		k := e.PassGrace(ctx, "ci")
		Expect(condition(k, "Stalled")).To(Equal("True/KeyInUse"))
		Expect(message(k, "Stalled")).To(ContainSubstring("belongs to AdminUser " + e.System + "/carol, which is older"))
		expectConditions(e.Change(ctx, "ci", rotate("1")), "True/Issued", "True/Accepted")
	})

	It("into a younger AdminUser does not affect the older APIKey", func(ctx SpecContext) {
		e := newEnv(ctx)
		before := e.Apply(ctx, "ci")
		var thief *v1alpha1.AdminUser
		Eventually(ctx, func() bool {
			if thief != nil {
				Expect(suite.Cached.Delete(ctx, thief)).To(Succeed())
			}
			thief = adminUser(ctx, e.System, "thief", v1alpha1.StateActive)
			return keyholder.Older(before, thief)
		}).WithTimeout(5 * time.Second).Should(BeTrue())
		withKeys(ctx, thief, before.Status.Keys[0])
		e.Reconcile(ctx, "ci")
		Expect(e.Get(ctx, "ci").ResourceVersion).To(Equal(before.ResourceVersion))
	})
})

// createYounger creates an APIKey that is younger than another object. Creation times are whole seconds.
func (e *env) createYounger(ctx context.Context, name string, than client.Object) {
	GinkgoHelper()
	var k *v1alpha1.APIKey
	Eventually(ctx, func() bool {
		if k != nil {
			Expect(suite.Cached.Delete(ctx, k)).To(Succeed())
		}
		k = e.Create(ctx, name)
		return keyholder.Older(than, k)
	}).WithTimeout(5 * time.Second).Should(BeTrue())
}
