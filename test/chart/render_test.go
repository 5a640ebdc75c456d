package chart

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"

	"keywright.dev/keywright/test/stack"
)

// profile is one way to install Keywright, by the chart with its example values and by kustomize.
type profile struct {
	values string
	// files make the kustomization, beside a folder config.
	files map[string]string
}

// both are all profiles of the chart.
var both = []profile{
	{"whole-cluster", map[string]string{"kustomization.yaml": "resources: [../config/default]\n"}},
	{"namespaces", map[string]string{
		"kustomization.yaml": `
resources: [../config/namespaced, team-a, team-b]
configMapGenerator:
- name: keywright-namespaces
  namespace: keywright-system
  behavior: replace
  literals: ["namespaces=team-a,team-b"]
`,
		"team-a/kustomization.yaml": "namespace: team-a\nresources: [../../config/namespaced/tenant]\n",
		"team-b/kustomization.yaml": "namespace: team-b\nresources: [../../config/namespaced/tenant]\n",
	}},
	{"postgresql", map[string]string{
		"kustomization.yaml": "resources: [../config/default]\ncomponents: [../config/postgresql]\n"}},
	{"production", map[string]string{"kustomization.yaml": "resources: [../config/default]\n" +
		"components: [../config/postgresql, ../config/production]\n"}},
	{"monitoring", map[string]string{
		"kustomization.yaml": "resources: [../config/default]\ncomponents: [../config/monitoring]\n"}},
	{"tls", map[string]string{
		"kustomization.yaml": "resources: [../config/default]\ncomponents: [../config/tls, ../config/tls/mutual]\n"}},
	{"postgresql-private-ca", map[string]string{
		"kustomization.yaml": "resources: [../config/default]\n" +
			"components: [../config/postgresql, ../config/postgresql/ca]\n"}},
	// docs/gateways.md has the kustomization.
	{"proxy", nil},
}

// folder writes the kustomization of a profile and returns its path.
func (p profile) folder() string {
	GinkgoHelper()
	if p.files == nil {
		return folderOf(fromDocs("gateways.md", "proxy"))
	}
	return folderOf(p.files)
}

// fromDocs returns the YAML blocks of a page of docs that are files of a folder.
func fromDocs(page, folder string) map[string]string {
	GinkgoHelper()
	files := map[string]string{}
	blocks := regexp.MustCompile("(?s)```yaml\n# " + regexp.QuoteMeta(folder) + "/(\\w+\\.yaml)\n(.*?)```")
	for _, block := range blocks.FindAllStringSubmatch(read("docs/"+page), -1) {
		files[block[1]] = block[2]
	}
	Expect(files).NotTo(BeEmpty(), "%s has no %s", page, folder)
	return files
}

// folderOf writes files into a folder beside a folder config, and returns its path.
func folderOf(files map[string]string) string {
	GinkgoHelper()
	parent := GinkgoT().TempDir()
	Expect(os.Symlink(filepath.Join(plane.Root, "config"), filepath.Join(parent, "config"))).To(Succeed())
	for name, text := range files {
		path := filepath.Join(parent, "own", filepath.FromSlash(name))
		Expect(os.MkdirAll(filepath.Dir(path), 0o700)).To(Succeed())
		Expect(os.WriteFile(path, []byte(text), 0o600)).To(Succeed())
	}
	return filepath.Join(parent, "own")
}

// objects are manifests by kind, namespace and name.
type objects map[string]*unstructured.Unstructured

func decode(manifests string) objects {
	GinkgoHelper()
	found := objects{}
	for decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(manifests), 4096); ; {
		o := &unstructured.Unstructured{}
		err := decoder.Decode(o)
		if errors.Is(err, io.EOF) {
			return found
		}
		Expect(err).NotTo(HaveOccurred())
		if len(o.Object) == 0 {
			continue
		}
		key := o.GetKind() + " " + o.GetNamespace() + "/" + o.GetName()
		Expect(found).NotTo(HaveKey(key))
		found[key] = o
	}
}

func template(ctx context.Context, args ...string) objects {
	GinkgoHelper()
	manifests, err := helm(ctx, append([]string{"template", release, chart, "--namespace", stack.Namespace}, args...)...)
	Expect(err).NotTo(HaveOccurred())
	return decode(manifests)
}

// likeForLike removes what differs on purpose. Helm has an annotation to keep objects, and a namespace is created
// before the chart. Kustomize restarts Pods for other namespaces by the name of a ConfigMap, and the chart has them in
// a flag.
func likeForLike(all objects) objects {
	GinkgoHelper()
	found, listed := objects{}, ""
	for key, o := range all {
		if o.GetKind() == "ConfigMap" && strings.HasPrefix(o.GetName(), "keywright-namespaces-") {
			listed, _, _ = unstructured.NestedString(o.Object, "data", "namespaces")
			continue
		}
		if o.GetKind() == "Namespace" {
			continue
		}
		unstructured.RemoveNestedField(o.Object, "metadata", "annotations", "helm.sh/resource-policy")
		if len(o.GetAnnotations()) == 0 {
			o.SetAnnotations(nil)
		}
		found[key] = o
	}
	for _, o := range found {
		if listed != "" && o.GetKind() == "Deployment" {
			inline(o, listed)
		}
	}
	return found
}

