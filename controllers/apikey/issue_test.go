package apikey_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/keyformat"
)

var _ = Describe("Issuing", func() {
	It("writes a key once into a Secret of its own and records its digest", func(ctx SpecContext) {
		b := newBench(ctx)
		k := b.key(ctx, "ci")

		secret := b.secret(ctx, "ci-api-key")
		plaintext := string(secret.Data["key"])
		Expect(keyformat.Format{Prefix: keyformat.DefaultPrefix}.Check(plaintext)).To(Succeed())
		Expect(secret.Data).To(HaveLen(2))
		Expect(string(secret.Data["subject"])).To(Equal("Account/ci"))
		Expect(secret.Labels).To(Equal(map[string]string{v1alpha1.LabelIssuedFor: "APIKey"}))
		Expect(metav1.IsControlledBy(secret, k)).To(BeTrue())

		digest := b.ring.Digest(plaintext)
		Expect(k.Status.Keys).To(HaveExactElements(v1alpha1.KeyStatus{
			ID: digest.KeyID(), Digest: digest.String(), Prefix: plaintext[:12], IssuedAt: k.Status.Keys[0].IssuedAt,
		}))
		Expect(k.Status.Keys[0].IssuedAt.Time).To(BeTemporally("==", begin))
		Expect(secret.Annotations).To(Equal(map[string]string{v1alpha1.AnnotationKeyID: digest.KeyID()}))
		Expect(k.Status.SecretName).To(Equal("ci-api-key"))
		Expect(k.Status.NextRotation).To(BeNil())
		Expect(k.Finalizers).To(BeEmpty())
		says(k, "True/Issued", "True/Accepted")
		Expect(messageOf(k, "Ready")).To(Equal("The key is in Secret ci-api-key."))
		Expect(messageOf(k, "Active")).To(Equal("The key is accepted."))
		Expect(b.events.Take()).To(ConsistOf(fmt.Sprintf(
			"Normal KeyIssued Issued: key %s (%s…) is in Secret ci-api-key", digest.KeyID(), plaintext[:12])))
	})

	It("says in the Secret whom the key speaks as, whatever the kind", func(ctx SpecContext) {
		b := newBench(ctx)
		b.key(ctx, "hers", speakingAs("carol"))
		b.key(ctx, "hook", func(k *v1alpha1.APIKey) {
			k.Spec.Subject = v1alpha1.Subject{Kind: v1alpha1.SubjectIntegration, Name: "github-1"}
		})
		Expect(string(b.secret(ctx, "hers-api-key").Data["subject"])).To(Equal("User/carol"))
		Expect(string(b.secret(ctx, "hook-api-key").Data["subject"])).To(Equal("Integration/github-1"))
	})

	It("is what kubectl wait waits for", func(ctx SpecContext) {
		b := newBench(ctx)
		b.create(ctx, "ci")
		_, err := plane.Kubectl(ctx, "wait", "--for=condition=Ready", "apikey/ci", "-n", b.namespace, "--timeout=0s")
		Expect(err).To(HaveOccurred(), "nobody has looked at it yet")
		b.reconcile(ctx, "ci")
		out, err := plane.Kubectl(ctx, "wait", "--for=condition=Ready", "apikey/ci", "-n", b.namespace, "--timeout=10s")
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(ContainSubstring("apikey.keywright.dev/ci condition met"))
	})

	It("takes a rotation request that is there from the beginning as met by the first key", func(ctx SpecContext) {
		b := newBench(ctx)
		k := b.key(ctx, "ci", rotate("from git"))
		Expect(b.events.Take()).To(ConsistOf(HavePrefix("Normal KeyIssued")))
		Expect(k.Status.LastRotateRequest).To(Equal("from git"))
	})

	It("never copies the tracking labels and annotations of GitOps tools", func(ctx SpecContext) {
		b := newBench(ctx)
		b.key(ctx, "ci", func(k *v1alpha1.APIKey) {
			k.Labels = map[string]string{"app.kubernetes.io/instance": "argo"}
			k.Annotations = map[string]string{"argocd.argoproj.io/tracking-id": "x", "kubectl.kubernetes.io/last-applied-configuration": "{}"}
		})
		secret := b.secret(ctx, "ci-api-key")
		Expect(secret.Labels).To(HaveLen(1))
		Expect(secret.Annotations).To(HaveLen(1))
	})
})

