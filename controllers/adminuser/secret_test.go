package adminuser_test

import (
	"context"
	"errors"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
)

// brought is a key that a person brings. Each namespace has its own: no two objects may have the same.
func (b *bench) brought() string { return "correct-horse-battery-staple-" + b.namespace }

// handOver creates a Secret by hand, with the word that lets Keywright take it.
func (b *bench) handOver(ctx context.Context, name, plaintext string) {
	GinkgoHelper()
	Expect(plane.Client.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: name, Annotations: map[string]string{v1alpha1.AnnotationAdopt: "true"}},
		Data:       map[string][]byte{"key": []byte(plaintext), "theirs": []byte("stays")},
	})).To(Succeed())
}

var _ = Describe("A Secret that was deleted or changed", func() {
	edits := map[string]func(*bench, context.Context){
		"deleted": func(b *bench, ctx context.Context) { b.deleteSecret(ctx, "alice-admin-key") },
		"changed": func(b *bench, ctx context.Context) {
			b.editSecret(ctx, "alice-admin-key", func(s *corev1.Secret) { s.Data["key"] = []byte(b.brought()) })
		},
		"emptied": func(b *bench, ctx context.Context) {
			b.editSecret(ctx, "alice-admin-key", func(s *corev1.Secret) { s.Data = nil })
		},
	}
	for what, happen := range edits {
		It("is left so under Keep and its key goes on: "+what, func(ctx SpecContext) {
			b := newBench(ctx)
			b.admin(ctx, "alice")
			old := b.plaintext(ctx, "alice-admin-key")
			b.events.Take()
			happen(b, ctx)
			b.reconcile(ctx, "alice")
			user := b.get(ctx, "alice")
			Expect(reasonOf(user, "Ready")).To(Equal("True/SecretGone"))
			Expect(reasonOf(user, "Active")).To(Equal("True/Accepted"))
			Expect(user.Status.SecretName).To(BeEmpty())
			Expect(b.accepted(ctx, "alice", old)).To(BeTrue())
			Expect(b.accepted(ctx, "alice", b.brought())).To(BeFalse())
			Expect(b.events.Take()).To(ConsistOf(HavePrefix("Warning Secret")))
			b.reconcile(ctx, "alice")
			Expect(b.events.Take()).To(BeEmpty())

			b.change(ctx, "alice", rotate("again"))
			Expect(b.accepted(ctx, "alice", b.plaintext(ctx, "alice-admin-key"))).To(BeTrue())
			Expect(b.accepted(ctx, "alice", old)).To(BeFalse())
		})
		It("is written anew with a new key under Reissue: "+what, func(ctx SpecContext) {
			b := newBench(ctx)
			b.admin(ctx, "alice", reissue, withRotation("", "1h"))
			old := b.plaintext(ctx, "alice-admin-key")
			happen(b, ctx)
			b.reconcile(ctx, "alice")
			fresh := b.plaintext(ctx, "alice-admin-key")
			Expect(fresh).NotTo(Or(Equal(old), Equal(b.brought())))
			Expect(b.accepted(ctx, "alice", fresh)).To(BeTrue())
			Expect(b.accepted(ctx, "alice", old)).To(BeFalse(), "no overlap for a key whose Secret was lost")
		})
	}

	It("is taken back without a new key when only its metadata was rewritten", func(ctx SpecContext) {
		b := newBench(ctx)
		before := b.admin(ctx, "alice", reissue)
		b.editSecret(ctx, "alice-admin-key", func(s *corev1.Secret) { s.ManagedFields = []metav1.ManagedFieldsEntry{{}} })
		b.reconcile(ctx, "alice")
		b.editSecret(ctx, "alice-admin-key", func(s *corev1.Secret) { s.Annotations[v1alpha1.AnnotationKeyID] = "0000" })
		b.reconcile(ctx, "alice")
		after := b.get(ctx, "alice")
		Expect(after.Status.Keys).To(Equal(before.Status.Keys))
		Expect(b.secret(ctx, "alice-admin-key").Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationKeyID, after.Status.Keys[0].ID))
	})
})

