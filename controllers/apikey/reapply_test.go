package apikey_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
)

var _ = Describe("Deleted and applied again", func() {
	It("an object gets a new key, and the Secret of the old one goes", func(ctx SpecContext) {
		b := newBench(ctx)
		b.key(ctx, "ci")
		old := b.plaintext(ctx, "ci-api-key")
		b.remove(ctx, "ci")
		b.noSecret(ctx, "ci-api-key")
		b.key(ctx, "ci")
		Expect(b.accepted(ctx, "ci", old)).To(BeFalse())
		Expect(b.accepted(ctx, "ci", b.plaintext(ctx, "ci-api-key"))).To(BeTrue())
	})

	It("an object gets a new key also when nobody looked between", func(ctx SpecContext) {
		b := newBench(ctx)
		b.key(ctx, "ci")
		old := b.secret(ctx, "ci-api-key")
		Expect(cached.Delete(ctx, b.get(ctx, "ci"))).To(Succeed())
		b.key(ctx, "ci")
		Expect(b.secret(ctx, "ci-api-key").UID).NotTo(Equal(old.UID))
		Expect(b.accepted(ctx, "ci", string(old.Data["key"]))).To(BeFalse())
	})

	It("an object whose Secret is annotated gets the key it had", func(ctx SpecContext) {
		b := newBench(ctx)
		before := b.key(ctx, "ci")
		old := b.plaintext(ctx, "ci-api-key")
		b.annotate(ctx, "ci-api-key")
		b.reconcile(ctx, "ci")
		Expect(b.get(ctx, "ci").Finalizers).To(ConsistOf(v1alpha1.FinalizerKeepSecret))
		b.events.Take()

		b.remove(ctx, "ci")
		Expect(b.gone(ctx, "ci")).To(BeTrue())
		left := b.secret(ctx, "ci-api-key")
		Expect(left.OwnerReferences).To(BeEmpty(), "no garbage collector may take it along")
		Expect(string(left.Data["key"])).To(Equal(old))
		Expect(b.events.Take()).To(ConsistOf(HavePrefix("Normal KeyRevoked")), "it is refused meanwhile")

		k := b.key(ctx, "ci")
		says(k, "True/Issued", "True/Accepted")
		Expect(k.Status.Keys).To(HaveExactElements(HaveField("Digest", before.Status.Keys[0].Digest)))
		Expect(k.Status.Keys[0].Prefix).To(Equal(old[:12]))
		Expect(b.plaintext(ctx, "ci-api-key")).To(Equal(old))
		Expect(metav1.IsControlledBy(b.secret(ctx, "ci-api-key"), k)).To(BeTrue())
		Expect(k.Finalizers).To(ConsistOf(v1alpha1.FinalizerKeepSecret))
		Expect(b.events.Take()).To(ConsistOf(HavePrefix("Normal KeyAdopted")))
	})

	It("an object is kept by its finalizer no longer than its Secret is annotated", func(ctx SpecContext) {
		b := newBench(ctx)
		b.key(ctx, "ci", func(k *v1alpha1.APIKey) { k.Finalizers = []string{"example.com/wait"} })
		b.annotate(ctx, "ci-api-key")
		b.reconcile(ctx, "ci")
		Expect(b.get(ctx, "ci").Finalizers).To(ConsistOf("example.com/wait", v1alpha1.FinalizerKeepSecret))
		b.editSecret(ctx, "ci-api-key", func(s *corev1.Secret) { delete(s.Annotations, v1alpha1.AnnotationAdopt) })
		b.reconcile(ctx, "ci")
		Expect(b.get(ctx, "ci").Finalizers).To(ConsistOf("example.com/wait"))
		b.edit(ctx, "ci", func(k *v1alpha1.APIKey) { k.Finalizers = nil })
		b.remove(ctx, "ci")
		b.noSecret(ctx, "ci-api-key")
	})

	It("a revoked object does not leave its Secret, annotated or not, and is not kept by it", func(ctx SpecContext) {
		b := newBench(ctx)
		b.key(ctx, "ci")
		b.annotate(ctx, "ci-api-key")
		b.reconcile(ctx, "ci")
		k := b.change(ctx, "ci", revoked)
		says(k, "True/Revoked", "False/Revoked")
		Expect(k.Finalizers).To(BeEmpty())
		b.noSecret(ctx, "ci-api-key")
	})
})

