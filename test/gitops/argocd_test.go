package gitops

import (
	"context"
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"keywright.dev/keywright/api/v1alpha1"
)

// The entries of argocd-cm that hold the scripts.
var healthEntries = map[string]string{
	"resource.customizations.health.keywright.dev_AdminUser": healthScript,
	"resource.customizations.health.keywright.dev_APIKey":    healthScript,
	"resource.customizations.health.ConfigMap":               configurationScript,
}

// The entries of argocd-cm that name what needs no refresh of an Application.
var ignoreEntries = []string{
	"resource.customizations.ignoreResourceUpdates.keywright.dev_AdminUser",
	"resource.customizations.ignoreResourceUpdates.keywright.dev_APIKey",
}

// installArgoCD installs an argocd-cm, the only part of Argo CD that is needed.
func installArgoCD(ctx context.Context) {
	GinkgoHelper()
	Expect(s.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "argocd"}})).To(Succeed())
	Expect(s.Client.Create(ctx, argocdCM("argocd"))).To(Succeed())
}

func argocdCM(namespace string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "argocd-cm",
			Labels: map[string]string{"app.kubernetes.io/part-of": "argocd"}},
		Data: map[string]string{"url": "https://argocd.example.com"},
	}
}

// expectHealthScripts expects the scripts where Argo CD reads them, beside a person's own entries.
func expectHealthScripts(ctx context.Context) {
	GinkgoHelper()
	live := &corev1.ConfigMap{}
	Expect(s.Client.Get(ctx, client.ObjectKey{Namespace: "argocd", Name: "argocd-cm"}, live)).To(Succeed())
	expectArgoCDConfig(live)
}

func expectArgoCDConfig(live *corev1.ConfigMap) {
	GinkgoHelper()
	Expect(live.Data).To(HaveKeyWithValue("url", "https://argocd.example.com"))
	Expect(live.Labels).To(HaveKeyWithValue("app.kubernetes.io/part-of", "argocd"))
	Expect(live.Data).To(HaveLen(1 + len(healthEntries) + len(ignoreEntries)))
	for entry, script := range healthEntries {
		Expect(live.Data).To(HaveKeyWithValue(entry, readScript(script)))
	}
	for _, entry := range ignoreEntries {
		expectUsageIgnored(live.Data[entry])
	}
}

// expectUsageIgnored reads an entry as Argo CD does, and expects that it names the server's part of status alone: any
// other change has to refresh the Application.
func expectUsageIgnored(entry string) {
	GinkgoHelper()
	var ignored struct {
		JSONPointers []string `json:"jsonPointers"`
	}
	Expect(yaml.UnmarshalStrict([]byte(entry), &ignored)).To(Succeed())
	Expect(ignored.JSONPointers).To(Equal([]string{"/status/usage"}))
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&v1alpha1.APIKey{Status: v1alpha1.APIKeyStatus{
		KeyHolderStatus: v1alpha1.KeyHolderStatus{Usage: v1alpha1.Usage{LastUsedAt: new(metav1.Now())}}}})
	Expect(err).NotTo(HaveOccurred())
	_, found, err := unstructured.NestedFieldNoCopy(content, "status", "usage", "lastUsedAt")
	Expect(err).NotTo(HaveOccurred())
	Expect(found).To(BeTrue(), "the pointer exists in an APIKey")
}

var _ = Describe("The component for Argo CD", func() {
	for what, namespace := range map[string]string{"without a namespace": "", "with one": "argocd"} {
		It("fills in an argocd-cm "+what, func(ctx SpecContext) {
			dir := GinkgoT().TempDir()
			content, err := yaml.Marshal(argocdCM(namespace))
			Expect(err).NotTo(HaveOccurred())
			write(dir, "argocd_cm.yaml", string(content))
			// A component needs a relative path.
			component := filepath.Join(s.Root, "config", "argocd", "component")
			Expect(os.CopyFS(filepath.Join(dir, "component"), os.DirFS(component))).To(Succeed())
			write(dir, "kustomization.yaml", "namespace: argocd\nresources: [argocd_cm.yaml]\ncomponents: [component]\n")
			built := &corev1.ConfigMap{}
			Expect(yaml.UnmarshalStrict([]byte(kubectl(ctx, "kustomize", dir)), built)).To(Succeed())
			Expect(built.Namespace).To(Equal("argocd"))
			expectArgoCDConfig(built)
		})
	}
})
