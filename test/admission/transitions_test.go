package admission

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/stack"
)

const (
	keepsSubject  = "subject can't be changed: delete this APIKey and create another"
	keepsDelivery = "delivery can't be changed: delete this APIKey and create another"
	staysRevoked  = "a revoked key stays revoked: create another APIKey; set state: Revoked in the manifest too"
	keepsType     = "secret.type can't be changed for the same Secret: change secret.name too"
	keepsUsername = "username can't be changed: delete this AdminUser and create another"
	keepsRoleRef  = "roleRef can't be changed: delete this AccessRoleBinding and create another"
)

// secretOf returns a key whose Secret has a name and a type, where they are not empty.
func secretOf(name string, secretType v1alpha1.SecretType) v1alpha1.APIKeySpec {
	secret := &v1alpha1.APIKeySecret{Type: secretType}
	secret.Name = name
	return v1alpha1.APIKeySpec{Subject: ci, Secret: secret}
}

// The cluster admin is refused too: rights do not matter here.
var _ = DescribeTable("An update of an APIKey",
	func(ctx SpecContext, before v1alpha1.APIKeySpec, patch, want string) {
		expectRefusal(merge(ctx, plane.Client, made(ctx, before), patch), want)
	},
	Entry("keeps the name of its subject", v1alpha1.APIKeySpec{Subject: ci}, `{"spec":{"subject":{"name":"cd"}}}`,
		keepsSubject),
	Entry("keeps the kind of its subject", v1alpha1.APIKeySpec{Subject: ci},
		`{"spec":{"subject":{"kind":"Integration"}}}`, keepsSubject),
	Entry("keeps its delivery", v1alpha1.APIKeySpec{Subject: ci}, `{"spec":{"delivery":"Response"}}`, keepsDelivery),
	Entry("keeps its delivery in a reply", v1alpha1.APIKeySpec{Subject: ci, Delivery: v1alpha1.DeliveryResponse},
		`{"spec":{"delivery":null}}`, keepsDelivery),
	Entry("may set the delivery that it has", v1alpha1.APIKeySpec{Subject: ci},
		`{"spec":{"delivery":"Secret","displayName":"d"}}`, ""),

	Entry("revokes it", v1alpha1.APIKeySpec{Subject: ci}, `{"spec":{"state":"Revoked"}}`, ""),
	Entry("does not activate a revoked one", v1alpha1.APIKeySpec{Subject: ci, State: v1alpha1.StateRevoked},
		`{"spec":{"state":"Active"}}`, staysRevoked),
	Entry("does not disable a revoked one", v1alpha1.APIKeySpec{Subject: ci, State: v1alpha1.StateRevoked},
		`{"spec":{"state":"Disabled"}}`, staysRevoked),
	Entry("does not unset the state of a revoked one", v1alpha1.APIKeySpec{Subject: ci, State: v1alpha1.StateRevoked},
		`{"spec":{"state":null}}`, staysRevoked),
	Entry("describes a revoked one", v1alpha1.APIKeySpec{Subject: ci, State: v1alpha1.StateRevoked},
		`{"spec":{"description":"d"}}`, ""),
	Entry("activates a disabled one", v1alpha1.APIKeySpec{Subject: ci, State: v1alpha1.StateDisabled},
		`{"spec":{"state":"Active"}}`, ""),

	Entry("keeps the type of a Secret", secretOf("n", "Opaque"),
		`{"spec":{"secret":{"type":"example.com/t"}}}`, keepsType),
	Entry("keeps the type of a Secret with the default name", v1alpha1.APIKeySpec{Subject: ci},
		`{"spec":{"secret":{"type":"example.com/t"}}}`, keepsType),
	Entry("keeps the type of a Secret whose settings it removes", secretOf("", "example.com/t"),
		`{"spec":{"secret":null}}`, keepsType),
	Entry("changes type and name", secretOf("n", "Opaque"),
		`{"spec":{"secret":{"type":"example.com/t","name":"m"}}}`, ""),
	Entry("changes type and removes the name", secretOf("n", "example.com/t"), `{"spec":{"secret":null}}`, ""),
	Entry("changes the name alone", secretOf("n", "example.com/t"), `{"spec":{"secret":{"name":"m"}}}`, ""),
	Entry("sets the type that it has", v1alpha1.APIKeySpec{Subject: ci}, `{"spec":{"secret":{"type":"Opaque"}}}`, ""),
)

