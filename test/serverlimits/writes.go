package serverlimits

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
)

// The policy's messages to a server.
const (
	makesOwn = "the server may only create objects with label keywright.dev/created-by: api and " +
		"spec.delivery: Response"
	makesBare      = "the server may not create objects with other labels, annotations, finalizers or owners"
	deletesOwn     = "the server may only delete objects that the API created"
	changesOwn     = "the server may only change the spec of objects that the API created"
	annotatesOne   = "the server may only change annotation keywright.dev/rotate, and remove keywright.dev/claim-until"
	leavesMeta     = "the server may not change labels, finalizers or owners"
	writesTwo      = "the server may only write keys, whose they are, and usage of a status"
	keysOfResponse = "the server may not write keys of objects with spec.delivery Secret: the operator does"
)

// guardsMark begins the message of the policy that only the server may set the mark of the API.
const guardsMark = "may not set, change or remove label keywright.dev/created-by"

// guardsClaims is the same for the annotation of objects with a claim link.
const guardsClaims = "may not set or change annotation keywright.dev/claim-until"

const (
	aKey     = `{"status":{"keys":[{"id":"a","digest":"b","state":"Current","issuedAt":"2030-01-01T00:00:00Z"}]}}`
	anID     = `{"status":{"id":"an-id"}}`
	anOwner  = `{"status":{"owner":{"id":"an-id","boundAt":"2030-01-01T00:00:00Z"}}}`
	otherIDs = `{"status":{"id":"another","owner":{"id":"another","boundAt":"2030-01-01T00:00:00Z"}}}`
	aUse     = `{"status":{"usage":{"lastUsedAt":"2030-01-01T00:00:00Z"}}}`
	// overBudget reports a budget that is used up.
	overBudget = `{"status":{"usage":{"budgets":[{"name":"a","from":"spec.budgets","limit":"1 USD per day",` +
		`"action":"Deny","since":"2030-01-01T00:00:00Z","resetsAt":"2030-01-02T00:00:00Z"}]}}}`
	// aboutBudget is condition WithinBudget.
	aboutBudget = `{"status":{"conditions":[{"type":"WithinBudget","status":"True","reason":"x","message":"",` +
		`"lastTransitionTime":"2030-01-01T00:00:00Z"}]}}`
	// noAdmin is condition LastAdmin with status False.
	noAdmin = `{"status":{"conditions":[{"type":"LastAdmin","status":"False","reason":"x","message":"",` +
		`"lastTransitionTime":"2030-01-01T00:00:00Z"}]}}`
)

