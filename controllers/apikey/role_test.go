package apikey_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/lifecyclesuite"
)

var _ = Describe("A role that does not exist", func() {
	It("keeps the key from being issued, and the message names it", func(ctx SpecContext) {
		e := newEnv(ctx)
		there := e.role(ctx, "there")
		missing, another := v1alpha1.RoleName(e.own("missing")), v1alpha1.RoleName(e.own("other"))
		k := e.Apply(ctx, "ci", using(missing, there))
		expectConditions(k, "False/UnknownRole", "False/NoKey")
		Expect(condition(k, "Reconciling")).To(Equal("True/UnknownRole"), "it may be created in a moment")
		Expect(e.Events.Take()).To(BeEmpty())
		k = e.PassGrace(ctx, "ci")
		expectConditions(k, "False/UnknownRole", "False/NoKey")
		Expect(condition(k, "Stalled")).To(Equal("True/UnknownRole"))
		wanted := "spec.roles names AccessRoles that do not exist: " + string(missing) +
			". Until they do, the key may do nothing. Create them, or remove them from spec.roles."
		Expect(message(k, "Ready")).To(Equal(wanted))
		Expect(k.Status.Keys).To(BeEmpty())
		e.NoSecret(ctx, "ci-api-key")
		Expect(e.Events.Take()).To(ConsistOf("Warning UnknownRole " + wanted))
		e.Reconcile(ctx, "ci")
		Expect(e.Events.Take()).To(BeEmpty(), "once")

		k = e.Change(ctx, "ci", using(missing, there, another))
		Expect(message(k, "Stalled")).To(Equal("spec.roles names AccessRoles that do not exist: " + string(missing) + ", " +
			string(another) + ". Until they do, the key may do nothing. Create them, or remove them from spec.roles."))
		expectConditions(e.Change(ctx, "ci", using(there)), "True/Issued", "True/Accepted")
	})

	It("unblocks the issue of the key as soon as the role exists", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.Apply(ctx, "ci", using(v1alpha1.RoleName(e.own("late"))))
		e.Events.Take()
		e.role(ctx, "late", maxTTL("1h"))
		e.Reconcile(ctx, "ci")
		k := e.Get(ctx, "ci")
		expectConditions(k, "True/Issued", "True/Accepted")
		Expect(condition(k, "Stalled")).To(BeEmpty())
		Expect(endsAt(k)).To(Equal(time.Hour))
		Expect(e.Events.Take()).To(ConsistOf(HavePrefix("Normal KeyIssued")))
	})

	It("that was deleted leaves an issued key nothing to do, and gives it no later end", func(ctx SpecContext) {
		e := newEnv(ctx)
		role := e.role(ctx, "short", maxTTL("5h"))
		e.Apply(ctx, "ci", using(role))
		plaintext := e.Plaintext(ctx, "ci-api-key")
		deleteRole(ctx, role)
		e.Events.Take()
		Expect(e.Reconcile(ctx, "ci")).To(Equal(lifecyclesuite.Grace))
		e.SetTime(lifecyclesuite.Grace)
		Expect(e.Reconcile(ctx, "ci")).To(Equal(5*time.Hour-lifecyclesuite.Grace), "its end is still to come")
		k := e.Get(ctx, "ci")
		expectConditions(k, "False/UnknownRole", "False/UnknownRole")
		Expect(message(k, "Active")).To(Equal(message(k, "Ready")))
		Expect(endsAt(k)).To(Equal(5*time.Hour), "no later one because the limit is not known any more")
		Expect(k.Status.SecretName).To(Equal("ci-api-key"))
		Expect(e.Plaintext(ctx, "ci-api-key")).To(Equal(plaintext))
		Expect(e.Events.Take()).To(ConsistOf(HavePrefix("Warning UnknownRole")))

		Expect(endsAt(e.Change(ctx, "ci", ttl("2h")))).To(Equal(2 * time.Hour))
		Expect(endsAt(e.Change(ctx, "ci", ttl("3h")))).To(Equal(2 * time.Hour))
		expectConditions(e.At(ctx, 2*time.Hour, "ci"), "False/UnknownRole", "False/Expired")
		e.role(ctx, "short", maxTTL("5h"))
		k = e.At(ctx, 2*time.Hour, "ci")
		expectConditions(k, "True/Issued", "True/Accepted")
		Expect(endsAt(k)).To(Equal(3*time.Hour), "what the manifest asks, now that all is known")
	})

	It("has a time of its own to appear when the key waited for something else before", func(ctx SpecContext) {
		e := newEnv(ctx)
		carol := e.own("carol")
		binding := e.bind(ctx, "visitor", users(carol), denying)
		k := e.Apply(ctx, "ci", speakingAs(carol), using(v1alpha1.RoleName(e.own("late"))))
		Expect(condition(k, "Reconciling")).To(Equal("True/OwnerDenied"))
		e.editBinding(ctx, binding, users("other"))
		Expect(condition(e.At(ctx, 40*time.Second, "ci"), "Reconciling")).To(Equal("True/UnknownRole"))
		Expect(condition(e.At(ctx, 99*time.Second, "ci"), "Reconciling")).To(Equal("True/UnknownRole"))
		Expect(condition(e.At(ctx, 100*time.Second, "ci"), "Stalled")).To(Equal("True/UnknownRole"))
		Expect(e.Events.Take()).To(ConsistOf(HavePrefix("Warning UnknownRole")))
	})

	It("postpones rotations, and the key stays as it is", func(ctx SpecContext) {
		e := newEnv(ctx)
		role := e.role(ctx, "gone")
		before := e.Apply(ctx, "ci", using(role), every("2h"))
		deleteRole(ctx, role)
		e.Change(ctx, "ci", rotate("1"))
		k := e.At(ctx, 3*time.Hour, "ci")
		Expect(k.Status.Keys).To(Equal(before.Status.Keys))
		expectConditions(k, "False/UnknownRole", "False/UnknownRole")
		e.role(ctx, "gone")
		e.Events.Take()
		e.Reconcile(ctx, "ci")
		Expect(e.Events.Take()).To(ConsistOf(HavePrefix("Normal KeyRotated")), "once")
	})

	It("does not prevent a revocation", func(ctx SpecContext) {
		e := newEnv(ctx)
		role := e.role(ctx, "gone")
		e.Apply(ctx, "ci", using(role))
		deleteRole(ctx, role)
		expectConditions(e.Change(ctx, "ci", revoked), "True/Revoked", "False/Revoked")
		e.NoSecret(ctx, "ci-api-key")
	})
})

