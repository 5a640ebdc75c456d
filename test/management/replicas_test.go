package management

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
)

// travel is how long a watch event, or a word of the database, may be on its way to the other replica of a busy
// machine.
const travel = 10 * time.Second

func replicas() (one, other string) { return s.Replicas[0].URL, s.Replicas[1].URL }

// admin is the bootstrap key at the first replica.
func admin() caller { return at(s.ServerURL).key(s.BootstrapKey) }

// login starts a session and returns its user and the value of its cookie.
func login(ctx context.Context, url, username, plaintext string) (caller, reply) {
	GinkgoHelper()
	r := at(url).send(ctx, http.MethodPost, "/api/auth/login",
		fmt.Sprintf(`{"username":%q,"api_key":%q}`, username, plaintext))
	Expect(r.status).To(Equal(200), r.text)
	var cookies []string
	for _, line := range r.header.Values("Set-Cookie") {
		pair, _, _ := strings.Cut(line, ";")
		cookies = append(cookies, pair)
	}
	return at(url).with("Cookie", strings.Join(cookies, "; ")), r
}

func (c caller) me(ctx context.Context) string {
	GinkgoHelper()
	r := c.send(ctx, http.MethodGet, "/api/auth/me", "")
	Expect(r.status).To(Equal(200))
	return fmt.Sprintf("%s %s %v", r.string("username"), r.string("role"), r.at("is_admin"))
}

// isAdmin ignores the saved name: only a session has the rights.
func (c caller) isAdmin(ctx context.Context) bool {
	GinkgoHelper()
	return strings.HasSuffix(c.me(ctx), " admin true")
}

var _ = Describe("Two replicas on one database", func() {
	It("share sessions, and end them together", func(ctx SpecContext) {
		one, other := replicas()
		made := admin().send(ctx, http.MethodPost, "/api/admin/users", `{"username":"traveller"}`)
		Expect(made.status).To(Equal(200), made.text)
		eventually(ctx, func() int { return kit.AuthStatus(ctx, other, made.string("api_key")) }).Should(Equal(200))
		here, _ := login(ctx, one, "traveller", made.string("api_key"))
		Expect(here.me(ctx)).To(Equal("traveller admin true"))
		Expect(here.at(other).me(ctx)).To(Equal("traveller admin true"), "at once, because the database has it")
		Expect(here.at(other).send(ctx, http.MethodPost, "/api/auth/logout", "").status).To(Equal(200))
		Expect(here.at(other).isAdmin(ctx)).To(BeFalse())
		eventually(ctx, func() bool { return here.isAdmin(ctx) }).Should(BeFalse())
	})

	It("share keys", func(ctx SpecContext) {
		one, other := replicas()
		made := admin().send(ctx, http.MethodPost, "/apiv1/accounts/far/apikeys", `{"name":"far","scopes":["certs.read"]}`)
		Expect(made.status).To(Equal(201), made.text)
		token := made.string("data", "token")
		Expect(kit.AuthStatus(ctx, one, token)).To(Equal(200), "at once, because the reply waits for it")
		eventually(ctx, func() int { return kit.AuthStatus(ctx, other, token) }).Should(Equal(200))
		path := "/apiv1/accounts/far/apikeys/" + made.string("data", "id")
		Expect(admin().at(other).send(ctx, http.MethodGet, path, "").status).To(Equal(200))
		Expect(admin().at(other).send(ctx, http.MethodDelete, path, "").status).To(Equal(200))
		Expect(kit.AuthStatus(ctx, other, token)).To(Equal(401), "at once")
		eventually(ctx, func() int { return kit.AuthStatus(ctx, one, token) }).Should(Equal(401))
	})

	DescribeTable("end a session for good when", func(ctx SpecContext, name string, end func(context.Context, string)) {
		one, other := replicas()
		made := admin().send(ctx, http.MethodPost, "/api/admin/users", `{"username":"`+name+`"}`)
		Expect(made.status).To(Equal(200), made.text)
		here, _ := login(ctx, one, name, made.string("api_key"))
		eventually(ctx, func() bool { return here.at(other).isAdmin(ctx) }).Should(BeTrue())
		end(ctx, name)
		for _, url := range []string{one, other} {
			eventually(ctx, func() bool { return here.at(url).isAdmin(ctx) }).Should(BeFalse())
		}
	},
		Entry("its key is rotated", "rotated", func(ctx context.Context, name string) {
			Expect(admin().send(ctx, http.MethodPost, "/api/admin/users/"+name+"/rotate-key", "").status).To(Equal(200))
		}),
		Entry("its user is demoted", "demoted", func(ctx context.Context, name string) {
			Expect(admin().send(ctx, http.MethodPut, "/api/admin/users/"+name+"/role", `{"role":"user"}`).status).To(Equal(200))
		}),
		Entry("its user is deleted", "deleted", func(ctx context.Context, name string) {
			Expect(admin().send(ctx, http.MethodDelete, "/api/admin/users/"+name, "").status).To(Equal(200))
		}),
		Entry("its user is disabled, and enabled again", "disabled", func(ctx context.Context, name string) {
			for _, state := range []v1alpha1.State{v1alpha1.StateDisabled, v1alpha1.StateActive} {
				edit(ctx, name, func(u *v1alpha1.AdminUser) { u.Spec.State = state })
				eventually(ctx, func() bool { return isActive(ctx, name) }).Should(Equal(state == v1alpha1.StateActive))
			}
		}),
	)

	It("let one of several concurrent requests have a name, in any case", func(ctx SpecContext) {
		statuses := together(8, func(i int, c caller) reply {
			return c.send(ctx, http.MethodPost, "/api/admin/users",
				fmt.Sprintf(`{"username":%q}`, []string{"Same.Name", "same.name"}[i/2%2]))
		})
		Expect(statuses[200]).To(Equal(1), "%v", statuses)
		Expect(statuses[409]).To(Equal(7), "%v", statuses)
	})

	It("let one of several concurrent requests have a key", func(ctx SpecContext) {
		const wanted = "The-Very-Same-Key-For-Everybody"
		for i := range 4 {
			made := admin().send(ctx, http.MethodPost, "/api/admin/users", fmt.Sprintf(`{"username":"wants-it-%d"}`, i))
			Expect(made.status).To(Equal(200), made.text)
		}
		statuses := together(4, func(i int, c caller) reply {
			return c.send(ctx, http.MethodPost, fmt.Sprintf("/api/admin/users/wants-it-%d/rotate-key", i),
				`{"new_key":"`+wanted+`"}`)
		})
		Expect(statuses[200]).To(Equal(1), "%v", statuses)
		Expect(statuses[409]).To(Equal(3), "%v", statuses)
	})

	It("leave one admin, however many are removed at the same time", func(ctx SpecContext) {
		for round := range 3 {
			onlyAdmins(ctx, "first", "second")
			statuses := together(2, func(i int, c caller) reply {
				name := []string{"first", "second"}[i]
				if round == 1 {
					return c.send(ctx, http.MethodDelete, "/api/admin/users/"+name, "")
				}
				return c.send(ctx, http.MethodPut, "/api/admin/users/"+name+"/role", `{"role":"user"}`)
			})
			Expect(statuses).To(Equal(map[int]int{200: 1, 400: 1}))
		}
	})
})

