package revoked

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/test/stack"
)

// tenant is a namespace with APIKeys.
const tenant = "default"

// key is an issued key.
type key struct {
	plaintext string
	// object is the object that records it, as it was before the revocation.
	object keyholder.Object
}

func (k *key) id() string { return k.object.HolderStatus().Keys[0].ID }

// way is a way of revoking a key, or of ending it.
type way struct {
	issue func(ctx context.Context, name string) *key
	end   func(ctx context.Context, k *key)
}

// revocations are the ways of revoking a key for good. A new verb goes in here.
var revocations = map[string]way{
	"kubectl: state Revoked": {applied, func(ctx context.Context, k *key) {
		kubectl(ctx, k, "patch", "--type=merge", `-p={"spec":{"state":"Revoked"}}`)
	}},
	"kubectl: role user": {appliedAdmin, func(ctx context.Context, k *key) {
		kubectl(ctx, k, "patch", "--type=merge", `-p={"spec":{"role":"user"}}`)
	}},
	"REST: an admin is deleted": {createdAdmin, func(ctx context.Context, k *key) {
		call(ctx, "DELETE", "/api/admin/users/"+k.object.GetName(), "")
	}},
	"REST: an admin is demoted": {createdAdmin, func(ctx context.Context, k *key) {
		call(ctx, "PUT", "/api/admin/users/"+k.object.GetName()+"/role", `{"role":"user"}`)
	}},
	"REST: a key of a user is deleted":         removed("users"),
	"REST: a key of an account is deleted":     removed("accounts"),
	"REST: a key of an integration is deleted": removed("integrations"),
	"REST: a key is deleted by its id": {removed("users").issue, func(ctx context.Context, k *key) {
		call(ctx, "DELETE", "/apiv1/apikeys/"+string(k.object.GetUID()), "")
	}},
	"GraphQL: revokeToken": {func(ctx context.Context, name string) *key {
		made := mutate(ctx, `createToken(token: {name: "`+name+`", policy: "{\"permissions\":`+
			`[{\"effect\":\"ALLOW\",\"actions\":[\"certs:Read\"],\"resources\":[\"*\"]}]}"}) { id token }`, "createToken")
		return created(ctx, made["token"], made["id"])
	}, func(ctx context.Context, k *key) {
		mutate(ctx, `revokeToken(id: "`+string(k.object.GetUID())+`") { id }`, "revokeToken")
	}},
	"GraphQL: revokeIntegrationInstanceToken": {func(ctx context.Context, name string) *key {
		made := mutate(ctx, `createIntegrationInstanceToken(id: "`+name+`") { tokenId token }`,
			"createIntegrationInstanceToken")
		return created(ctx, made["token"], made["tokenId"])
	}, func(ctx context.Context, k *key) {
		mutate(ctx, `revokeIntegrationInstanceToken(tokenId: "`+string(k.object.GetUID())+`") { success }`,
			"revokeIntegrationInstanceToken")
	}},
}

// ends are the ways of ending a key that is not revoked by that.
var ends = map[string]way{
	"kubectl: an APIKey is deleted":     {applied, func(ctx context.Context, k *key) { kubectl(ctx, k, "delete") }},
	"kubectl: an AdminUser is deleted":  {appliedAdmin, func(ctx context.Context, k *key) { kubectl(ctx, k, "delete") }},
	"kubectl: a rotation without a gap": {applied, rotateAway},
}

// removed deletes a key of a kind of subjects through the API.
func removed(subjects string) way {
	path := func(name string) string { return "/apiv1/" + subjects + "/" + name + "/apikeys" }
	return way{func(ctx context.Context, name string) *key {
		made := call(ctx, "POST", path(name), `{"name":"`+name+`","scopes":["certs.read"]}`)["data"].(map[string]any)
		return created(ctx, made["token"], made["id"])
	}, func(ctx context.Context, k *key) {
		name := k.object.(*v1alpha1.APIKey).Spec.Subject.Name
		call(ctx, "DELETE", path(name)+"/"+string(k.object.GetUID()), "")
	}}
}

