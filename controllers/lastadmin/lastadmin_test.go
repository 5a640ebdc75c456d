package lastadmin_test

import (
	"context"
	"errors"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/api/v1alpha1"
)

var _ = Describe("The last admin", func() {
	It("is nobody where there is no active admin", func(ctx SpecContext) {
		b := newBench(ctx)
		b.look(ctx)
		b.admin(ctx, "alice")
		b.active(ctx, "alice", metav1.ConditionFalse)
		b.look(ctx)
		Expect(b.marked(ctx)).To(BeEmpty())
	})

	It("is marked, with what to do about it", func(ctx SpecContext) {
		b := newBench(ctx)
		b.admin(ctx, "alice")
		b.look(ctx)
		Expect(mark(b.get(ctx, "alice"))).To(HaveValue(And(
			HaveField("Status", metav1.ConditionTrue),
			HaveField("Reason", "OnlyActiveAdmin"),
			HaveField("Message", "No other admin is active: create one before this one is deleted, demoted or disabled."),
			HaveField("ObservedGeneration", int64(1)),
			HaveField("LastTransitionTime.Time", BeTemporally("==", begin)))))
	})

	It("is none of two", func(ctx SpecContext) {
		b := newBench(ctx)
		b.admin(ctx, "alice")
		b.look(ctx)
		b.admin(ctx, "bob")
		b.look(ctx)
		Expect(b.marked(ctx)).To(BeEmpty())
	})

	It("is not touched while nothing changes", func(ctx SpecContext) {
		b := newBench(ctx)
		b.admin(ctx, "alice")
		b.look(ctx)
		before := b.get(ctx, "alice")
		b.clock.SetTime(begin.Add(time.Hour))
		b.Client = beforeWrite(func() { Fail("a write that changes nothing") })
		b.look(ctx)
		Expect(b.get(ctx, "alice").ResourceVersion).To(Equal(before.ResourceVersion))
	})

	It("keeps the time of its mark when the mark follows an edit", func(ctx SpecContext) {
		b := newBench(ctx)
		b.admin(ctx, "alice")
		b.look(ctx)
		b.clock.SetTime(begin.Add(time.Hour))
		b.edit(ctx, "alice", func(u *v1alpha1.AdminUser) { u.Spec.Rotation = &v1alpha1.Rotation{Every: new(v1alpha1.Duration("1h"))} })
		b.look(ctx)
		Expect(mark(b.get(ctx, "alice"))).To(HaveValue(And(
			HaveField("ObservedGeneration", int64(2)), HaveField("LastTransitionTime.Time", BeTemporally("==", begin)))))
	})

	It("gets back a mark that somebody changed, and nobody else keeps one", func(ctx SpecContext) {
		b := newBench(ctx)
		b.admin(ctx, "alice")
		b.look(ctx)
		good := mark(b.get(ctx, "alice"))
		b.admin(ctx, "bob")
		b.active(ctx, "bob", metav1.ConditionFalse)
		b.editStatus(ctx, "alice", func(u *v1alpha1.AdminUser) { mark(u).Status, mark(u).Message = metav1.ConditionFalse, "not I" })
		b.editStatus(ctx, "bob", func(u *v1alpha1.AdminUser) { u.Status.Conditions = append(u.Status.Conditions, *good) })
		b.look(ctx)
		Expect(b.marked(ctx)).To(ConsistOf("alice"))
		Expect(mark(b.get(ctx, "alice")).Message).To(Equal(good.Message))
	})

	It("is one of its own namespace", func(ctx SpecContext) {
		elsewhere, b := newBench(ctx), newBench(ctx)
		elsewhere.admin(ctx, "bob")
		b.admin(ctx, "alice")
		b.look(ctx)
		Expect(b.marked(ctx)).To(ConsistOf("alice"))
		Expect(elsewhere.marked(ctx)).To(BeEmpty())
	})
})