func (i *Installation) createSpecs() {
	It("creates, changes and deletes objects of the API", func(ctx SpecContext) {
		user := i.user()
		Expect(i.server.Create(ctx, user)).To(Succeed())
		DeferCleanup(i.remove, user.DeepCopy())
		Expect(i.server.Status().Patch(ctx, user.DeepCopy(), mergePatch(aKey))).To(Succeed())
		Expect(i.server.Status().Patch(ctx, user.DeepCopy(), mergePatch(aUse))).To(Succeed())
		Expect(i.server.Patch(ctx, user.DeepCopy(), mergePatch(`{"spec":{"role":"user"}}`))).To(Succeed())
		Expect(i.server.Status().Patch(ctx, user.DeepCopy(), mergePatch(`{"status":{"keys":null}}`))).To(Succeed())
		Expect(i.server.Delete(ctx, user.DeepCopy())).To(Succeed())
	})

	It("creates objects that wait for their key, and ends that", func(ctx SpecContext) {
		for _, object := range []client.Object{i.user(), i.key()} {
			object.SetAnnotations(map[string]string{v1alpha1.AnnotationClaimUntil: "2030-01-01T00:00:00Z"})
			Expect(i.server.Create(ctx, object)).To(Succeed())
			DeferCleanup(i.remove, object.DeepCopyObject().(client.Object))
			change := mergePatch(`{"metadata":{"annotations":{"keywright.dev/claim-until":"2031-01-01T00:00:00Z"}}}`)
			kit.ExpectRefusal(i.server.Patch(ctx, object.DeepCopyObject().(client.Object), change), annotatesOne)
			remove := mergePatch(`{"metadata":{"annotations":{"keywright.dev/claim-until":null}}}`)
			Expect(i.server.Patch(ctx, object, remove)).To(Succeed())
		}
	})

	It("creates and changes APIKeys with any rights, in its own namespace only", func(ctx SpecContext) {
		key := i.key()
		key.Spec.Scopes, key.Spec.Roles = []v1alpha1.Scope{"certs.read"}, []v1alpha1.RoleName{"r"}
		key.Spec.Policy = &v1alpha1.Policy{Permissions: []v1alpha1.Permission{{Effect: "ALLOW",
			Actions: []v1alpha1.Action{"*"}, Resources: []v1alpha1.Resource{"*"}}}}
		elsewhere := key.DeepCopy()
		elsewhere.Namespace = i.Elsewhere
		kit.ExpectNoRight(i.server.Create(ctx, elsewhere))
		Expect(i.server.Create(ctx, key)).To(Succeed())
		Expect(i.server.Patch(ctx, key.DeepCopy(),
			mergePatch(`{"spec":{"scopes":["certs.write"],"roles":null,"policy":null,"state":"Disabled"}}`))).To(Succeed())
		Expect(i.server.Delete(ctx, key.DeepCopy())).To(Succeed())
	})

	DescribeTable("creates none",
		func(ctx SpecContext, want string, change func(*v1alpha1.AdminUser)) {
			user := i.user()
			change(user)
			kit.ExpectRefusal(i.server.Create(ctx, user), want)
		},
		Entry("without the mark of the API", makesOwn, func(u *v1alpha1.AdminUser) { u.Labels = nil }),
		Entry("with another mark", makesOwn, func(u *v1alpha1.AdminUser) { u.Labels[v1alpha1.LabelCreatedBy] = "me" }),
		Entry("with the mark as an annotation", makesOwn, func(u *v1alpha1.AdminUser) {
			u.Annotations, u.Labels = u.Labels, nil
		}),
		Entry("without a delivery", makesOwn, func(u *v1alpha1.AdminUser) { u.Spec.Delivery = "" }),
		Entry("whose key a Secret delivers", makesOwn, func(u *v1alpha1.AdminUser) {
			u.Spec.Delivery = v1alpha1.DeliverySecret
		}),
		Entry("with another label", makesBare, func(u *v1alpha1.AdminUser) { u.Labels["a"] = "b" }),
		Entry("that may be removed as the last admin", makesBare, func(u *v1alpha1.AdminUser) {
			u.Annotations = map[string]string{v1alpha1.AnnotationAllowLastAdminRemoval: "true"}
		}),
		Entry("that waits for its key and has another annotation", makesBare, func(u *v1alpha1.AdminUser) {
			u.Annotations = map[string]string{v1alpha1.AnnotationClaimUntil: "x", v1alpha1.AnnotationRotate: "x"}
		}),
		Entry("that is never gone", makesBare, func(u *v1alpha1.AdminUser) { u.Finalizers = []string{"a.b/c"} }),
		Entry("with an owner", makesBare, func(u *v1alpha1.AdminUser) {
			u.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: "x", UID: "y"}}
		}),
	)
}