func newAPIKey(namespace, name string) *v1alpha1.APIKey {
	return &v1alpha1.APIKey{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.APIKeySpec{
			Subject:  v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: name},
			Rotation: &v1alpha1.Rotation{Overlap: new(v1alpha1.Duration("0s"))},
		},
	}
}

// applied creates an APIKey from a manifest.
func applied(ctx context.Context, name string) *key {
	GinkgoHelper()
	k := newAPIKey(tenant, name)
	Expect(s.Client.Create(ctx, k)).To(Succeed())
	return delivered(ctx, k, k.EffectiveSecretName())
}

// appliedAdmin creates an AdminUser from a manifest.
func appliedAdmin(ctx context.Context, name string) *key {
	GinkgoHelper()
	user := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: stack.Namespace, Name: name}}
	Expect(s.Client.Create(ctx, user)).To(Succeed())
	return delivered(ctx, user, user.EffectiveSecretName())
}

func delivered(ctx context.Context, o keyholder.Object, secretName string) *key {
	GinkgoHelper()
	secret := &corev1.Secret{}
	eventually(ctx, func(g Gomega) {
		g.Expect(s.Client.Get(ctx, client.ObjectKey{Namespace: o.GetNamespace(), Name: secretName}, secret)).To(Succeed())
		g.Expect(s.Client.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
		g.Expect(meta.IsStatusConditionTrue(o.HolderStatus().Conditions, v1alpha1.ConditionReady)).To(BeTrue())
	}).Should(Succeed())
	return &key{string(secret.Data[v1alpha1.SecretKey]), o}
}

// createdAdmin creates an AdminUser through the API.
func createdAdmin(ctx context.Context, name string) *key {
	GinkgoHelper()
	made := call(ctx, "POST", "/api/admin/users", `{"username":"`+name+`"}`)
	user := &v1alpha1.AdminUser{}
	Expect(s.Client.Get(ctx, client.ObjectKey{Namespace: stack.Namespace, Name: name}, user)).To(Succeed())
	return &key{made["api_key"].(string), user}
}

// created returns a key that was created through the API, by its id.
func created(ctx context.Context, plaintext, id any) *key {
	GinkgoHelper()
	var all v1alpha1.APIKeyList
	Expect(s.Client.List(ctx, &all, client.InNamespace(stack.Namespace))).To(Succeed())
	for i := range all.Items {
		if all.Items[i].UID == types.UID(id.(string)) {
			return &key{plaintext.(string), &all.Items[i]}
		}
	}
	Fail("no APIKey has this id")
	return nil
}

// kubectl runs a command on the object of a key.
func kubectl(ctx context.Context, k *key, verb string, args ...string) {
	GinkgoHelper()
	object := []string{verb, keyholder.KindOf(k.object), k.object.GetName(), "-n", k.object.GetNamespace()}
	out, err := s.Kubectl(ctx, append(object, args...)...)
	Expect(err).NotTo(HaveOccurred(), out)
}

func rotateAway(ctx context.Context, k *key) {
	GinkgoHelper()
	kubectl(ctx, k, "annotate", v1alpha1.AnnotationRotate+"=now")
	expectAnswers(ctx, k.plaintext, 401)
	kubectl(ctx, k, "delete")
}

// returns are the ways in which a key comes back. Each returns the object that records it.
var returns = []struct {
	name string
	back func(ctx context.Context, k *key, name string) keyholder.Object
}{
	{"by adoption in another object", func(ctx context.Context, k *key, name string) keyholder.Object {
		return adopt(ctx, k, tenant, name)
	}},
	{"by adoption in an object of the same name", func(ctx context.Context, k *key, _ string) keyholder.Object {
		vacate(ctx, k.object)
		return adopt(ctx, k, k.object.GetNamespace(), k.object.GetName())
	}},
	{"by a restored status", func(ctx context.Context, k *key, _ string) keyholder.Object {
		vacate(ctx, k.object)
		return restore(ctx, k)
	}},
}

// adopt hands the key over to a new APIKey.
func adopt(ctx context.Context, k *key, namespace, name string) keyholder.Object {
	GinkgoHelper()
	o := newAPIKey(namespace, name)
	vacate(ctx, o)
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, GenerateName: name + "-", Annotations: map[string]string{v1alpha1.AnnotationAdopt: "true"},
		},
		Data: map[string][]byte{v1alpha1.SecretKey: []byte(k.plaintext)},
	}
	Expect(s.Client.Create(ctx, secret)).To(Succeed())
	o.Spec.Secret = &v1alpha1.APIKeySecret{SecretTemplate: v1alpha1.SecretTemplate{Name: secret.Name}}
	Expect(s.Client.Create(ctx, o)).To(Succeed())
	return o
}

