package apikey_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/api/v1alpha1"
)

var _ = Describe("A role that does not exist", func() {
	It("keeps the key from being issued, and the message names it", func(ctx SpecContext) {
		b := newBench(ctx)
		there := b.role(ctx, "there")
		missing, another := v1alpha1.RoleName(b.own("missing")), v1alpha1.RoleName(b.own("other"))
		k := b.key(ctx, "ci", using(missing, there))
		says(k, "False/UnknownRole", "False/NoKey")
		Expect(reasonOf(k, "Stalled")).To(Equal("True/UnknownRole"))
		message := "spec.roles names AccessRoles that do not exist: " + string(missing) +
			". Create them, or remove them from spec.roles."
		Expect(messageOf(k, "Ready")).To(Equal(message))
		Expect(k.Status.Keys).To(BeEmpty())
		b.noSecret(ctx, "ci-api-key")
		Expect(b.events.Take()).To(ConsistOf("Warning UnknownRole " + message))
		b.reconcile(ctx, "ci")
		Expect(b.events.Take()).To(BeEmpty(), "once")

		k = b.change(ctx, "ci", using(missing, there, another))
		Expect(messageOf(k, "Stalled")).To(Equal("spec.roles names AccessRoles that do not exist: " + string(missing) + ", " +
			string(another) + ". Create them, or remove them from spec.roles."))
		says(b.change(ctx, "ci", using(there)), "True/Issued", "True/Accepted")
	})

	It("lets the key be issued as soon as it is there", func(ctx SpecContext) {
		b := newBench(ctx)
		b.key(ctx, "ci", using(v1alpha1.RoleName(b.own("late"))))
		b.events.Take()
		b.role(ctx, "late", maxTTL("1h"))
		b.reconcile(ctx, "ci")
		k := b.get(ctx, "ci")
		says(k, "True/Issued", "True/Accepted")
		Expect(reasonOf(k, "Stalled")).To(BeEmpty())
		Expect(endsAt(k)).To(Equal(time.Hour))
		Expect(b.events.Take()).To(ConsistOf(HavePrefix("Normal KeyIssued")))
	})

	It("because it was deleted leaves the key that exists, with the end it has or an earlier one", func(ctx SpecContext) {
		b := newBench(ctx)
		role := b.role(ctx, "short", maxTTL("5h"))
		b.key(ctx, "ci", using(role))
		plaintext := b.plaintext(ctx, "ci-api-key")
		deleteRole(ctx, role)
		b.events.Take()
		Expect(b.reconcile(ctx, "ci")).To(Equal(5*time.Hour), "its end is still to come")
		k := b.get(ctx, "ci")
		says(k, "False/UnknownRole", "True/Accepted")
		Expect(endsAt(k)).To(Equal(5*time.Hour), "no later one because the limit is not known any more")
		Expect(k.Status.SecretName).To(Equal("ci-api-key"))
		Expect(b.accepted(ctx, "ci", plaintext)).To(BeTrue())
		Expect(b.events.Take()).To(ConsistOf(HavePrefix("Warning UnknownRole")))

		Expect(endsAt(b.change(ctx, "ci", ttl("2h")))).To(Equal(2 * time.Hour))
		Expect(endsAt(b.change(ctx, "ci", ttl("3h")))).To(Equal(2 * time.Hour))
		says(b.at(ctx, 2*time.Hour, "ci"), "False/UnknownRole", "False/Expired")
		b.role(ctx, "short", maxTTL("5h"))
		k = b.at(ctx, 2*time.Hour, "ci")
		says(k, "True/Issued", "True/Accepted")
		Expect(endsAt(k)).To(Equal(3*time.Hour), "what the manifest asks, now that all is known")
	})

	It("holds back a rotation, and the key and the schedule stay as they are", func(ctx SpecContext) {
		b := newBench(ctx)
		role := b.role(ctx, "gone")
		before := b.key(ctx, "ci", using(role), every("2h"))
		deleteRole(ctx, role)
		b.change(ctx, "ci", rotate("1"))
		k := b.at(ctx, 3*time.Hour, "ci")
		Expect(k.Status.Keys).To(Equal(before.Status.Keys))
		says(k, "False/UnknownRole", "True/Accepted")
		b.role(ctx, "gone")
		b.events.Take()
		b.reconcile(ctx, "ci")
		Expect(b.events.Take()).To(ConsistOf(HavePrefix("Normal KeyRotated")), "once")
	})

	It("does not keep a key from being revoked", func(ctx SpecContext) {
		b := newBench(ctx)
		role := b.role(ctx, "gone")
		b.key(ctx, "ci", using(role))
		deleteRole(ctx, role)
		says(b.change(ctx, "ci", revoked), "True/Revoked", "False/Revoked")
		b.noSecret(ctx, "ci-api-key")
	})
})

var _ = Describe("The maxTTL of a role", func() {
	It("takes the end of the key with it, both ways, and the key stays", func(ctx SpecContext) {
		b := newBench(ctx)
		role := b.role(ctx, "some", maxTTL("10h"))
		before := b.key(ctx, "ci", using(role))
		for _, limit := range []time.Duration{5 * time.Hour, 20 * time.Hour} {
			b.editRole(ctx, role, maxTTL(v1alpha1.Duration(limit.String())))
			Expect(b.reconcile(ctx, "ci")).To(Equal(limit))
			k := b.get(ctx, "ci")
			Expect(endsAt(k)).To(Equal(limit))
			Expect(k.Status.Keys).To(HaveExactElements(HaveField("ID", before.Status.Keys[0].ID)))
			says(k, "True/Issued", "True/Accepted")
		}
		b.editRole(ctx, role, func(r *v1alpha1.AccessRole) { r.Spec.MaxTTL = nil })
		Expect(b.reconcile(ctx, "ci")).To(BeZero())
		Expect(b.get(ctx, "ci").Status.Keys[0].NotAfter).To(BeNil())
	})

	It("ends a key at once that is older, and makes none in overlap live longer", func(ctx SpecContext) {
		b := newBench(ctx)
		role := b.role(ctx, "some", maxTTL("3h"))
		b.key(ctx, "ci", using(role), overlap("10h"))
		b.clock.SetTime(begin.Add(2 * time.Hour))
		k := b.change(ctx, "ci", rotate("1"))
		Expect(k.Status.Keys[1].NotAfter.Time).To(BeTemporally("==", begin.Add(3*time.Hour)))
		b.editRole(ctx, role, maxTTL("9h"))
		b.reconcile(ctx, "ci")
		k = b.get(ctx, "ci")
		Expect(endsAt(k)).To(Equal(11 * time.Hour))
		Expect(k.Status.Keys[1].NotAfter.Time).To(BeTemporally("==", begin.Add(3*time.Hour)))

		b.clock.SetTime(begin.Add(150 * time.Minute))
		b.editRole(ctx, role, maxTTL("1m"))
		b.reconcile(ctx, "ci")
		k = b.get(ctx, "ci")
		says(k, "True/Issued", "False/Expired")
		Expect(k.Status.Keys).To(HaveLen(1))
	})

	It("counts of roles that the key names only, not of those that its owner holds", func(ctx SpecContext) {
		b := newBench(ctx)
		carol := b.own("carol")
		b.role(ctx, "hers", members(carol), maxTTL("1h"))
		k := b.key(ctx, "ci", speakingAs(carol))
		Expect(k.Status.Keys[0].NotAfter).To(BeNil())
	})
})
