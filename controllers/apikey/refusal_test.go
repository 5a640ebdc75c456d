package apikey_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/api/v1alpha1"
)

var _ = Describe("Refusing a key", func() {
	It("by enabled: false is reversible", func(ctx SpecContext) {
		b := newBench(ctx)
		b.key(ctx, "ci")
		plaintext := b.plaintext(ctx, "ci-api-key")
		k := b.change(ctx, "ci", enabled(false))
		says(k, "True/Issued", "False/Disabled")
		Expect(messageOf(k, "Active")).To(Equal("spec.enabled is false: the key is refused until it is true again."))
		says(b.change(ctx, "ci", enabled(true)), "True/Issued", "True/Accepted")
		Expect(b.plaintext(ctx, "ci-api-key")).To(Equal(plaintext))
		Expect(b.accepted(ctx, "ci", plaintext)).To(BeTrue())
	})

	It("by enabled: false from the beginning issues it all the same, refused", func(ctx SpecContext) {
		b := newBench(ctx)
		says(b.key(ctx, "ci", enabled(false)), "True/Issued", "False/Disabled")
		Expect(b.plaintext(ctx, "ci-api-key")).NotTo(BeEmpty())
	})

	It("by revoked is for good: Secret and digests go, those in overlap too, and the object stays", func(ctx SpecContext) {
		b := newBench(ctx)
		b.key(ctx, "ci", every("24h"))
		k := b.change(ctx, "ci", rotate("1"))
		b.events.Take()
		ids := []string{k.Status.Keys[0].ID, k.Status.Keys[1].ID}

		b.edit(ctx, "ci", revoked)
		Expect(b.reconcile(ctx, "ci")).To(BeZero(), "nothing will ever be due")
		k = b.get(ctx, "ci")
		says(k, "True/Revoked", "False/Revoked")
		Expect(messageOf(k, "Ready")).To(Equal("spec.revoked is true: the key is refused for good."))
		Expect(k.Status.Keys).To(BeEmpty())
		Expect(k.Status.SecretName).To(BeEmpty())
		Expect(k.Status.NextRotation).To(BeNil())
		b.noSecret(ctx, "ci-api-key")
		Expect(b.events.Take()).To(ConsistOf("Normal KeyRevoked Revoked key " + ids[0] + ", key " + ids[1] +
			": spec.revoked is true: the key is refused for good."))
		b.change(ctx, "ci", rotate("2"))
		Expect(b.get(ctx, "ci").Status.Keys).To(BeEmpty(), "no rotation brings it back")
	})

	It("by revoked from the beginning issues none", func(ctx SpecContext) {
		b := newBench(ctx)
		k := b.key(ctx, "ci", revoked)
		says(k, "True/Revoked", "False/Revoked")
		b.noSecret(ctx, "ci-api-key")
		Expect(b.events.Take()).To(BeEmpty())
	})

	It("takes away what somebody wrote into the status of a revoked one", func(ctx SpecContext) {
		b := newBench(ctx)
		b.key(ctx, "ci", revoked)
		k := b.editStatus(ctx, "ci", func(s *v1alpha1.APIKeyStatus) { s.Keys = []v1alpha1.KeyStatus{b.recorded(b.brought())} })
		Expect(k.Status.Keys).To(BeEmpty())
	})

	It("by a deletion removes the Secret, and what waits for something else says so", func(ctx SpecContext) {
		b := newBench(ctx)
		b.key(ctx, "ci", func(k *v1alpha1.APIKey) { k.Finalizers = []string{"example.com/wait"} })
		b.events.Take()
		b.remove(ctx, "ci")
		k := b.get(ctx, "ci")
		says(k, "True/Deleted", "False/Deleted")
		Expect(messageOf(k, "Active")).To(Equal("The APIKey is being deleted: no key is accepted any more."))
		Expect(k.Status.Keys).To(BeEmpty())
		b.noSecret(ctx, "ci-api-key")
		Expect(b.events.Take()).To(ConsistOf(HavePrefix("Normal KeyRevoked")))
		b.edit(ctx, "ci", func(k *v1alpha1.APIKey) { k.Finalizers = nil })
		b.reconcile(ctx, "ci")
		Expect(b.gone(ctx, "ci")).To(BeTrue())
	})

	It("names the reason that the server names", func(ctx SpecContext) {
		b := newBench(ctx)
		carol := b.own("carol")
		b.role(ctx, "visitor", members(carol), denying)
		adminUser(ctx, b.system, carol, false)
		says(b.key(ctx, "ci", speakingAs(carol), enabled(false)), "False/OwnerDenied", "False/Disabled")
		says(b.change(ctx, "ci", enabled(true)), "False/OwnerDenied", "False/OwnerDisabled")
		says(b.change(ctx, "ci", revoked), "True/Revoked", "False/Revoked")
	})
})
