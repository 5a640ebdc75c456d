package lastadmin_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
)

// anchored returns the names of the users with the finalizer.
func (e *env) anchored(ctx context.Context) []string {
	GinkgoHelper()
	return e.names(ctx, func(u *v1alpha1.AdminUser) bool {
		return len(u.Finalizers) == 1 && u.Finalizers[0] == v1alpha1.FinalizerLastAdmin
	})
}

func (e *env) names(ctx context.Context, is func(*v1alpha1.AdminUser) bool) []string {
	GinkgoHelper()
	var list v1alpha1.AdminUserList
	Expect(plane.Client.List(ctx, &list, client.InNamespace(e.namespace))).To(Succeed())
	var names []string
	for i := range list.Items {
		if is(&list.Items[i]) {
			names = append(names, list.Items[i].Name)
		}
	}
	return names
}

// lists returns what the controller would read now, by index.
func (e *env) lists(ctx context.Context) map[string][]v1alpha1.AdminUser {
	GinkgoHelper()
	lists := map[string][]v1alpha1.AdminUser{}
	for _, index := range []string{"keywright.dev/active", "keywright.dev/last-admin", "keywright.dev/anchored"} {
		var list v1alpha1.AdminUserList
		Expect(cached.List(ctx, &list,
			client.InNamespace(e.namespace), client.MatchingFields{index: "true"})).To(Succeed())
		lists[index+"=true"] = list.Items
	}
	return lists
}

func anyUser(*v1alpha1.AdminUser) bool { return true }

// withKey creates admins whose keys are recorded and accepted.
func (e *env) withKey(ctx context.Context, names ...string) {
	GinkgoHelper()
	for _, name := range names {
		e.admin(ctx, name)
		e.editStatus(ctx, name, func(u *v1alpha1.AdminUser) {
			digest := "hmac-sha256:00000000:" + strings.Repeat("0", 64)
			u.Status.Keys = []v1alpha1.KeyStatus{{
				ID: name, Digest: digest, IssuedAt: metav1.NewTime(begin), State: v1alpha1.KeyCurrent,
			}}
		})
	}
}

// settled reconciles until nothing is left to do now, and reports whether a deleted admin is kept.
func (e *env) settled(ctx context.Context) (kept bool) {
	GinkgoHelper()
	for range 20 {
		result, err := e.Reconcile(ctx, reconcile.Request{})
		Expect(err).NotTo(HaveOccurred())
		if result.RequeueAfter == 0 || result.RequeueAfter > lastadminRetry {
			return result.RequeueAfter > 0
		}
		e.pass(result.RequeueAfter)
	}
	Fail("the controller is never done")
	return false
}

func (e *env) pass(long time.Duration) { e.clock.SetTime(e.clock.Now().Add(long)) }

// lastadminRetry is at least the delay of a conflict or a new anchor, and less than the polling for a kept admin.
const lastadminRetry = 1e9