var _ = Describe("The maxTTL of a role", func() {
	It("moves the end of an issued key, earlier or later, without a new key", func(ctx SpecContext) {
		e := newEnv(ctx)
		role := e.role(ctx, "some", maxTTL("10h"))
		before := e.Apply(ctx, "ci", using(role))
		for _, limit := range []time.Duration{5 * time.Hour, 20 * time.Hour} {
			e.editRole(ctx, role, maxTTL(v1alpha1.Duration(limit.String())))
			Expect(e.Reconcile(ctx, "ci")).To(Equal(limit))
			k := e.Get(ctx, "ci")
			Expect(endsAt(k)).To(Equal(limit))
			Expect(k.Status.Keys).To(HaveExactElements(HaveField("ID", before.Status.Keys[0].ID)))
			expectConditions(k, "True/Issued", "True/Accepted")
		}
		Expect(*e.Get(ctx, "ci").Status.Effective).To(Equal(v1alpha1.Effective{
			TTL: "20h", TTLFrom: "AccessRole/" + string(role), Overlap: "1h",
		}))
		e.editRole(ctx, role, func(r *v1alpha1.AccessRole) { r.Spec.Limits = nil })
		Expect(e.Reconcile(ctx, "ci")).To(BeZero())
		Expect(e.Get(ctx, "ci").Status.Keys[0].ExpiresAt).To(BeNil())
	})

	It("ends an older key at once, and never extends an overlapping key", func(ctx SpecContext) {
		e := newEnv(ctx)
		role := e.role(ctx, "some", maxTTL("3h"))
		e.Apply(ctx, "ci", using(role), overlap("10h"))
		e.SetTime(2 * time.Hour)
		k := e.Change(ctx, "ci", rotate("1"))
		Expect(k.Status.Keys[1].ExpiresAt.Time).To(BeTemporally("==", begin.Add(3*time.Hour)))
		e.editRole(ctx, role, maxTTL("9h"))
		e.Reconcile(ctx, "ci")
		k = e.Get(ctx, "ci")
		Expect(endsAt(k)).To(Equal(11 * time.Hour))
		Expect(k.Status.Keys[1].ExpiresAt.Time).To(BeTemporally("==", begin.Add(3*time.Hour)))

		e.SetTime(150 * time.Minute)
		e.editRole(ctx, role, maxTTL("1m"))
		e.Events.Take()
		e.Reconcile(ctx, "ci")
		k = e.Get(ctx, "ci")
		expectConditions(k, "True/Issued", "False/Expired")
		Expect(e.Events.Take()).To(ContainElement(HavePrefix("Normal KeyExpired The key expired at ")))
		Expect(k.Status.Keys).To(HaveLen(1))
	})

	It("applies only if the key names the role, not if its owner is bound to it", func(ctx SpecContext) {
		e := newEnv(ctx)
		carol := e.own("carol")
		e.role(ctx, "hers", maxTTL("1h"))
		e.bind(ctx, "hers", users(carol))
		k := e.Apply(ctx, "ci", speakingAs(carol))
		Expect(k.Status.Keys[0].ExpiresAt).To(BeNil())
	})
})
