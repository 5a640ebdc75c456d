package admission

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/stack"
)

func adminUser(namespace, name string) *v1alpha1.AdminUser {
	return &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}

func createAdmin(ctx context.Context, namespace, name string, spec v1alpha1.AdminUserSpec) {
	GinkgoHelper()
	user := adminUser(namespace, name)
	user.Spec = spec
	Expect(plane.Client.Create(ctx, user)).To(Succeed())
}

// mark writes condition LastAdmin as its controller does.
func mark(ctx context.Context, namespace, name string, status metav1.ConditionStatus) {
	GinkgoHelper()
	user := adminUser(namespace, name)
	Expect(plane.Client.Get(ctx, client.ObjectKeyFromObject(user), user)).To(Succeed())
	user.Status.Conditions = []metav1.Condition{{
		Type: v1alpha1.ConditionLastAdmin, Status: status, Reason: v1alpha1.ReasonOnlyActiveAdmin,
		LastTransitionTime: metav1.Now(),
	}}
	Expect(plane.Client.Status().Update(ctx, user)).To(Succeed())
}

func markLast(ctx context.Context, namespace, name string) {
	GinkgoHelper()
	mark(ctx, namespace, name, metav1.ConditionTrue)
}

// deleteAdmin removes an AdminUser, even the last admin.
func deleteAdmin(ctx context.Context, namespace, name string) {
	GinkgoHelper()
	Expect(client.IgnoreNotFound(editAdmin(ctx, namespace, name, allowRemoval))).To(Succeed())
	Expect(client.IgnoreNotFound(plane.Client.Delete(ctx, adminUser(namespace, name)))).To(Succeed())
	Expect(client.IgnoreNotFound(editAdmin(ctx, namespace, name, `{"metadata":{"finalizers":null}}`))).To(Succeed())
}

// editAdmin patches an AdminUser as kubectl patch --type=merge does.
func editAdmin(ctx context.Context, namespace, name, patch string) error {
	return plane.Client.Patch(ctx, adminUser(namespace, name), client.RawPatch(types.MergePatchType, []byte(patch)))
}

const (
	demote       = `{"spec":{"role":"user"}}`
	disable      = `{"spec":{"state":"Disabled"}}`
	allowRemoval = `{"metadata":{"annotations":{"keywright.dev/allow-last-admin-removal":"true"}}}`
)

func lastAdmin(name, how string) string {
	return name + " is the last active admin and can't be " + how + ": make another admin first, " +
		`or set annotation keywright.dev/allow-last-admin-removal: "true" beforehand`
}

