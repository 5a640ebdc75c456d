package admission

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/stack"
)

// The policy's messages to a server.
const (
	makesOwn = "the server may only create objects with annotation keywright.dev/created-by: api and " +
		"spec.delivery: Response"
	deletesOwn     = "the server may only delete objects that the API created"
	changesOwn     = "the server may only change the spec of objects that the API created"
	annotatesOne   = "the server may only change annotation keywright.dev/rotate"
	leavesMeta     = "the server may not change labels, finalizers or owners"
	writesTwo      = "the server may only write keys and lastUsedTime of a status"
	keysOfResponse = "the server may not write keys of objects with spec.delivery Secret: the operator does"
)

// makeUser creates an AdminUser as the cluster admin, who may also mark it as created by the API.
func makeUser(ctx context.Context, name string, byAPI bool, delivery v1alpha1.Delivery) *v1alpha1.AdminUser {
	GinkgoHelper()
	user := adminUser(stack.Namespace, name)
	user.Spec.Delivery = delivery
	user.Annotations = map[string]string{"others": "x"}
	user.Finalizers = []string{"example.com/wait"}
	if byAPI {
		user.Annotations[v1alpha1.LabelCreatedBy] = v1alpha1.CreatedByAPI
	}
	Expect(plane.Client.Create(ctx, user)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { deleteAdmin(ctx, stack.Namespace, name) })
	return user
}

func mergePatch(patch string) client.Patch {
	return client.RawPatch(types.MergePatchType, []byte(patch))
}

