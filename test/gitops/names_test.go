package gitops

import (
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"keywright.dev/keywright/api/v1alpha1"
)

// access is what a kustomization with one role, one binding and one key renders to.
type access struct {
	role    v1alpha1.AccessRole
	binding v1alpha1.AccessRoleBinding
	key     v1alpha1.APIKey
}

func decodeAccess(manifests string) (a access) {
	GinkgoHelper()
	into := map[string]any{"AccessRole": &a.role, "AccessRoleBinding": &a.binding, "APIKey": &a.key}
	for part := range strings.SplitSeq(manifests, "\n---\n") {
		var object struct{ Kind string }
		Expect(yaml.Unmarshal([]byte(part), &object)).To(Succeed())
		if into[object.Kind] != nil {
			Expect(yaml.UnmarshalStrict([]byte(part), into[object.Kind])).To(Succeed())
		}
	}
	return a
}

var _ = Describe("The kustomize configuration of names", func() {
	// build renders a kustomization beside those of config/kustomize.
	build := func(ctx SpecContext, files map[string]string) string {
		GinkgoHelper()
		dir := GinkgoT().TempDir()
		Expect(os.CopyFS(dir, os.DirFS(filepath.Join(s.Root, "config", "kustomize")))).To(Succeed())
		Expect(os.Mkdir(filepath.Join(dir, "own"), 0o700)).To(Succeed())
		for name, content := range files {
			write(filepath.Join(dir, "own"), name, content)
		}
		return kubectl(ctx, "kustomize", filepath.Join(dir, "own"))
	}
	// overlay renders a kustomization of the sample's objects.
	overlay := func(ctx SpecContext, settings string) string {
		GinkgoHelper()
		return build(ctx, map[string]string{"kustomization.yaml": "resources: [../sample/access]\n" + settings})
	}

	It("renames a role where the sample names it, and no other role", func(ctx SpecContext) {
		a := decodeAccess(kubectl(ctx, "kustomize", "config/kustomize/sample"))
		Expect(a.role.Name).To(Equal("staging-reader"))
		Expect(a.binding.Spec.RoleRef.Name).To(BeEquivalentTo("staging-reader"))
		Expect(a.key.Spec.Roles).To(Equal([]v1alpha1.RoleName{"staging-reader", "auditor"}))
		Expect(a.key.Namespace).To(Equal("default"))
	})

	It("renames with prefix, suffix and namespace, which roles and bindings do not get", func(ctx SpecContext) {
		a := decodeAccess(overlay(ctx,
			"namespace: team-a\nnamePrefix: a-\nnameSuffix: -z\ncomponents: [../names, ../scopes]\n"))
		Expect(a.role.Name).To(Equal("a-reader-z"))
		Expect(a.role.Namespace).To(BeEmpty())
		Expect(a.binding.Namespace).To(BeEmpty())
		Expect(a.binding.Spec.RoleRef.Name).To(BeEquivalentTo("a-reader-z"))
		Expect(a.key.Spec.Roles).To(Equal([]v1alpha1.RoleName{"a-reader-z", "auditor"}))
		Expect(a.key.Namespace).To(Equal("team-a"))
	})

	It("is needed: without it the key names a role that does not exist", func(ctx SpecContext) {
		a := decodeAccess(overlay(ctx, "namePrefix: a-\n"))
		Expect(a.role.Name).To(Equal("a-reader"))
		Expect(a.key.Spec.Roles).To(Equal([]v1alpha1.RoleName{"reader", "auditor"}))
	})

	It("leaves names as they are without a prefix", func(ctx SpecContext) {
		Expect(overlay(ctx, "components: [../names, ../scopes]\n")).To(Equal(overlay(ctx, "")))
	})

	It("needs no scopes where the kustomization sets the namespace", func(ctx SpecContext) {
		manifests := overlay(ctx, "namespace: default\nnamePrefix: b-\ncomponents: [../names]\n")
		a := decodeAccess(manifests)
		Expect(a.binding.Spec.RoleRef.Name).To(BeEquivalentTo("b-reader"))
		Expect(a.key.Spec.Roles).To(Equal([]v1alpha1.RoleName{"b-reader", "auditor"}))

		// kustomize gives the role that namespace too, and kubectl and the API server ignore it.
		Expect(a.role.Namespace).To(Equal("default"))
		kubectl(ctx, "apply", "--server-side", "-f", write(GinkgoT().TempDir(), "all.yaml", manifests))
		stored := &v1alpha1.AccessRole{}
		Expect(s.Client.Get(ctx, client.ObjectKey{Name: "b-reader"}, stored)).To(Succeed())
		Expect(stored.Namespace).To(BeEmpty())
	})

	for components, containers := range map[string]int{"[../names]": 2, "[../names, ../scopes]": 1} {
		It("in a build with a patched Deployment leaves this many of its containers with "+components,
			func(ctx SpecContext) {
				manifests := build(ctx, map[string]string{
					"kustomization.yaml": "resources: [app.yaml]\npatches: [{path: patch.yaml}]\ncomponents: " + components + "\n",
					"app.yaml":           deployment("{name: app, image: x}, {name: sidecar, image: y}"),
					"patch.yaml":         deployment("{name: sidecar, image: z}"),
				})
				Expect(strings.Count(manifests, "image: ")).To(Equal(containers))
			})
	}
})

func deployment(containers string) string {
	return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app}\nspec: {template: {spec: {containers: [" +
		containers + "]}}}\n"
}