// The cluster admin is refused too: rights do not matter here.
var _ = Describe("The last admin", func() {
	BeforeEach(func(ctx SpecContext) {
		createAdmin(ctx, stack.Namespace, "alice", v1alpha1.AdminUserSpec{})
		markLast(ctx, stack.Namespace, "alice")
		DeferCleanup(func(ctx SpecContext) { deleteAdmin(ctx, stack.Namespace, "alice") })
	})
	edit := func(ctx context.Context, patch string) error { return editAdmin(ctx, stack.Namespace, "alice", patch) }
	remove := func(ctx context.Context) error { return plane.Client.Delete(ctx, adminUser(stack.Namespace, "alice")) }

	It("is not deleted, demoted or disabled", func(ctx SpecContext) {
		expectRefusal(remove(ctx), lastAdmin("alice", "deleted"))
		expectRefusal(edit(ctx, demote), lastAdmin("alice", "demoted"))
		expectRefusal(edit(ctx, disable), lastAdmin("alice", "disabled"))
		Expect(refusal(edit(ctx, `{"spec":{"role":"user","state":"Disabled"}}`))).To(ContainSubstring("last active admin"))
	})

	It("is not deleted with all others, nor in a dry run", func(ctx SpecContext) {
		all := []client.DeleteAllOfOption{client.InNamespace(stack.Namespace)}
		expectRefusal(plane.Client.DeleteAllOf(ctx, &v1alpha1.AdminUser{}, all...), lastAdmin("alice", "deleted"))
		expectRefusal(plane.Client.Delete(ctx, adminUser(stack.Namespace, "alice"), client.DryRunAll),
			lastAdmin("alice", "deleted"))
	})

	It("is not demoted by an apply", func(ctx SpecContext) {
		applied := []byte(`{"apiVersion":"keywright.dev/v1alpha1","kind":"AdminUser","spec":{"role":"user"}}`)
		err := plane.Client.Patch(ctx, adminUser(stack.Namespace, "alice"), client.RawPatch(types.ApplyPatchType, applied),
			client.FieldOwner("git"), client.ForceOwnership)
		expectRefusal(err, lastAdmin("alice", "demoted"))
	})

	DescribeTable("may be edited otherwise",
		func(ctx SpecContext, patch string) { Expect(edit(ctx, patch)).To(Succeed()) },
		Entry("labelled", `{"metadata":{"labels":{"a":"b"}}}`),
		Entry("rotated", `{"metadata":{"annotations":{"keywright.dev/rotate":"now"}}}`),
		Entry("on a schedule", `{"spec":{"rotation":{"every":"1h"}}}`),
		Entry("with its fields set to what they are", `{"spec":{"role":"admin","state":"Active"}}`),
		Entry("with its fields unset", `{"spec":{"role":null,"state":null}}`),
	)

	It("may be removed once the annotation is set", func(ctx SpecContext) {
		Expect(edit(ctx, allowRemoval)).To(Succeed())
		Expect(edit(ctx, demote)).To(Succeed())
		Expect(edit(ctx, `{"spec":{"role":"admin"}}`)).To(Succeed())
		Expect(edit(ctx, disable)).To(Succeed())
		Expect(remove(ctx)).To(Succeed())
	})

	It("may not be removed by a write that sets the annotation, or with another value of it", func(ctx SpecContext) {
		expectRefusal(edit(ctx,
			`{"metadata":{"annotations":{"keywright.dev/allow-last-admin-removal":"true"}},"spec":{"role":"user"}}`),
			lastAdmin("alice", "demoted"))
		Expect(edit(ctx, `{"metadata":{"annotations":{"keywright.dev/allow-last-admin-removal":"false"}}}`)).To(Succeed())
		expectRefusal(remove(ctx), lastAdmin("alice", "deleted"))
	})

	It("may be removed in the write that removes the annotation", func(ctx SpecContext) {
		Expect(edit(ctx, allowRemoval)).To(Succeed())
		Expect(edit(ctx, `{"metadata":{"annotations":null},"spec":{"role":"user"}}`)).To(Succeed())
	})

	DescribeTable("may be edited once it is not an active admin, before the condition is removed",
		func(ctx SpecContext, patch string) {
			mark(ctx, stack.Namespace, "alice", metav1.ConditionFalse)
			Expect(edit(ctx, patch)).To(Succeed())
			markLast(ctx, stack.Namespace, "alice")
			Expect(edit(ctx, `{"metadata":{"labels":{"a":"b"}}}`)).To(Succeed())
		},
		Entry("demoted", demote),
		Entry("disabled", disable),
	)

	It("needs condition LastAdmin with status True", func(ctx SpecContext) {
		mark(ctx, stack.Namespace, "alice", metav1.ConditionFalse)
		Expect(edit(ctx, demote)).To(Succeed())
		Expect(remove(ctx)).To(Succeed())

		createAdmin(ctx, stack.Namespace, "alice", v1alpha1.AdminUserSpec{})
		Expect(edit(ctx, disable)).To(Succeed())
		Expect(remove(ctx)).To(Succeed())
	})

	It("keeps its status writable", func(ctx SpecContext) {
		mark(ctx, stack.Namespace, "alice", metav1.ConditionFalse)
		markLast(ctx, stack.Namespace, "alice")
	})

	It("loses its finalizers while it is being deleted, and may be deleted again", func(ctx SpecContext) {
		mark(ctx, stack.Namespace, "alice", metav1.ConditionFalse)
		Expect(edit(ctx, `{"metadata":{"finalizers":["keywright.dev/last-admin"]}}`)).To(Succeed())
		Expect(remove(ctx)).To(Succeed())
		markLast(ctx, stack.Namespace, "alice")
		Expect(remove(ctx)).To(Succeed())
		Expect(edit(ctx, `{"metadata":{"finalizers":null}}`)).To(Succeed())
		Expect(plane.Client.Get(ctx, client.ObjectKey{Namespace: stack.Namespace, Name: "alice"}, &v1alpha1.AdminUser{})).
			To(MatchError(ContainSubstring("not found")))
	})
})

var _ = Describe("The last admin", func() {
	It("is named by its username in the message", func(ctx SpecContext) {
		createAdmin(ctx, stack.Namespace, "ops-1", v1alpha1.AdminUserSpec{Username: "Carol"})
		DeferCleanup(func(ctx SpecContext) { deleteAdmin(ctx, stack.Namespace, "ops-1") })
		markLast(ctx, stack.Namespace, "ops-1")
		expectRefusal(editAdmin(ctx, stack.Namespace, "ops-1", disable), lastAdmin("Carol", "disabled"))
	})

	It("is deleted with its namespace", func(ctx SpecContext) {
		remove := func() error { return plane.Client.Delete(ctx, adminUser(old, "zoe")) }
		expectRefusal(remove(), lastAdmin("zoe", "deleted"))
		Expect(plane.Client.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: old}})).To(Succeed())
		Eventually(ctx, remove).WithTimeout(time.Minute).WithPolling(20 * time.Millisecond).Should(Succeed())
	})
})
