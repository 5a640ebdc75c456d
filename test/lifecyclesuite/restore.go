package lifecyclesuite

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
)

func (s *Suite[T]) reapplied() {
	Describe("An object that is deleted and applied again", func() {
		It("gets a new key, and the Secret of the old one is removed", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one)
			old := e.Plaintext(ctx, e.SecretOf(one))
			e.Remove(ctx, one)
			e.NoSecret(ctx, e.SecretOf(one))
			e.Apply(ctx, one)
			Expect(e.Accepted(ctx, one, old)).To(BeFalse())
			Expect(e.Accepted(ctx, one, e.Plaintext(ctx, e.SecretOf(one)))).To(BeTrue())
		})

		It("gets a new key also when the operator saw no deletion", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one)
			old := e.Secret(ctx, e.SecretOf(one))
			Expect(s.Cached.Delete(ctx, e.Get(ctx, one))).To(Succeed())
			e.Apply(ctx, one)
			Expect(e.Secret(ctx, e.SecretOf(one)).UID).NotTo(Equal(old.UID))
			Expect(e.Accepted(ctx, one, string(old.Data["key"]))).To(BeFalse())
		})

		It("keeps its key when its Secret is annotated", s.keepsAnnotatedSecret)

		It("keeps its key when its Secret is annotated just before the deletion", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one)
			old := e.Plaintext(ctx, e.SecretOf(one))
			e.Annotate(ctx, e.SecretOf(one))
			e.Remove(ctx, one)
			e.Apply(ctx, one)
			Expect(e.Accepted(ctx, one, old)).To(BeTrue())
		})

		It("is held by the finalizer only while its Secret is annotated", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one, withFinalizer[T])
			e.Annotate(ctx, e.SecretOf(one))
			e.Reconcile(ctx, one)
			Expect(e.Get(ctx, one).GetFinalizers()).To(ConsistOf("example.com/wait", v1alpha1.FinalizerKeepSecret))
			e.EditSecret(ctx, e.SecretOf(one), func(s *corev1.Secret) { delete(s.Annotations, v1alpha1.AnnotationAdopt) })
			e.Reconcile(ctx, one)
			Expect(e.Get(ctx, one).GetFinalizers()).To(ConsistOf("example.com/wait"))
			e.Edit(ctx, one, withoutFinalizers[T])
			e.Remove(ctx, one)
			e.NoSecret(ctx, e.SecretOf(one))
		})

		It("leaves no Secret, annotated or not, once its keys were ended for good", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one)
			e.Annotate(ctx, e.SecretOf(one))
			e.Reconcile(ctx, one)
			o := e.Change(ctx, one, s.End)
			ExpectConditions(o, "True/"+s.EndedReason, "False/"+s.EndedReason)
			Expect(o.GetFinalizers()).To(BeEmpty())
			e.NoSecret(ctx, e.SecretOf(one))
		})
	})
}

func (s *Suite[T]) keepsAnnotatedSecret(ctx SpecContext) {
	e := s.NewEnv(ctx)
	before := e.Apply(ctx, one)
	old := e.Plaintext(ctx, e.SecretOf(one))
	e.Annotate(ctx, e.SecretOf(one))
	e.Reconcile(ctx, one)
	Expect(e.Get(ctx, one).GetFinalizers()).To(ConsistOf(v1alpha1.FinalizerKeepSecret))
	e.Events.Take()

	e.Remove(ctx, one)
	Expect(e.Gone(ctx, one)).To(BeTrue())
	left := e.Secret(ctx, e.SecretOf(one))
	Expect(left.OwnerReferences).To(BeEmpty(), "the garbage collector must not remove it")
	Expect(string(left.Data["key"])).To(Equal(old))
	Expect(e.Events.Take()).To(ConsistOf(HavePrefix("Normal KeyRevoked")), "it is refused meanwhile")

	o := e.Apply(ctx, one)
	ExpectConditions(o, issued, accepted)
	keys := o.HolderStatus().Keys
	Expect(keys).To(HaveExactElements(HaveField("Digest", before.HolderStatus().Keys[0].Digest)))
	Expect(keys[0].Prefix).To(Equal(old[:12]))
	Expect(e.Plaintext(ctx, e.SecretOf(one))).To(Equal(old))
	Expect(e.Accepted(ctx, one, old)).To(BeTrue())
	Expect(metav1.IsControlledBy(e.Secret(ctx, e.SecretOf(one)), o)).To(BeTrue())
	Expect(o.GetFinalizers()).To(ConsistOf(v1alpha1.FinalizerKeepSecret))
	Expect(e.Events.Take()).To(ConsistOf(HavePrefix("Normal KeyAdopted")))
}

// Restore creates an object again with its former status, as from a backup: its key is older than the object.
func (e *Env[T]) Restore(ctx context.Context, name string, change ...func(T)) T {
	GinkgoHelper()
	backup := e.Get(ctx, name)
	e.Remove(ctx, name)
	e.Events.Take()
	e.recreate(ctx, name, backup, change...)
	e.Reconcile(ctx, name)
	return e.Get(ctx, name)
}