// together sends n requests at once, by turns to each replica, and counts the statuses.
func together(n int, send func(i int, c caller) reply) map[int]int {
	GinkgoHelper()
	var mu sync.Mutex
	var sending sync.WaitGroup
	statuses := map[int]int{}
	for i := range n {
		sending.Go(func() {
			defer GinkgoRecover()
			r := send(i, admin().at(s.Replicas[i%2].URL))
			mu.Lock()
			defer mu.Unlock()
			statuses[r.status]++
		})
	}
	sending.Wait()
	return statuses
}

// onlyAdmins makes these users admins and demotes all others.
func onlyAdmins(ctx context.Context, names ...string) {
	GinkgoHelper()
	wanted := map[string]bool{}
	for _, name := range names {
		wanted[name] = true
		made := admin().send(ctx, http.MethodPost, "/api/admin/users", `{"username":"`+name+`"}`)
		if made.status == 409 {
			made = admin().send(ctx, http.MethodPut, "/api/admin/users/"+name+"/role", `{"role":"admin"}`)
		}
		Expect(made.status).To(Or(Equal(200), Equal(400)), made.text)
	}
	users := admin().send(ctx, http.MethodGet, "/api/admin/users", "")
	for _, u := range users.at("users").([]any) {
		user := u.(map[string]any)
		name := user["username"].(string)
		if user["role"] == "admin" && !wanted[name] {
			r := admin().send(ctx, http.MethodPut, "/api/admin/users/"+name+"/role", `{"role":"user"}`)
			Expect(r.status).To(Equal(200), r.text)
		}
	}
}

func eventually(ctx context.Context, what any) AsyncAssertion {
	return Eventually(ctx, what).WithTimeout(travel).WithPolling(5 * time.Millisecond)
}
