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

var _ = Describe("A Secret that was deleted or changed", func() {
	const deleted, changed = "its Secret was deleted", "its Secret was changed"
	for what, c := range map[string]struct {
		happen func(context.Context, *bench)
		cause  string
	}{
		"deleted": {func(ctx context.Context, b *bench) { b.deleteSecret(ctx, "ci-api-key") }, deleted},
		"edited": {func(ctx context.Context, b *bench) {
			b.editSecret(ctx, "ci-api-key", func(s *corev1.Secret) { s.Data["key"] = []byte(b.brought()) })
		}, changed},
		"emptied": {func(ctx context.Context, b *bench) {
			b.editSecret(ctx, "ci-api-key", func(s *corev1.Secret) { s.Data = nil })
		}, changed},
		"without its key": {func(ctx context.Context, b *bench) {
			b.editSecret(ctx, "ci-api-key", func(s *corev1.Secret) { delete(s.Data, "key") })
		}, changed},
	} {
		It("is written anew with a new key at once, the old one refused: "+what, func(ctx SpecContext) {
			b := newBench(ctx)
			b.key(ctx, "ci")
			b.change(ctx, "ci", rotate("1"))
			old := b.plaintext(ctx, "ci-api-key")
			b.events.Take()
			c.happen(ctx, b)
			b.reconcile(ctx, "ci")
			fresh := b.plaintext(ctx, "ci-api-key")
			Expect(fresh).NotTo(Or(Equal(old), Equal(b.brought())))
			Expect(b.accepted(ctx, "ci", fresh)).To(BeTrue())
			k := b.get(ctx, "ci")
			Expect(k.Status.Keys).To(HaveLen(1), "no overlap for a key whose Secret was lost")
			says(k, "True/Issued", "True/Accepted")
			Expect(b.events.Take()).To(ConsistOf(And(HavePrefix("Normal KeyRotated"), HaveSuffix("("+c.cause+"); every earlier key is refused"))))
		})
		It("is left so under Keep and its key goes on: "+what, func(ctx SpecContext) {
			b := newBench(ctx)
			b.key(ctx, "ci", keep)
			old := b.plaintext(ctx, "ci-api-key")
			b.events.Take()
			c.happen(ctx, b)
			b.reconcile(ctx, "ci")
			k := b.get(ctx, "ci")
			says(k, "True/SecretGone", "True/Accepted")
			Expect(messageOf(k, "Ready")).To(Equal("The key still works, but no Secret holds it: " + c.cause +
				". To get a new key in a new Secret, set annotation keywright.dev/rotate."))
			Expect(k.Status.SecretName).To(BeEmpty())
			Expect(b.accepted(ctx, "ci", old)).To(BeTrue())
			Expect(b.accepted(ctx, "ci", b.brought())).To(BeFalse())
			Expect(b.events.Take()).To(ConsistOf(And(HavePrefix("Warning Secret"), ContainSubstring(c.cause))))
			b.reconcile(ctx, "ci")
			Expect(b.events.Take()).To(BeEmpty(), "once")

			b.change(ctx, "ci", rotate("again"))
			Expect(b.accepted(ctx, "ci", b.plaintext(ctx, "ci-api-key"))).To(BeTrue())
			Expect(b.accepted(ctx, "ci", old)).To(BeTrue(), "in its overlap")
		})
	}

	It("is taken back without a new key when only its metadata was rewritten", func(ctx SpecContext) {
		b := newBench(ctx)
		before := b.key(ctx, "ci")
		for _, edit := range []func(*corev1.Secret){
			func(s *corev1.Secret) { s.ManagedFields = []metav1.ManagedFieldsEntry{{}} },
			func(s *corev1.Secret) { s.Annotations[v1alpha1.AnnotationKeyID] = "0000" },
			func(s *corev1.Secret) { delete(s.Labels, v1alpha1.LabelIssuedFor) },
			func(s *corev1.Secret) { s.Data["subject"] = []byte("User/somebody") },
		} {
			b.editSecret(ctx, "ci-api-key", edit)
			b.reconcile(ctx, "ci")
			k, secret := b.get(ctx, "ci"), b.secret(ctx, "ci-api-key")
			Expect(k.Status.Keys).To(Equal(before.Status.Keys))
			Expect(secret.Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationKeyID, k.Status.Keys[0].ID))
			Expect(secret.Labels).To(HaveKeyWithValue(v1alpha1.LabelIssuedFor, "APIKey"))
			Expect(secret.Data).To(HaveKeyWithValue("subject", []byte("Account/ci")))
		}
	})

	It("leaves alone what others add to it", func(ctx SpecContext) {
		b := newBench(ctx)
		before := b.key(ctx, "ci")
		b.editSecret(ctx, "ci-api-key", func(s *corev1.Secret) { s.Data["theirs"] = []byte("stays") })
		b.reconcile(ctx, "ci")
		Expect(b.get(ctx, "ci").ResourceVersion).To(Equal(before.ResourceVersion))
		b.change(ctx, "ci", rotate("1"))
		Expect(b.secret(ctx, "ci-api-key").Data).To(HaveKeyWithValue("theirs", []byte("stays")))
	})
})

