package versions

import (
	"context"
	"reflect"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/operator/cachetrim"
	"keywright.dev/keywright/internal/operator/issuer"
)

// sameData compares without printing, because the data are plaintexts.
func sameData(a, b *corev1.Secret) bool { return reflect.DeepEqual(a.Data, b.Data) }

// managersAt lists the objects with a field manager at a version.
func (e *env) managersAt(ctx context.Context, name string) []string {
	GinkgoHelper()
	var found []string
	for _, o := range e.all(ctx, e.served[len(e.served)-1]) {
		for _, entry := range o.GetManagedFields() {
			if entry.APIVersion == version(name).String() {
				found = append(found, o.GetKind()+" "+o.GetName())
			}
		}
	}
	return slices.Compact(found)
}

// expectProofOfOwnership expects that the metadata of each Secret still prove that only the operator has written the
// data, as they are and as the operator's cache keeps them.
func (e *env) expectProofOfOwnership(ctx context.Context) {
	GinkgoHelper()
	for _, k := range e.keys {
		if k.secret == nil {
			continue
		}
		secret := issuer.SecretMetadata()
		Expect(s.Client.Get(ctx, client.ObjectKeyFromObject(k.secret), secret)).To(Succeed())
		expectOwned(secret)
		cached, err := (&cachetrim.Trimmer{}).Secret(secret)
		Expect(err).NotTo(HaveOccurred())
		expectOwned(cached.(*metav1.PartialObjectMetadata))
	}
}

func expectOwned(secret *metav1.PartialObjectMetadata) {
	GinkgoHelper()
	owned := cachetrim.Owned(secret.ManagedFields)
	for _, path := range []fieldpath.Path{
		fieldpath.MakePathOrDie("data", v1alpha1.SecretKey),
		fieldpath.MakePathOrDie("metadata", "annotations", v1alpha1.AnnotationKeyID),
	} {
		Expect(owned.Has(path)).To(BeTrue(), "%s of Secret %s", path, secret.Name)
	}
}

// expectOwnersResolve expects that the garbage collector can find the owner of each Secret. It maps the kind at the
// version of the reference to a resource, as the collector does.
func (e *env) expectOwnersResolve(ctx context.Context) {
	GinkgoHelper()
	mapper := discovered()
	for _, secret := range e.secrets(ctx) {
		owner := metav1.GetControllerOf(secret)
		Expect(owner).NotTo(BeNil(), secret.GetName())
		kind := schema.FromAPIVersionAndKind(owner.APIVersion, owner.Kind)
		mapping, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
		Expect(err).NotTo(HaveOccurred(), secret.GetName())
		found, err := e.admin.Resource(mapping.Resource).Namespace(secret.GetNamespace()).
			Get(ctx, owner.Name, metav1.GetOptions{})
		Expect(err).NotTo(HaveOccurred(), secret.GetName())
		Expect(found.GetUID()).To(Equal(owner.UID), secret.GetName())
	}
}

// discovered returns what the API server serves now.
func discovered() meta.RESTMapper {
	GinkgoHelper()
	served, err := discovery.NewDiscoveryClientForConfig(s.Admin)
	Expect(err).NotTo(HaveOccurred())
	groups, err := restmapper.GetAPIGroupResources(served)
	Expect(err).NotTo(HaveOccurred())
	return restmapper.NewDiscoveryRESTMapper(groups)
}