// patchSpecs declares what the server patches in an object that create returns.
func (i *Installation) patchSpecs(what string, create func() client.Object) {
	DescribeTable("patches in "+what,
		func(ctx SpecContext, byAPI bool, patch, refused string) {
			object := create()
			i.existing(ctx, object, byAPI)
			patched := object.DeepCopyObject().(client.Object)
			err := i.server.Patch(ctx, patched, mergePatch(patch))
			if i.Unnamed && strings.Contains(patch, v1alpha1.LabelCreatedBy) {
				Expect(kit.Refusal(err)).To(Or(Equal(refused), HavePrefix(guardsMark)))
				return
			}
			if i.Unnamed && strings.Contains(patch, v1alpha1.AnnotationClaimUntil) {
				Expect(kit.Refusal(err)).To(Or(Equal(refused), HavePrefix(guardsClaims)))
				return
			}
			kit.ExpectRefusal(err, refused)
		},
		Entry("the spec of an object of the API", true, `{"spec":{"description":"d","state":"Disabled"}}`, ""),
		Entry("not the mark of the API", true, `{"metadata":{"labels":{"keywright.dev/created-by":null}}}`, leavesMeta),
		Entry("not the annotation for the last admin", true,
			`{"metadata":{"annotations":{"keywright.dev/allow-last-admin-removal":"true"}}}`, annotatesOne),
		Entry("not how long an object waits for its key", true,
			`{"metadata":{"annotations":{"keywright.dev/claim-until":"2030-01-01T00:00:00Z"}}}`, annotatesOne),
		Entry("no finalizer", true, `{"metadata":{"finalizers":null}}`, leavesMeta),
		Entry("no owner", true, `{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"Pod","name":"x","uid":"y"}]}}`,
			leavesMeta),
		Entry("no label", true, `{"metadata":{"labels":{"a":"b"}}}`, leavesMeta),
		Entry("the rotation request of a manifest's object", false,
			`{"metadata":{"annotations":{"keywright.dev/rotate":"now"}}}`, ""),
		Entry("no text of a manifest's object", false, `{"spec":{"description":"d"}}`, changesOwn),
		Entry("not the state of a manifest's object", false, `{"spec":{"state":"Disabled"}}`, changesOwn),
		Entry("not the mark of a manifest's object", false, `{"metadata":{"labels":{"keywright.dev/created-by":"api"}}}`,
			leavesMeta),
		Entry("not mark and spec of a manifest's object at once", false,
			`{"metadata":{"labels":{"keywright.dev/created-by":"api"}},"spec":{"state":"Disabled"}}`, changesOwn),
		Entry("no other annotation of a manifest's object", false, `{"metadata":{"annotations":{"others":"y"}}}`,
			annotatesOne),
		Entry("no removal of another annotation of a manifest's object", false,
			`{"metadata":{"annotations":{"others":null}}}`, annotatesOne),
		Entry("no finalizer of a manifest's object", false, `{"metadata":{"finalizers":["example.com/mine"]}}`, leavesMeta),
		Entry("no label of a manifest's object", false, `{"metadata":{"labels":{"a":"b"}}}`, leavesMeta),
	)
}

func (i *Installation) deleteSpecs() {
	It("changes no role of a manifest's user", func(ctx SpecContext) {
		user := i.existingUser(ctx, false, v1alpha1.DeliveryResponse)
		kit.ExpectRefusal(i.server.Patch(ctx, user, mergePatch(`{"spec":{"role":"user"}}`)), changesOwn)
	})

	It("deletes no object of a manifest, and replaces none", func(ctx SpecContext) {
		user := i.existingUser(ctx, false, v1alpha1.DeliveryResponse)
		kit.ExpectRefusal(i.server.Delete(ctx, user.DeepCopy()), deletesOwn)
		kit.ExpectNoRight(i.server.Update(ctx, user.DeepCopy()))
		kit.ExpectNoRight(i.server.Status().Update(ctx, user.DeepCopy()))
		kit.ExpectNoRight(i.server.DeleteAllOf(ctx, &v1alpha1.AdminUser{}, client.InNamespace(i.Namespace)))
	})
}

