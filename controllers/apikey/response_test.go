package apikey_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/api/v1alpha1"
)

var _ = Describe("A key that the API returns in a reply", func() {
	It("is awaited without a warning for a while when the API created the object", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.Create(ctx, "ci", byAPI, createdByAPI)
		for _, since := range []time.Duration{0, 9 * time.Second} {
			e.SetTime(since)
			result, err := e.NewReconciler().Reconcile(ctx, reconcile.Request{NamespacedName: e.Key("ci")})
			Expect(err).NotTo(HaveOccurred())
			Expect(result.RequeueAfter).To(Equal(10*time.Second - since))
			k := e.Get(ctx, "ci")
			expectConditions(k, "False/Issuing", "False/NoKey")
			Expect(message(k, "Reconciling")).To(Equal("The API is about to issue the key."))
		}
		Expect(e.Events.Take()).To(BeEmpty())

		expectConditions(e.At(ctx, 10*time.Second, "ci"), "False/AwaitingKey", "False/NoKey")
		Expect(e.Events.Take()).To(HaveLen(1))
		expectConditions(e.At(ctx, 11*time.Second, "ci"), "False/AwaitingKey", "False/NoKey")

		k := e.EditStatus(ctx, "ci", func(s *v1alpha1.KeyHolderStatus) {
			s.Keys = []v1alpha1.KeyStatus{e.Recorded(e.Brought())}
		})
		expectConditions(k, "True/Issued", "True/Accepted")
	})

	It("is awaited as long as its claim link can be used", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.Create(ctx, "ci", byAPI, createdByAPI, claimUntil(begin.Add(time.Hour)))
		for _, since := range []time.Duration{0, 59 * time.Minute} {
			e.SetTime(since)
			result, err := e.NewReconciler().Reconcile(ctx, reconcile.Request{NamespacedName: e.Key("ci")})
			Expect(err).NotTo(HaveOccurred())
			Expect(result.RequeueAfter).To(Equal(time.Hour - since))
			k := e.Get(ctx, "ci")
			expectConditions(k, "False/AwaitingClaim", "False/AwaitingClaim")
			Expect(message(k, "Reconciling")).To(Equal(
				"The first use of the claim link issues the key, until " + begin.Add(time.Hour).Format(time.RFC3339) + "."))
		}
		Expect(e.Events.Take()).To(BeEmpty())
		k := e.At(ctx, time.Hour, "ci")
		expectConditions(k, "False/AwaitingKey", "False/NoKey")
		Expect(message(k, "Stalled")).To(Equal(
			"The claim link has ended, and no key was issued: delete the object, or rotate the key through the API."))
		k = e.EditStatus(ctx, "ci", func(s *v1alpha1.KeyHolderStatus) {
			s.Keys = []v1alpha1.KeyStatus{e.Recorded(e.Brought())}
		})
		expectConditions(k, "True/Issued", "True/Accepted")
	})

	DescribeTable("is not awaited for its claim link",
		func(ctx SpecContext, changes ...func(*v1alpha1.APIKey)) {
			e := newEnv(ctx)
			e.Create(ctx, "ci", append(changes, byAPI)...)
			_, err := e.NewReconciler().Reconcile(ctx, reconcile.Request{NamespacedName: e.Key("ci")})
			Expect(err).NotTo(HaveOccurred())
			expectConditions(e.At(ctx, time.Hour, "ci"), "False/AwaitingKey", "False/NoKey")
		},
		Entry("in an object that the API did not create", claimUntil(begin.AddDate(1, 0, 0))),
		Entry("with an unreadable annotation", createdByAPI, func(k *v1alpha1.APIKey) {
			metav1.SetMetaDataAnnotation(&k.ObjectMeta, v1alpha1.AnnotationClaimUntil, "soon")
		}),
	)

	It("has the overlap that the spec sets", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.Apply(ctx, "ci", byAPI, overlap("10m"))
		k := e.EditStatus(ctx, "ci", func(s *v1alpha1.KeyHolderStatus) {
			s.Keys = []v1alpha1.KeyStatus{e.Recorded(e.Brought() + "-2"), e.Recorded(e.Brought())}
			s.Keys[1].State, s.Keys[1].ExpiresAt = v1alpha1.KeyOverlapping, &metav1.Time{Time: begin.Add(30 * time.Minute)}
		})
		Expect(k.Status.Keys).To(HaveLen(2))
		Expect(k.Status.Keys[1].ExpiresAt.Time).To(BeTemporally("==", begin.Add(10*time.Minute)))
	})

	It("has the overlap of its rotation by default, ends as any other, and can be revoked", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.Apply(ctx, "ci", byAPI, ttl("2h"))
		k := e.EditStatus(ctx, "ci", func(s *v1alpha1.KeyHolderStatus) {
			s.Keys = []v1alpha1.KeyStatus{e.Recorded(e.Brought() + "-2"), e.Recorded(e.Brought())}
			s.Keys[1].State, s.Keys[1].ExpiresAt = v1alpha1.KeyOverlapping, &metav1.Time{Time: begin.Add(30 * time.Minute)}
		})
		Expect(k.Status.Keys).To(HaveLen(2))
		Expect(k.Status.Keys[1].ExpiresAt.Time).To(BeTemporally("==", begin.Add(30*time.Minute)))
		Expect(endsAt(k)).To(Equal(2 * time.Hour))
		expectConditions(e.At(ctx, 2*time.Hour, "ci"), "True/Issued", "False/Expired")
		k = e.Change(ctx, "ci", revoked)
		expectConditions(k, "True/Revoked", "False/Revoked")
		Expect(k.Status.Keys).To(BeEmpty())
	})
})
