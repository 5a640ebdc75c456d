package management

import (
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/test/kit"
)

// Serial, because other specs cannot use management meanwhile.
var _ = Describe("Without the database", Serial, func() {
	It("keys are verified, management reports the outage, and nothing is lost or half done", func(ctx SpecContext) {
		made := admin().send(ctx, http.MethodPost, "/apiv1/accounts/outage/apikeys", `{"name":"before"}`)
		Expect(made.status).To(Equal(201), made.text)
		token := made.string("data", "token")
		here, _ := login(ctx, s.ServerURL, "admin", s.BootstrapKey)

		Expect(db.Stop()).To(Succeed())
		DeferCleanup(db.Start)
		// A request that the outage interrupts has no Retry-After: it may be half done.
		eventually(ctx, func() string {
			return admin().send(ctx, http.MethodGet, "/api/admin/users", "").header.Get("Retry-After")
		}).Should(Equal("1"))
		for _, ask := range []struct{ method, path, body string }{
			{http.MethodGet, "/api/admin/users", ""},
			{http.MethodPost, "/api/admin/users", `{"username":"never"}`},
			{http.MethodDelete, "/api/admin/users/keeper", ""},
			{http.MethodGet, "/api/admin/audit", ""},
			{http.MethodPost, "/api/auth/logout", ""},
			{http.MethodPost, "/api/auth/login", `{"username":"admin","api_key":"not-the-key-of-admin"}`},
			{http.MethodPost, "/apiv1/accounts/outage/apikeys", `{"name":"never"}`},
			{http.MethodGet, "/apiv1/accounts/outage/apikeys", ""},
			{http.MethodPost, "/graphql", `{"query":"{ tokens { items { id } } }"}`},
			{http.MethodPost, "/api/token-usage", usageCalls},
			{http.MethodGet, usagePath + "/export", ""},
			{http.MethodPost, tracesPath, "{}"},
		} {
			r := admin().send(ctx, ask.method, ask.path, ask.body)
			Expect(r.status).To(Equal(503), "%s %s: %s", ask.method, ask.path, r.text)
			Expect(r.text).To(ContainSubstring("atabase is unavailable"))
			Expect(r.text).NotTo(ContainSubstring("postgres://"))
			// Another request may have been the first to notice, with something done already.
			if strings.Contains(ask.path, "token-usage") {
				Expect(r.header.Get("Retry-After")).To(Equal("1"))
			}
		}
		for range 100 {
			Expect(kit.AuthStatus(ctx, s.ServerURL, token)).To(Equal(200))
		}
		Expect(admin().me(ctx)).To(Equal("admin admin true"))
		Expect(here.isAdmin(ctx)).To(BeTrue(), "a session that the server knows still works")

		Expect(db.Start()).To(Succeed())
		eventually(ctx, func() int { return admin().send(ctx, http.MethodGet, "/api/admin/users", "").status }).
			Should(Equal(200))
		users := admin().send(ctx, http.MethodGet, "/api/admin/users", "")
		Expect(users.text).NotTo(ContainSubstring("never"))
		keys := admin().send(ctx, http.MethodGet, "/apiv1/accounts/outage/apikeys", "")
		Expect(keys.at("data", "total")).To(BeEquivalentTo(1))
		Expect(here.isAdmin(ctx)).To(BeTrue())
		eventually(ctx, func() bool {
			return strings.Contains(admin().send(ctx, http.MethodGet, "/apiv1/accounts/outage/apikeys", "").text,
				`"last_used_at":"2`)
		}).Should(BeTrue(), "the earlier use is recorded")
	})
})

var _ = Describe("The audit trail", func() {
	It("records who did what, and never a key", func(ctx SpecContext) {
		made := admin().send(ctx, http.MethodPost, "/api/admin/users", `{"username":"written.down"}`)
		Expect(made.status).To(Equal(200), made.text)
		key := made.string("api_key")
		rotated := admin().send(ctx, http.MethodPost, "/api/admin/users/written.down/rotate-key",
			`{"new_key":"Brought-Along-Key-0123456789"}`)
		Expect(rotated.status).To(Equal(200), rotated.text)
		failed := at(s.ServerURL).
			send(ctx, http.MethodPost, "/api/auth/login", `{"username":"written.down","api_key":"`+key+`"}`)
		Expect(failed.status).To(Equal(401))
		trail := admin().send(ctx, http.MethodGet, "/api/admin/audit?target=User/written.down", "")
		Expect(trail.text).To(And(ContainSubstring(`"action":"user.create"`), ContainSubstring(`"action":"user.rotate"`),
			ContainSubstring(`"action":"login"`)), trail.text)
		everything := admin().send(ctx, http.MethodGet, "/api/admin/audit?limit=1000", "").text
		for _, secret := range []string{key, "Brought-Along-Key-0123456789", s.BootstrapKey} {
			Expect(strings.Contains(everything, secret)).To(BeFalse())
		}
	})
})
