package management

import (
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

const settingsPath = "/api/admin/settings"

var _ = Describe("Settings", func() {
	It("show every replica in step, and no secret", func(ctx SpecContext) {
		one, other := replicas()
		for _, url := range []string{one, other} {
			eventually(ctx, func() any {
				return at(url).key(s.BootstrapKey).send(ctx, http.MethodGet, settingsPath, "").at("in_step")
			}).Should(BeTrue())
			shown := at(url).key(s.BootstrapKey).send(ctx, http.MethodGet, settingsPath, "")
			Expect(shown.at("replicas")).To(HaveLen(2), shown.text)
			for _, secret := range []string{s.BootstrapKey, "hmac-sha256", "postgres://", "password"} {
				Expect(shown.text).NotTo(ContainSubstring(secret))
			}
		}
		Expect(admin().send(ctx, http.MethodGet, settingsPath+"?x=1", "").status).To(Equal(400))
		Expect(at(one).send(ctx, http.MethodGet, settingsPath, "").status).To(Equal(403))
	})
})
