package versions

import (
	"context"
	"path/filepath"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

// Why steps 4 and 5 are there.
var _ = Describe("A step that is left out", func() {
	It("4: the API server keeps a version as long as objects may be stored in it", func(ctx SpecContext) {
		c := newCopied(ctx, "AccessRole", "", "unwritten.example.com")
		c.apply(ctx, alpha, "first")
		c.store(beta)
		c.install(ctx)
		c.remove(alpha)
		_, err := s.Kubectl(ctx, "apply", "--server-side", "-f", c.file())
		Expect(err).To(MatchError(And(ContainSubstring("status.storedVersions"), ContainSubstring(alpha))))
	})

	It("4: an object that was not rewritten cannot be read once its version is gone", func(ctx SpecContext) {
		c := newCopied(ctx, "AccessRole", "", "unreadable.example.com")
		c.apply(ctx, alpha, "first")
		c.store(beta)
		c.install(ctx)
		c.migration.setStoredVersions(ctx, c.crd, beta)
		c.remove(alpha)
		kubectl(ctx, "apply", "--server-side", "-f", c.file())
		Eventually(ctx, func() error {
			_, err := c.admin.Resource(c.at(beta)).Get(ctx, "reader", metav1.GetOptions{})
			return err
		}).Should(MatchError(ContainSubstring("invalid group/version")))
	})

	It("5: server-side apply fails once the version of a field manager is gone", func(ctx SpecContext) {
		c := newCopied(ctx, "AccessRole", "", "unmoved.example.com")
		c.apply(ctx, alpha, "first")
		c.store(beta)
		c.install(ctx)
		c.migration.rewrite(ctx, c.objects(ctx), everything)
		c.migration.setStoredVersions(ctx, c.crd, beta)

		label := []string{"label", c.at(alpha).Resource + "." + alpha + "." + c.at(alpha).Group, "reader", "example.com/a=b"}
		kubectl(ctx, label...)

		c.version(alpha)["served"] = false
		c.install(ctx)
		c.apply(ctx, beta, "second")
		Expect(c.objects(ctx)[0].GetAnnotations()).To(HaveLen(1), "all is well while the CRD has the version")

		c.remove(alpha)
		c.install(ctx)
		_, err := c.try(ctx, beta, "third")
		Expect(err).To(MatchError(ContainSubstring("invalid group/version: unmoved.example.com/v1alpha1")))

		// It is never too late.
		c.migration.rewriteManagers(ctx, c.objects(ctx), everything)
		c.apply(ctx, beta, "third")
		Expect(c.objects(ctx)[0].GetAnnotations()).To(HaveLen(1))
	})
})

// copied is a copy of a CRD with both versions, in a group of its own.
type copied struct {
	crd
	namespace string
	admin     dynamic.Interface
	migration migration
}

func newCopied(ctx context.Context, kind, namespace, group string) *copied {
	GinkgoHelper()
	crds, err := generatedCRDs()
	Expect(err).NotTo(HaveOccurred())
	admin, err := dynamic.NewForConfig(s.Admin)
	Expect(err).NotTo(HaveOccurred())
	index := slices.IndexFunc(crds, func(c crd) bool { return c.kind() == kind })
	Expect(index).NotTo(Equal(-1), kind)
	c := &copied{crd: crds[index], namespace: namespace, admin: admin, migration: migration{admin}}
	c.move(group)
	c.addBeta()
	c.install(ctx)
	return c
}

func (c *copied) install(ctx context.Context) {
	GinkgoHelper()
	install(ctx, c.admin, c.crd)
}

// file writes the CRD to a file.
func (c *copied) file() string {
	GinkgoHelper()
	path := filepath.Join(GinkgoT().TempDir(), "crd.json")
	write(path, c.crd)
	return path
}

// apply applies one object at a version, with one annotation.
func (c *copied) apply(ctx context.Context, at, annotation string) {
	GinkgoHelper()
	_, err := c.try(ctx, at, annotation)
	Expect(err).NotTo(HaveOccurred())
}

func (c *copied) try(ctx context.Context, at, annotation string) (string, error) {
	GinkgoHelper()
	o := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"description": annotation}}}
	o.SetGroupVersionKind(c.at(at).GroupVersion().WithKind(c.kind()))
	o.SetNamespace(c.namespace)
	o.SetName("reader")
	o.SetAnnotations(map[string]string{mark(annotation): "true"})
	path := filepath.Join(GinkgoT().TempDir(), "object.json")
	write(path, o)
	return s.Kubectl(ctx, "apply", "--server-side", "-f", path)
}

// objects reads the objects at the new version.
func (c *copied) objects(ctx context.Context) []object {
	GinkgoHelper()
	list, err := c.admin.Resource(c.at(beta)).List(ctx, metav1.ListOptions{})
	Expect(err).NotTo(HaveOccurred())
	Expect(list.Items).To(HaveLen(1))
	return []object{{&list.Items[0], c.at(beta)}}
}