func (e *Env[T]) recreate(ctx context.Context, name string, backup T, change ...func(T)) {
	GinkgoHelper()
	o := e.Create(ctx, name, change...)
	backup.HolderStatus().DeepCopyInto(o.HolderStatus())
	if user, isUser := any(o).(*v1alpha1.AdminUser); isUser {
		user.Status.ID = any(backup).(*v1alpha1.AdminUser).Status.ID
	}
	for i := range o.HolderStatus().Keys {
		o.HolderStatus().Keys[i].IssuedAt = metav1.NewTime(o.GetCreationTimestamp().Add(-24 * time.Hour))
	}
	Expect(e.Cached.Status().Update(ctx, o)).To(Succeed())
}

// fromBackup removes an object and restores object, status and Secret as a backup has them, without reconciling.
func (e *Env[T]) fromBackup(ctx context.Context, name, adopt string, change ...func(*corev1.Secret)) {
	GinkgoHelper()
	backup, secret := e.Get(ctx, name), e.Secret(ctx, e.SecretOf(name))
	e.Remove(ctx, name)
	e.recreate(ctx, name, backup)
	secret.ResourceVersion, secret.UID = "", ""
	secret.Annotations[v1alpha1.AnnotationAdopt] = adopt
	for _, c := range change {
		c(secret)
	}
	Expect(e.Plane.Client.Create(ctx, secret)).To(Succeed())
	e.awaitSecret(ctx, secret.Name, secret.ResourceVersion)
}

func (s *Suite[T]) restored() {
	Describe("A status restored from a backup", func() {
		It("keeps the key working without its Secret, and a rotation writes one again", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			before := e.Apply(ctx, one)
			old := e.Plaintext(ctx, e.SecretOf(one))
			o := e.Restore(ctx, one)
			ExpectConditions(o, "True/SecretGone", accepted)
			Expect(o.HolderStatus().Keys).To(HaveExactElements(HaveField("Digest", before.HolderStatus().Keys[0].Digest)))
			Expect(e.Accepted(ctx, one, old)).To(BeTrue())
			Expect(Message(o, "Ready")).To(Equal("The key still works, but no Secret holds it: " +
				"it was restored without its Secret. To get a new key in a new Secret, set annotation keywright.dev/rotate."))
			e.NoSecret(ctx, e.SecretOf(one))
			Expect(e.Events.Take()).To(ConsistOf(And(HavePrefix("Warning SecretDeleted"),
				ContainSubstring("it was restored without its Secret"))))
			e.Reconcile(ctx, one)
			Expect(e.Get(ctx, one).GetResourceVersion()).To(Equal(o.GetResourceVersion()))

			ExpectConditions(e.Change(ctx, one, s.rotate("1")), issued, accepted)
			Expect(e.Accepted(ctx, one, e.Plaintext(ctx, e.SecretOf(one)))).To(BeTrue())
		})

		It("takes over a Secret that was restored with it, owned by the former object", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one)
			plaintext := e.Plaintext(ctx, e.SecretOf(one))
			e.fromBackup(ctx, one, "")
			e.Reconcile(ctx, one)
			s.checkRestored(ctx, e, plaintext)
			Expect(e.Plaintext(ctx, e.SecretOf(one))).To(Equal(plaintext))
		})

		It("takes over a Secret that was restored without its owner, as Velero does it", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one)
			plaintext := e.Plaintext(ctx, e.SecretOf(one))
			e.fromBackup(ctx, one, "", withoutOwner)
			e.Reconcile(ctx, one)
			s.checkRestored(ctx, e, plaintext)
			Expect(e.Plaintext(ctx, e.SecretOf(one))).To(Equal(plaintext))
			ExpectConditions(e.Change(ctx, one, s.rotate("1")), issued, accepted)
			Expect(e.Plaintext(ctx, e.SecretOf(one))).NotTo(Equal(plaintext))
		})

		It("leaves a Secret alone that has no owner and another key", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one)
			e.fromBackup(ctx, one, "", withoutOwner, func(s *corev1.Secret) { s.Data["key"] = []byte(e.Brought()) })
			e.Reconcile(ctx, one)
			ExpectConditions(e.Get(ctx, one), "True/SecretGone", accepted)
			Expect(e.Secret(ctx, e.SecretOf(one)).OwnerReferences).To(BeEmpty())
		})

		It("is not needed where the restored Secret is annotated", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one)
			plaintext := e.Plaintext(ctx, e.SecretOf(one))
			e.fromBackup(ctx, one, "true")
			e.EditStatus(ctx, one, func(s *v1alpha1.KeyHolderStatus) { *s = v1alpha1.KeyHolderStatus{} })
			s.checkRestored(ctx, e, plaintext)
		})
	})
}

func withoutOwner(s *corev1.Secret) { s.OwnerReferences = nil }

func (*Suite[T]) checkRestored(ctx context.Context, e *Env[T], plaintext string) {
	GinkgoHelper()
	o := e.Get(ctx, one)
	ExpectConditions(o, issued, accepted)
	Expect(e.Accepted(ctx, one, plaintext)).To(BeTrue())
	Expect(metav1.IsControlledBy(e.Secret(ctx, e.SecretOf(one)), o)).To(BeTrue())
}
