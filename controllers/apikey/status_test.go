package apikey_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/keyholder"
)

var _ = Describe("A status that somebody edited", func() {
	for what, edit := range map[string]func(*v1alpha1.APIKeyStatus){
		"without its digest":          func(s *v1alpha1.APIKeyStatus) { s.Keys = nil },
		"wiped":                       func(s *v1alpha1.APIKeyStatus) { *s = v1alpha1.APIKeyStatus{} },
		"with garbage for its digest": func(s *v1alpha1.APIKeyStatus) { s.Keys[0].Digest = "no digest" },
		"with a digest cut short":     func(s *v1alpha1.APIKeyStatus) { s.Keys[0].Digest = s.Keys[0].Digest[:60] },
	} {
		It("leads to a new key where the old one can't be known any more: "+what, func(ctx SpecContext) {
			b := newBench(ctx)
			b.key(ctx, "ci")
			old := b.plaintext(ctx, "ci-api-key")
			k := b.editStatus(ctx, "ci", edit)
			says(k, "True/Issued", "True/Accepted")
			fresh := b.plaintext(ctx, "ci-api-key")
			Expect(fresh).NotTo(Equal(old))
			Expect(k.Status.Keys).To(HaveLen(1))
			Expect(b.accepted(ctx, "ci", fresh)).To(BeTrue())
		})
	}

	It("is cleared of what does not belong there", func(ctx SpecContext) {
		b := newBench(ctx)
		kept := b.key(ctx, "ci").Status.Keys[0]
		k := b.editStatus(ctx, "ci", func(s *v1alpha1.APIKeyStatus) {
			garbage := v1alpha1.KeyStatus{ID: "evil", Digest: "no digest", IssuedAt: metav1.NewTime(begin)}
			eternal := b.recorded("a-key-of-my-own-making-" + b.namespace)
			s.Keys = append(s.Keys, garbage, eternal, kept)
		})
		Expect(k.Status.Keys).To(HaveExactElements(kept))
	})

	It("gets its conditions and its id back without a new key", func(ctx SpecContext) {
		b := newBench(ctx)
		before := b.key(ctx, "ci", every("24h"))
		k := b.editStatus(ctx, "ci", func(s *v1alpha1.APIKeyStatus) {
			s.Conditions, s.ObservedGeneration, s.NextRotation, s.SecretName = nil, 0, nil, ""
			s.Keys[0].ID = "made-up"
		})
		Expect(k.Status).To(Equal(before.Status))
	})

	It("that says of the key that it is on its way leaves it, for the Secret holds it", func(ctx SpecContext) {
		b := newBench(ctx)
		before := b.key(ctx, "ci")
		k := b.editStatus(ctx, "ci", func(s *v1alpha1.APIKeyStatus) { s.Keys[0].Pending = true })
		says(k, "True/Issued", "True/Accepted")
		Expect(k.Status.Keys).To(Equal(before.Status.Keys))
	})

	It("can't give a key more time than the manifest does", func(ctx SpecContext) {
		b := newBench(ctx)
		b.key(ctx, "ci", ttl("1h"))
		k := b.editStatus(ctx, "ci", func(s *v1alpha1.APIKeyStatus) { s.Keys[0].NotAfter = nil })
		Expect(endsAt(k)).To(Equal(time.Hour))
	})
})

// pasted puts the key of one object into the status of an APIKey, and returns the APIKey.
func (b *bench) pasted(ctx context.Context, name string, key v1alpha1.KeyStatus) *v1alpha1.APIKey {
	GinkgoHelper()
	return b.editStatus(ctx, name, func(s *v1alpha1.APIKeyStatus) { s.Keys = []v1alpha1.KeyStatus{key} })
}