// restore makes an object anew with the status of the former one, as from a backup: its key is older than it.
func (b *bench) restore(ctx context.Context, name string, change ...func(*v1alpha1.APIKey)) *v1alpha1.APIKey {
	GinkgoHelper()
	backup := b.get(ctx, name)
	b.remove(ctx, name)
	b.events.Take()
	k := b.create(ctx, name, change...)
	k.Status = backup.Status
	for i := range k.Status.Keys {
		k.Status.Keys[i].IssuedAt = metav1.NewTime(k.CreationTimestamp.Add(-24 * time.Hour))
	}
	Expect(cached.Status().Update(ctx, k)).To(Succeed())
	b.reconcile(ctx, name)
	return b.get(ctx, name)
}

var _ = Describe("A restored status", func() {
	It("keeps the key working without its Secret, and a rotation gives one again", func(ctx SpecContext) {
		b := newBench(ctx)
		before := b.key(ctx, "ci")
		old := b.plaintext(ctx, "ci-api-key")
		k := b.restore(ctx, "ci")
		says(k, "True/SecretGone", "True/Accepted")
		Expect(k.Status.Keys).To(HaveExactElements(HaveField("Digest", before.Status.Keys[0].Digest)))
		Expect(b.accepted(ctx, "ci", old)).To(BeTrue())
		Expect(messageOf(k, "Ready")).To(Equal("The key still works, but no Secret holds it: it was restored without its Secret. " +
			"To get a new key in a new Secret, set annotation keywright.dev/rotate."))
		b.noSecret(ctx, "ci-api-key")
		Expect(b.events.Take()).To(ConsistOf(And(HavePrefix("Warning SecretDeleted"), ContainSubstring("it was restored without its Secret"))))
		b.reconcile(ctx, "ci")
		Expect(b.get(ctx, "ci").ResourceVersion).To(Equal(k.ResourceVersion))

		k = b.change(ctx, "ci", rotate("1"))
		says(k, "True/Issued", "True/Accepted")
		Expect(b.accepted(ctx, "ci", b.plaintext(ctx, "ci-api-key"))).To(BeTrue())
	})

	It("does not keep a key going that has ended since", func(ctx SpecContext) {
		b := newBench(ctx)
		b.key(ctx, "ci", expires(time.Hour))
		b.clock.SetTime(begin.Add(2 * time.Hour))
		k := b.restore(ctx, "ci", expires(time.Hour))
		Expect(reasonOf(k, "Active")).To(Equal("False/Expired"))
		b.noSecret(ctx, "ci-api-key")
	})

	It("takes back a Secret that came back with it, with the owner it had", func(ctx SpecContext) {
		b := newBench(ctx)
		b.key(ctx, "ci")
		plaintext := b.plaintext(ctx, "ci-api-key")
		b.fromBackup(ctx, "ci", "")
		b.reconcile(ctx, "ci")
		k := b.get(ctx, "ci")
		says(k, "True/Issued", "True/Accepted")
		Expect(b.plaintext(ctx, "ci-api-key")).To(Equal(plaintext))
		Expect(b.accepted(ctx, "ci", plaintext)).To(BeTrue())
		Expect(metav1.IsControlledBy(b.secret(ctx, "ci-api-key"), k)).To(BeTrue())
	})

	It("is not needed where the Secret came back annotated, with the owner it had", func(ctx SpecContext) {
		b := newBench(ctx)
		b.key(ctx, "ci")
		plaintext := b.plaintext(ctx, "ci-api-key")
		b.fromBackup(ctx, "ci", "true")
		k := b.editStatus(ctx, "ci", func(s *v1alpha1.APIKeyStatus) { *s = v1alpha1.APIKeyStatus{} })
		says(k, "True/Issued", "True/Accepted")
		Expect(b.accepted(ctx, "ci", plaintext)).To(BeTrue())
		Expect(metav1.IsControlledBy(b.secret(ctx, "ci-api-key"), k)).To(BeTrue())
	})
})

// fromBackup loses a key and brings back object, status and Secret as a backup has them. The object is not
// reconciled.
func (b *bench) fromBackup(ctx context.Context, name, adopt string) {
	GinkgoHelper()
	backup, secret := b.get(ctx, name), b.secret(ctx, name+"-api-key")
	b.remove(ctx, name)
	k := b.create(ctx, name)
	k.Status = backup.Status
	k.Status.Keys[0].IssuedAt = metav1.NewTime(k.CreationTimestamp.Add(-24 * time.Hour))
	Expect(cached.Status().Update(ctx, k)).To(Succeed())
	secret.ResourceVersion, secret.UID = "", ""
	secret.Annotations[v1alpha1.AnnotationAdopt] = adopt
	Expect(plane.Client.Create(ctx, secret)).To(Succeed())
	b.await(ctx, secret.Name, secret.ResourceVersion)
}
