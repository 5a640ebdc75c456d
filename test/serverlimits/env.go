package serverlimits

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

// Installation is where the specs find Keywright.
type Installation struct {
	// Plane is set when specs run.
	Plane *stack.ControlPlane
	// Namespace is the system namespace, and Elsewhere another one.
	Namespace, Elsewhere string
	// Unnamed is true if the policies do not name this installation's accounts. A write that two policies refuse may
	// then have either message.
	Unnamed bool

	// server is a client of the server's account.
	server client.Client
}

// Specs declares the specs. They run once the policies are in force.
func (i *Installation) Specs() bool {
	return Describe("The server's account in namespace "+i.Namespace, func() {
		BeforeEach(func(ctx SpecContext) { i.server = i.Account(ctx, "keywright-server") })

		i.createSpecs()
		i.patchSpecs("an AdminUser", func() client.Object { return i.user() })
		i.patchSpecs("an APIKey", func() client.Object { return i.key() })
		i.deleteSpecs()
		i.statusSpecs()
		i.elsewhereSpecs()
		i.leaseSpecs()
		i.overprivilegedLeaseSpecs()
	})
}

// LimitSpecs declares the specs that need no AdminUser, and nothing that a policy allows only in the right namespace.
func (i *Installation) LimitSpecs() bool {
	return Describe("The server's account in namespace "+i.Namespace, func() {
		BeforeEach(func(ctx SpecContext) { i.server = i.Account(ctx, "keywright-server") })

		i.patchSpecs("an APIKey", func() client.Object { return i.key() })
		i.leaseSpecs()
		i.overprivilegedLeaseSpecs()
	})
}

// Account returns a client of a ServiceAccount of Keywright with its own token.
func (i *Installation) Account(ctx context.Context, name string) client.Client {
	GinkgoHelper()
	config, err := i.Plane.ServiceAccountConfigIn(ctx, i.Namespace, name)
	Expect(err).NotTo(HaveOccurred())
	c, err := client.New(config, client.Options{Scheme: i.Plane.Client.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	return c
}

// user returns an AdminUser as the server creates it, without a key yet.
func (i *Installation) user() *v1alpha1.AdminUser {
	return &v1alpha1.AdminUser{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: i.Namespace, GenerateName: "user-",
			Labels: map[string]string{v1alpha1.LabelCreatedBy: v1alpha1.CreatedByAPI},
		},
		Spec: v1alpha1.AdminUserSpec{Delivery: v1alpha1.DeliveryResponse},
	}
}

// key returns an APIKey as the server creates it, without a key yet.
func (i *Installation) key() *v1alpha1.APIKey {
	return &v1alpha1.APIKey{
		ObjectMeta: i.user().ObjectMeta,
		Spec: v1alpha1.APIKeySpec{
			Subject: v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "alice"}, Delivery: v1alpha1.DeliveryResponse,
		},
	}
}

// existing creates an object as the cluster admin, who may also mark it as created by the API.
func (i *Installation) existing(ctx context.Context, object client.Object, byAPI bool) {
	GinkgoHelper()
	if !byAPI {
		object.SetLabels(nil)
	}
	object.SetAnnotations(map[string]string{"others": "x"})
	object.SetFinalizers([]string{"example.com/wait"})
	Expect(i.Plane.Client.Create(ctx, object)).To(Succeed())
	DeferCleanup(i.remove, object)
}

// existingUser is existing for an AdminUser.
func (i *Installation) existingUser(ctx context.Context, byAPI bool, delivery v1alpha1.Delivery) *v1alpha1.AdminUser {
	GinkgoHelper()
	user := i.user()
	user.Spec.Delivery = delivery
	i.existing(ctx, user, byAPI)
	return user.DeepCopy()
}

// remove deletes an object, whatever holds it.
func (i *Installation) remove(ctx context.Context, object client.Object) {
	GinkgoHelper()
	c := i.Plane.Client
	Expect(client.IgnoreNotFound(c.Delete(ctx, object))).To(Succeed())
	Expect(client.IgnoreNotFound(c.Patch(ctx, object, mergePatch(`{"metadata":{"finalizers":null}}`)))).To(Succeed())
}

func mergePatch(patch string) client.Patch {
	return client.RawPatch(types.MergePatchType, []byte(patch))
}
