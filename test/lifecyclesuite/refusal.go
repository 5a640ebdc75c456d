package lifecyclesuite

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/api/v1alpha1"
)

func (s *Suite[T]) disabled() {
	Describe("A disabled object", func() {
		It("is active again with the same key", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one)
			plaintext := e.Plaintext(ctx, e.SecretOf(one))
			o := e.Change(ctx, one, s.inState(v1alpha1.StateDisabled))
			ExpectConditions(o, issued, "False/Disabled")
			Expect(Message(o, "Active")).To(Equal(s.DisabledMessage))
			ExpectConditions(e.Change(ctx, one, s.inState(v1alpha1.StateActive)), issued, accepted)
			Expect(e.Plaintext(ctx, e.SecretOf(one))).To(Equal(plaintext))
			Expect(e.Accepted(ctx, one, plaintext)).To(BeTrue())
		})

		It("gets its key all the same when it is disabled from the start", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			ExpectConditions(e.Apply(ctx, one, s.inState(v1alpha1.StateDisabled)), issued, "False/Disabled")
			Expect(e.Plaintext(ctx, e.SecretOf(one))).NotTo(BeEmpty())
		})
	})
}

func (s *Suite[T]) ended() {
	Describe("An object whose keys are ended for good", func() {
		It("loses its Secret and every digest, and remains", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one, s.every("24h"), s.overlapOf("1h"))
			keys := e.Change(ctx, one, s.rotate("1")).HolderStatus().Keys
			e.Events.Take()

			e.Edit(ctx, one, s.End)
			Expect(e.Reconcile(ctx, one)).To(BeZero(), "nothing is ever due again")
			o := e.Get(ctx, one)
			ExpectConditions(o, "True/"+s.EndedReason, "False/"+s.EndedReason)
			Expect(Message(o, "Ready")).To(Equal(s.EndedMessage))
			Expect(o.HolderStatus().Keys).To(BeEmpty())
			Expect(o.HolderStatus().RevokedDigests).To(HaveExactElements(keys[0].Digest, keys[1].Digest), "for the servers")
			Expect(o.HolderStatus().SecretName).To(BeEmpty())
			Expect(o.HolderStatus().NextRotationAt).To(BeNil())
			e.NoSecret(ctx, e.SecretOf(one))
			Expect(e.Events.Take()).To(ConsistOf(
				"Normal KeyRevoked Revoked key "+keys[0].ID+", key "+keys[1].ID+": "+s.EndedMessage,
				"Normal SecretRemoved Deleted Secret "+e.SecretOf(one)+": "+s.EndedMessage))
			e.Change(ctx, one, s.rotate("2"))
			Expect(e.Get(ctx, one).HolderStatus().Keys).To(BeEmpty(), "no rotation brings it back")
		})

		It("gets no key when they are ended from the start", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			o := e.Apply(ctx, one, s.End)
			ExpectConditions(o, "True/"+s.EndedReason, "False/"+s.EndedReason)
			e.NoSecret(ctx, e.SecretOf(one))
			Expect(e.Events.Take()).To(BeEmpty())
		})

		It("loses keys that a person wrote into its status", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one, s.End)
			o := e.EditStatus(ctx, one, func(st *v1alpha1.KeyHolderStatus) {
				st.Keys = []v1alpha1.KeyStatus{e.Recorded(e.Brought())}
			})
			Expect(o.HolderStatus().Keys).To(BeEmpty())
		})
	})
}

func (s *Suite[T]) deleted() {
	Describe("An object that is being deleted", func() {
		It("loses its Secret, and its conditions describe that while another finalizer holds it", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one, withFinalizer[T])
			e.Events.Take()
			e.Remove(ctx, one)
			o := e.Get(ctx, one)
			ExpectConditions(o, "True/Deleted", "False/Deleted")
			Expect(Message(o, "Active")).To(Equal("The " + s.Name + " is being deleted: no key is accepted any more."))
			Expect(o.HolderStatus().Keys).To(BeEmpty())
			Expect(o.HolderStatus().RevokedDigests).To(BeEmpty(), "a deletion does not revoke")
			e.NoSecret(ctx, e.SecretOf(one))
			Expect(e.Events.Take()).To(ConsistOf(HavePrefix("Normal KeyRevoked"), HavePrefix("Normal SecretRemoved")))
			e.Edit(ctx, one, withoutFinalizers[T])
			e.Reconcile(ctx, one)
			Expect(e.Gone(ctx, one)).To(BeTrue())
		})
	})
}
