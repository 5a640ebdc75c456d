package admission

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
)

var editingBindings = rbacv1.PolicyRule{APIGroups: group, Resources: []string{"accessrolebindings"},
	Verbs: []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}}

func roleBinding(name, role string) *v1alpha1.AccessRoleBinding {
	return &v1alpha1.AccessRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"of": name}},
		Spec: v1alpha1.AccessRoleBindingSpec{
			RoleRef:  v1alpha1.RoleRef{Name: v1alpha1.RoleName(role)},
			Subjects: []v1alpha1.BoundSubject{{Kind: v1alpha1.BoundUser, Name: "carol"}},
		},
	}
}

func noBinding(do, role string) string {
	return fmt.Sprintf("may not %s role %q: needs verb use on accessroles.keywright.dev %q in the whole cluster", do,
		role, role)
}

// everywhere returns a client of a new user with these rules in the whole cluster.
func everywhere(ctx context.Context, rules ...rbacv1.PolicyRule) client.Client {
	GinkgoHelper()
	return holder(ctx, "", newClusterRole(ctx, rules...))
}

var _ = Describe("A user who may edit AccessRoleBindings", func() {
	var (
		binding       *v1alpha1.AccessRoleBinding
		editor, bound client.Client
	)
	BeforeEach(func(ctx SpecContext) {
		binding = roleBinding(newName(ctx, "binding"), "reader")
		Expect(plane.Client.Create(ctx, binding)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			Expect(client.IgnoreNotFound(plane.Client.Delete(ctx, binding))).To(Succeed())
		})
		editor = everywhere(ctx, editingBindings, use("accessroles", "writer"))
		bound = everywhere(ctx, editingBindings, use("accessroles", "reader"))
	})
	patch := func(ctx context.Context, who client.Client, body string) error {
		return who.Patch(ctx, binding.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(body)), client.DryRunAll)
	}

	It("creates those of roles that they may use", func(ctx SpecContext) {
		expectRefusal(editor.Create(ctx, roleBinding("tried", "reader"), client.DryRunAll), noBinding("bind", "reader"))
		expectRefusal(bound.Create(ctx, roleBinding("tried", "reader"), client.DryRunAll), "")
	})

	It("does not create one with use of the role in a namespace", func(ctx SpecContext) {
		user := newName(ctx, "local")
		bind(ctx, user, "ClusterRole", newClusterRole(ctx, editingBindings), "")
		bind(ctx, user, "ClusterRole", newClusterRole(ctx, use("accessroles")), team)
		awaitRules(ctx, user, "", rules{editingBindings})
		awaitRules(ctx, user, team, rules{use("accessroles")})
		expectRefusal(as(user).Create(ctx, roleBinding("tried", "reader"), client.DryRunAll), noBinding("bind", "reader"))
	})

	DescribeTable("changes those of roles that they may use:", func(ctx SpecContext, body string) {
		expectRefusal(patch(ctx, editor, body), noBinding("change a binding of", "reader"))
		expectRefusal(patch(ctx, bound, body), "")
	},
		Entry("another subject", `{"spec":{"subjects":[{"kind":"User","name":"carol"},{"kind":"User","name":"dave"}]}}`),
		Entry("fewer subjects, for the role may deny", `{"spec":{"subjects":[]}}`),
		Entry("no subjects", `{"spec":{"subjects":null}}`),
		Entry("ownership of keys", `{"spec":{"apiKeys":"Denied"}}`),
	)

	It("changes the metadata of any", func(ctx SpecContext) {
		expectRefusal(patch(ctx, editor, `{"metadata":{"labels":{"a":"b"},"annotations":{"a":"b"},"finalizers":["a.b/c"]}}`),
			"")
		expectRefusal(patch(ctx, editor, `{"spec":{"apiKeys":"Allowed"}}`), "")
	})

	It("does not move one to another role", func(ctx SpecContext) {
		for _, who := range []client.Client{editor, bound} {
			Expect(refusal(patch(ctx, who, `{"spec":{"roleRef":{"name":"writer"}}}`))).NotTo(BeEmpty())
		}
	})

	It("deletes those of roles that they may use, also all at once", func(ctx SpecContext) {
		expectRefusal(editor.Delete(ctx, binding), noBinding("remove a binding of", "reader"))
		all := client.MatchingLabels{"of": binding.Name}
		expectRefusal(editor.DeleteAllOf(ctx, &v1alpha1.AccessRoleBinding{}, all), noBinding("remove a binding of", "reader"))
		Expect(bound.DeleteAllOf(ctx, &v1alpha1.AccessRoleBinding{}, all)).To(Succeed())
		Expect(client.IgnoreNotFound(plane.Client.Get(ctx, client.ObjectKeyFromObject(binding), binding))).To(Succeed())
	})
})
