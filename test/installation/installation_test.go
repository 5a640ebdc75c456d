// Package installation tests Keywright in a namespace of another name, assembled as docs/install.md describes.
package installation

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/serverlimits"
	"keywright.dev/keywright/test/stack"
)

func TestInstallation(t *testing.T) {
	kit.RunSpecs(t, "Installation")
}

// The namespace on the page, and one for keys.
const (
	system = "keys"
	team   = "team-a"
)

var (
	plane *stack.ControlPlane
	// folder holds a copy of config and what the page adds to it.
	folder string

	installed = &serverlimits.Installation{Namespace: system, Elsewhere: team}
)

var _ = BeforeSuite(func(ctx SpecContext) {
	plane = kit.ControlPlane(ctx)
	installed.Plane = plane
	Expect(plane.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: team}})).To(Succeed())
	folder = GinkgoT().TempDir()
	Expect(os.CopyFS(filepath.Join(folder, "config"), os.DirFS(filepath.Join(plane.Root, "config")))).To(Succeed())
}, kit.StartTimeout)

// fromPage runs the block of docs/install.md that writes this folder, up to where it is applied.
func fromPage(ctx context.Context, name string) string {
	GinkgoHelper()
	page, err := os.ReadFile(filepath.Join(plane.Root, "docs", "install.md"))
	Expect(err).NotTo(HaveOccurred())
	_, section, found := strings.Cut(string(page), "## In another namespace\n")
	Expect(found).To(BeTrue())
	block := regexp.MustCompile("(?s)```sh\n(mkdir -p " + name + "\n.*?)(?:kubectl apply [^\n]*\n)?```").
		FindStringSubmatch(section)
	Expect(block).NotTo(BeNil(), "docs/install.md has no block for %s", name)
	shell := exec.CommandContext(ctx, "sh", "-eu", "-c", block[1])
	shell.Dir = folder
	out, err := shell.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(out))
	return filepath.Join(folder, name)
}

// write creates a file and its folders below folder, and returns the path of its folder.
func write(name, text string) string {
	GinkgoHelper()
	path := filepath.Join(folder, name)
	Expect(os.MkdirAll(filepath.Dir(path), 0o700)).To(Succeed())
	Expect(os.WriteFile(path, []byte(text), 0o600)).To(Succeed())
	return filepath.Dir(path)
}

// build renders a kustomization.
func build(ctx context.Context, folder string) string {
	GinkgoHelper()
	manifests, err := plane.Kubectl(ctx, "kustomize", folder)
	Expect(err).NotTo(HaveOccurred())
	return manifests
}

func mergePatch(patch string) client.Patch {
	return client.RawPatch(types.MergePatchType, []byte(patch))
}

func adminUser(namespace string) *v1alpha1.AdminUser {
	return &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "user-"}}
}

const (
	secretName = `{"status":{"secretName":"x"}}`
	noStatus   = "may not write a status, which decides which keys are accepted: needs verb restore on " +
		"keys.keywright.dev in namespace "
)