var _ = Describe("Another object's digest, pasted", func() {
	It("is the older one's, and a rotation is the way out for the younger", func(ctx SpecContext) {
		b := newBench(ctx)
		older, younger := "first", "second"
		if first, second := b.key(ctx, "first"), b.key(ctx, "second"); keyholder.Older(second, first) {
			older, younger = younger, older
		}
		plaintext := b.plaintext(ctx, older+"-api-key")
		b.events.Take()
		k := b.pasted(ctx, younger, b.get(ctx, older).Status.Keys[0])
		says(k, "False/KeyInUse", "False/KeyInUse")
		told := "The recorded key belongs to APIKey " + b.namespace + "/" + older +
			", which is older: request a new key with annotation keywright.dev/rotate."
		Expect(messageOf(k, "Ready")).To(Equal(told))
		Expect(b.events.Take()).To(ConsistOf("Warning KeyInUse " + told))
		says(b.at(ctx, 0, older), "True/Issued", "True/Accepted")
		Expect(b.accepted(ctx, older, plaintext)).To(BeTrue())

		k = b.change(ctx, younger, rotate("1"))
		says(k, "True/Issued", "True/Accepted")
		Expect(k.Status.Keys).To(HaveLen(1), "no overlap for somebody else's key")
		Expect(b.accepted(ctx, younger, b.plaintext(ctx, younger+"-api-key"))).To(BeTrue())
		Expect(b.accepted(ctx, younger, plaintext)).To(BeFalse())
	})

	It("is the younger one's when the older is gone, without anybody asking", func(ctx SpecContext) {
		b := newBench(ctx)
		older, younger := "first", "second"
		if first, second := b.key(ctx, "first"), b.key(ctx, "second"); keyholder.Older(second, first) {
			older, younger = younger, older
		}
		b.pasted(ctx, younger, b.get(ctx, older).Status.Keys[0])
		b.remove(ctx, older)
		b.reconcile(ctx, younger)
		says(b.get(ctx, younger), "True/Issued", "True/Accepted")
		Expect(b.accepted(ctx, younger, b.plaintext(ctx, younger+"-api-key"))).To(BeTrue())
	})

	It("is looked at again once a minute", func(ctx SpecContext) {
		b := newBench(ctx)
		carol := adminUser(ctx, b.system, "carol", true)
		withKeys(ctx, carol, b.recorded(b.brought()))
		b.createYounger(ctx, "ci", carol)
		b.pasted(ctx, "ci", b.recorded(b.brought()))
		Expect(b.reconcile(ctx, "ci")).To(Equal(time.Minute), "what becomes of the other object is not watched")
	})

	It("into the older object does not take it from the younger for long", func(ctx SpecContext) {
		b := newBench(ctx)
		older, younger := "first", "second"
		if first, second := b.key(ctx, "first"), b.key(ctx, "second"); keyholder.Older(second, first) {
			older, younger = younger, older
		}
		b.pasted(ctx, older, b.get(ctx, younger).Status.Keys[0])
		b.reconcile(ctx, younger)
		says(b.get(ctx, older), "True/Issued", "True/Accepted")
		Expect(b.accepted(ctx, older, b.plaintext(ctx, older+"-api-key"))).To(BeTrue(), "its Secret does not hold what is on record")
		b.reconcile(ctx, younger)
		says(b.get(ctx, younger), "True/Issued", "True/Accepted")
	})

	It("is told apart across kinds too", func(ctx SpecContext) {
		b := newBench(ctx)
		carol := adminUser(ctx, b.system, "carol", true)
		plaintext := b.brought()
		withKeys(ctx, carol, b.recorded(plaintext))
		b.createYounger(ctx, "ci", carol)
		k := b.pasted(ctx, "ci", b.recorded(plaintext))
		Expect(reasonOf(k, "Stalled")).To(Equal("True/KeyInUse"))
		Expect(messageOf(k, "Stalled")).To(ContainSubstring("belongs to AdminUser " + b.system + "/carol, which is older"))
		says(b.change(ctx, "ci", rotate("1")), "True/Issued", "True/Accepted")
	})

	It("by an AdminUser that is younger changes nothing for the APIKey", func(ctx SpecContext) {
		b := newBench(ctx)
		before := b.key(ctx, "ci")
		var thief *v1alpha1.AdminUser
		Eventually(ctx, func() bool {
			if thief != nil {
				Expect(cached.Delete(ctx, thief)).To(Succeed())
			}
			thief = adminUser(ctx, b.system, "thief", true)
			return keyholder.Older(before, thief)
		}).WithTimeout(5 * time.Second).Should(BeTrue())
		withKeys(ctx, thief, before.Status.Keys[0])
		b.reconcile(ctx, "ci")
		Expect(b.get(ctx, "ci").ResourceVersion).To(Equal(before.ResourceVersion))
	})
})

// createYounger makes an APIKey that is younger than another object: by more than the second that is kept of both.
func (b *bench) createYounger(ctx context.Context, name string, than client.Object) {
	GinkgoHelper()
	var k *v1alpha1.APIKey
	Eventually(ctx, func() bool {
		if k != nil {
			Expect(cached.Delete(ctx, k)).To(Succeed())
		}
		k = b.create(ctx, name)
		return keyholder.Older(than, k)
	}).WithTimeout(5 * time.Second).Should(BeTrue())
}
