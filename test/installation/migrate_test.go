package installation

import (
	"os"
	"path/filepath"
	"regexp"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// cmd/server runs its command line.
var _ = Describe("The Job of docs/database.md", func() {
	It("and its Pod are allowed where restricted Pod Security is enforced", func(ctx SpecContext) {
		page, err := os.ReadFile(filepath.Join(plane.Root, "docs", "database.md"))
		Expect(err).NotTo(HaveOccurred())
		block := regexp.MustCompile("(?s)```yaml\n( *apiVersion: batch/v1\n.*?)```").FindSubmatch(page)
		Expect(block).NotTo(BeNil())
		job := &batchv1.Job{}
		Expect(yaml.UnmarshalStrict(block[1], job)).To(Succeed())

		const namespace = "restricted"
		Expect(plane.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: namespace, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
		}})).To(Succeed())
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "default"}}
		Expect(client.IgnoreAlreadyExists(plane.Client.Create(ctx, account))).To(Succeed())
		job.Namespace = namespace
		Expect(plane.Client.Create(ctx, job, client.DryRunAll)).To(Succeed())
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "migrate-"}, Spec: job.Spec.Template.Spec,
		}
		Expect(plane.Client.Create(ctx, pod.DeepCopy(), client.DryRunAll)).To(Succeed())
		pod.Spec.Containers[0].SecurityContext.Capabilities = nil
		Expect(plane.Client.Create(ctx, pod, client.DryRunAll)).To(MatchError(ContainSubstring("violates PodSecurity")))
	})
})
