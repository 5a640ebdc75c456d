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

// anchored is the names of those who carry the finalizer.
func (b *bench) anchored(ctx context.Context) []string {
	GinkgoHelper()
	return b.names(ctx, func(u *v1alpha1.AdminUser) bool {
		return len(u.Finalizers) == 1 && u.Finalizers[0] == v1alpha1.FinalizerLastAdmin
	})
}

func (b *bench) names(ctx context.Context, is func(*v1alpha1.AdminUser) bool) []string {
	GinkgoHelper()
	var list v1alpha1.AdminUserList
	Expect(plane.Client.List(ctx, &list, client.InNamespace(b.namespace))).To(Succeed())
	var names []string
	for i := range list.Items {
		if is(&list.Items[i]) {
			names = append(names, list.Items[i].Name)
		}
	}
	return names
}

// lists is what the controller would be told now, by the index that it asks.
func (b *bench) lists(ctx context.Context) map[string][]v1alpha1.AdminUser {
	GinkgoHelper()
	lists := map[string][]v1alpha1.AdminUser{}
	for _, index := range []string{"keywright.dev/active", "keywright.dev/last-admin", "keywright.dev/anchored"} {
		var list v1alpha1.AdminUserList
		Expect(cached.List(ctx, &list, client.InNamespace(b.namespace), client.MatchingFields{index: "true"})).To(Succeed())
		lists[index+"=true"] = list.Items
	}
	return lists
}

func everybody(*v1alpha1.AdminUser) bool { return true }

// withKey makes an admin whose key is on record and accepted.
func (b *bench) withKey(ctx context.Context, names ...string) {
	GinkgoHelper()
	for _, name := range names {
		b.admin(ctx, name)
		b.editStatus(ctx, name, func(u *v1alpha1.AdminUser) {
			u.Status.Keys = []v1alpha1.KeyStatus{{ID: name, Digest: "hmac-sha256:00000000:" + strings.Repeat("0", 64), IssuedAt: metav1.NewTime(begin)}}
		})
	}
}

// settled runs until nothing is left to do at once, and says whether somebody is kept.
func (b *bench) settled(ctx context.Context) (kept bool) {
	GinkgoHelper()
	for range 20 {
		result, err := b.Reconcile(ctx, reconcile.Request{})
		Expect(err).NotTo(HaveOccurred())
		if result.RequeueAfter == 0 || result.RequeueAfter > lastadminRetry {
			return result.RequeueAfter > 0
		}
		b.pass(result.RequeueAfter)
	}
	Fail("it never came to rest")
	return false
}

func (b *bench) pass(long time.Duration) { b.clock.SetTime(b.clock.Now().Add(long)) }

// lastadminRetry is no less than what a conflict and a new anchor wait, and less than what somebody kept does.
const lastadminRetry = 1e9