// inline writes listed namespaces into the flag that has them by a variable.
func inline(deployment *unstructured.Unstructured, listed string) {
	GinkgoHelper()
	containers, _, err := unstructured.NestedSlice(deployment.Object, "spec", "template", "spec", "containers")
	Expect(err).NotTo(HaveOccurred())
	container := containers[0].(map[string]any)
	for i, arg := range container["args"].([]any) {
		container["args"].([]any)[i] = strings.ReplaceAll(arg.(string), "$(NAMESPACES)", listed)
	}
	var variables []any
	for _, variable := range container["env"].([]any) {
		if variable.(map[string]any)["name"] != "NAMESPACES" {
			variables = append(variables, variable)
		}
	}
	container["env"] = variables
	Expect(unstructured.SetNestedSlice(deployment.Object, containers, "spec", "template", "spec", "containers")).
		To(Succeed())
}

func expectEqual(byHelm, byKustomize objects) {
	GinkgoHelper()
	for key, o := range byKustomize {
		Expect(byHelm).To(HaveKey(key), "only kustomize has %s", key)
		Expect(byHelm[key].Object).To(Equal(o.Object), key)
	}
	for key := range byHelm {
		Expect(byKustomize).To(HaveKey(key), "only the chart has %s", key)
	}
}

var _ = Describe("The chart and kustomize", func() {
	It("have the same profiles", func() {
		files, err := filepath.Glob(filepath.Join(plane.Root, profiles, "*.yaml"))
		Expect(err).NotTo(HaveOccurred())
		Expect(files).To(HaveLen(len(both)))
	})

	for _, p := range both {
		It("render the same objects of profile "+p.values, func(ctx SpecContext) {
			built, err := plane.Kubectl(ctx, "kustomize", p.folder())
			Expect(err).NotTo(HaveOccurred())
			byHelm := likeForLike(template(ctx, "-f", profiles+"/"+p.values+".yaml"))
			Expect(len(byHelm)).To(BeNumerically(">", 30))
			expectEqual(byHelm, likeForLike(decode(built)))
		})
	}

	It("name the namespace of the installation everywhere", func(ctx SpecContext) {
		manifests, err := helm(ctx, "template", release, chart, "--namespace", "123", "--set", "namespaces={team-a}",
			"--set", "settings.ACCOUNT=a", "--set", "server.proxy.upstream=http://app", "-f", profiles+"/monitoring.yaml")
		Expect(err).NotTo(HaveOccurred())
		Expect(manifests).NotTo(ContainSubstring(stack.Namespace))
		for _, o := range decode(manifests) {
			Expect(o.GetNamespace()).To(BeElementOf("", "123", "team-a"), o.GetName())
		}
	})

	It("leave out the CRDs on request, and nothing else", func(ctx SpecContext) {
		all := template(ctx)
		crds := 0
		for key, o := range all {
			if o.GetKind() == "CustomResourceDefinition" {
				Expect(o.GetAnnotations()).To(HaveKeyWithValue("helm.sh/resource-policy", "keep"))
				Expect(read(chart + "/Chart.yaml")).To(ContainSubstring("name: " + o.GetName() + "\n"))
				delete(all, key)
				crds++
			}
		}
		Expect(crds).To(Equal(4))
		expectEqual(template(ctx, "--set", "crds.enabled=false"), all)
	})

	It("pass Helm's own checks", func(ctx SpecContext) {
		for _, p := range both {
			_, err := helm(ctx, "lint", "--strict", chart, "-f", profiles+"/"+p.values+".yaml")
			Expect(err).NotTo(HaveOccurred())
		}
	})

	It("name images of one version, never latest", func(ctx SpecContext) {
		built, err := plane.Kubectl(ctx, "kustomize", "config/default")
		Expect(err).NotTo(HaveOccurred())
		images := regexp.MustCompile(`image: (\S+)`).FindAllStringSubmatch(built, -1)
		Expect(images).To(HaveLen(2))
		for _, image := range images {
			Expect(image[1]).To(MatchRegexp(`^keywright\.dev/\w+:v\d+\.\d+\.\d+$`))
			Expect(read(chart + "/Chart.yaml")).To(ContainSubstring("image: " + image[1] + "\n"))
		}
	})

	It("take images of another registry", func(ctx SpecContext) {
		block := fromPage("### 3. Install", "mkdir -p my-keywright\n")
		parent := GinkgoT().TempDir()
		Expect(os.Symlink(filepath.Join(plane.Root, "config"), filepath.Join(parent, "config"))).To(Succeed())
		write, _, _ := strings.Cut(block, "kubectl apply")
		_, err := run(ctx, "sh", "-euc", "cd "+parent+"\n"+registry+write)
		Expect(err).NotTo(HaveOccurred())
		built, err := plane.Kubectl(ctx, "kustomize", filepath.Join(parent, "my-keywright"))
		Expect(err).NotTo(HaveOccurred())
		Expect(built).To(MatchRegexp(`image: registry.example.com/keywright/operator:v\d`))
		Expect(built).To(MatchRegexp(`image: registry.example.com/keywright/server:v\d`))
	})
})