var _ = Describe("An update", func() {
	It("may not change the type of a Secret by writing its default name", func(ctx SpecContext) {
		key := made(ctx, v1alpha1.APIKeySpec{Subject: ci})
		expectRefusal(merge(ctx, plane.Client, key,
			`{"spec":{"secret":{"type":"example.com/t","name":"`+key.EffectiveSecretName()+`"}}}`), keepsType)
	})

	It("may not activate a revoked key by server-side apply or as a whole", func(ctx SpecContext) {
		key := made(ctx, v1alpha1.APIKeySpec{Subject: ci, State: v1alpha1.StateRevoked})
		applied := []byte(`{"apiVersion":"keywright.dev/v1alpha1","kind":"APIKey","spec":{"state":"Active"}}`)
		expectRefusal(plane.Client.Patch(ctx, key.DeepCopy(), client.RawPatch(types.ApplyPatchType, applied),
			client.FieldOwner("git"), client.ForceOwnership), staysRevoked)
		key.Spec.State = v1alpha1.StateActive
		expectRefusal(plane.Client.Update(ctx, key), staysRevoked)
	})

	DescribeTable("of an AdminUser",
		func(ctx SpecContext, username, patch, want string) {
			name := newName(ctx, "kept")
			createAdmin(ctx, stack.Namespace, name, v1alpha1.AdminUserSpec{Username: username})
			DeferCleanup(func(ctx SpecContext) { deleteAdmin(ctx, stack.Namespace, name) })
			expectRefusal(editAdmin(ctx, stack.Namespace, name, patch), want)
		},
		Entry("keeps the username", "Carol", `{"spec":{"username":"Dave"}}`, keepsUsername),
		Entry("keeps the case of the username", "Carol", `{"spec":{"username":"carol"}}`, keepsUsername),
		Entry("keeps a username that differs from the name", "Carol", `{"spec":{"username":null}}`, keepsUsername),
		Entry("keeps the name as username", "", `{"spec":{"username":"Dave"}}`, keepsUsername),
		Entry("keeps the delivery", "", `{"spec":{"delivery":"Response"}}`,
			"delivery can't be changed: delete this AdminUser and create another"),
		Entry("changes the role", "Carol", demote, ""),
	)

	It("of an AdminUser may write the username that it has", func(ctx SpecContext) {
		name := newName(ctx, "kept")
		createAdmin(ctx, stack.Namespace, name, v1alpha1.AdminUserSpec{})
		DeferCleanup(func(ctx SpecContext) { deleteAdmin(ctx, stack.Namespace, name) })
		expectRefusal(editAdmin(ctx, stack.Namespace, name, `{"spec":{"username":"`+name+`"}}`), "")
	})

	It("of an AccessRoleBinding keeps its role", func(ctx SpecContext) {
		binding := newRoleBinding(ctx)
		edit := func(patch string) error {
			return plane.Client.Patch(ctx, binding.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(patch)))
		}
		expectRefusal(edit(`{"spec":{"roleRef":{"name":"another"}}}`), keepsRoleRef)
		expectRefusal(edit(`{"spec":{"apiKeys":"Denied","subjects":[{"kind":"User","name":"carol"}]}}`), "")
	})
})

func newRoleBinding(ctx context.Context) *v1alpha1.AccessRoleBinding {
	GinkgoHelper()
	binding := &v1alpha1.AccessRoleBinding{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "binding-"},
		Spec:       v1alpha1.AccessRoleBindingSpec{RoleRef: v1alpha1.RoleRef{Name: "reader"}},
	}
	Expect(plane.Client.Create(ctx, binding)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(plane.Client.Delete(ctx, binding.DeepCopy())).To(Succeed()) })
	return binding
}
