package management

import (
	"context"
	"crypto/rand"
	"net/http"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/internal/manage/idempotency"
)

// onceOnly is the admin at a replica, who sends an idempotency key.
func onceOnly(url, key string) caller { return admin().at(url).with(idempotency.Header, key) }

// madeID returns the id of what was created already, whatever the form of the error.
func madeID(r reply) string {
	if errs, _ := r.at("errors").([]any); len(errs) > 0 {
		first, _ := errs[0].(map[string]any)
		return reply{body: first}.string("extensions", "id")
	}
	return r.string("id") + r.string("error", "id")
}

var _ = Describe("An idempotency key", func() {
	DescribeTable("creates once, however many ask any replica at once, and whatever becomes of the object",
		func(ctx SpecContext, path, body string, created func(reply) bool, remove func(ctx context.Context, uid string)) {
			key := rand.Text()
			one, other := replicas()
			replies, errs := make([]reply, 8), make([]error, 8)
			var all sync.WaitGroup
			for i := range replies {
				all.Go(func() {
					by := onceOnly([]string{one, other}[i%2], key)
					replies[i], errs[i] = by.try(ctx, http.MethodPost, path, body)
				})
			}
			all.Wait()
			made, uid := 0, ""
			for i, r := range replies {
				Expect(errs[i]).NotTo(HaveOccurred())
				if created(r) {
					made++
					continue
				}
				id := madeID(r)
				Expect(id).NotTo(BeEmpty(), r.text)
				if uid != "" {
					Expect(id).To(Equal(uid))
				}
				uid = id
			}
			Expect(made).To(Equal(1))
			remove(ctx, uid)
			for _, url := range []string{one, other} {
				again := onceOnly(url, key).send(ctx, http.MethodPost, path, body)
				Expect(created(again)).To(BeFalse(), "a second one was created")
				Expect(madeID(again)).To(Equal(uid), again.text)
			}
		},
		Entry("an admin, deleted by kubectl", "/api/admin/users", `{"username":"only-once"}`, succeeded,
			func(ctx context.Context, uid string) {
				user := get(ctx, "only-once")
				Expect(string(user.UID)).To(Equal(uid))
				Expect(s.Client.Delete(ctx, user)).To(Succeed())
			}),
		Entry("an admin with a link, deleted through the API", "/api/admin/claims",
			`{"kind":"user","username":"linked-once"}`, succeeded,
			func(ctx context.Context, uid string) {
				Expect(string(get(ctx, "linked-once").UID)).To(Equal(uid))
				gone := admin().send(ctx, http.MethodDelete, "/api/admin/users/linked-once", "")
				Expect(gone.status).To(Equal(200), gone.text)
			}),
		Entry("a key, deleted at another replica", "/apiv1/accounts/once/apikeys", `{"name":"once"}`, succeeded,
			deleteKey),
		Entry("a token by GraphQL", "/graphql",
			`{"query":"mutation { createIntegrationInstanceToken(id: \"once-1\") { tokenId } }"}`,
			func(r reply) bool { return r.at("errors") == nil && r.status == http.StatusOK }, deleteKey),
	)
})

func succeeded(r reply) bool { return r.status < http.StatusMultipleChoices }

func deleteKey(ctx context.Context, uid string) {
	_, other := replicas()
	path := "/apiv1/apikeys/" + uid
	eventually(ctx, func() int {
		return admin().at(other).send(ctx, http.MethodDelete, path, "").status
	}).Should(Equal(200))
}
