package management

import (
	"net/http"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/test/kit"
)

const self = "/apiv1/self"

var _ = Describe("A key", func() {
	It("knows itself, of whatever kind", func(ctx SpecContext) {
		user := admin().send(ctx, http.MethodPost, "/api/admin/users", `{"username":"selfmade"}`)
		Expect(user.status).To(Equal(200), user.text)
		key := admin().send(ctx, http.MethodPost, "/apiv1/accounts/knows-itself/apikeys", `{"name":"Knows itself"}`)
		Expect(key.status).To(Equal(201), key.text)
		for plaintext, want := range map[string]string{
			s.BootstrapKey: "Bootstrap admin", user.string("api_key"): "AdminUser selfmade",
			key.string("data", "token"): "APIKey Knows itself",
		} {
			own := at(s.ServerURL).key(plaintext).send(ctx, http.MethodGet, self, "")
			Expect(own.status).To(Equal(200), own.text)
			Expect(own.string("data", "kind") + " " + own.string("data", "name")).To(Equal(want))
			Expect(own.text).NotTo(ContainSubstring(plaintext))
		}
		rotated := at(s.ServerURL).key(user.string("api_key")).send(ctx, http.MethodPost, self+"/rotate", "")
		Expect(rotated.status).To(Equal(200), rotated.text)
		Expect(admin().send(ctx, http.MethodDelete, "/api/admin/users/selfmade", "").status).To(Equal(200))
	})

	// Each request is one that the key may make. The API server decides which of them is the first.
	It("renews itself once, at whatever replica it asks at the same time", func(ctx SpecContext) {
		one, other := replicas()
		made := admin().send(ctx, http.MethodPost, "/apiv1/accounts/renews/apikeys",
			`{"name":"renews","scopes":["apikeys.renew-self"],"expires_in_seconds":3600}`)
		Expect(made.status).To(Equal(201), made.text)
		token := made.string("data", "token")
		eventually(ctx, func() int { return kit.AuthStatus(ctx, other, token) }).Should(Equal(200))
		replies, errs := make([]reply, 8), make([]error, 8)
		var all sync.WaitGroup
		for i := range replies {
			all.Go(func() {
				by := at([]string{one, other}[i%2]).key(token)
				replies[i], errs[i] = by.try(ctx, http.MethodPost, self+"/rotate", `{"overlap_seconds":60}`)
			})
		}
		all.Wait()
		var issued []string
		for i, r := range replies {
			Expect(errs[i]).NotTo(HaveOccurred())
			if r.status == http.StatusOK {
				issued = append(issued, r.string("data", "token"))
				continue
			}
			Expect(r.status).To(BeElementOf(http.StatusForbidden, http.StatusConflict), r.text)
		}
		Expect(issued).To(HaveLen(1))
		for _, url := range []string{one, other} {
			eventually(ctx, func() int { return kit.AuthStatus(ctx, url, issued[0]) }).Should(Equal(200))
			Expect(kit.AuthStatus(ctx, url, token)).To(Equal(200))
		}
	})
})