var _ = Describe("The Secret's template", func() {
	It("gives name, entry, labels and annotations, and a change of labels needs no new key", func(ctx SpecContext) {
		b := newBench(ctx)
		k := b.key(ctx, "ci", withSecret(func(s *v1alpha1.APIKeySecret) {
			s.Name, s.Key = "door", "API_KEY"
			s.Labels = map[string]v1alpha1.LabelValue{"team": "red", "tier": "1"}
			s.Annotations = map[string]v1alpha1.AnnotationValue{"note": "hello"}
		}))
		before := b.secret(ctx, "door")
		Expect(before.Data).To(And(HaveLen(2), HaveKey("API_KEY"), HaveKeyWithValue("subject", []byte("Account/ci"))))
		Expect(b.accepted(ctx, "ci", string(before.Data["API_KEY"]))).To(BeTrue())
		Expect(before.Labels).To(And(HaveKeyWithValue("team", "red"), HaveKeyWithValue("tier", "1")))
		Expect(before.Annotations).To(HaveKeyWithValue("note", "hello"))
		Expect(messageOf(k, "Ready")).To(Equal("The key is in Secret door."))
		b.noSecret(ctx, "ci-api-key")

		b.editSecret(ctx, "door", func(s *corev1.Secret) { s.Labels["theirs"] = "stays" })
		after := b.change(ctx, "ci", withSecret(func(s *v1alpha1.APIKeySecret) {
			s.Labels = map[string]v1alpha1.LabelValue{"team": "blue"}
			s.Annotations = nil
		}))
		secret := b.secret(ctx, "door")
		Expect(secret.Labels).To(And(HaveKeyWithValue("team", "blue"), HaveKeyWithValue("theirs", "stays"), Not(HaveKey("tier"))))
		Expect(secret.Annotations).NotTo(HaveKey("note"))
		Expect(secret.Data).To(Equal(before.Data))
		Expect(after.Status.Keys).To(Equal(k.Status.Keys))
	})

	It("gives a new key under another entry, with overlap, and the old entry goes", func(ctx SpecContext) {
		b := newBench(ctx)
		b.key(ctx, "ci")
		old := b.plaintext(ctx, "ci-api-key")
		b.events.Take()
		k := b.change(ctx, "ci", withSecret(func(s *v1alpha1.APIKeySecret) { s.Key = "token" }))
		secret := b.secret(ctx, "ci-api-key")
		Expect(secret.Data).To(And(HaveLen(2), HaveKey("token"), HaveKey("subject")))
		Expect(string(secret.Data["token"])).NotTo(Equal(old))
		Expect(b.accepted(ctx, "ci", string(secret.Data["token"]))).To(BeTrue())
		Expect(b.accepted(ctx, "ci", old)).To(BeTrue(), "in its overlap")
		Expect(k.Status.Keys).To(HaveLen(2))
		Expect(b.events.Take()).To(ConsistOf(And(HavePrefix("Normal KeyRotated"), ContainSubstring("is accepted until 2030-01-01T13:00:00Z"))))
	})

	It("gives a new key under a new name, with overlap, and the old Secret goes", func(ctx SpecContext) {
		b := newBench(ctx)
		b.key(ctx, "ci")
		old := b.plaintext(ctx, "ci-api-key")
		b.events.Take()
		k := b.change(ctx, "ci", secretName("new-door"))
		Expect(k.Status.SecretName).To(Equal("new-door"))
		Expect(b.accepted(ctx, "ci", b.plaintext(ctx, "new-door"))).To(BeTrue())
		Expect(b.accepted(ctx, "ci", old)).To(BeTrue(), "in its overlap")
		b.noSecret(ctx, "ci-api-key")
		Expect(b.events.Take()).To(ConsistOf(And(HavePrefix("Normal KeyRotated"), ContainSubstring("(another Secret or entry was asked for)"))))
	})
})
