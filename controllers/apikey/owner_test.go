package apikey_test

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/api/v1alpha1"
)

var _ = Describe("An owner who may not own keys", func() {
	denied := func(username string) string {
		return `User "` + username + `" may not own keys: every AccessRoleBinding that lists this user has apiKeys: Denied.`
	}

	It("gets no key until a binding allows it", func(ctx SpecContext) {
		e := newEnv(ctx)
		carol := e.own("carol")
		visitor := e.bind(ctx, "visitor", users("other", carol), denying)
		e.bind(ctx, "another", users(carol), denying)
		e.Apply(ctx, "ci", speakingAs(carol))
		k := e.PassGrace(ctx, "ci")
		expectConditions(k, "False/OwnerDenied", "False/OwnerDenied")
		Expect(condition(k, "Stalled")).To(Equal("True/OwnerDenied"))
		Expect(message(k, "Stalled")).To(Equal(denied(carol)))
		Expect(message(k, "Active")).To(Equal(denied(carol)))
		Expect(k.Status.Keys).To(BeEmpty())
		e.NoSecret(ctx, "ci-api-key")
		Expect(e.Events.Take()).To(ConsistOf("Warning OwnerDenied " + denied(carol)))

		e.editBinding(ctx, visitor, func(b *v1alpha1.AccessRoleBinding) { b.Spec.APIKeys = v1alpha1.KeysAllowed })
		e.Reconcile(ctx, "ci")
		expectConditions(e.Get(ctx, "ci"), "True/Issued", "True/Accepted")
	})

	It("keeps an issued key, refused until the binding no longer lists the owner", func(ctx SpecContext) {
		e := newEnv(ctx)
		carol := e.own("carol")
		before := e.Apply(ctx, "ci", speakingAs(carol))
		plaintext := e.Plaintext(ctx, "ci-api-key")
		binding := e.bind(ctx, "visitor", users(carol), denying)
		e.Reconcile(ctx, "ci")
		k := e.Get(ctx, "ci")
		expectConditions(k, "False/OwnerDenied", "False/OwnerDenied")
		Expect(k.Status.Keys).To(Equal(before.Status.Keys))
		e.editBinding(ctx, binding, users("other"))
		e.Reconcile(ctx, "ci")
		expectConditions(e.Get(ctx, "ci"), "True/Issued", "True/Accepted")
		Expect(e.Plaintext(ctx, "ci-api-key")).To(Equal(plaintext))
	})

	It("is the user of this name in any case, not another kind of subject", func(ctx SpecContext) {
		e := newEnv(ctx)
		carol := e.own("carol")
		e.bind(ctx, "visitor", users(strings.ToUpper(carol)), denying)
		expectConditions(e.Apply(ctx, "ci", speakingAs(carol)), "False/OwnerDenied", "False/OwnerDenied")
		account := func(k *v1alpha1.APIKey) { k.Spec.Subject.Name = carol }
		expectConditions(e.Apply(ctx, "account", account), "True/Issued", "True/Accepted")
	})

	It("is listed by the binding: naming its role in a key has no effect", func(ctx SpecContext) {
		e := newEnv(ctx)
		carol := e.own("carol")
		role := e.role(ctx, "visitor")
		e.bind(ctx, "visitor", users("other"), denying)
		expectConditions(e.Apply(ctx, "ci", speakingAs(carol), using(role)), "True/Issued", "True/Accepted")
	})
})

var _ = Describe("An owner who is disabled", func() {
	It("has every key refused until active again", func(ctx SpecContext) {
		e := newEnv(ctx)
		k := e.Apply(ctx, "ci", speakingAs("carol"))
		expectConditions(k, "True/Issued", "True/Accepted")
		user := adminUser(ctx, e.System, "carol", v1alpha1.StateDisabled)
		e.Reconcile(ctx, "ci")
		k = e.Get(ctx, "ci")
		expectConditions(k, "True/Issued", "False/OwnerDisabled")
		Expect(message(k, "Active")).To(Equal(
			`AdminUser "carol" is disabled: every key of this user is refused until spec.state of the AdminUser is Active again.`))
		Expect(k.Status.Keys).To(HaveLen(1))

		user.Spec.State = v1alpha1.StateActive
		Expect(suite.Cached.Update(ctx, user)).To(Succeed())
		e.Reconcile(ctx, "ci")
		expectConditions(e.Get(ctx, "ci"), "True/Issued", "True/Accepted")
	})

	It("does not get keys back when the AdminUser is deleted", func(ctx SpecContext) {
		e := newEnv(ctx)
		user := adminUser(ctx, e.System, "carol", v1alpha1.StateDisabled)
		expectConditions(e.Apply(ctx, "ci", speakingAs("carol")), "True/Issued", "False/OwnerDisabled")
		Expect(suite.Cached.Delete(ctx, user)).To(Succeed())
		e.Reconcile(ctx, "ci")
		expectConditions(e.Get(ctx, "ci"), "False/OwnerGone", "False/OwnerGone")
	})

	It("is matched by the name in any case, in the system namespace, for subjects of kind User", func(ctx SpecContext) {
		e := newEnv(ctx)
		adminUser(ctx, e.System, "Carol", v1alpha1.StateDisabled)
		adminUser(ctx, e.Namespace, "dave", v1alpha1.StateDisabled)
		adminUser(ctx, e.System, "ci", v1alpha1.StateDisabled)
		expectConditions(e.Apply(ctx, "carols", speakingAs("carol")), "True/Issued", "False/OwnerDisabled")
		expectConditions(e.Apply(ctx, "daves", speakingAs("dave")), "True/Issued", "True/Accepted")
		expectConditions(e.Apply(ctx, "accounts"), "True/Issued", "True/Accepted")
		expectConditions(e.Apply(ctx, "hers", speakingAs("Carol")), "True/Issued", "False/OwnerDisabled")
	})
})

var _ = Describe("Refusing a key", func() {
	It("has the same reason as in the server", func(ctx SpecContext) {
		e := newEnv(ctx)
		carol := e.own("carol")
		e.bind(ctx, "visitor", users(carol), denying)
		adminUser(ctx, e.System, carol, v1alpha1.StateDisabled)
		k := e.Apply(ctx, "ci", speakingAs(carol), inState(v1alpha1.StateDisabled))
		expectConditions(k, "False/OwnerDenied", "False/Disabled")
		expectConditions(e.Change(ctx, "ci", inState(v1alpha1.StateActive)), "False/OwnerDenied", "False/OwnerDisabled")
		expectConditions(e.Change(ctx, "ci", revoked), "True/Revoked", "False/Revoked")
	})
})