var _ = Describe("The anchor", func() {
	It("is one active admin, the oldest first, and stays where it is", func(ctx SpecContext) {
		b := newBench(ctx)
		b.withKey(ctx, "bob", "alice", "carol")
		b.settled(ctx)
		anchor := b.anchored(ctx)
		Expect(anchor).To(HaveLen(1))
		b.withKey(ctx, "dave")
		b.settled(ctx)
		Expect(b.anchored(ctx)).To(Equal(anchor))
	})

	for what, leave := range map[string]func(*bench, context.Context, string){
		"deleted": func(b *bench, ctx context.Context, name string) { b.delete(ctx, name) },
		"demoted": func(b *bench, ctx context.Context, name string) {
			b.edit(ctx, name, func(u *v1alpha1.AdminUser) { u.Spec.Role = v1alpha1.RoleUser })
		},
		"disabled": func(b *bench, ctx context.Context, name string) {
			b.edit(ctx, name, func(u *v1alpha1.AdminUser) { u.Spec.Enabled = new(false) })
		},
	} {
		It("moves to another when it is "+what, func(ctx SpecContext) {
			b := newBench(ctx)
			b.withKey(ctx, "alice", "bob")
			b.settled(ctx)
			before := b.anchored(ctx)[0]
			leave(b, ctx, before)
			Expect(b.settled(ctx)).To(BeFalse())
			Expect(b.anchored(ctx)).To(And(HaveLen(1), Not(ContainElement(before))))
			Expect(b.names(ctx, everybody)).To(HaveLen(map[bool]int{true: 1, false: 2}[what == "deleted"]))
			Expect(b.marked(ctx)).To(Equal(b.anchored(ctx)), "the one that is left is the last")
		})
	}

	It("stays when all are deleted in the same instant, and goes when another is active", func(ctx SpecContext) {
		b := newBench(ctx)
		b.withKey(ctx, "alice", "bob", "carol")
		b.settled(ctx)
		anchor := b.anchored(ctx)
		for _, name := range []string{"alice", "bob", "carol"} {
			b.delete(ctx, name)
		}
		Expect(b.settled(ctx)).To(BeTrue())
		Expect(b.names(ctx, everybody)).To(Equal(anchor))
		Expect(mark(b.get(ctx, anchor[0])).Reason).To(Equal("KeptLastAdmin"))
		Expect(b.events.Take()).To(ConsistOf(HavePrefix("Warning KeptLastAdmin Deleted, but kept because no other admin is active")))
		b.settled(ctx)
		Expect(b.events.Take()).To(BeEmpty(), "told once")

		b.withKey(ctx, "dave")
		Expect(b.settled(ctx)).To(BeFalse())
		Expect(b.names(ctx, everybody)).To(Equal([]string{"dave"}))
		Expect(b.anchored(ctx)).To(Equal([]string{"dave"}))
		Expect(b.marked(ctx)).To(Equal([]string{"dave"}))
	})

	for way, open := range map[string]func(*bench, context.Context){
		"the annotation": func(b *bench, ctx context.Context) {
			b.edit(ctx, "alice", func(u *v1alpha1.AdminUser) {
				u.Annotations = map[string]string{v1alpha1.AnnotationAllowLastAdminRemoval: "true"}
			})
		},
		"a namespace that is going": func(b *bench, ctx context.Context) {
			// Nothing empties a namespace here, so it stays on its way out.
			Expect(plane.Client.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: b.namespace}})).To(Succeed())
		},
	} {
		for _, when := range []string{"before", "after"} {
			It(fmt.Sprintf("lets the last admin go by %s, %s the deletion", way, when), func(ctx SpecContext) {
				b := newBench(ctx)
				b.withKey(ctx, "alice")
				b.settled(ctx)
				if when == "before" {
					open(b, ctx)
				}
				b.delete(ctx, "alice")
				if when == "after" {
					Expect(b.settled(ctx)).To(BeTrue())
					open(b, ctx)
				}
				Expect(b.settled(ctx)).To(BeFalse())
				Expect(b.names(ctx, everybody)).To(BeEmpty())
			})
		}
	}

	It("keeps nobody whose key is refused anyway", func(ctx SpecContext) {
		b := newBench(ctx)
		b.withKey(ctx, "alice")
		b.settled(ctx)
		b.edit(ctx, "alice", func(u *v1alpha1.AdminUser) { u.Spec.Enabled = new(false) })
		b.settled(ctx)
		Expect(b.anchored(ctx)).To(Equal([]string{"alice"}), "it may be enabled again")
		b.delete(ctx, "alice")
		Expect(b.settled(ctx)).To(BeFalse())
		Expect(b.names(ctx, everybody)).To(BeEmpty())
	})

	It("is nobody whom somebody has changed meanwhile", func(ctx SpecContext) {
		b := newBench(ctx)
		b.withKey(ctx, "alice", "bob")
		b.Client = kit.BeforeWrite(cached, 1, func() {
			b.edit(ctx, "alice", func(u *v1alpha1.AdminUser) { u.Spec.Role = v1alpha1.RoleUser })
			b.edit(ctx, "bob", func(u *v1alpha1.AdminUser) { u.Spec.Role = v1alpha1.RoleUser })
		})
		result, err := b.Reconcile(ctx, reconcile.Request{})
		Expect(err).NotTo(HaveOccurred())
		Expect(result.RequeueAfter).To(BeNumerically(">", 0), "a conflict, to be tried again")
		Expect(b.anchored(ctx)).To(BeEmpty())
	})

	// The cache still shows one as it was: active and anchored. In truth this controller let it go, and only
	// held is left.
	It("lets nobody go on the word of a cache that lags", func(ctx SpecContext) {
		b := newBench(ctx)
		b.withKey(ctx, "alice", "bob", "carol")
		b.settled(ctx)
		gone := b.anchored(ctx)[0]
		others := slices.DeleteFunc([]string{"alice", "bob", "carol"}, func(name string) bool { return name == gone })
		held, third := others[0], others[1]
		b.edit(ctx, held, func(u *v1alpha1.AdminUser) { u.Finalizers = []string{v1alpha1.FinalizerLastAdmin} })
		b.delete(ctx, held)
		stale := b.lists(ctx)
		Expect(stale["keywright.dev/active=true"]).To(HaveLen(2))
		Expect(stale["keywright.dev/anchored=true"]).To(HaveLen(2))
		b.edit(ctx, gone, func(u *v1alpha1.AdminUser) { u.Finalizers = nil })
		b.delete(ctx, gone)
		b.delete(ctx, third)
		b.pass(time.Hour)

		b.Client = interceptor.NewClient(cached, interceptor.Funcs{
			List: func(_ context.Context, _ client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
				asked := (&client.ListOptions{}).ApplyOptions(opts)
				list.(*v1alpha1.AdminUserList).Items = slices.Clone(stale[asked.FieldSelector.String()])
				return nil
			},
		})
		_, err := b.Reconcile(ctx, reconcile.Request{})
		Expect(err).NotTo(HaveOccurred())
		Expect(b.anchored(ctx)).To(Equal([]string{held}), "the only one that is left")
		b.Client = cached
		Expect(b.settled(ctx)).To(BeTrue())
		Expect(mark(b.get(ctx, held)).Reason).To(Equal("KeptLastAdmin"))
	})

	// The API server had begun to delete the other when the finalizer came, and has not seen it.
	It("lets nobody go for one that is lost a moment later", func(ctx SpecContext) {
		b := newBench(ctx)
		b.withKey(ctx, "alice", "bob")
		b.settled(ctx)
		before := b.anchored(ctx)[0]
		b.delete(ctx, before)
		result, err := b.Reconcile(ctx, reconcile.Request{})
		Expect(err).NotTo(HaveOccurred())
		Expect(result.RequeueAfter).To(And(BeNumerically(">", 0), BeNumerically("<=", time.Second)))
		Expect(b.anchored(ctx)).To(ConsistOf("alice", "bob"))
		other := map[string]string{"alice": "bob", "bob": "alice"}[before]
		b.edit(ctx, other, func(u *v1alpha1.AdminUser) { u.Finalizers = nil })
		b.delete(ctx, other)
		Expect(b.settled(ctx)).To(BeTrue())
		Expect(b.names(ctx, everybody)).To(Equal([]string{before}))
		Expect(mark(b.get(ctx, before)).Reason).To(Equal("KeptLastAdmin"))
	})

	It("is asked for again when its time has come meanwhile", func(ctx SpecContext) {
		b := newBench(ctx)
		b.withKey(ctx, "alice")
		b.settled(ctx)
		b.withKey(ctx, "bob")
		b.delete(ctx, "alice")
		// The last write is that which takes the mark off alice.
		b.Client = afterWrite(func() error { b.pass(time.Hour); return nil })
		result, err := b.Reconcile(ctx, reconcile.Request{})
		Expect(err).NotTo(HaveOccurred())
		Expect(b.anchored(ctx)).To(HaveLen(2))
		Expect(result.RequeueAfter).To(BeNumerically(">", 0))
	})

	It("is on somebody at every moment, wherever the process is killed", func(ctx SpecContext) {
		for stop := 1; ; stop++ {
			b := newBench(ctx)
			b.withKey(ctx, "alice", "bob")
			b.settled(ctx)
			b.delete(ctx, b.anchored(ctx)[0])
			writes := 0
			whole := b.Client
			b.Client = kit.CrashAfter(cached, stop, &writes)
			for range 2 {
				_, _ = b.Reconcile(ctx, reconcile.Request{})
				b.pass(time.Hour)
			}
			Expect(b.anchored(ctx)).NotTo(BeEmpty(), "killed after write %d", stop)
			b.Client = whole
			b.settled(ctx)
			Expect(b.anchored(ctx)).To(HaveLen(1))
			Expect(b.names(ctx, everybody)).To(HaveLen(1))
			if writes < stop {
				Expect(stop).To(BeNumerically(">", 2), "too few writes for this to have been tried")
				return
			}
		}
	})
})
