package apikey_test

import (
	"errors"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("A pepper", func() {
	It("that is lost stops issuing and says so, and goes on when it is back", func(ctx SpecContext) {
		b := newBench(ctx)
		b.losePepper(errors.New("Secret keywright-pepper is lost"))
		k := b.key(ctx, "ci")
		says(k, "False/PepperLost", "False/NoKey")
		Expect(messageOf(k, "Stalled")).To(Equal("Secret keywright-pepper is lost"))
		b.losePepper(nil)
		b.reconcile(ctx, "ci")
		says(b.get(ctx, "ci"), "True/Issued", "True/Accepted")
	})

	It("that is lost keeps no key from being revoked, and no object from going", func(ctx SpecContext) {
		b := newBench(ctx)
		b.key(ctx, "revoked")
		b.key(ctx, "deleted")
		b.annotate(ctx, "deleted-api-key")
		b.reconcile(ctx, "deleted")
		b.losePepper(errors.New("Secret keywright-pepper is lost"))
		says(b.change(ctx, "revoked", revoked), "True/Revoked", "False/Revoked")
		b.noSecret(ctx, "revoked-api-key")
		b.remove(ctx, "deleted")
		Expect(b.gone(ctx, "deleted")).To(BeTrue())
		Expect(b.secret(ctx, "deleted-api-key").OwnerReferences).To(BeEmpty())
	})

	It("that was changed for another stops an object until a new key is asked for", func(ctx SpecContext) {
		b := newBench(ctx)
		b.key(ctx, "ci")
		b.change(ctx, "ci", rotate("one in overlap"))
		before := b.get(ctx, "ci").Status.Keys[0]
		b.ring = newRingOf("q")
		b.reconcile(ctx, "ci")
		k := b.get(ctx, "ci")
		says(k, "False/PepperLost", "False/PepperLost")
		Expect(messageOf(k, "Stalled")).To(Equal("The key was digested with a pepper that Secret keywright-pepper no longer holds: " +
			`restore the pepper under any name but "active", or request a new key with annotation keywright.dev/rotate.`))
		Expect(k.Status.Keys).To(ContainElement(before), "nothing is lost should it come back")

		b.clock.SetTime(begin.Add(time.Minute))
		k = b.change(ctx, "ci", rotate("give it up"))
		says(k, "True/Issued", "True/Accepted")
		Expect(k.Status.Keys).To(HaveLen(1), "no overlap for keys that are lost")
		Expect(b.accepted(ctx, "ci", b.plaintext(ctx, "ci-api-key"))).To(BeTrue())
	})

	It("that comes back under another name brings the key back", func(ctx SpecContext) {
		b := newBench(ctx)
		before := b.key(ctx, "ci")
		b.ring = newRingOf("q")
		b.reconcile(ctx, "ci")
		b.ring = newRingOf("q", "p")
		b.reconcile(ctx, "ci")
		k := b.get(ctx, "ci")
		says(k, "True/Issued", "True/Accepted")
		Expect(k.Status.Keys).To(Equal(before.Status.Keys))
	})
})

var _ = Describe("A clock that jumps back", func() {
	for what, back := range map[string]time.Duration{"an hour": time.Hour, "years, before the object was made": 20 * 365 * 24 * time.Hour} {
		It("by "+what+" loses nothing and makes no storm of rotations", func(ctx SpecContext) {
			b := newBench(ctx)
			b.key(ctx, "ci", every("24h"), ttl("30h"))
			b.at(ctx, 24*time.Hour, "ci")
			before := b.get(ctx, "ci")
			Expect(before.Status.Keys).To(HaveLen(2))
			b.events.Take()

			b.clock.SetTime(begin.Add(-back))
			for range 3 {
				b.reconcile(ctx, "ci")
			}
			Expect(b.get(ctx, "ci").ResourceVersion).To(Equal(before.ResourceVersion))
			k := b.change(ctx, "ci", rotate("while it is wrong"))
			says(k, "True/Issued", "True/Accepted")
			Expect(b.accepted(ctx, "ci", b.plaintext(ctx, "ci-api-key"))).To(BeTrue())
			Expect(b.events.Take()).To(ConsistOf(HavePrefix("Normal KeyRotated")))

			b.at(ctx, 24*time.Hour, "ci")
			b.at(ctx, 25*time.Hour, "ci")
			rotations := 0
			for _, told := range b.events.Take() {
				if len(told) > 17 && told[:17] == "Normal KeyRotated" {
					rotations++
				}
			}
			Expect(rotations).To(BeNumerically("<=", 1))
			says(b.get(ctx, "ci"), "True/Issued", "True/Accepted")
		})
	}
})
