package apikey_test

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
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

// annotate says the word on a Secret that Keywright wrote.
func (b *bench) annotate(ctx context.Context, name string) {
	GinkgoHelper()
	b.editSecret(ctx, name, func(s *corev1.Secret) { s.Annotations[v1alpha1.AnnotationAdopt] = "true" })
}

var _ = Describe("Adoption", func() {
	It("takes over an annotated Secret and its key", func(ctx SpecContext) {
		b := newBench(ctx)
		b.handOver(ctx, "ci-api-key", b.brought())
		k := b.key(ctx, "ci")
		says(k, "True/Issued", "True/Accepted")
		Expect(b.accepted(ctx, "ci", b.brought())).To(BeTrue())
		Expect(k.Status.Keys).To(HaveExactElements(HaveField("Prefix", "corr")), "four characters of a brought key")
		Expect(k.Status.AdoptedKeys).To(HaveExactElements(k.Status.Keys[0].ID))
		secret := b.secret(ctx, "ci-api-key")
		Expect(metav1.IsControlledBy(secret, k)).To(BeTrue())
		Expect(secret.Data).To(And(HaveKeyWithValue("theirs", []byte("stays")), HaveKeyWithValue("subject", []byte("Account/ci"))))
		Expect(b.events.Take()).To(ConsistOf("Normal KeyAdopted Adopted: key " + k.Status.Keys[0].ID + " (corr…) is in Secret ci-api-key"))
	})

	for _, length := range []int{16, 256} {
		It("takes a key of the extreme lengths", func(ctx SpecContext) {
			b := newBench(ctx)
			plaintext := (strings.Repeat("!~", 128) + b.namespace)[len(b.namespace):][256-length:]
			b.handOver(ctx, "ci-api-key", plaintext)
			says(b.key(ctx, "ci"), "True/Issued", "True/Accepted")
			Expect(b.accepted(ctx, "ci", plaintext)).To(BeTrue())
		})
	}

	It("ends a brought key by the rules of the object", func(ctx SpecContext) {
		b := newBench(ctx)
		b.handOver(ctx, "ci-api-key", b.brought())
		Expect(endsAt(b.key(ctx, "ci", ttl("1h")))).To(Equal(time.Hour))
	})

	It("takes the key from the entry that the manifest names", func(ctx SpecContext) {
		b := newBench(ctx)
		b.handOver(ctx, "ci-api-key", "something else altogether")
		b.editForeign(ctx, "ci-api-key", func(s *corev1.Secret) { s.Data["token"] = []byte(b.brought()) })
		b.key(ctx, "ci", withSecret(func(s *v1alpha1.APIKeySecret) { s.Key = "token" }))
		Expect(b.accepted(ctx, "ci", b.brought())).To(BeTrue())
	})

	It("does not bring back a key that was rotated away, whoever writes it back", func(ctx SpecContext) {
		b := newBench(ctx)
		b.handOver(ctx, "ci-api-key", b.brought())
		b.key(ctx, "ci", overlap("0s"))
		b.change(ctx, "ci", rotate("leaked"))
		b.editSecret(ctx, "ci-api-key", func(s *corev1.Secret) { s.Data["key"] = []byte(b.brought()) })
		b.reconcile(ctx, "ci")
		k := b.get(ctx, "ci")
		says(k, "False/RetiredKey", "True/Accepted")
		Expect(messageOf(k, "Stalled")).To(Equal("Secret ci-api-key holds a key that was replaced after its adoption: " +
			"put another key into it, or remove annotation keywright.dev/adopt from the Secret."))
		Expect(b.accepted(ctx, "ci", b.brought())).To(BeFalse())

		b.editSecret(ctx, "ci-api-key", func(s *corev1.Secret) { delete(s.Annotations, v1alpha1.AnnotationAdopt) })
		b.reconcile(ctx, "ci")
		says(b.get(ctx, "ci"), "True/Issued", "True/Accepted")
		Expect(b.accepted(ctx, "ci", b.plaintext(ctx, "ci-api-key"))).To(BeTrue())
	})

	It("takes a key edited into an annotated Secret as the new one, with overlap", func(ctx SpecContext) {
		b := newBench(ctx)
		b.handOver(ctx, "ci-api-key", b.brought())
		b.key(ctx, "ci")
		b.editSecret(ctx, "ci-api-key", func(s *corev1.Secret) { s.Data["key"] = []byte(b.brought() + "-2") })
		b.reconcile(ctx, "ci")
		Expect(b.accepted(ctx, "ci", b.brought()+"-2")).To(BeTrue())
		Expect(b.accepted(ctx, "ci", b.brought())).To(BeTrue(), "in its overlap")
		Expect(b.get(ctx, "ci").Status.Keys).To(HaveLen(2))
	})

	for problem, plaintext := range map[string]string{
		"is empty":                       "",
		"must be at least 16 characters": "fifteen-letters",
		"at most 256 characters":         strings.Repeat("x", 257),
		"visible ASCII":                  "correct-horse-battery\n",
		"missing or mistyped":            "ak_0123456789012345",
	} {
		It("refuses a key that breaks a rule, and says which: "+problem, func(ctx SpecContext) {
			b := newBench(ctx)
			b.handOver(ctx, "ci-api-key", plaintext)
			k := b.key(ctx, "ci")
			says(k, "False/InvalidKey", "False/NoKey")
			Expect(messageOf(k, "Stalled")).To(And(HavePrefix(`The key to adopt, "key" in Secret ci-api-key, `), ContainSubstring(problem)))
			Expect(b.plaintext(ctx, "ci-api-key")).To(Equal(plaintext))
			Expect(b.reconcile(ctx, "ci")).To(Equal(time.Minute), "looked at again by itself")

			b.editForeign(ctx, "ci-api-key", func(s *corev1.Secret) { s.Data["key"] = []byte(b.brought()) })
			b.reconcile(ctx, "ci")
			says(b.get(ctx, "ci"), "True/Issued", "True/Accepted")
		})
	}

	It("gives a key to one object only, whatever its kind and namespace", func(ctx SpecContext) {
		b, elsewhere := newBench(ctx), newBench(ctx)
		b.handOver(ctx, "first-api-key", b.brought())
		b.key(ctx, "first")
		elsewhere.handOver(ctx, "second-api-key", b.brought())
		k := elsewhere.key(ctx, "second")
		says(k, "False/KeyInUse", "False/NoKey")
		Expect(messageOf(k, "Stalled")).To(Equal("The key in Secret second-api-key already belongs to APIKey " + b.namespace +
			"/first: put another key into the Secret."))
		Expect(b.accepted(ctx, "first", b.brought())).To(BeTrue())

		withKeys(ctx, adminUser(ctx, b.system, "carol", true), b.recorded(b.brought()+"-of-carol"))
		b.handOver(ctx, "third-api-key", b.brought()+"-of-carol")
		k = b.key(ctx, "third")
		says(k, "False/KeyInUse", "False/NoKey")
		Expect(messageOf(k, "Stalled")).To(ContainSubstring("already belongs to AdminUser " + b.system + "/carol"))
	})

	It("can't take a Secret that another controller looks after", func(ctx SpecContext) {
		b := newBench(ctx)
		b.handOver(ctx, "ci-api-key", b.brought())
		b.editForeign(ctx, "ci-api-key", func(s *corev1.Secret) {
			s.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: "x", UID: "u", Controller: new(true)}}
		})
		k := b.key(ctx, "ci")
		says(k, "False/SecretConflict", "False/NoKey")
		Expect(messageOf(k, "Stalled")).To(ContainSubstring("belongs to Deployment x"))
	})
})

// editForeign changes a Secret that the cache of Secrets Keywright wrote need not follow.
func (b *bench) editForeign(ctx context.Context, name string, edit func(*corev1.Secret)) {
	GinkgoHelper()
	secret := b.secret(ctx, name)
	edit(secret)
	Expect(plane.Client.Update(ctx, secret)).To(Succeed())
}

// withKeys writes keys into the status of an AdminUser.
func withKeys(ctx context.Context, user *v1alpha1.AdminUser, keys ...v1alpha1.KeyStatus) {
	GinkgoHelper()
	user.Status.Keys = keys
	Expect(cached.Status().Update(ctx, user)).To(Succeed())
}