var _ = Describe("Somebody else's Secret", func() {
	It("is never touched, and the object goes on when it is gone", func(ctx SpecContext) {
		b := newBench(ctx)
		foreign := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "alice-admin-key"}, Data: map[string][]byte{"key": []byte(b.brought())}}
		Expect(plane.Client.Create(ctx, foreign)).To(Succeed())
		user := b.admin(ctx, "alice")
		Expect(reasonOf(user, "Stalled")).To(Equal("True/SecretConflict"))
		Expect(user.Status.Keys).To(BeEmpty())
		Expect(b.events.Take()).To(ConsistOf(HavePrefix("Warning SecretConflict")))
		Expect(b.reconcile(ctx, "alice")).To(Equal(time.Minute), "looked at again by itself")
		Expect(b.secret(ctx, "alice-admin-key").ResourceVersion).To(Equal(foreign.ResourceVersion))
		Expect(b.get(ctx, "alice").ResourceVersion).To(Equal(user.ResourceVersion))

		Expect(plane.Client.Delete(ctx, foreign)).To(Succeed())
		b.reconcile(ctx, "alice")
		Expect(reasonOf(b.get(ctx, "alice"), "Ready")).To(Equal("True/Issued"))
	})

	It("is not touched either when it appears between the digest and the Secret", func(ctx SpecContext) {
		b := newBench(ctx)
		foreign := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "alice-admin-key"}, Data: map[string][]byte{"key": []byte(b.brought())}}
		b.client = kit.BeforeWrite(cached, 2, func() { Expect(plane.Client.Create(ctx, foreign)).To(Succeed()) })
		Expect(cached.Create(ctx, &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "alice"}})).To(Succeed())
		b.reconcile(ctx, "alice")
		Expect(b.secret(ctx, "alice-admin-key").ResourceVersion).To(Equal(foreign.ResourceVersion))
		user := b.get(ctx, "alice")
		Expect(reasonOf(user, "Stalled")).To(Equal("True/SecretConflict"))
		Expect(user.Status.Keys).To(BeEmpty())
	})

	It("of another controller can't be handed over by an annotation", func(ctx SpecContext) {
		b := newBench(ctx)
		b.handOver(ctx, "alice-admin-key", b.brought())
		b.editSecretLive(ctx, "alice-admin-key", func(s *corev1.Secret) {
			controls := true
			s.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: "x", UID: "u", Controller: &controls}}
		})
		user := b.admin(ctx, "alice")
		Expect(reasonOf(user, "Stalled")).To(Equal("True/SecretConflict"))
		Expect(user.Status.Conditions).To(ContainElement(HaveField("Message", ContainSubstring("belongs to Deployment x"))))
	})
})