func (i *Installation) statusSpecs() {
	DescribeTable("writes into the status",
		func(ctx SpecContext, byAPI bool, delivery v1alpha1.Delivery, patch, refused string) {
			user := i.existingUser(ctx, byAPI, delivery)
			kit.ExpectRefusal(i.server.Status().Patch(ctx, user, mergePatch(patch)), refused)
		},
		Entry("the use of any object", false, v1alpha1.DeliverySecret, aUse, ""),
		Entry("a budget that is used up", false, v1alpha1.DeliverySecret, overBudget, ""),
		Entry("no condition about budgets: the operator does", true, v1alpha1.DeliveryResponse, aboutBudget, writesTwo),
		Entry("the keys that are returned in a reply", false, v1alpha1.DeliveryResponse, aKey, ""),
		Entry("no keys that a Secret delivers", false, v1alpha1.DeliverySecret, aKey, keysOfResponse),
		Entry("no keys that a Secret delivers, even with the mark of the API", true, v1alpha1.DeliverySecret, aKey,
			keysOfResponse),
		Entry("the id of the user with the keys", true, v1alpha1.DeliveryResponse, anID, ""),
		Entry("no id where a Secret delivers the key", false, v1alpha1.DeliverySecret, anID, keysOfResponse),
		Entry("no condition", true, v1alpha1.DeliveryResponse, noAdmin, writesTwo),
		Entry("no removal of a field", true, v1alpha1.DeliveryResponse, `{"status":{"observedGeneration":null}}`, writesTwo),
		Entry("no name of a Secret", true, v1alpha1.DeliveryResponse, `{"status":{"secretName":"x"}}`, writesTwo),
	)

	It("writes the owner with the keys, and never changes whose a key is", func(ctx SpecContext) {
		key := i.key()
		Expect(i.server.Create(ctx, key)).To(Succeed())
		DeferCleanup(i.remove, key.DeepCopy())
		Expect(i.server.Status().Patch(ctx, key.DeepCopy(), mergePatch(aKey))).To(Succeed())
		Expect(i.server.Status().Patch(ctx, key.DeepCopy(), mergePatch(anOwner))).To(Succeed())
		Expect(kit.Refusal(i.server.Status().Patch(ctx, key.DeepCopy(), mergePatch(otherIDs)))).
			To(HavePrefix("may not change status.owner and keep a key"))

		user := i.existingUser(ctx, true, v1alpha1.DeliveryResponse)
		Expect(i.server.Status().Patch(ctx, user.DeepCopy(), mergePatch(anID))).To(Succeed())
		Expect(kit.Refusal(i.server.Status().Patch(ctx, user.DeepCopy(), mergePatch(otherIDs)))).
			To(HavePrefix("may not change status.id"))
	})

	It("leaves the record that a key was revoked", func(ctx SpecContext) {
		key := i.key()
		Expect(i.server.Create(ctx, key)).To(Succeed())
		DeferCleanup(i.remove, key.DeepCopy())
		revoked := key.DeepCopy()
		Expect(i.Plane.Client.Status().Patch(ctx, revoked, mergePatch(`{"status":{"revokedAt":"2030-01-01T00:00:00Z"}}`))).
			To(Succeed())
		kit.ExpectRefusal(i.server.Status().Patch(ctx, key, mergePatch(`{"status":{"revokedAt":null}}`)), writesTwo)
	})

	It("is limited by policies that limit no other account", func(ctx SpecContext) {
		user := i.existingUser(ctx, false, v1alpha1.DeliverySecret)
		c := i.Plane.Client
		Expect(c.Patch(ctx, user.DeepCopy(), mergePatch(`{"metadata":{"labels":{"a":"b"}},"spec":{"role":"user"}}`))).
			To(Succeed())
		Expect(c.Status().Patch(ctx, user.DeepCopy(), mergePatch(aKey))).To(Succeed())
	})
}

func (i *Installation) elsewhereSpecs() {
	It("in other namespaces requests rotations and records the use of APIKeys, but creates and deletes none",
		func(ctx SpecContext) {
			key := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: i.Elsewhere, GenerateName: "key-"}}
			key.Spec.Subject = v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"}
			Expect(i.Plane.Client.Create(ctx, key)).To(Succeed())
			kit.ExpectNoRight(i.server.Delete(ctx, key.DeepCopy()))
			Expect(i.server.Patch(ctx, key.DeepCopy(),
				mergePatch(`{"metadata":{"annotations":{"keywright.dev/rotate":"now"}}}`))).To(Succeed())
			kit.ExpectRefusal(i.server.Patch(ctx, key.DeepCopy(), mergePatch(`{"spec":{"displayName":"another"}}`)), changesOwn)
			Expect(i.server.Status().Patch(ctx, key.DeepCopy(), mergePatch(aUse))).To(Succeed())
			kit.ExpectRefusal(i.server.Status().Patch(ctx, key.DeepCopy(), mergePatch(aKey)), keysOfResponse)
			kit.ExpectRefusal(i.server.Status().Patch(ctx, key.DeepCopy(), mergePatch(anOwner)), keysOfResponse)
		})
}
