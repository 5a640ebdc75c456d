package lifecyclesuite

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Copy creates a copy of a Secret as kubectl does from the YAML of the original: with owner, labels and annotations.
func (e *Env[T]) Copy(ctx context.Context, name, as string) *corev1.Secret {
	GinkgoHelper()
	original := e.Secret(ctx, name)
	copied := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: e.Namespace, Name: as, Labels: original.Labels, Annotations: original.Annotations,
			OwnerReferences: original.OwnerReferences,
		},
		Type: original.Type, Data: original.Data,
	}
	Expect(e.Plane.Client.Create(ctx, copied, client.FieldOwner("kubectl-create"))).To(Succeed())
	e.awaitSecret(ctx, as, copied.ResourceVersion)
	return copied
}

// removal is something after which Keywright deletes a Secret of object one, and how an event reports it.
type removal struct {
	happen func(context.Context)
	event  string
}

// removals are all that make Keywright delete Secret former, which it wrote for object one.
func (s *Suite[T]) removals(e *Env[T]) map[string]removal {
	return map[string]removal{
		"a rename": {
			func(ctx context.Context) { e.Change(ctx, one, s.secretNamed("present")) },
			"Deleted Secret former: The spec names Secret present.",
		},
		"an end for good": {
			func(ctx context.Context) { e.Change(ctx, one, s.End) },
			"Deleted Secret former: " + s.EndedMessage,
		},
		"a rename and an end for good": {
			func(ctx context.Context) { e.Change(ctx, one, s.secretNamed("present"), s.End) },
			"Deleted Secret former: The spec names Secret present.",
		},
		"a deletion": {
			func(ctx context.Context) { e.Remove(ctx, one) },
			"Deleted Secret former: " + s.Name + " one was deleted.",
		},
		"a deletion that the operator does not see": {
			func(ctx context.Context) {
				Expect(s.Cached.Delete(ctx, e.Get(ctx, one))).To(Succeed())
				e.Apply(ctx, one, s.secretNamed("former"))
			},
			"Deleted Secret former: It was written for a deleted " + s.Name + " of this name.",
		},
	}
}

func (s *Suite[T]) copies() {
	Describe("A Secret that is deleted", func() {
		for what := range s.removals(nil) {
			It("is one that Keywright wrote, and an event names it; a person's copy stays: "+what, func(ctx SpecContext) {
				e := s.NewEnv(ctx)
				removal := s.removals(e)[what]
				written := e.Apply(ctx, one, s.secretNamed("former"))
				before := e.Secret(ctx, "former")
				copied := e.Copy(ctx, "former", "copy")
				e.Reconcile(ctx, one)
				Expect(e.Get(ctx, one).GetResourceVersion()).To(Equal(written.GetResourceVersion()))
				e.Events.Take()

				removal.happen(ctx)
				for _, left := range e.Secrets(ctx) {
					Expect(left.UID).NotTo(Equal(before.UID))
				}
				Expect(e.Secret(ctx, "copy").ResourceVersion).To(Equal(copied.ResourceVersion))
				Expect(e.Events.Take()).To(ContainElement("Normal SecretRemoved " + removal.event))
			})
		}
	})
	s.copiesInPlace()
}

func (s *Suite[T]) copiesInPlace() {
	Describe("A Secret that is deleted", func() {
		It("is not a copy in the place of the original", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one, s.keep)
			copied := e.Copy(ctx, e.SecretOf(one), "copy")
			e.DeleteSecret(ctx, e.SecretOf(one))
			e.Copy(ctx, "copy", e.SecretOf(one))
			e.Events.Take()
			e.Change(ctx, one, s.End)
			Expect(e.Secret(ctx, e.SecretOf(one)).Data).To(Equal(copied.Data))
			Expect(e.Events.Take()).To(ConsistOf(HavePrefix("Normal KeyRevoked")))
		})

		It("is not a copy that a later object of the same name finds in its place", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one)
			copied := e.Copy(ctx, e.SecretOf(one), "copy")
			e.Remove(ctx, one)
			e.Copy(ctx, "copy", e.SecretOf(one))
			ExpectConditions(e.Apply(ctx, one), "False/SecretConflict", noKey)
			Expect(Message(e.Get(ctx, one), "Ready")).To(HavePrefix(
				"Secret " + e.SecretOf(one) + " names a deleted " + s.Name + " one as its owner"))
			Expect(e.Secret(ctx, e.SecretOf(one)).Data).To(Equal(copied.Data))
		})

		It("is not one that another writer made under a recorded name", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one, s.secretNamed("former"))
			e.Edit(ctx, one, s.secretNamed("present"))
			e.DeleteSecret(ctx, "former")
			foreign := e.Foreign(ctx, "former")
			e.Reconcile(ctx, one)
			ExpectConditions(e.Get(ctx, one), issued, accepted)
			Expect(e.Get(ctx, one).HolderStatus().OtherSecrets).To(BeEmpty())
			Expect(e.Secret(ctx, "former").ResourceVersion).To(Equal(foreign.ResourceVersion))
		})

		It("includes one whose name the spec had only for a moment", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Create(ctx, one, s.secretNamed("former"))
			e.crashAfter(ctx, one, 2)
			Expect(e.Get(ctx, one).HolderStatus().OtherSecrets).To(ConsistOf("former"))
			e.Change(ctx, one, s.secretNamed("present"))
			e.NoSecret(ctx, "former")
			Expect(e.Get(ctx, one).HolderStatus().OtherSecrets).To(BeEmpty())
			Expect(e.Accepted(ctx, one, e.Plaintext(ctx, "present"))).To(BeTrue())
		})
	})

	Describe("A Secret that stays", func() {
		It("is not reported as deleted, and neither is a copy of it touched", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one, s.orphan)
			copied := e.Copy(ctx, e.SecretOf(one), "copy")
			before := e.Secret(ctx, e.SecretOf(one))
			e.Events.Take()
			e.Remove(ctx, one)
			s.expectOrphan(ctx, e, before)
			Expect(e.Secret(ctx, "copy").ResourceVersion).To(Equal(copied.ResourceVersion))
			Expect(e.Events.Take()).To(ConsistOf(HavePrefix("Normal KeyRevoked")))
		})
	})
}
