package users

import (
	"fmt"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/stack"
)

var _ = Describe("A user of the API", func() {
	// The bystander is an admin that no spec uses, so that others are not the last admin.
	BeforeEach(func(ctx SpecContext) {
		status, reply := ask(ctx, s.BootstrapKey, "POST", "admin/users", `{"username":"bystander"}`)
		Expect(status).To(BeElementOf(http.StatusOK, http.StatusConflict), "%v", reply)
		if !get(ctx, "bystander").IsAdmin() {
			done(ctx, "PUT", "admin/users/bystander/role", `{"role":"admin"}`)
		}
	})

	It("is created, promoted and rotated without a warning from the operator", func(ctx SpecContext) {
		for i := range 20 {
			name := fmt.Sprintf("quiet-%d", i)
			key := create(ctx, name)
			Expect(whoIs(ctx, key)).To(Equal(name))
			done(ctx, "PUT", "admin/users/"+name+"/role", `{"role":"user"}`)
			done(ctx, "PUT", "admin/users/"+name+"/role", `{"role":"admin"}`)
			done(ctx, "POST", "admin/users/"+name+"/rotate-key", "")
		}
		for i := range 20 {
			user := rests(ctx, fmt.Sprintf("quiet-%d", i))
			Expect(user.Status.Keys).To(HaveLen(1))
			Eventually(ctx, func() []string { return eventsOf(ctx, user) }).WithTimeout(10 * time.Second).Should(ContainElements(
				"Normal Created", "Normal Demoted", "Normal Promoted", "Normal KeyRotated"))
			Expect(eventsOf(ctx, user)).NotTo(ContainElement(HavePrefix("Warning")))
		}
	})

	It("has no key that worked before, however often the role changes", func(ctx SpecContext) {
		keys := []string{create(ctx, "fickle")}
		for range 10 {
			done(ctx, "PUT", "admin/users/fickle/role", `{"role":"user"}`)
			keys = append(keys, done(ctx, "PUT", "admin/users/fickle/role", `{"role":"admin"}`)["api_key"].(string))
		}
		user := rests(ctx, "fickle")
		Expect(user.Status.Keys).To(HaveLen(1))
		for i, key := range keys {
			want := ""
			if i == len(keys)-1 {
				want = "fickle"
			}
			Expect(whoIs(ctx, key)).To(Equal(want), "key %d", i)
		}
	})

	It("has no key from before a demotion, even if kubectl promotes it without an operator", Serial,
		func(ctx SpecContext) {
			key := create(ctx, "revenant")
			rests(ctx, "revenant")
			Expect(s.Operator.Stop()).To(Succeed())
			DeferCleanup(func(ctx SpecContext) { Expect(s.Operator.Start(ctx)).To(Succeed()) })
			done(ctx, "PUT", "admin/users/revenant/role", `{"role":"user"}`)
			user := get(ctx, "revenant")
			Expect(user.Status.Keys).To(BeEmpty())
			user.Spec.Role = v1alpha1.RoleAdmin
			Expect(s.Client.Update(ctx, user)).To(Succeed())
			Consistently(ctx, func() string { return whoIs(ctx, key) }).WithTimeout(2 * time.Second).Should(BeEmpty())
		})

	It("can be created again under a name just deleted, repeatedly", func(ctx SpecContext) {
		for range 10 {
			key := create(ctx, "phoenix")
			done(ctx, "DELETE", "admin/users/phoenix", "")
			Expect(whoIs(ctx, key)).To(BeEmpty())
		}
		create(ctx, "phoenix")
		rests(ctx, "phoenix")
	})

	It("of a manifest is not changed by the API, and the operator rotates its key on request", func(ctx SpecContext) {
		user := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: stack.Namespace, Name: "from-git"}}
		Expect(s.Client.Create(ctx, user)).To(Succeed())
		user = rests(ctx, "from-git")
		read := func() string {
			secret := &corev1.Secret{}
			Expect(s.Client.Get(ctx, client.ObjectKey{Namespace: stack.Namespace, Name: "from-git-admin-key"}, secret)).
				To(Succeed())
			return string(secret.Data["key"])
		}
		old := read()
		Eventually(ctx, func() string { return whoIs(ctx, old) }).WithTimeout(10 * time.Second).Should(Equal("from-git"))
		for _, c := range []struct{ method, path, body string }{
			{"POST", "admin/users", `{"username":"From-Git"}`}, {"DELETE", "admin/users/from-git", ""},
			{"PUT", "admin/users/from-git/role", `{"role":"user"}`}, {"POST", "admin/users/from-git/rotate-key",
				`{"new_key":"a-key-that-is-long-enough"}`},
		} {
			status, reply := ask(ctx, s.BootstrapKey, c.method, c.path, c.body)
			Expect(status).To(Equal(http.StatusConflict), "%s %s: %v", c.method, c.path, reply)
		}
		reply := done(ctx, "POST", "admin/users/from-git/rotate-key", "")
		Expect(reply["secret"]).To(Equal(map[string]any{"namespace": stack.Namespace, "name": "from-git-admin-key"}))
		Expect(reply).NotTo(HaveKey("new_api_key"))
		Eventually(ctx, read).WithTimeout(10 * time.Second).ShouldNot(Equal(old))
		Eventually(ctx, func() string { return whoIs(ctx, read()) }).WithTimeout(10 * time.Second).Should(Equal("from-git"))
		Eventually(ctx, func() string { return whoIs(ctx, old) }).WithTimeout(10 * time.Second).Should(BeEmpty())
		Expect(get(ctx, "from-git").Spec).To(Equal(user.Spec))
	})

	It("that was applied by hand gets a key by a rotation", func(ctx SpecContext) {
		user := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: stack.Namespace, Name: "by-hand"}}
		user.Spec.Delivery = v1alpha1.DeliveryResponse
		Expect(s.Client.Create(ctx, user)).To(Succeed())
		Eventually(ctx, func() bool {
			return meta.IsStatusConditionTrue(get(ctx, "by-hand").Status.Conditions, v1alpha1.ConditionStalled)
		}).WithTimeout(10 * time.Second).Should(BeTrue())
		key := done(ctx, "POST", "admin/users/by-hand/rotate-key", "")["new_api_key"].(string)
		Expect(whoIs(ctx, key)).To(Equal("by-hand"))
		rests(ctx, "by-hand")
	})
})

