package e2e

import (
	"context"
	"fmt"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
)

// kubectl runs kubectl in the tenant's namespace.
func kubectl(ctx context.Context, args ...string) string {
	GinkgoHelper()
	out, err := s.Kubectl(ctx, append(args, "-n", tenant)...)
	Expect(err).NotTo(HaveOccurred())
	return out
}

// patchSpec patches an APIKey as a person does.
func patchSpec(ctx context.Context, name, spec string) {
	GinkgoHelper()
	kubectl(ctx, "patch", "apikey", name, "--type=merge", "-p", `{"spec":`+spec+`}`)
}

// awaitCondition waits for a condition as a person or a script does. The condition has to be of the newest spec.
func awaitCondition(ctx context.Context, name, condition string) {
	GinkgoHelper()
	kubectl(ctx, "wait", "apikey/"+name, "--for=condition="+condition, "--timeout=30s")
}

var _ = Describe("A manifest", func() {
	It("asks for a new key by rotation.after, and kubectl wait needs nothing else", func(ctx SpecContext) {
		k := newAPIKey(ctx, "asked-for")
		old := awaitReady(ctx, k, v1alpha1.ReasonIssued)
		first := kit.CurrentKey(k)
		// Times in a status are whole seconds, and a key is replaced if it was issued before the instant.
		after := first.IssuedAt.Add(time.Second)
		Eventually(ctx, time.Now).WithTimeout(patience).Should(BeTemporally(">", after))

		patchSpec(ctx, "asked-for", fmt.Sprintf(`{"rotation":{"after":%q,"overlap":"0s"}}`, after.Format(time.RFC3339)))
		awaitCondition(ctx, "asked-for", v1alpha1.ConditionReady)
		renewed := awaitReady(ctx, k, v1alpha1.ReasonIssued)
		second := kit.CurrentKey(k)
		Expect(second.ID).NotTo(Equal(first.ID))
		Expect(renewed).NotTo(Equal(old))
		expectAnswer(ctx, renewed, http.StatusOK)
		expectAnswer(ctx, old, http.StatusUnauthorized)

		Consistently(ctx, func(g Gomega) {
			g.Expect(s.Client.Get(ctx, client.ObjectKeyFromObject(k), k)).To(Succeed())
			g.Expect(kit.CurrentKey(k).ID).To(Equal(second.ID), "it acts once")
		}).WithTimeout(2 * time.Second).Should(Succeed())
		removeAPIKey(ctx, k)
	})

	It("disables a key by its state, and enables the same key again", func(ctx SpecContext) {
		k := newAPIKey(ctx, "paused")
		plaintext := awaitReady(ctx, k, v1alpha1.ReasonIssued)
		expectAnswer(ctx, plaintext, http.StatusOK)
		patchSpec(ctx, "paused", `{"state":"Disabled"}`)
		expectAnswer(ctx, plaintext, http.StatusUnauthorized)
		awaitAPIKey(ctx, k, v1alpha1.ConditionActive, v1alpha1.ReasonDisabled)
		awaitCondition(ctx, "paused", v1alpha1.ConditionReady)
		patchSpec(ctx, "paused", `{"state":"Active"}`)
		awaitCondition(ctx, "paused", v1alpha1.ConditionActive)
		expectAnswer(ctx, plaintext, http.StatusOK)
		removeAPIKey(ctx, k)
	})

	It("with a role, its binding and a key becomes active as a whole", func(ctx SpecContext) {
		const sample = "config/samples/accessrole_certificate_reader.yaml"
		kubectl(ctx, "apply", "-f", sample)
		awaitCondition(ctx, "carol-laptop", v1alpha1.ConditionActive)
		plaintext := delivered(ctx, "carol-laptop-api-key", "key")
		expectAnswer(ctx, plaintext, http.StatusOK)
		Expect(ask(ctx, plaintext).header.Get("X-Auth-User")).To(Equal("carol"))
		k := &v1alpha1.APIKey{}
		Expect(s.Client.Get(ctx, client.ObjectKey{Namespace: tenant, Name: "carol-laptop"}, k)).To(Succeed())
		current := kit.CurrentKey(k)
		Expect(current.ExpiresAt).NotTo(BeNil())
		Expect(current.ExpiresAt.Sub(current.IssuedAt.Time)).To(Equal(720*time.Hour), "the maxTTL of the role")
		kubectl(ctx, "delete", "-f", sample)
		expectAnswer(ctx, plaintext, http.StatusUnauthorized)
	})
})
