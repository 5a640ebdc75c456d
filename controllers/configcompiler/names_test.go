package configcompiler_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/api/v1alpha1"
)

var _ = Describe("The allow list", func() {
	// known creates a user, a key and a binding, which name callers.
	known := func(ctx context.Context, e *env) {
		GinkgoHelper()
		user := &v1alpha1.AdminUser{Spec: v1alpha1.AdminUserSpec{Username: "Lena"}}
		user.Namespace, user.Name = e.namespace, "lena"
		Expect(plane.Client.Create(ctx, user)).To(Succeed())
		apiKey := &v1alpha1.APIKey{}
		apiKey.Spec.Subject = v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "Builds"}
		apiKey.Namespace, apiKey.Name = e.namespace, "builds"
		Expect(plane.Client.Create(ctx, apiKey)).To(Succeed())
		binding := &v1alpha1.AccessRoleBinding{}
		binding.GenerateName = "listed-"
		binding.Spec.RoleRef.Name = "some-role"
		binding.Spec.Subjects = []v1alpha1.BoundSubject{{Kind: v1alpha1.BoundUser, Name: "oskar"}}
		Expect(plane.Client.Create(ctx, binding)).To(Succeed())
		DeferCleanup(plane.Client.Delete, binding)
	}
	const doubtful = "Warning DoubtfulNames ALLOWED_USERS: "
	const asWritten = ". They are in force as written."
	DescribeTable("is in force, and doubtful names are reported:",
		func(ctx SpecContext, list, trust, problems string) {
			e := newEnv(ctx)
			known(ctx, e)
			settings := []string{"ALLOWED_USERS", list}
			if trust != "" {
				settings = append(settings, trust, "true")
			}
			e.configure(ctx, settings...)
			e.reconcile(ctx)
			Expect(e.document(ctx)).To(ContainSubstring("allowedUsers"))
			applied := HavePrefix("Normal ConfigApplied")
			if problems == "" {
				Expect(e.events.Take()).To(ConsistOf(applied))
				return
			}
			Expect(e.events.Take()).To(ConsistOf(applied, Equal(doubtful+problems+asWritten)))
			e.reconcile(ctx)
			Expect(e.events.Take()).To(BeEmpty())
		},
		Entry("none of known callers", "LENA, user/lena, oskar, Account/builds, admin", "", ""),
		Entry("that no object has", "lena, lean, account/builds, builds, integration/lena", "",
			"entry 2 matches no AdminUser, APIKey or AccessRoleBinding, "+
				"entry 4 matches no AdminUser, APIKey or AccessRoleBinding, "+
				"entry 5 matches no AdminUser, APIKey or AccessRoleBinding"),
		Entry("none that a proxy may send", "lean@example.com", "TRUST_PROXY_HEADERS", ""),
		Entry("none that a browser may keep", "lean", "TRUST_USERNAMES", ""),
		Entry("of several scripts", "lena, l\u0435na", "TRUST_PROXY_HEADERS", "entry 2 mixes letters of Cyrillic and Latin"),
	)
})
