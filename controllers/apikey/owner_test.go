package apikey_test

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/api/v1alpha1"
)

var _ = Describe("An owner who may not own keys", func() {
	denied := func(username string) string {
		return `User "` + username + `" may not own keys: every AccessRole that lists this user has apiKeys: Denied.`
	}

	It("gets none, until a role allows it", func(ctx SpecContext) {
		b := newBench(ctx)
		carol := b.own("carol")
		visitor := b.role(ctx, "visitor", members("somebody", carol), denying)
		b.role(ctx, "another", members(carol), denying)
		k := b.key(ctx, "ci", speakingAs(carol))
		says(k, "False/OwnerDenied", "False/OwnerDenied")
		Expect(reasonOf(k, "Stalled")).To(Equal("True/OwnerDenied"))
		Expect(messageOf(k, "Stalled")).To(Equal(denied(carol)))
		Expect(messageOf(k, "Active")).To(Equal(denied(carol)))
		Expect(k.Status.Keys).To(BeEmpty())
		b.noSecret(ctx, "ci-api-key")
		Expect(b.events.Take()).To(ConsistOf("Warning OwnerDenied " + denied(carol)))

		b.editRole(ctx, visitor, func(r *v1alpha1.AccessRole) { r.Spec.APIKeys = v1alpha1.KeysAllowed })
		b.reconcile(ctx, "ci")
		says(b.get(ctx, "ci"), "True/Issued", "True/Accepted")
	})

	It("keeps a key that was issued before, refused, and it works again when they are no longer listed", func(ctx SpecContext) {
		b := newBench(ctx)
		carol := b.own("carol")
		before := b.key(ctx, "ci", speakingAs(carol))
		plaintext := b.plaintext(ctx, "ci-api-key")
		role := b.role(ctx, "visitor", members(carol), denying)
		b.reconcile(ctx, "ci")
		k := b.get(ctx, "ci")
		says(k, "False/OwnerDenied", "False/OwnerDenied")
		Expect(k.Status.Keys).To(Equal(before.Status.Keys))
		b.editRole(ctx, role, members("somebody"))
		b.reconcile(ctx, "ci")
		says(b.get(ctx, "ci"), "True/Issued", "True/Accepted")
		Expect(b.plaintext(ctx, "ci-api-key")).To(Equal(plaintext))
	})

	It("is the user of exactly this name, and a User", func(ctx SpecContext) {
		b := newBench(ctx)
		carol := b.own("carol")
		b.role(ctx, "visitor", members(strings.ToUpper(carol)), denying)
		says(b.key(ctx, "ci", speakingAs(carol)), "True/Issued", "True/Accepted")
		b.role(ctx, "guest", members(carol), denying)
		says(b.key(ctx, "account", func(k *v1alpha1.APIKey) { k.Spec.Subject.Name = carol }), "True/Issued", "True/Accepted")
	})

	It("is not somebody who merely uses a role that denies keys to its members", func(ctx SpecContext) {
		b := newBench(ctx)
		carol := b.own("carol")
		role := b.role(ctx, "visitor", members("somebody"), denying)
		says(b.key(ctx, "ci", speakingAs(carol), using(role)), "True/Issued", "True/Accepted")
	})
})

var _ = Describe("An owner who is disabled", func() {
	It("has their keys refused until they are enabled again", func(ctx SpecContext) {
		b := newBench(ctx)
		k := b.key(ctx, "ci", speakingAs("carol"))
		says(k, "True/Issued", "True/Accepted")
		user := adminUser(ctx, b.system, "carol", false)
		b.reconcile(ctx, "ci")
		k = b.get(ctx, "ci")
		says(k, "True/Issued", "False/OwnerDisabled")
		Expect(messageOf(k, "Active")).To(Equal(
			`AdminUser "carol" is disabled: every key of this user is refused until it is enabled again.`))
		Expect(k.Status.Keys).To(HaveLen(1))

		user.Spec.Enabled = new(true)
		Expect(cached.Update(ctx, user)).To(Succeed())
		b.reconcile(ctx, "ci")
		says(b.get(ctx, "ci"), "True/Issued", "True/Accepted")
	})

	It("is forgotten when the AdminUser is deleted", func(ctx SpecContext) {
		b := newBench(ctx)
		user := adminUser(ctx, b.system, "carol", false)
		says(b.key(ctx, "ci", speakingAs("carol")), "True/Issued", "False/OwnerDisabled")
		Expect(cached.Delete(ctx, user)).To(Succeed())
		b.reconcile(ctx, "ci")
		says(b.get(ctx, "ci"), "True/Issued", "True/Accepted")
	})

	It("is another one if the name differs by case, or the namespace, or it is no user", func(ctx SpecContext) {
		b := newBench(ctx)
		adminUser(ctx, b.system, "Carol", false)
		adminUser(ctx, b.namespace, "dave", false)
		adminUser(ctx, b.system, "ci", false)
		says(b.key(ctx, "carols", speakingAs("carol")), "True/Issued", "True/Accepted")
		says(b.key(ctx, "daves", speakingAs("dave")), "True/Issued", "True/Accepted")
		says(b.key(ctx, "accounts"), "True/Issued", "True/Accepted")
		says(b.key(ctx, "hers", speakingAs("Carol")), "True/Issued", "False/OwnerDisabled")
	})
})