var _ = Describe("Somebody else's Secret", func() {
	It("is never touched, and the object goes on when it is gone", func(ctx SpecContext) {
		b := newBench(ctx)
		foreign := b.foreign(ctx, "ci-api-key")
		k := b.key(ctx, "ci")
		says(k, "False/SecretConflict", "False/NoKey")
		told := "Secret ci-api-key exists and does not belong to Keywright: delete it, name another in spec.secret.name, " +
			`or hand its key over with annotation keywright.dev/adopt: "true" on the Secret. Keywright checks it again every minute.`
		Expect(messageOf(k, "Stalled")).To(Equal(told))
		Expect(k.Status.Keys).To(BeEmpty())
		Expect(b.events.Take()).To(ConsistOf("Warning SecretConflict " + told))
		Expect(b.reconcile(ctx, "ci")).To(Equal(time.Minute))
		Expect(b.secret(ctx, "ci-api-key").ResourceVersion).To(Equal(foreign.ResourceVersion))
		Expect(b.get(ctx, "ci").ResourceVersion).To(Equal(k.ResourceVersion))

		Expect(plane.Client.Delete(ctx, foreign)).To(Succeed())
		b.reconcile(ctx, "ci")
		says(b.get(ctx, "ci"), "True/Issued", "True/Accepted")
	})

	It("is left alone by revocation and deletion", func(ctx SpecContext) {
		b := newBench(ctx)
		foreign := b.foreign(ctx, "ci-api-key")
		b.key(ctx, "ci")
		b.change(ctx, "ci", revoked)
		b.remove(ctx, "ci")
		Expect(b.secret(ctx, "ci-api-key").ResourceVersion).To(Equal(foreign.ResourceVersion))
	})

	It("can be avoided by another name", func(ctx SpecContext) {
		b := newBench(ctx)
		b.foreign(ctx, "ci-api-key")
		b.key(ctx, "ci")
		says(b.change(ctx, "ci", secretName("another")), "True/Issued", "True/Accepted")
		Expect(b.accepted(ctx, "ci", b.plaintext(ctx, "another"))).To(BeTrue())
	})

	It("is one of another APIKey's too", func(ctx SpecContext) {
		b := newBench(ctx)
		b.key(ctx, "ci")
		first := b.secret(ctx, "ci-api-key")
		k := b.key(ctx, "other", secretName("ci-api-key"))
		says(k, "False/SecretConflict", "False/NoKey")
		Expect(messageOf(k, "Stalled")).To(ContainSubstring("Secret ci-api-key belongs to APIKey ci: name another in spec.secret.name"))
		Expect(b.secret(ctx, "ci-api-key").ResourceVersion).To(Equal(first.ResourceVersion))
	})

	It("in the way of a rename leaves the key where it is", func(ctx SpecContext) {
		b := newBench(ctx)
		before := b.key(ctx, "ci")
		plaintext := b.plaintext(ctx, "ci-api-key")
		b.foreign(ctx, "taken")
		k := b.change(ctx, "ci", secretName("taken"))
		says(k, "False/SecretConflict", "True/Accepted")
		Expect(k.Status.Keys).To(Equal(before.Status.Keys))
		Expect(b.plaintext(ctx, "ci-api-key")).To(Equal(plaintext))
		says(b.change(ctx, "ci", secretName("ci-api-key")), "True/Issued", "True/Accepted")
		Expect(b.plaintext(ctx, "ci-api-key")).To(Equal(plaintext))
	})
})

// foreign creates a Secret that has nothing to do with Keywright.
func (b *bench) foreign(ctx context.Context, name string) *corev1.Secret {
	GinkgoHelper()
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: name},
		Data:       map[string][]byte{"key": []byte(b.brought())},
	}
	Expect(plane.Client.Create(ctx, secret)).To(Succeed())
	return secret
}
