package management

import (
	"context"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

const claimsPath = "/api/admin/claims"

// link returns the reply to a new link to an admin.
func link(ctx context.Context, by caller, name string) reply {
	GinkgoHelper()
	made := by.send(ctx, http.MethodPost, claimsPath, `{"kind":"user","username":"`+name+`"}`)
	Expect(made.status).To(Equal(200), made.text)
	return made
}

func (r reply) claim(ctx context.Context, url string) reply {
	GinkgoHelper()
	return at(url).send(ctx, http.MethodPost, "/api/claim", `{"token":"`+r.string("token")+`"}`)
}

// reason returns the reason of condition Reconciling, or of Ready once the user is not.
func reason(ctx context.Context, name string) string {
	GinkgoHelper()
	conditions := get(ctx, name).Status.Conditions
	for _, kind := range []string{v1alpha1.ConditionReconciling, v1alpha1.ConditionReady} {
		if c := meta.FindStatusCondition(conditions, kind); c != nil {
			return c.Reason
		}
	}
	return ""
}

var _ = Describe("A claim link", func() {
	It("hands a key over once, whatever the replica", func(ctx SpecContext) {
		one, other := replicas()
		made := link(ctx, admin(), "claimant")
		eventually(ctx, func() string { return reason(ctx, "claimant") }).Should(Equal(v1alpha1.ReasonAwaitingClaim))
		var key string
		statuses := together(8, func(_ int, c caller) reply {
			r := made.claim(ctx, c.url)
			if r.status == http.StatusOK {
				key = r.string("api_key")
			}
			return r
		})
		Expect(statuses[200]).To(Equal(1), "%v", statuses)
		Expect(statuses[404]+statuses[409]).To(Equal(7), "%v", statuses)
		for _, url := range []string{one, other} {
			eventually(ctx, func() int { return kit.AuthStatus(ctx, url, key) }).Should(Equal(200))
			Expect(made.claim(ctx, url).status).To(Equal(404))
		}
		eventually(ctx, func() string { return reason(ctx, "claimant") }).Should(Equal(v1alpha1.ReasonIssued))
		Expect(get(ctx, "claimant").Annotations).NotTo(HaveKey(v1alpha1.AnnotationClaimUntil))
	})

	It("takes its user with it when it is withdrawn at another replica", func(ctx SpecContext) {
		one, other := replicas()
		made := link(ctx, admin().at(one), "withdrawn")
		path := claimsPath + "/" + made.string("claim", "id")
		Expect(admin().at(other).send(ctx, http.MethodDelete, path, "").status).To(Equal(200))
		Expect(made.claim(ctx, one).status).To(Equal(404))
		found := s.Client.Get(ctx, client.ObjectKey{Namespace: stack.Namespace, Name: "withdrawn"}, &v1alpha1.AdminUser{})
		Expect(apierrors.IsNotFound(found)).To(BeTrue(), "%v", found)
		Expect(admin().send(ctx, http.MethodGet, claimsPath, "").status).To(Equal(200))
	})

	It("is judged by the rights that its creator has then", func(ctx SpecContext) {
		one, other := replicas()
		creator := admin().send(ctx, http.MethodPost, "/api/admin/users", `{"username":"link-maker"}`)
		Expect(creator.status).To(Equal(200), creator.text)
		made := link(ctx, at(one).key(creator.string("api_key")), "made-by-another")
		const path = "/api/admin/users/link-maker"
		Expect(admin().at(other).send(ctx, http.MethodPatch, path, `{"enabled":false}`).status).To(Equal(200))
		Expect(made.claim(ctx, other).status).To(Equal(403))
		eventually(ctx, func() int { return kit.AuthStatus(ctx, one, creator.string("api_key")) }).Should(Equal(401))
		Expect(made.claim(ctx, one).status).To(Equal(403))
		Expect(admin().at(other).send(ctx, http.MethodPatch, path, `{"enabled":true}`).status).To(Equal(200))
		Expect(made.claim(ctx, other).status).To(Equal(200))
	})

	It("rotates a key that exists, once, whatever the replica, and nothing before it is used", func(ctx SpecContext) {
		one, other := replicas()
		user := admin().send(ctx, http.MethodPost, "/api/admin/users", `{"username":"loser"}`)
		Expect(user.status).To(Equal(200), user.text)
		key := admin().send(ctx, http.MethodPost, "/apiv1/accounts/loser/apikeys", `{"name":"lost"}`)
		Expect(key.status).To(Equal(201), key.text)
		for body, lost := range map[string]string{
			`{"kind":"user-rotation","username":"loser"}`: user.string("api_key"),
			`{"kind":"key-rotation","id":"` + key.string("data", "id") + `","rotation":{"overlap_seconds":0}}`: key.string(
				"data", "token"),
		} {
			made := admin().at(one).send(ctx, http.MethodPost, claimsPath, body)
			Expect(made.status).To(Equal(200), made.text)
			withdrawn := admin().at(one).send(ctx, http.MethodPost, claimsPath, body)
			path := claimsPath + "/" + withdrawn.string("claim", "id")
			Expect(admin().at(other).send(ctx, http.MethodDelete, path, "").status).To(Equal(200))
			Expect(withdrawn.claim(ctx, one).status).To(Equal(404))
			second := admin().at(other).send(ctx, http.MethodPost, claimsPath, body)
			eventually(ctx, func() int { return kit.AuthStatus(ctx, other, lost) }).Should(Equal(200))
			Expect(kit.AuthStatus(ctx, one, lost)).To(Equal(200))
			var next string
			statuses := together(8, func(_ int, c caller) reply {
				r := made.claim(ctx, c.url)
				if r.status == http.StatusOK {
					next = r.string("api_key")
				}
				return r
			})
			Expect(statuses[200]).To(Equal(1), "%v", statuses)
			Expect(statuses[404]+statuses[409]).To(Equal(7), "%v", statuses)
			Expect(second.claim(ctx, other).status).To(Equal(404))
			for _, url := range []string{one, other} {
				eventually(ctx, func() int { return kit.AuthStatus(ctx, url, next) }).Should(Equal(200))
				eventually(ctx, func() int { return kit.AuthStatus(ctx, url, lost) }).Should(Equal(401))
			}
		}
	})
})