var _ = Describe("In another namespace", Ordered, func() {
	BeforeAll(func(ctx SpecContext) {
		Expect(plane.InstallFrom(ctx, fromPage(ctx, "my-keywright"))).To(Succeed())
	})

	installed.Specs()

	It("nothing names the default namespace", func(ctx SpecContext) {
		Expect(build(ctx, filepath.Join(folder, "my-keywright"))).NotTo(ContainSubstring(stack.Namespace))
	})

	It("a component changes it as in the default one", func(ctx SpecContext) {
		manifests := build(ctx, write("postgresql/kustomization.yaml",
			"resources: [../my-keywright]\ncomponents: [../config/postgresql]\n"))
		Expect(manifests).NotTo(ContainSubstring(stack.Namespace))
		Expect(manifests).To(ContainSubstring("name: keywright-database"))
		Expect(manifests).NotTo(ContainSubstring("kind: PersistentVolumeClaim"))
	})

	It("nothing names the default namespace with single namespaces either", func(ctx SpecContext) {
		for _, namespace := range []string{team, "team-b"} {
			write("my-teams/"+namespace+"/kustomization.yaml",
				"namespace: "+namespace+"\nresources: [../../config/namespaced/tenant]\n")
		}
		fromPage(ctx, "my-system")
		manifests := build(ctx, filepath.Join(folder, "my-teams"))
		Expect(manifests).NotTo(ContainSubstring(stack.Namespace))
		Expect(manifests).To(ContainSubstring("namespace: team-b"))
		Expect(manifests).To(ContainSubstring("namespaces: team-a,team-b"))
	})

	It("AdminUsers are honoured there only", func(ctx SpecContext) {
		Expect(plane.Client.Create(ctx, adminUser(system), client.DryRunAll)).To(Succeed())
		for _, namespace := range []string{stack.Namespace, team} {
			kit.ExpectRefusal(plane.Client.Create(ctx, adminUser(namespace), client.DryRunAll),
				"AdminUser is honoured in namespace keys only, not in "+namespace+": set metadata.namespace to keys")
		}
	})

	It("the operator does what it needs", func(ctx SpecContext) {
		operator, user := installed.Account(ctx, "keywright-operator"), adminUser(system)
		Expect(plane.Client.Create(ctx, user)).To(Succeed())
		Expect(operator.Status().Patch(ctx, user.DeepCopy(), mergePatch(secretName))).To(Succeed())
		Expect(operator.Get(ctx, client.ObjectKey{Name: system}, &corev1.Namespace{})).To(Succeed())
		kit.ExpectNoRight(operator.Get(ctx, client.ObjectKey{Name: stack.Namespace}, &corev1.Namespace{}))
		key := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: team, GenerateName: "key-"}}
		key.Spec.Subject = v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"}
		Expect(plane.Client.Create(ctx, key)).To(Succeed())
		Expect(operator.Status().Patch(ctx, key.DeepCopy(), mergePatch(secretName))).To(Succeed())
	})

	It("the accounts of the default namespace have no rights", func(ctx SpecContext) {
		for _, name := range []string{"keywright-operator", "keywright-server"} {
			answer, _ := plane.Kubectl(ctx, "auth", "can-i", "patch", "apikeys.keywright.dev", "--subresource=status",
				"-n="+team, "--as=system:serviceaccount:"+stack.Namespace+":"+name)
			Expect(strings.TrimSpace(answer)).To(Equal("no"), name)
		}
	})
})

// An overlay that sets the namespace alone is what a person writes who has not read the page.
var _ = Describe("In another namespace without the transformer", Ordered, func() {
	forgetful := &serverlimits.Installation{Namespace: "forgetful", Elsewhere: team, Unnamed: true}

	BeforeAll(func(ctx SpecContext) {
		forgetful.Plane = plane
		overlay := write("forgetful/kustomization.yaml", "namespace: forgetful\nresources: [../config/default]\n")
		Expect(plane.InstallFrom(ctx, overlay)).To(Succeed())
	})

	forgetful.LimitSpecs()

	It("no AdminUser can be created", func(ctx SpecContext) {
		kit.ExpectRefusal(plane.Client.Create(ctx, adminUser("forgetful"), client.DryRunAll), "AdminUser is honoured in "+
			"namespace keywright-system only, not in forgetful: set metadata.namespace to keywright-system")
	})

	It("neither program writes a status", func(ctx SpecContext) {
		key := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: team, GenerateName: "key-"}}
		key.Spec.Subject = v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"}
		Expect(plane.Client.Create(ctx, key)).To(Succeed())
		operator, server := forgetful.Account(ctx, "keywright-operator"), forgetful.Account(ctx, "keywright-server")
		kit.ExpectRefusal(operator.Status().Patch(ctx, key.DeepCopy(), mergePatch(secretName)), noStatus+team)
		used := mergePatch(`{"status":{"usage":{"lastUsedAt":"2030-01-01T00:00:00Z"}}}`)
		kit.ExpectRefusal(server.Status().Patch(ctx, key.DeepCopy(), used), noStatus+team)
	})

	It("the server marks no object as the API's", func(ctx SpecContext) {
		key := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: "forgetful", GenerateName: "key-",
			Labels: map[string]string{v1alpha1.LabelCreatedBy: v1alpha1.CreatedByAPI}}}
		key.Spec.Subject = v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"}
		key.Spec.Delivery = v1alpha1.DeliveryResponse
		Expect(kit.Refusal(forgetful.Account(ctx, "keywright-server").Create(ctx, key))).
			To(HavePrefix("may not set, change or remove label keywright.dev/created-by"))
	})
})
