package apikey_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("Equal names in several namespaces", func() {
	It("do not disturb each other", func(ctx SpecContext) {
		here, there := newBench(ctx), newBench(ctx)
		here.key(ctx, "ci")
		there.key(ctx, "ci")
		key, secret := there.get(ctx, "ci"), there.secret(ctx, "ci-api-key")
		Expect(there.plaintext(ctx, "ci-api-key")).NotTo(Equal(here.plaintext(ctx, "ci-api-key")))

		here.change(ctx, "ci", rotate("1"))
		here.change(ctx, "ci", secretName("another"))
		here.change(ctx, "ci", revoked)
		here.remove(ctx, "ci")
		there.reconcile(ctx, "ci")
		Expect(there.get(ctx, "ci").ResourceVersion).To(Equal(key.ResourceVersion))
		Expect(there.secret(ctx, "ci-api-key").ResourceVersion).To(Equal(secret.ResourceVersion))
	})

	It("are not taken for an orphan's", func(ctx SpecContext) {
		here, there := newBench(ctx), newBench(ctx)
		there.key(ctx, "ci")
		secret := there.secret(ctx, "ci-api-key")
		here.reconcile(ctx, "ci")
		Expect(there.secret(ctx, "ci-api-key").ResourceVersion).To(Equal(secret.ResourceVersion))
	})

	It("speak for the same user", func(ctx SpecContext) {
		here, there := newBench(ctx), newBench(ctx)
		there.system = here.system
		adminUser(ctx, here.system, "carol", false)
		says(here.key(ctx, "ci", speakingAs("carol")), "True/Issued", "False/OwnerDisabled")
		says(there.key(ctx, "ci", speakingAs("carol")), "True/Issued", "False/OwnerDisabled")
	})
})
