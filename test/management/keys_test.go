package management

import (
	"context"
	"fmt"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/test/kit"
)

var _ = Describe("Keys", func() {
	const verbs = "are created, changed, rotated and deleted by REST, of"
	DescribeTable(verbs, func(ctx SpecContext, base, managed, subject string) {
		made := admin().send(ctx, http.MethodPost, base,
			`{"name":"First","description":"of many","scopes":["certs.read"],"expires_in_seconds":3600}`)
		Expect(made.status).To(Equal(201), made.text)
		Expect(made.header.Get("Cache-Control")).To(Equal("no-store"))
		Expect(made.string("data", "subject")).To(Equal(subject))
		token, path := made.string("data", "token"), managed+"/"+made.string("data", "id")
		Expect(kit.AuthStatus(ctx, s.ServerURL, token)).To(Equal(200))

		list := admin().send(ctx, http.MethodGet, managed+"?limit=1&name=Fi*", "")
		Expect(list.at("data", "total")).To(BeEquivalentTo(1), list.text)
		Expect(list.text).NotTo(ContainSubstring(token))
		changed := admin().send(ctx, http.MethodPatch, path, `{"name":"Second","expires_at":null}`)
		Expect(changed.string("data", "name")).To(Equal("Second"), changed.text)
		Expect(changed.string("data", "description")).To(Equal("of many"))
		Expect(changed.at("data", "expires_at")).To(BeNil())
		Expect(admin().send(ctx, http.MethodGet, path, "").string("data", "name")).To(Equal("Second"))

		rotated := admin().send(ctx, http.MethodPost, path+"/rotate", "")
		Expect(rotated.status).To(Equal(200), rotated.text)
		Expect(kit.AuthStatus(ctx, s.ServerURL, token)).To(Equal(401))
		Expect(kit.AuthStatus(ctx, s.ServerURL, rotated.string("data", "token"))).To(Equal(200))
		Expect(admin().send(ctx, http.MethodDelete, path, "").status).To(Equal(200))
		Expect(kit.AuthStatus(ctx, s.ServerURL, rotated.string("data", "token"))).To(Equal(401))
		Expect(admin().send(ctx, http.MethodGet, path, "").status).To(Equal(404))
	},
		Entry("a user", "/apiv1/users/walter/apikeys", "/apiv1/users/walter/apikeys", "User/walter"),
		Entry("an account", "/apiv1/accounts/whole-life/apikeys", "/apiv1/accounts/whole-life/apikeys",
			"Account/whole-life"),
		Entry("an integration", "/apiv1/integrations/github-1/apikeys", "/apiv1/integrations/github-1/apikeys",
			"Integration/github-1"),
		Entry("any subject, by id", "/apiv1/accounts/by-id/apikeys", "/apiv1/apikeys", "Account/by-id"),
	)

	It("of a user are refused while the user is disabled", func(ctx SpecContext) {
		const user = "/api/admin/users/wendy"
		made := admin().send(ctx, http.MethodPost, "/api/admin/users", `{"username":"wendy"}`)
		Expect(made.status).To(Equal(200), made.text)
		for _, enabled := range []bool{false, true} {
			changed := admin().send(ctx, http.MethodPatch, user, fmt.Sprintf(`{"enabled":%t}`, enabled))
			Expect(changed.at("enabled")).To(Equal(enabled), changed.text)
			want := map[bool]int{false: 401, true: 200}[enabled]
			Expect(kit.AuthStatus(ctx, s.ServerURL, made.string("api_key"))).To(Equal(want))
		}
		Expect(admin().send(ctx, http.MethodDelete, user, "").status).To(Equal(200))
	})

	It("say where they were used, and what they may do", func(ctx SpecContext) {
		made := admin().send(ctx, http.MethodPost, "/apiv1/accounts/seen/apikeys", `{"name":"seen","scopes":["certs.read"]}`)
		Expect(made.status).To(Equal(201), made.text)
		path := "/apiv1/apikeys/" + made.string("data", "id")
		Expect(kit.AuthStatus(ctx, s.ServerURL, made.string("data", "token"))).To(Equal(200))
		eventually(ctx, func() string { return admin().send(ctx, http.MethodGet, path+"/uses", "").text }).
			Should(ContainSubstring(`"127.0.0.1"`))
		for action, allowed := range map[string]bool{"certs.read": true, "certs.write": false} {
			explained := admin().send(ctx, http.MethodGet, path+"/explain?action="+action, "")
			Expect(explained.at("data", "allowed")).To(Equal(allowed), explained.text)
		}
		Expect(admin().send(ctx, http.MethodDelete, path, "").status).To(Equal(200))
	})

	It("hold no more than their creator holds", func(ctx SpecContext) {
		made := admin().send(ctx, http.MethodPost, "/apiv1/accounts/boss/apikeys",
			`{"name":"boss","scopes":["users.read","users.write","audit.read"]}`)
		boss := at(s.ServerURL).key(made.string("data", "token"))
		Expect(boss.send(ctx, http.MethodGet, "/api/admin/users", "").status).To(Equal(200))
		Expect(boss.send(ctx, http.MethodGet, "/api/admin/audit?limit=1", "").status).To(Equal(200))
		Expect(boss.send(ctx, http.MethodPost, "/api/admin/users", `{"username":"sneaky"}`).status).To(Equal(403))
		Expect(boss.send(ctx, http.MethodGet, "/apiv1/accounts/boss/apikeys", "").status).To(Equal(403))
		Expect(boss.send(ctx, http.MethodGet, "/apiv1/permissions/catalog", "").status).To(Equal(403))
		catalog := admin().send(ctx, http.MethodGet, "/apiv1/permissions/catalog", "")
		Expect(catalog.at("data", "actions")).
			To(ContainElements("users.read", "apikeys.write", "audit.read", "keys.introspect"))
	})

	It("are tokens by GraphQL", func(ctx SpecContext) {
		created := graphql(ctx,
			`mutation { createIntegrationInstanceToken(id: "jira-7") { tokenId token createdAt expiresAt } }`)
		token := created.string("data", "createIntegrationInstanceToken", "token")
		Expect(kit.AuthStatus(ctx, s.ServerURL, token)).To(Equal(200), created.text)
		listed := graphql(ctx,
			`{ integrationInstanceTokens(id: "jira-7") { tokens { tokenId token } pageInfo { hasNextPage } } }`)
		Expect(listed.text).To(ContainSubstring(created.string("data", "createIntegrationInstanceToken", "tokenId")))
		Expect(listed.text).NotTo(ContainSubstring(token))
		ended := graphql(ctx, fmt.Sprintf(`mutation { revokeIntegrationInstanceToken(tokenId: %q) { success } }`,
			created.string("data", "createIntegrationInstanceToken", "tokenId")))
		Expect(ended.at("data", "revokeIntegrationInstanceToken", "success")).To(BeTrue(), ended.text)
		Expect(kit.AuthStatus(ctx, s.ServerURL, token)).To(Equal(401))
	})
})

func graphql(ctx context.Context, query string) reply {
	GinkgoHelper()
	r := admin().send(ctx, http.MethodPost, "/graphql", fmt.Sprintf(`{"query":%q}`, query))
	Expect(r.status).To(Equal(200), r.text)
	return r
}

// Every operation of the document was used, and its replies conform to the document.
var _ = AfterSuite(func() {
	if complete {
		Expect(document.unseen()).To(BeEmpty())
	}
})

// complete is true if this run includes every spec.
var complete bool

var _ = ReportBeforeSuite(func(r Report) {
	complete = r.PreRunStats.SpecsThatWillRun == r.PreRunStats.TotalSpecs
})
