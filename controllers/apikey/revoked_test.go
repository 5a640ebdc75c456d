package apikey_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/kube/convert"
)

// No policy is installed here, so a person can set the state back.
var _ = Describe("A revoked key", func() {
	active := inState(v1alpha1.StateActive)
	expectRevoked := func(k *v1alpha1.APIKey) {
		GinkgoHelper()
		expectConditions(k, "True/Revoked", "False/Revoked")
		Expect(k.Status.Keys).To(BeEmpty())
		Expect(k.Status.RevokedAt.Time).To(BeTemporally("==", begin))
		Expect(convert.Standing(k)).To(Equal(verify.Revoked), "the server refuses it, too")
	}

	It("stays revoked when its state is set back, whatever is asked for", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.Apply(ctx, "ci")
		Expect(e.Get(ctx, "ci").Status.RevokedAt).To(BeNil())
		expectRevoked(e.Change(ctx, "ci", revoked))
		e.Events.Take()
		e.SetTime(time.Hour)
		for _, edit := range []func(*v1alpha1.APIKey){
			active, inState(v1alpha1.StateDisabled), active, rotate("1"), every("24h"),
			withSecret(func(s *v1alpha1.APIKeySecret) { s.Name = "another" }),
		} {
			expectRevoked(e.Change(ctx, "ci", edit))
		}
		Expect(e.Secrets(ctx)).To(BeEmpty())
		Expect(e.Events.Take()).To(BeEmpty())
	})

	It("is not revived by a Secret to adopt or a key in its status", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.Apply(ctx, "ci", revoked)
		e.Edit(ctx, "ci", active)
		e.HandOver(ctx, "ci-api-key", e.Brought())
		expectRevoked(e.At(ctx, 0, "ci"))
		expectRevoked(e.EditStatus(ctx, "ci", func(s *v1alpha1.KeyHolderStatus) {
			s.Keys = []v1alpha1.KeyStatus{e.Recorded(e.Brought())}
		}))
	})

	It("is not revived by a restore with its status", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.Apply(ctx, "ci")
		backup := e.Change(ctx, "ci", revoked)
		e.Remove(ctx, "ci")
		k := e.Create(ctx, "ci")
		k.Status = backup.Status
		Expect(suite.Cached.Status().Update(ctx, k)).To(Succeed())
		e.Reconcile(ctx, "ci")
		expectRevoked(e.Get(ctx, "ci"))
	})
})