// ends is every way in which one of two admins stops being one.
var ends = map[string]func(context.Context, *bench, string){
	"is demoted": func(ctx context.Context, b *bench, name string) {
		b.edit(ctx, name, func(u *v1alpha1.AdminUser) { u.Spec.Role = v1alpha1.RoleUser })
	},
	"is disabled": func(ctx context.Context, b *bench, name string) {
		b.edit(ctx, name, func(u *v1alpha1.AdminUser) { u.Spec.Enabled = new(false) })
	},
	"is deleted": func(ctx context.Context, b *bench, name string) { b.delete(ctx, name) },
	"is terminating": func(ctx context.Context, b *bench, name string) {
		b.edit(ctx, name, func(u *v1alpha1.AdminUser) { u.Finalizers = []string{"test/hold"} })
		b.delete(ctx, name)
	},
	"loses the username": func(ctx context.Context, b *bench, name string) { b.active(ctx, name, metav1.ConditionFalse) },
}

var _ = Describe("When one of two admins", func() {
	for what, end := range ends {
		It(what+", the other is marked", func(ctx SpecContext) {
			b := newBench(ctx)
			b.admin(ctx, "alice")
			b.admin(ctx, "bob")
			end(ctx, b, "alice")
			b.look(ctx)
			Expect(b.marked(ctx)).To(ConsistOf("bob"))
		})

		It(what+" who still carries the mark, the mark goes over without a gap", func(ctx SpecContext) {
			b := newBench(ctx)
			b.admin(ctx, "alice")
			b.look(ctx)
			b.admin(ctx, "bob")
			end(ctx, b, "alice")
			b.Client = afterWrite(func() error {
				Expect(b.marked(ctx)).NotTo(BeEmpty())
				return nil
			})
			b.look(ctx)
			Expect(b.marked(ctx)).To(ConsistOf("bob"))
		})
	}
})

// afterWrite is a client that calls the hook after each write of a status, and fails as the hook does.
func afterWrite(hook func() error) client.Client {
	return interceptor.NewClient(cached, interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
			return errors.Join(c.SubResource(sub).Patch(ctx, o, p, opts...), hook())
		},
	})
}

// beforeWrite is a client that calls the hook before each write of a status.
func beforeWrite(hook func()) client.Client {
	return interceptor.NewClient(cached, interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
			hook()
			return c.SubResource(sub).Patch(ctx, o, p, opts...)
		},
	})
}

var _ = Describe("A mark", func() {
	It("goes over after a crash between its two writes", func(ctx SpecContext) {
		b := newBench(ctx)
		crash := errors.New("the process was killed")
		b.admin(ctx, "alice")
		b.look(ctx)
		b.admin(ctx, "bob")
		b.active(ctx, "alice", metav1.ConditionFalse)
		b.Client = afterWrite(func() error { return crash })
		_, err := b.Reconcile(ctx, reconcile.Request{})
		Expect(err).To(MatchError(crash))
		Expect(b.marked(ctx)).To(ConsistOf("alice", "bob"))
		b.Client = cached
		b.look(ctx)
		Expect(b.marked(ctx)).To(ConsistOf("bob"))
	})

	It("never overwrites what somebody else wrote meanwhile: it is tried again", func(ctx SpecContext) {
		b := newBench(ctx)
		b.admin(ctx, "alice")
		b.Client = beforeWrite(func() { b.active(ctx, "alice", metav1.ConditionFalse) })
		result, err := b.Reconcile(ctx, reconcile.Request{})
		Expect(err).NotTo(HaveOccurred())
		Expect(result.RequeueAfter).To(And(BeNumerically(">", 0), BeNumerically("<", time.Second)))
		b.Client = cached
		b.look(ctx)
		Expect(b.marked(ctx)).To(BeEmpty())
	})

	It("is not missed by one who was deleted meanwhile", func(ctx SpecContext) {
		b := newBench(ctx)
		b.admin(ctx, "alice")
		b.Client = beforeWrite(func() { b.delete(ctx, "alice") })
		b.look(ctx)
	})
})