var _ = Describe("The last admin", Serial, Ordered, func() {
	// others demotes all admins except these.
	others := func(ctx SpecContext, but ...string) {
		GinkgoHelper()
		for _, u := range done(ctx, "GET", "admin/users", "")["users"].([]any) {
			user := u.(map[string]any)
			name := user["username"].(string)
			if user["role"] == "user" || name == but[0] || name == but[len(but)-1] {
				continue
			}
			if user["source"] == "manifest" {
				Expect(s.Client.Delete(ctx, get(ctx, name))).To(Succeed())
				continue
			}
			done(ctx, "PUT", "admin/users/"+name+"/role", `{"role":"user"}`)
		}
	}

	It("remains by the server's own count, and may be removed as soon as there is another", func(ctx SpecContext) {
		create(ctx, "one")
		others(ctx, "one")
		for i := range 10 {
			stays, next := "one", "two"
			if i%2 == 1 {
				stays, next = next, stays
			}
			for _, c := range []struct{ method, path, body, detail string }{
				{"DELETE", "admin/users/" + stays, "", "Cannot delete the last admin user"},
				{"PUT", "admin/users/" + stays + "/role", `{"role":"user"}`, "Cannot demote the last admin user"},
			} {
				status, reply := ask(ctx, s.BootstrapKey, c.method, c.path, c.body)
				Expect(status).To(Equal(http.StatusBadRequest))
				Expect(reply["detail"]).To(Equal(c.detail))
			}
			// The operator has set the condition on the one that remains, and has no time to remove it.
			create(ctx, next)
			done(ctx, "DELETE", "admin/users/"+stays, "")
		}
	})

	It("remains of two that are deleted at once", func(ctx SpecContext) {
		create(ctx, "left")
		create(ctx, "right")
		others(ctx, "left", "right")
		statuses := make(chan int, 2)
		for _, name := range []string{"left", "right"} {
			go func() {
				defer GinkgoRecover()
				status, _ := ask(ctx, s.BootstrapKey, "DELETE", "admin/users/"+name, "")
				statuses <- status
			}()
		}
		Expect([]int{<-statuses, <-statuses}).To(ConsistOf(http.StatusOK, http.StatusBadRequest))
	})
})
