package apikey_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/api/v1alpha1"
)

var _ = Describe("A key that is returned in a reply", func() {
	It("is waited for, and then Ready", func(ctx SpecContext) {
		b := newBench(ctx)
		k := b.key(ctx, "ci", byAPI)
		says(k, "False/AwaitingKey", "False/NoKey")
		Expect(messageOf(k, "Stalled")).To(Equal("Delivery is Response and the API has issued no key: rotate the key through the API."))
		Expect(k.Status.Keys).To(BeEmpty())
		b.noSecret(ctx, "ci-api-key")

		k = b.editStatus(ctx, "ci", func(s *v1alpha1.APIKeyStatus) { s.Keys = []v1alpha1.KeyStatus{b.recorded(b.brought())} })
		says(k, "True/Issued", "True/Accepted")
		Expect(messageOf(k, "Ready")).To(Equal("The key was returned by the API."))
		Expect(k.Status.SecretName).To(BeEmpty())
		Expect(b.accepted(ctx, "ci", b.brought())).To(BeTrue())
		b.noSecret(ctx, "ci-api-key")
	})

	It("is waited for in peace when the API has made the object, and for so long only", func(ctx SpecContext) {
		b := newBench(ctx)
		b.create(ctx, "ci", byAPI, createdByAPI)
		for _, since := range []time.Duration{0, 9 * time.Second} {
			b.clock.SetTime(begin.Add(since))
			result, err := b.reconciler().Reconcile(ctx, reconcile.Request{NamespacedName: b.name("ci")})
			Expect(err).NotTo(HaveOccurred())
			Expect(result.RequeueAfter).To(Equal(10*time.Second - since))
			k := b.get(ctx, "ci")
			says(k, "False/Issuing", "False/NoKey")
			Expect(messageOf(k, "Reconciling")).To(Equal("The API is about to issue the key."))
		}
		Expect(b.events.Take()).To(BeEmpty())

		says(b.at(ctx, 10*time.Second, "ci"), "False/AwaitingKey", "False/NoKey")
		Expect(b.events.Take()).To(HaveLen(1))
		says(b.at(ctx, 11*time.Second, "ci"), "False/AwaitingKey", "False/NoKey")

		k := b.editStatus(ctx, "ci", func(s *v1alpha1.APIKeyStatus) { s.Keys = []v1alpha1.KeyStatus{b.recorded(b.brought())} })
		says(k, "True/Issued", "True/Accepted")
	})

	It("is not rotated by annotation, and an event says so once", func(ctx SpecContext) {
		b := newBench(ctx)
		b.key(ctx, "ci", byAPI)
		b.editStatus(ctx, "ci", func(s *v1alpha1.APIKeyStatus) { s.Keys = []v1alpha1.KeyStatus{b.recorded(b.brought())} })
		b.events.Take()
		k := b.change(ctx, "ci", rotate("please"))
		says(k, "True/Issued", "True/Accepted")
		Expect(b.events.Take()).To(ConsistOf(
			"Warning RotationRefused The API returns this key in a reply: rotate it through the API"))
		b.reconcile(ctx, "ci")
		Expect(b.events.Take()).To(BeEmpty())
		Expect(b.accepted(ctx, "ci", b.brought())).To(BeTrue())
	})

	It("has the overlap that is asked for", func(ctx SpecContext) {
		b := newBench(ctx)
		b.key(ctx, "ci", byAPI, overlap("10m"))
		k := b.editStatus(ctx, "ci", func(s *v1alpha1.APIKeyStatus) {
			s.Keys = []v1alpha1.KeyStatus{b.recorded(b.brought() + "-2"), b.recorded(b.brought())}
			s.Keys[1].NotAfter = &metav1.Time{Time: begin.Add(30 * time.Minute)}
		})
		Expect(k.Status.Keys).To(HaveLen(2))
		Expect(k.Status.Keys[1].NotAfter.Time).To(BeTemporally("==", begin.Add(10*time.Minute)))
	})

	It("has no overlap where none is asked for, ends as any other, and can be revoked", func(ctx SpecContext) {
		b := newBench(ctx)
		b.key(ctx, "ci", byAPI, ttl("2h"))
		k := b.editStatus(ctx, "ci", func(s *v1alpha1.APIKeyStatus) {
			s.Keys = []v1alpha1.KeyStatus{b.recorded(b.brought() + "-2"), b.recorded(b.brought())}
			s.Keys[1].NotAfter = &metav1.Time{Time: begin.Add(30 * time.Minute)}
		})
		Expect(k.Status.Keys).To(HaveLen(1), "whoever wrote that the old one goes on")
		Expect(endsAt(k)).To(Equal(2 * time.Hour))
		says(b.at(ctx, 2*time.Hour, "ci"), "True/Issued", "False/Expired")
		k = b.change(ctx, "ci", revoked)
		says(k, "True/Revoked", "False/Revoked")
		Expect(k.Status.Keys).To(BeEmpty())
	})
})
