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

	It("gets no key until a role allows it", func(ctx SpecContext) {
		e := newEnv(ctx)
		carol := e.own("carol")
		visitor := e.role(ctx, "visitor", members("other", carol), denying)
		e.role(ctx, "another", members(carol), denying)
		k := e.Apply(ctx, "ci", speakingAs(carol))
		expectConditions(k, "False/OwnerDenied", "False/OwnerDenied")
		Expect(condition(k, "Stalled")).To(Equal("True/OwnerDenied"))
		Expect(message(k, "Stalled")).To(Equal(denied(carol)))
		Expect(message(k, "Active")).To(Equal(denied(carol)))
		Expect(k.Status.Keys).To(BeEmpty())
		e.NoSecret(ctx, "ci-api-key")
		Expect(e.Events.Take()).To(ConsistOf("Warning OwnerDenied " + denied(carol)))

		e.editRole(ctx, visitor, func(r *v1alpha1.AccessRole) { r.Spec.APIKeys = v1alpha1.KeysAllowed })
		e.Reconcile(ctx, "ci")
		expectConditions(e.Get(ctx, "ci"), "True/Issued", "True/Accepted")
	})

	It("keeps an issued key, refused, which works again when the role no longer lists the owner", func(ctx SpecContext) {
		e := newEnv(ctx)
		carol := e.own("carol")
		before := e.Apply(ctx, "ci", speakingAs(carol))
		plaintext := e.Plaintext(ctx, "ci-api-key")
		role := e.role(ctx, "visitor", members(carol), denying)
		e.Reconcile(ctx, "ci")
		k := e.Get(ctx, "ci")
		expectConditions(k, "False/OwnerDenied", "False/OwnerDenied")
		Expect(k.Status.Keys).To(Equal(before.Status.Keys))
		e.editRole(ctx, role, members("other"))
		e.Reconcile(ctx, "ci")
		expectConditions(e.Get(ctx, "ci"), "True/Issued", "True/Accepted")
		Expect(e.Plaintext(ctx, "ci-api-key")).To(Equal(plaintext))
	})

	It("is exactly the user of this name, not another kind of subject", func(ctx SpecContext) {
		e := newEnv(ctx)
		carol := e.own("carol")
		e.role(ctx, "visitor", members(strings.ToUpper(carol)), denying)
		expectConditions(e.Apply(ctx, "ci", speakingAs(carol)), "True/Issued", "True/Accepted")
		e.role(ctx, "guest", members(carol), denying)
		account := func(k *v1alpha1.APIKey) { k.Spec.Subject.Name = carol }
		expectConditions(e.Apply(ctx, "account", account), "True/Issued", "True/Accepted")
	})

	It("is a member of the role: naming the role in a key has no effect", func(ctx SpecContext) {
		e := newEnv(ctx)
		carol := e.own("carol")
		role := e.role(ctx, "visitor", members("other"), denying)
		expectConditions(e.Apply(ctx, "ci", speakingAs(carol), using(role)), "True/Issued", "True/Accepted")
	})
})

var _ = Describe("An owner who is disabled", func() {
	It("has every key refused until enabled again", func(ctx SpecContext) {
		e := newEnv(ctx)
		k := e.Apply(ctx, "ci", speakingAs("carol"))
		expectConditions(k, "True/Issued", "True/Accepted")
		user := adminUser(ctx, e.System, "carol", false)
		e.Reconcile(ctx, "ci")
		k = e.Get(ctx, "ci")
		expectConditions(k, "True/Issued", "False/OwnerDisabled")
		Expect(message(k, "Active")).To(Equal(
			`AdminUser "carol" is disabled: every key of this user is refused until it is enabled again.`))
		Expect(k.Status.Keys).To(HaveLen(1))

		user.Spec.Enabled = new(true)
		Expect(suite.Cached.Update(ctx, user)).To(Succeed())
		e.Reconcile(ctx, "ci")
		expectConditions(e.Get(ctx, "ci"), "True/Issued", "True/Accepted")
	})

	It("no longer counts when the AdminUser is deleted", func(ctx SpecContext) {
		e := newEnv(ctx)
		user := adminUser(ctx, e.System, "carol", false)
		expectConditions(e.Apply(ctx, "ci", speakingAs("carol")), "True/Issued", "False/OwnerDisabled")
		Expect(suite.Cached.Delete(ctx, user)).To(Succeed())
		e.Reconcile(ctx, "ci")
		expectConditions(e.Get(ctx, "ci"), "True/Issued", "True/Accepted")
	})

	It("is matched by the exact name, in the system namespace, for subjects of kind User", func(ctx SpecContext) {
		e := newEnv(ctx)
		adminUser(ctx, e.System, "Carol", false)
		adminUser(ctx, e.Namespace, "dave", false)
		adminUser(ctx, e.System, "ci", false)
		expectConditions(e.Apply(ctx, "carols", speakingAs("carol")), "True/Issued", "True/Accepted")
		expectConditions(e.Apply(ctx, "daves", speakingAs("dave")), "True/Issued", "True/Accepted")
		expectConditions(e.Apply(ctx, "accounts"), "True/Issued", "True/Accepted")
		expectConditions(e.Apply(ctx, "hers", speakingAs("Carol")), "True/Issued", "False/OwnerDisabled")
	})
})

var _ = Describe("Refusing a key", func() {
	It("has the same reason as in the server", func(ctx SpecContext) {
		e := newEnv(ctx)
		carol := e.own("carol")
		e.role(ctx, "visitor", members(carol), denying)
		adminUser(ctx, e.System, carol, false)
		expectConditions(e.Apply(ctx, "ci", speakingAs(carol), enabled(false)), "False/OwnerDenied", "False/Disabled")
		expectConditions(e.Change(ctx, "ci", enabled(true)), "False/OwnerDenied", "False/OwnerDisabled")
		expectConditions(e.Change(ctx, "ci", revoked), "True/Revoked", "False/Revoked")
	})
})