var _ = Describe("The anchor", func() {
	It("is one active admin, and stays the same", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.withKey(ctx, "bob", "alice", "carol")
		e.settled(ctx)
		anchor := e.anchored(ctx)
		Expect(anchor).To(HaveLen(1))
		e.withKey(ctx, "dave")
		e.settled(ctx)
		Expect(e.anchored(ctx)).To(Equal(anchor))
	})

	for what, leave := range map[string]func(*env, context.Context, string){
		"deleted": func(e *env, ctx context.Context, name string) { e.delete(ctx, name) },
		"demoted": func(e *env, ctx context.Context, name string) {
			e.edit(ctx, name, func(u *v1alpha1.AdminUser) { u.Spec.Role = v1alpha1.RoleUser })
		},
		"disabled": func(e *env, ctx context.Context, name string) {
			e.edit(ctx, name, func(u *v1alpha1.AdminUser) { u.Spec.State = v1alpha1.StateDisabled })
		},
	} {
		It("moves to another admin when it is "+what, func(ctx SpecContext) {
			e := newEnv(ctx)
			e.withKey(ctx, "alice", "bob")
			e.settled(ctx)
			before := e.anchored(ctx)[0]
			leave(e, ctx, before)
			Expect(e.settled(ctx)).To(BeFalse())
			Expect(e.anchored(ctx)).To(And(HaveLen(1), Not(ContainElement(before))))
			Expect(e.names(ctx, anyUser)).To(HaveLen(map[bool]int{true: 1, false: 2}[what == "deleted"]))
			Expect(e.marked(ctx)).To(Equal(e.anchored(ctx)), "the remaining admin is the last")
		})
	}

	It("stays when all admins are deleted at once, and is removed when another is active", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.withKey(ctx, "alice", "bob", "carol")
		e.settled(ctx)
		anchor := e.anchored(ctx)
		for _, name := range []string{"alice", "bob", "carol"} {
			e.delete(ctx, name)
		}
		Expect(e.settled(ctx)).To(BeTrue())
		Expect(e.names(ctx, anyUser)).To(Equal(anchor))
		Expect(conditionOf(e.get(ctx, anchor[0])).Reason).To(Equal("KeptLastAdmin"))
		Expect(e.events.Take()).To(ConsistOf(
			HavePrefix("Warning KeptLastAdmin Deleted, but kept because no other admin is active")))
		e.settled(ctx)
		Expect(e.events.Take()).To(BeEmpty(), "emitted once")

		e.withKey(ctx, "dave")
		Expect(e.settled(ctx)).To(BeFalse())
		Expect(e.names(ctx, anyUser)).To(Equal([]string{"dave"}))
		Expect(e.anchored(ctx)).To(Equal([]string{"dave"}))
		Expect(e.marked(ctx)).To(Equal([]string{"dave"}))
	})

	for way, open := range map[string]func(*env, context.Context){
		"the annotation": func(e *env, ctx context.Context) {
			e.edit(ctx, "alice", func(u *v1alpha1.AdminUser) {
				u.Annotations = map[string]string{v1alpha1.AnnotationAllowLastAdminRemoval: "true"}
			})
		},
		"a deleted namespace": func(e *env, ctx context.Context) {
			// There is no namespace controller here, so the namespace stays terminating.
			Expect(plane.Client.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: e.namespace}})).To(Succeed())
		},
	} {
		for _, when := range []string{"before", "after"} {
			It(fmt.Sprintf("allows the deletion of the last admin: %s, %s the deletion", way, when), func(ctx SpecContext) {
				e := newEnv(ctx)
				e.withKey(ctx, "alice")
				e.settled(ctx)
				if when == "before" {
					open(e, ctx)
				}
				e.delete(ctx, "alice")
				if when == "after" {
					Expect(e.settled(ctx)).To(BeTrue())
					open(e, ctx)
				}
				Expect(e.settled(ctx)).To(BeFalse())
				Expect(e.names(ctx, anyUser)).To(BeEmpty())
			})
		}
	}

	It("is not kept if its key is refused anyway", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.withKey(ctx, "alice")
		e.settled(ctx)
		e.edit(ctx, "alice", func(u *v1alpha1.AdminUser) { u.Spec.State = v1alpha1.StateDisabled })
		e.settled(ctx)
		Expect(e.anchored(ctx)).To(Equal([]string{"alice"}), "it may be enabled again")
		e.delete(ctx, "alice")
		Expect(e.settled(ctx)).To(BeFalse())
		Expect(e.names(ctx, anyUser)).To(BeEmpty())
	})

	It("is not chosen from users that were changed meanwhile", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.withKey(ctx, "alice", "bob")
		e.Client = kit.BeforeWrite(cached, 1, func() {
			e.edit(ctx, "alice", func(u *v1alpha1.AdminUser) { u.Spec.Role = v1alpha1.RoleUser })
			e.edit(ctx, "bob", func(u *v1alpha1.AdminUser) { u.Spec.Role = v1alpha1.RoleUser })
		})
		result, err := e.Reconcile(ctx, reconcile.Request{})
		Expect(err).NotTo(HaveOccurred())
		Expect(result.RequeueAfter).To(BeNumerically(">", 0), "a conflict is retried")
		Expect(e.anchored(ctx)).To(BeEmpty())
	})

	// The cache still shows one admin as active and anchored that is gone; only held is left.
	It("is not released because of a stale cache", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.withKey(ctx, "alice", "bob", "carol")
		e.settled(ctx)
		gone := e.anchored(ctx)[0]
		others := slices.DeleteFunc([]string{"alice", "bob", "carol"}, func(name string) bool { return name == gone })
		held, third := others[0], others[1]
		e.edit(ctx, held, func(u *v1alpha1.AdminUser) { u.Finalizers = []string{v1alpha1.FinalizerLastAdmin} })
		e.delete(ctx, held)
		stale := e.lists(ctx)
		Expect(stale["keywright.dev/active=true"]).To(HaveLen(2))
		Expect(stale["keywright.dev/anchored=true"]).To(HaveLen(2))
		e.edit(ctx, gone, func(u *v1alpha1.AdminUser) { u.Finalizers = nil })
		e.delete(ctx, gone)
		e.delete(ctx, third)
		e.pass(time.Hour)

		e.Client = interceptor.NewClient(cached, interceptor.Funcs{
			List: func(_ context.Context, _ client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
				asked := (&client.ListOptions{}).ApplyOptions(opts)
				list.(*v1alpha1.AdminUserList).Items = slices.Clone(stale[asked.FieldSelector.String()])
				return nil
			},
		})
		_, err := e.Reconcile(ctx, reconcile.Request{})
		Expect(err).NotTo(HaveOccurred())
		Expect(e.anchored(ctx)).To(Equal([]string{held}), "the only one that is left")
		e.Client = cached
		Expect(e.settled(ctx)).To(BeTrue())
		Expect(conditionOf(e.get(ctx, held)).Reason).To(Equal("KeptLastAdmin"))
	})

	// The API server began to delete the other admin before the finalizer was added.
	It("is not released for one that is deleted a moment later", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.withKey(ctx, "alice", "bob")
		e.settled(ctx)
		before := e.anchored(ctx)[0]
		e.delete(ctx, before)
		result, err := e.Reconcile(ctx, reconcile.Request{})
		Expect(err).NotTo(HaveOccurred())
		Expect(result.RequeueAfter).To(And(BeNumerically(">", 0), BeNumerically("<=", time.Second)))
		Expect(e.anchored(ctx)).To(ConsistOf("alice", "bob"))
		other := map[string]string{"alice": "bob", "bob": "alice"}[before]
		e.edit(ctx, other, func(u *v1alpha1.AdminUser) { u.Finalizers = nil })
		e.delete(ctx, other)
		Expect(e.settled(ctx)).To(BeTrue())
		Expect(e.names(ctx, anyUser)).To(Equal([]string{before}))
		Expect(conditionOf(e.get(ctx, before)).Reason).To(Equal("KeptLastAdmin"))
	})

	It("is released later even if the wait ends during the reconcile", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.withKey(ctx, "alice")
		e.settled(ctx)
		e.withKey(ctx, "bob")
		e.delete(ctx, "alice")
		// The last write removes the condition from alice.
		e.Client = afterWrite(func() error { e.pass(time.Hour); return nil })
		result, err := e.Reconcile(ctx, reconcile.Request{})
		Expect(err).NotTo(HaveOccurred())
		Expect(e.anchored(ctx)).To(HaveLen(2))
		Expect(result.RequeueAfter).To(BeNumerically(">", 0))
	})

	It("exists at every moment, wherever the process is killed", func(ctx SpecContext) {
		for stop := 1; ; stop++ {
			e := newEnv(ctx)
			e.withKey(ctx, "alice", "bob")
			e.settled(ctx)
			e.delete(ctx, e.anchored(ctx)[0])
			writes := 0
			whole := e.Client
			e.Client = kit.CrashAfter(cached, stop, &writes)
			for range 2 {
				_, _ = e.Reconcile(ctx, reconcile.Request{})
				e.pass(time.Hour)
			}
			Expect(e.anchored(ctx)).NotTo(BeEmpty(), "killed after write %d", stop)
			e.Client = whole
			e.settled(ctx)
			Expect(e.anchored(ctx)).To(HaveLen(1))
			Expect(e.names(ctx, anyUser)).To(HaveLen(1))
			if writes < stop {
				Expect(stop).To(BeNumerically(">", 2), "too few writes for this test")
				return
			}
		}
	})
})
