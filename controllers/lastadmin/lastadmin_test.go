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
	It("is not marked without an active admin", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.reconcile(ctx)
		e.admin(ctx, "alice")
		e.active(ctx, "alice", metav1.ConditionFalse)
		e.reconcile(ctx)
		Expect(e.marked(ctx)).To(BeEmpty())
	})

	It("is marked, with a message that advises the person", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.admin(ctx, "alice")
		e.reconcile(ctx)
		Expect(conditionOf(e.get(ctx, "alice"))).To(HaveValue(And(
			HaveField("Status", metav1.ConditionTrue),
			HaveField("Reason", "OnlyActiveAdmin"),
			HaveField("Message", "No other admin is active: create one before this one is deleted, demoted or disabled."),
			HaveField("ObservedGeneration", int64(1)),
			HaveField("LastTransitionTime.Time", BeTemporally("==", begin)))))
	})

	It("is not marked while there are two", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.admin(ctx, "alice")
		e.reconcile(ctx)
		e.admin(ctx, "bob")
		e.reconcile(ctx)
		Expect(e.marked(ctx)).To(BeEmpty())
	})

	It("is not written while nothing changes", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.admin(ctx, "alice")
		e.reconcile(ctx)
		before := e.get(ctx, "alice")
		e.clock.SetTime(begin.Add(time.Hour))
		e.Client = beforeWrite(func() { Fail("a write without a change") })
		e.reconcile(ctx)
		Expect(e.get(ctx, "alice").ResourceVersion).To(Equal(before.ResourceVersion))
	})

	It("keeps the transition time of its condition after an edit", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.admin(ctx, "alice")
		e.reconcile(ctx)
		e.clock.SetTime(begin.Add(time.Hour))
		e.edit(ctx, "alice", func(u *v1alpha1.AdminUser) {
			u.Spec.Rotation = &v1alpha1.Rotation{Every: new(v1alpha1.Duration("1h"))}
		})
		e.reconcile(ctx)
		Expect(conditionOf(e.get(ctx, "alice"))).To(HaveValue(And(
			HaveField("ObservedGeneration", int64(2)), HaveField("LastTransitionTime.Time", BeTemporally("==", begin)))))
	})

	It("has its condition restored, and others lose theirs", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.admin(ctx, "alice")
		e.reconcile(ctx)
		good := conditionOf(e.get(ctx, "alice"))
		e.admin(ctx, "bob")
		e.active(ctx, "bob", metav1.ConditionFalse)
		e.editStatus(ctx, "alice", func(u *v1alpha1.AdminUser) {
			conditionOf(u).Status, conditionOf(u).Message = metav1.ConditionFalse, "not I"
		})
		e.editStatus(ctx, "bob", func(u *v1alpha1.AdminUser) {
			u.Status.Conditions = append(u.Status.Conditions, *good)
		})
		e.reconcile(ctx)
		Expect(e.marked(ctx)).To(ConsistOf("alice"))
		Expect(conditionOf(e.get(ctx, "alice")).Message).To(Equal(good.Message))
	})

	It("is independent of other namespaces", func(ctx SpecContext) {
		elsewhere, e := newEnv(ctx), newEnv(ctx)
		elsewhere.admin(ctx, "bob")
		e.admin(ctx, "alice")
		e.reconcile(ctx)
		Expect(e.marked(ctx)).To(ConsistOf("alice"))
		Expect(elsewhere.marked(ctx)).To(BeEmpty())
	})
})

// ends lists every way in which an admin stops being active.
var ends = map[string]func(context.Context, *env, string){
	"is demoted": func(ctx context.Context, e *env, name string) {
		e.edit(ctx, name, func(u *v1alpha1.AdminUser) { u.Spec.Role = v1alpha1.RoleUser })
	},
	"is disabled": func(ctx context.Context, e *env, name string) {
		e.edit(ctx, name, func(u *v1alpha1.AdminUser) { u.Spec.State = v1alpha1.StateDisabled })
	},
	"is deleted": func(ctx context.Context, e *env, name string) { e.delete(ctx, name) },
	"is terminating": func(ctx context.Context, e *env, name string) {
		e.edit(ctx, name, func(u *v1alpha1.AdminUser) { u.Finalizers = []string{"test/hold"} })
		e.delete(ctx, name)
	},
	"loses the username": func(ctx context.Context, e *env, name string) { e.active(ctx, name, metav1.ConditionFalse) },
}

var _ = Describe("When one of two admins", func() {
	for what, end := range ends {
		It(what+", the other is marked", func(ctx SpecContext) {
			e := newEnv(ctx)
			e.admin(ctx, "alice")
			e.admin(ctx, "bob")
			end(ctx, e, "alice")
			e.reconcile(ctx)
			Expect(e.marked(ctx)).To(ConsistOf("bob"))
		})

		It(what+" while it is marked, the condition moves without a gap", func(ctx SpecContext) {
			e := newEnv(ctx)
			e.admin(ctx, "alice")
			e.reconcile(ctx)
			e.admin(ctx, "bob")
			end(ctx, e, "alice")
			e.Client = afterWrite(func() error {
				Expect(e.marked(ctx)).NotTo(BeEmpty())
				return nil
			})
			e.reconcile(ctx)
			Expect(e.marked(ctx)).To(ConsistOf("bob"))
		})
	}
})

// afterWrite returns a client that calls the hook after each write of a status, and returns the error of the hook.
func afterWrite(hook func() error) client.Client {
	return interceptor.NewClient(cached, interceptor.Funcs{
		SubResourcePatch: func(
			ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch,
			opts ...client.SubResourcePatchOption,
		) error {
			return errors.Join(c.SubResource(sub).Patch(ctx, o, p, opts...), hook())
		},
	})
}

// beforeWrite returns a client that calls the hook before each write of a status.
func beforeWrite(hook func()) client.Client {
	return interceptor.NewClient(cached, interceptor.Funcs{
		SubResourcePatch: func(
			ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch,
			opts ...client.SubResourcePatchOption,
		) error {
			hook()
			return c.SubResource(sub).Patch(ctx, o, p, opts...)
		},
	})
}

var _ = Describe("The condition", func() {
	It("moves after a crash between its two writes", func(ctx SpecContext) {
		e := newEnv(ctx)
		crash := errors.New("the process was killed")
		e.admin(ctx, "alice")
		e.reconcile(ctx)
		e.admin(ctx, "bob")
		e.active(ctx, "alice", metav1.ConditionFalse)
		e.Client = afterWrite(func() error { return crash })
		_, err := e.Reconcile(ctx, reconcile.Request{})
		Expect(err).To(MatchError(crash))
		Expect(e.marked(ctx)).To(ConsistOf("alice", "bob"))
		e.Client = cached
		e.reconcile(ctx)
		Expect(e.marked(ctx)).To(ConsistOf("bob"))
	})

	It("never overwrites a concurrent write, but is retried", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.admin(ctx, "alice")
		e.Client = beforeWrite(func() { e.active(ctx, "alice", metav1.ConditionFalse) })
		result, err := e.Reconcile(ctx, reconcile.Request{})
		Expect(err).NotTo(HaveOccurred())
		Expect(result.RequeueAfter).To(And(BeNumerically(">", 0), BeNumerically("<", time.Second)))
		e.Client = cached
		e.reconcile(ctx)
		Expect(e.marked(ctx)).To(BeEmpty())
	})

	It("is not written to a user that was deleted meanwhile", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.admin(ctx, "alice")
		e.Client = beforeWrite(func() { e.delete(ctx, "alice") })
		e.reconcile(ctx)
	})
})