var _ = Describe("Adoption", func() {
	It("takes over an annotated Secret and its key", func(ctx SpecContext) {
		b := newBench(ctx)
		b.handOver(ctx, "alice-admin-key", b.brought())
		user := b.admin(ctx, "alice")
		Expect(reasonOf(user, "Ready")).To(Equal("True/Issued"))
		Expect(b.accepted(ctx, "alice", b.brought())).To(BeTrue())
		Expect(user.Status.Keys).To(HaveLen(1))
		Expect(user.Status.Keys[0].Prefix).To(Equal("corr"), "four characters of a brought key")
		secret := b.secret(ctx, "alice-admin-key")
		Expect(metav1.IsControlledBy(secret, user)).To(BeTrue())
		Expect(secret.Data).To(HaveKeyWithValue("theirs", []byte("stays")))
		Expect(b.events.Take()).To(ConsistOf(HavePrefix("Normal KeyAdopted")))

		b.change(ctx, "alice", rotate("1"))
		Expect(b.accepted(ctx, "alice", b.brought())).To(BeFalse())
		Expect(b.accepted(ctx, "alice", b.plaintext(ctx, "alice-admin-key"))).To(BeTrue())
	})

	It("does not bring back a key that was rotated away, whoever writes it back", func(ctx SpecContext) {
		b := newBench(ctx)
		b.handOver(ctx, "alice-admin-key", b.brought())
		b.admin(ctx, "alice")
		b.change(ctx, "alice", rotate("leaked"))
		b.editSecretLive(ctx, "alice-admin-key", func(s *corev1.Secret) { s.Data["key"] = []byte(b.brought()) })
		b.reconcile(ctx, "alice")
		Expect(b.accepted(ctx, "alice", b.brought())).To(BeFalse())
		Expect(reasonOf(b.get(ctx, "alice"), "Stalled")).To(Equal("True/RetiredKey"))
	})

	It("does not bring it back either after a change of pepper, nor after another key was brought", func(ctx SpecContext) {
		b := newBench(ctx)
		b.handOver(ctx, "alice-admin-key", b.brought())
		b.admin(ctx, "alice")
		b.editSecretLive(ctx, "alice-admin-key", func(s *corev1.Secret) { s.Data["key"] = []byte(b.brought() + "-2") })
		b.reconcile(ctx, "alice")
		b.ring = newRingOf("q", "p")
		b.editSecretLive(ctx, "alice-admin-key", func(s *corev1.Secret) { s.Data["key"] = []byte(b.brought()) })
		b.reconcile(ctx, "alice")
		Expect(reasonOf(b.get(ctx, "alice"), "Stalled")).To(Equal("True/RetiredKey"))
		Expect(b.get(ctx, "alice").Status.Keys).To(HaveLen(1))
	})

	It("gives a key to one object only", func(ctx SpecContext) {
		b := newBench(ctx)
		b.handOver(ctx, "alice-admin-key", b.brought())
		b.handOver(ctx, "bob-admin-key", b.brought())
		b.admin(ctx, "alice")
		user := b.admin(ctx, "bob")
		Expect(reasonOf(user, "Stalled")).To(Equal("True/KeyInUse"))
		Expect(user.Status.Conditions).To(ContainElement(HaveField("Message", ContainSubstring("AdminUser "+b.namespace+"/alice"))))
		Expect(b.accepted(ctx, "alice", b.brought())).To(BeTrue())
	})

	It("takes a key edited into an annotated Secret as the new one, with overlap", func(ctx SpecContext) {
		b := newBench(ctx)
		b.handOver(ctx, "alice-admin-key", b.brought())
		b.admin(ctx, "alice", withRotation("", "1h"))
		b.editSecretLive(ctx, "alice-admin-key", func(s *corev1.Secret) { s.Data["key"] = []byte(b.brought() + "-2") })
		b.reconcile(ctx, "alice")
		Expect(b.accepted(ctx, "alice", b.brought()+"-2")).To(BeTrue())
		Expect(b.accepted(ctx, "alice", b.brought())).To(BeTrue(), "in its overlap")
	})

	for problem, plaintext := range map[string]string{
		"is empty":                       "",
		"must be at least 16 characters": "short",
		"visible ASCII":                  "correct-horse-battery\n",
		"missing or mistyped":            "ak_0123456789012345",
	} {
		It("refuses a key that "+problem+" and says so", func(ctx SpecContext) {
			b := newBench(ctx)
			b.handOver(ctx, "alice-admin-key", plaintext)
			user := b.admin(ctx, "alice")
			Expect(reasonOf(user, "Stalled")).To(Equal("True/InvalidKey"))
			Expect(user.Status.Conditions).To(ContainElement(HaveField("Message", ContainSubstring(problem))))
			Expect(string(b.secret(ctx, "alice-admin-key").Data["key"])).To(Equal(plaintext))
		})
	}

	It("keeps the key of a deleted and re-applied object whose Secret is annotated", func(ctx SpecContext) {
		b := newBench(ctx)
		user := b.admin(ctx, "alice")
		old := b.plaintext(ctx, "alice-admin-key")
		b.editSecret(ctx, "alice-admin-key", func(s *corev1.Secret) { s.Annotations[v1alpha1.AnnotationAdopt] = "true" })
		Expect(b.client.Delete(ctx, user)).To(Succeed())
		b.reconcile(ctx, "alice")
		b.admin(ctx, "alice")
		Expect(b.accepted(ctx, "alice", old)).To(BeTrue())
	})
})

var _ = Describe("A pepper", func() {
	It("that is lost stops issuing and says so, and goes on when it is back", func(ctx SpecContext) {
		b := newBench(ctx)
		b.pepperErr = errors.New("Secret keywright-pepper is lost")
		user := b.admin(ctx, "alice")
		Expect(reasonOf(user, "Stalled")).To(Equal("True/PepperLost"))
		Expect(user.Status.Keys).To(BeEmpty())
		b.pepperErr = nil
		b.reconcile(ctx, "alice")
		Expect(reasonOf(b.get(ctx, "alice"), "Ready")).To(Equal("True/Issued"))
	})

	It("that a key was digested with and is gone stops that object until a new key is asked for", func(ctx SpecContext) {
		b, other := newBench(ctx), newBench(ctx)
		b.admin(ctx, "alice", withRotation("", "1h"))
		b.change(ctx, "alice", rotate("one in overlap"))
		other.ring = newRingOf("q")
		b.ring = other.ring
		b.reconcile(ctx, "alice")
		Expect(reasonOf(b.get(ctx, "alice"), "Stalled")).To(Equal("True/PepperLost"))
		b.clock.SetTime(begin.Add(time.Minute))
		user := b.change(ctx, "alice", rotate("give it up"))
		Expect(reasonOf(user, "Ready")).To(Equal("True/Issued"))
		Expect(user.Status.Keys).To(HaveLen(1), "no overlap for keys that are lost")
		Expect(b.accepted(ctx, "alice", b.plaintext(ctx, "alice-admin-key"))).To(BeTrue())
	})
})
