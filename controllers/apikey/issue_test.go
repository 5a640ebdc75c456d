package apikey_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"keywright.dev/keywright/api/v1alpha1"
)

var _ = Describe("Issuing", func() {
	It("writes the subject into the Secret, for every kind of subject", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.Apply(ctx, "hers", speakingAs("carol"))
		e.Apply(ctx, "hook", func(k *v1alpha1.APIKey) {
			k.Spec.Subject = v1alpha1.Subject{Kind: v1alpha1.SubjectIntegration, Name: "github-1"}
		})
		Expect(string(e.Secret(ctx, "hers-api-key").Data["subject"])).To(Equal("User/carol"))
		Expect(string(e.Secret(ctx, "hook-api-key").Data["subject"])).To(Equal("Integration/github-1"))
	})

	It("satisfies kubectl wait", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.Create(ctx, "ci")
		_, err := suite.Plane.Kubectl(ctx, "wait", "--for=condition=Ready", "apikey/ci", "-n", e.Namespace, "--timeout=0s")
		Expect(err).To(HaveOccurred(), "it has not been reconciled yet")
		e.Reconcile(ctx, "ci")
		out, err := suite.Plane.Kubectl(ctx, "wait", "--for=condition=Ready", "apikey/ci", "-n", e.Namespace, "--timeout=10s")
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(ContainSubstring("apikey.keywright.dev/ci condition met"))
	})
})

var _ = Describe("Adoption", func() {
	It("gives a brought key the end that the spec sets", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.HandOver(ctx, "ci-api-key", e.Brought())
		Expect(endsAt(e.Apply(ctx, "ci", ttl("1h")))).To(Equal(time.Hour))
	})

	It("takes the key from the entry that the spec names", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.HandOver(ctx, "ci-api-key", "something else altogether")
		e.EditForeignSecret(ctx, "ci-api-key", func(s *corev1.Secret) { s.Data["token"] = []byte(e.Brought()) })
		e.Apply(ctx, "ci", withSecret(func(s *v1alpha1.APIKeySecret) { s.DataKey = "token" }))
		Expect(e.Accepted(ctx, "ci", e.Brought())).To(BeTrue())
	})

	It("gives a key to one object only, across kinds and namespaces", func(ctx SpecContext) {
		e, elsewhere := newEnv(ctx), newEnv(ctx)
		e.HandOver(ctx, "first-api-key", e.Brought())
		e.Apply(ctx, "first")
		elsewhere.HandOver(ctx, "second-api-key", e.Brought())
		elsewhere.Apply(ctx, "second")
		k := elsewhere.PassGrace(ctx, "second")
		expectConditions(k, "False/KeyInUse", "False/NoKey")
		Expect(message(k, "Stalled")).To(Equal("The key in Secret second-api-key already belongs to APIKey " + e.Namespace +
			"/first: put another key into the Secret. Keywright checks it again every minute."))
		Expect(e.Accepted(ctx, "first", e.Brought())).To(BeTrue())

		withKeys(ctx, adminUser(ctx, e.System, "carol", v1alpha1.StateActive), e.Recorded(e.Brought()+"-of-carol"))
		e.HandOver(ctx, "third-api-key", e.Brought()+"-of-carol")
		e.Apply(ctx, "third")
		k = e.PassGrace(ctx, "third")
		expectConditions(k, "False/KeyInUse", "False/NoKey")
		Expect(message(k, "Stalled")).To(ContainSubstring("already belongs to AdminUser " + e.System + "/carol"))
	})
})

// withKeys writes keys into the status of an AdminUser.
func withKeys(ctx context.Context, user *v1alpha1.AdminUser, keys ...v1alpha1.KeyStatus) {
	GinkgoHelper()
	user.Status.Keys = keys
	Expect(suite.Cached.Status().Update(ctx, user)).To(Succeed())
}