var _ = Describe("A server", func() {
	var server client.Client

	BeforeEach(func(ctx SpecContext) { server = account(ctx, "keywright-server") })

	It("creates, changes and deletes objects of the API", func(ctx SpecContext) {
		user := adminUser(stack.Namespace, "made")
		user.Spec.Delivery = v1alpha1.DeliveryResponse
		user.Annotations = map[string]string{v1alpha1.LabelCreatedBy: v1alpha1.CreatedByAPI}
		Expect(server.Create(ctx, user)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { deleteAdmin(ctx, stack.Namespace, "made") })
		Expect(server.Status().Patch(ctx, user.DeepCopy(), mergePatch(
			`{"status":{"keys":[{"id":"a","digest":"b","issuedAt":"2030-01-01T00:00:00Z"}],"lastUsedTime":"2030-01-01T00:00:00Z"}}`))).To(Succeed())
		Expect(server.Patch(ctx, user.DeepCopy(), mergePatch(`{"spec":{"role":"user"}}`))).To(Succeed())
		Expect(server.Status().Patch(ctx, user.DeepCopy(), mergePatch(`{"status":{"keys":null}}`))).To(Succeed())
		Expect(server.Delete(ctx, user.DeepCopy())).To(Succeed())
	})

	It("creates and changes APIKeys with any rights, in its own namespace only", func(ctx SpecContext) {
		key := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{
			Namespace: stack.Namespace, GenerateName: "ci-",
			Annotations: map[string]string{v1alpha1.LabelCreatedBy: v1alpha1.CreatedByAPI},
		}}
		key.Spec = v1alpha1.APIKeySpec{
			Subject: v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "alice"}, Delivery: v1alpha1.DeliveryResponse,
			Scopes: []v1alpha1.Scope{"certs.read"}, Roles: []v1alpha1.RoleName{"r"},
			Policy: &v1alpha1.Policy{Permissions: []v1alpha1.Permission{{Effect: "ALLOW", Actions: []v1alpha1.Action{"*"},
				Resources: []v1alpha1.Resource{"*"}}}},
		}
		elsewhere := key.DeepCopy()
		elsewhere.Namespace = team
		expectNoRight(server.Create(ctx, elsewhere))
		Expect(server.Create(ctx, key)).To(Succeed())
		Expect(server.Patch(ctx, key.DeepCopy(),
			mergePatch(`{"spec":{"scopes":["certs.write"],"roles":null,"policy":null,"enabled":false}}`))).To(Succeed())
		Expect(server.Delete(ctx, key.DeepCopy())).To(Succeed())
	})

	It("creates none without the mark of the API, or whose key a Secret delivers", func(ctx SpecContext) {
		for _, change := range []func(*v1alpha1.AdminUser){
			func(u *v1alpha1.AdminUser) { u.Annotations = nil },
			func(u *v1alpha1.AdminUser) { u.Annotations[v1alpha1.LabelCreatedBy] = "me" },
			func(u *v1alpha1.AdminUser) { u.Spec.Delivery = "" },
			func(u *v1alpha1.AdminUser) { u.Spec.Delivery = v1alpha1.DeliverySecret },
		} {
			user := adminUser(stack.Namespace, "not-made")
			user.Spec.Delivery = v1alpha1.DeliveryResponse
			user.Annotations = map[string]string{v1alpha1.LabelCreatedBy: v1alpha1.CreatedByAPI}
			change(user)
			expectRefusal(server.Create(ctx, user), makesOwn)
		}
	})

	DescribeTable("patches",
		func(ctx SpecContext, byAPI bool, patch, refused string) {
			user := makeUser(ctx, newName(ctx, "patched"), byAPI, v1alpha1.DeliveryResponse)
			expectRefusal(server.Patch(ctx, user, mergePatch(patch)), refused)
		},
		Entry("the role of an object of the API", true, `{"spec":{"role":"user"}}`, ""),
		Entry("not the mark of the API", true, `{"metadata":{"annotations":{"keywright.dev/created-by":null}}}`,
			annotatesOne),
		Entry("not the annotation for the last admin", true, allowRemoval, annotatesOne),
		Entry("no finalizer", true, `{"metadata":{"finalizers":null}}`, leavesMeta),
		Entry("no owner", true, `{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"Pod","name":"x","uid":"y"}]}}`,
			leavesMeta),
		Entry("no label", true, `{"metadata":{"labels":{"a":"b"}}}`, leavesMeta),
		Entry("the rotation request of a manifest's object", false,
			`{"metadata":{"annotations":{"keywright.dev/rotate":"now"}}}`, ""),
		Entry("not the role of a manifest's object", false, `{"spec":{"role":"user"}}`, changesOwn),
		Entry("not enabled of a manifest's object", false, `{"spec":{"enabled":false}}`, changesOwn),
		Entry("not the mark of a manifest's object", false,
			`{"metadata":{"annotations":{"keywright.dev/created-by":"api"}}}`, annotatesOne),
		Entry("not mark and role of a manifest's object at once", false,
			`{"metadata":{"annotations":{"keywright.dev/created-by":"api"}},"spec":{"role":"user"}}`, changesOwn),
		Entry("no other annotation of a manifest's object", false, `{"metadata":{"annotations":{"others":"y"}}}`,
			annotatesOne),
		Entry("no removal of another annotation of a manifest's object", false,
			`{"metadata":{"annotations":{"others":null}}}`, annotatesOne),
		Entry("no finalizer of a manifest's object", false, `{"metadata":{"finalizers":["example.com/mine"]}}`, leavesMeta),
		Entry("no label of a manifest's object", false, `{"metadata":{"labels":{"a":"b"}}}`, leavesMeta),
	)

	DescribeTable("writes into the status",
		func(ctx SpecContext, byAPI bool, delivery v1alpha1.Delivery, patch, refused string) {
			user := makeUser(ctx, newName(ctx, "status"), byAPI, delivery)
			expectRefusal(server.Status().Patch(ctx, user, mergePatch(patch)), refused)
		},
		Entry("the last use of any object", false, v1alpha1.DeliverySecret,
			`{"status":{"lastUsedTime":"2030-01-01T00:00:00Z"}}`, ""),
		Entry("the keys that are returned in a reply", false, v1alpha1.DeliveryResponse, aKey, ""),
		Entry("no keys that a Secret delivers", false, v1alpha1.DeliverySecret, aKey, keysOfResponse),
		Entry("no keys that a Secret delivers, even with the mark of the API", true, v1alpha1.DeliverySecret, aKey,
			keysOfResponse),
		Entry("no condition", true, v1alpha1.DeliveryResponse,
			`{"status":{"conditions":[{"type":"LastAdmin","status":"False","reason":"x","message":"","lastTransitionTime":"2030-01-01T00:00:00Z"}]}}`, writesTwo),
		Entry("no removal of a field", true, v1alpha1.DeliveryResponse, `{"status":{"observedGeneration":null}}`, writesTwo),
		Entry("no name of a Secret", true, v1alpha1.DeliveryResponse, `{"status":{"secretName":"x"}}`, writesTwo),
	)

	It("deletes no object of a manifest, and replaces none", func(ctx SpecContext) {
		user := makeUser(ctx, newName(ctx, "kept"), false, v1alpha1.DeliveryResponse)
		expectRefusal(server.Delete(ctx, user.DeepCopy()), deletesOwn)
		expectNoRight(server.Update(ctx, user.DeepCopy()))
		expectNoRight(server.Status().Update(ctx, user.DeepCopy()))
		expectNoRight(server.DeleteAllOf(ctx, &v1alpha1.AdminUser{}, client.InNamespace(stack.Namespace)))
	})

	It("in other namespaces requests rotations and records last use of APIKeys, but creates and deletes none",
		func(ctx SpecContext) {
			key := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: team, Name: newName(ctx, "key")}}
			key.Spec.Subject = v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"}
			Expect(plane.Client.Create(ctx, key)).To(Succeed())
			expectNoRight(server.Delete(ctx, key.DeepCopy()))
			Expect(server.Patch(ctx, key.DeepCopy(),
				mergePatch(`{"metadata":{"annotations":{"keywright.dev/rotate":"now"}}}`))).To(Succeed())
			expectRefusal(server.Patch(ctx, key.DeepCopy(), mergePatch(`{"spec":{"displayName":"another"}}`)), changesOwn)
			Expect(server.Status().
				Patch(ctx, key.DeepCopy(), mergePatch(`{"status":{"lastUsedTime":"2030-01-01T00:00:00Z"}}`))).To(Succeed())
			expectRefusal(server.Status().Patch(ctx, key.DeepCopy(), mergePatch(aKey)), keysOfResponse)
		})

	It("is limited by policies that limit no other account", func(ctx SpecContext) {
		user := makeUser(ctx, newName(ctx, "user"), false, v1alpha1.DeliverySecret)
		Expect(plane.Client.Patch(ctx, user.DeepCopy(),
			mergePatch(`{"metadata":{"labels":{"a":"b"}},"spec":{"role":"user"}}`))).To(Succeed())
		Expect(plane.Client.Status().Patch(ctx, user.DeepCopy(), mergePatch(strings.Replace(aKey, `"a"`, `"c"`, 1)))).
			To(Succeed())
	})
})

const aKey = `{"status":{"keys":[{"id":"a","digest":"b","issuedAt":"2030-01-01T00:00:00Z"}]}}`