// restore creates the object of the key again, with its status. With delivery Response the operator issues no key of
// its own in between.
func restore(ctx context.Context, k *key) keyholder.Object {
	GinkgoHelper()
	fresh := metav1.ObjectMeta{Namespace: k.object.GetNamespace(), Name: k.object.GetName()}
	var o keyholder.Object
	switch before := k.object.(type) {
	case *v1alpha1.AdminUser:
		o = &v1alpha1.AdminUser{ObjectMeta: fresh, Spec: v1alpha1.AdminUserSpec{
			Username: before.Spec.Username, Delivery: v1alpha1.DeliveryResponse,
		}}
	case *v1alpha1.APIKey:
		o = &v1alpha1.APIKey{ObjectMeta: fresh, Spec: v1alpha1.APIKeySpec{
			Subject: before.Spec.Subject, Scopes: before.Spec.Scopes, Delivery: v1alpha1.DeliveryResponse,
		}}
	}
	Expect(s.Client.Create(ctx, o)).To(Succeed())
	eventually(ctx, func() error {
		if err := s.Client.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
			return err
		}
		o.HolderStatus().Keys = k.object.HolderStatus().Keys
		return s.Client.Status().Update(ctx, o)
	}).Should(Succeed())
	return o
}

// vacate deletes the object of this name, as kubectl does.
func vacate(ctx context.Context, o keyholder.Object) {
	GinkgoHelper()
	o = o.DeepCopyObject().(keyholder.Object)
	o.SetResourceVersion("")
	Expect(client.IgnoreNotFound(s.Client.Delete(ctx, o))).To(Succeed())
	eventually(ctx, func() bool {
		return apierrors.IsNotFound(s.Client.Get(ctx, client.ObjectKeyFromObject(o), o))
	}).Should(BeTrue())
}

