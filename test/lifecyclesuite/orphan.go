package lifecyclesuite

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"keywright.dev/keywright/api/v1alpha1"
)

func (s *Suite[T]) deletionPolicy(policy v1alpha1.DeletionPolicy) func(T) {
	return s.template(func(t *v1alpha1.SecretTemplate) { t.DeletionPolicy = policy })
}

func (s *Suite[T]) orphan(o T) { s.deletionPolicy(v1alpha1.DeletionOrphan)(o) }

func (s *Suite[T]) orphaned() {
	Describe("A Secret that is to outlive its object", func() {
		It("stays without owner and labels of ours, and its key is refused", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			o := e.Apply(ctx, one, s.orphan, s.template(func(t *v1alpha1.SecretTemplate) {
				t.Labels = map[string]v1alpha1.LabelValue{"team": "red"}
			}))
			Expect(o.GetFinalizers()).To(ConsistOf(v1alpha1.FinalizerKeepSecret))
			ExpectConditions(o, issued, accepted)
			before := e.Secret(ctx, e.SecretOf(one))
			e.Events.Take()

			e.Remove(ctx, one)
			s.expectOrphan(ctx, e, before)
			Expect(e.Secret(ctx, e.SecretOf(one)).Labels).To(Equal(map[string]string{"team": "red"}))
			Expect(e.Events.Take()).To(ConsistOf(HavePrefix("Normal KeyRevoked")))

			Expect(e.Issuer().RemoveOrphans(ctx, s.Name, e.Key(one))).To(Succeed())
			s.expectOrphan(ctx, e, before)
		})

		It("does not belong to a later object of the same name, unless it is handed over", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one, s.orphan)
			old := e.Plaintext(ctx, e.SecretOf(one))
			e.Remove(ctx, one)
			o := e.Apply(ctx, one, s.orphan)
			ExpectConditions(o, "False/SecretConflict", noKey)
			Expect(e.Plaintext(ctx, e.SecretOf(one))).To(Equal(old))
			e.Remove(ctx, one)
			Expect(e.Gone(ctx, one)).To(BeTrue())
			Expect(e.Plaintext(ctx, e.SecretOf(one))).To(Equal(old))

			e.EditForeignSecret(ctx, e.SecretOf(one), func(s *corev1.Secret) {
				s.Annotations[v1alpha1.AnnotationAdopt] = "true"
			})
			ExpectConditions(e.Apply(ctx, one), issued, accepted)
			Expect(e.Accepted(ctx, one, old)).To(BeTrue())
		})

		It("is one again that is deleted too, once the policy is Delete", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one)
			before := e.Secret(ctx, e.SecretOf(one))
			o := e.Change(ctx, one, s.orphan)
			Expect(o.GetFinalizers()).To(ConsistOf(v1alpha1.FinalizerKeepSecret))
			o = e.Change(ctx, one, s.deletionPolicy(v1alpha1.DeletionDelete))
			Expect(o.GetFinalizers()).To(BeEmpty())
			Expect(e.Secret(ctx, e.SecretOf(one)).ResourceVersion).To(Equal(before.ResourceVersion))
			e.Remove(ctx, one)
			e.NoSecret(ctx, e.SecretOf(one))
		})
	})
}

func (s *Suite[T]) withoutOrphan() {
	Describe("An object whose Secret is to outlive it", func() {
		It("leaves no Secret under a former name", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one, s.orphan, s.secretNamed("former"))
			e.Change(ctx, one, s.secretNamed("present"))
			e.NoSecret(ctx, "former")
			before := e.Secret(ctx, "present")
			e.Remove(ctx, one)
			Expect(e.Secrets(ctx)).To(HaveExactElements(HaveField("UID", before.UID)))
			Expect(e.Secret(ctx, "present").OwnerReferences).To(BeEmpty())
		})

		It("has no Secret to leave once its keys were ended for good", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one, s.orphan)
			o := e.Change(ctx, one, s.End)
			e.NoSecret(ctx, e.SecretOf(one))
			Expect(o.GetFinalizers()).To(BeEmpty())
			e.Remove(ctx, one)
			Expect(e.Gone(ctx, one)).To(BeTrue())
		})

		It("is gone also without a Secret", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			foreign := e.Foreign(ctx, e.SecretOf(one))
			e.Apply(ctx, one, s.orphan)
			e.Remove(ctx, one)
			Expect(e.Gone(ctx, one)).To(BeTrue())
			Expect(e.Secret(ctx, e.SecretOf(one)).ResourceVersion).To(Equal(foreign.ResourceVersion))

			e.Apply(ctx, "other", s.orphan)
			e.DeleteSecret(ctx, e.SecretOf("other"))
			e.Remove(ctx, "other")
			Expect(e.Gone(ctx, "other")).To(BeTrue())
		})
	})
}

// expectOrphan expects that the object is gone, and its Secret left with the same data and without an owner.
func (*Suite[T]) expectOrphan(ctx context.Context, e *Env[T], before *corev1.Secret) {
	GinkgoHelper()
	Expect(e.Gone(ctx, one)).To(BeTrue())
	left := e.Secret(ctx, e.SecretOf(one))
	Expect(left.UID).To(Equal(before.UID))
	Expect(left.OwnerReferences).To(BeEmpty(), "the garbage collector must not remove it")
	Expect(left.Data).To(Equal(before.Data))
	Expect(left.Labels).NotTo(Or(HaveKey(v1alpha1.LabelIssuedFor), HaveKey(v1alpha1.LabelManagedBy)))
}