// expectRefused expects that the key is refused by both servers, and that its object says so.
func expectRefused(ctx context.Context, k *key, o keyholder.Object) {
	GinkgoHelper()
	eventually(ctx, func(g Gomega) {
		g.Expect(s.Client.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
		g.Expect(o.HolderStatus().Keys).To(HaveExactElements(HaveField("Digest", k.object.HolderStatus().Keys[0].Digest)))
		g.Expect(o.HolderStatus().Usage.Refused).To(HaveExactElements(
			v1alpha1.RefusedKey{ID: k.id(), Reason: v1alpha1.ReasonRevokedKey}))
		active := meta.FindStatusCondition(o.HolderStatus().Conditions, v1alpha1.ConditionActive)
		g.Expect(active).To(HaveValue(And(
			HaveField("Status", metav1.ConditionFalse), HaveField("Reason", v1alpha1.ReasonRevokedKey))))
		g.Expect(warnings(ctx, o)).To(HaveExactElements(HaveField("Note", HavePrefix("Key "+k.id()+" was revoked before"))))
	}).Should(Succeed())
	expectAnswers(ctx, k.plaintext, 401)
}

// warnings returns the events of a refusal.
func warnings(ctx context.Context, o keyholder.Object) (found []eventsv1.Event) {
	GinkgoHelper()
	var all eventsv1.EventList
	Expect(s.Client.List(ctx, &all, client.InNamespace(o.GetNamespace()))).To(Succeed())
	for _, event := range all.Items {
		if event.Regarding.UID == o.GetUID() && event.Reason == v1alpha1.ReasonRevokedKey {
			found = append(found, event)
		}
	}
	return found
}

var _ = Describe("A revoked key that comes back", Ordered, func() {
	var all []*key
	number := 0
	for name, way := range revocations {
		It("is refused: "+name, func(ctx SpecContext) {
			number++
			k := way.issue(ctx, fmt.Sprintf("revoked-%d", number))
			expectAnswers(ctx, k.plaintext, 200)
			way.end(ctx, k)
			expectAnswers(ctx, k.plaintext, 401)
			for _, r := range returns {
				By(r.name)
				o := r.back(ctx, k, fmt.Sprintf("again-%d", number))
				expectRefused(ctx, k, o)
				vacate(ctx, o)
			}
			restore(ctx, k)
			all = append(all, k)
		}, SpecTimeout(3*time.Minute))
	}

	It("does not overlap with the key after it", func(ctx SpecContext) {
		k := applied(ctx, "revoked-and-rotated")
		kubectl(ctx, k, "patch", "--type=merge", `-p={"spec":{"state":"Revoked"}}`)
		o := adopt(ctx, k, tenant, "rotated")
		expectRefused(ctx, k, o)
		again := &key{k.plaintext, o}
		kubectl(ctx, again, "patch", "--type=merge", `-p={"spec":{"rotation":{"overlap":"1h"}}}`)
		kubectl(ctx, again, "annotate", v1alpha1.AnnotationRotate+"=now")
		eventually(ctx, func(g Gomega) {
			g.Expect(s.Client.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
			g.Expect(o.HolderStatus().Keys).To(HaveExactElements(And(
				HaveField("State", v1alpha1.KeyCurrent), HaveField("ID", Not(Equal(k.id()))))))
			g.Expect(o.HolderStatus().Usage.Refused).To(BeEmpty())
			g.Expect(meta.IsStatusConditionTrue(o.HolderStatus().Conditions, v1alpha1.ConditionActive)).To(BeTrue())
		}).Should(Succeed())
		Expect(answers(ctx, k.plaintext)).To(HaveEach(401))
	}, SpecTimeout(time.Minute))

	It("is refused by servers that have just started, and by a new one", func(ctx SpecContext) {
		for _, replica := range s.Replicas {
			Expect(replica.Restart(ctx)).To(Succeed())
		}
		_, err := s.AddServer(ctx)
		Expect(err).NotTo(HaveOccurred())
		for _, k := range all {
			Expect(answers(ctx, k.plaintext)).To(HaveEach(401), "from the first request on")
		}
	}, SpecTimeout(3*time.Minute))
})

var _ = Describe("A key that was not revoked", func() {
	number := 0
	for name, way := range ends {
		It("comes back with its status: "+name, func(ctx SpecContext) {
			number++
			k := way.issue(ctx, fmt.Sprintf("ended-%d", number))
			expectAnswers(ctx, k.plaintext, 200)
			way.end(ctx, k)
			expectAnswers(ctx, k.plaintext, 401)
			vacate(ctx, k.object)
			o := restore(ctx, k)
			expectAnswers(ctx, k.plaintext, 200)
			vacate(ctx, o)
			if keyholder.KindOf(o) == keyholder.APIKey {
				adopt(ctx, k, tenant, fmt.Sprintf("ended-again-%d", number))
				expectAnswers(ctx, k.plaintext, 200)
			}
		}, SpecTimeout(3*time.Minute))
	}
})
