package gitops

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/stack"
)

var waitForReady = []string{"wait", "--for=condition=Ready", "--timeout=1s", "adminuser"}

// assessed returns the health of the live object by Argo CD and by kstatus.
func assessed(ctx SpecContext, name string) (argo string, k status.Status) {
	GinkgoHelper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(get(ctx, name))
	Expect(err).NotTo(HaveOccurred())
	h, err := assess(readHealthScript(), content)
	Expect(err).NotTo(HaveOccurred())
	result, err := status.Compute(&unstructured.Unstructured{Object: content})
	Expect(err).NotTo(HaveOccurred())
	return h.status, result.Status
}

func expectAssessed(ctx SpecContext, name, argo string, k status.Status) {
	GinkgoHelper()
	h, seen := assessed(ctx, name)
	Expect(h).To(Equal(argo))
	Expect(seen).To(Equal(k))
}

var _ = Describe("Waiting for an object", func() {
	It("succeeds at a planned end", func(ctx SpecContext) {
		user := admin(name("disabled"))
		user.Spec.State = v1alpha1.StateDisabled
		Expect(s.Client.Create(ctx, user)).To(Succeed())
		settled(ctx, user.Name)
		kubectl(ctx, append(waitForReady, user.Name)...)
		expectAssessed(ctx, user.Name, "Healthy", status.CurrentStatus)
	})

	It("reports a stall and its end", func(ctx SpecContext) {
		user := admin(name("stalled"))
		brought := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: stack.Namespace, Name: user.Name + "-admin-key",
				Annotations: map[string]string{v1alpha1.AnnotationAdopt: "true"}},
			Data: map[string][]byte{v1alpha1.SecretKey: []byte("short")},
		}
		Expect(s.Client.Create(ctx, brought)).To(Succeed())
		Expect(s.Client.Create(ctx, user)).To(Succeed())
		settled(ctx, user.Name)
		_, err := s.Kubectl(ctx, append(waitForReady, user.Name)...)
		Expect(err).To(MatchError(ContainSubstring("timed out")))
		expectAssessed(ctx, user.Name, "Degraded", status.FailedStatus)

		brought.Data[v1alpha1.SecretKey] = []byte("long-enough-to-be-a-key-" + user.Name)
		Expect(s.Client.Update(ctx, brought)).To(Succeed())
		// The operator reads a Secret of another owner once a minute, and after each change of the object.
		kubectl(ctx, "label", "adminuser", user.Name, "looked=again")
		kubectl(ctx, "wait", "--for=condition=Ready", "--timeout=30s", "adminuser", user.Name)
		expectAssessed(ctx, user.Name, "Healthy", status.CurrentStatus)
	}, SpecTimeout(time.Minute))

	It("continues until the operator has seen a change", func(ctx SpecContext) {
		user := admin(name("changed"))
		Expect(s.Client.Create(ctx, user)).To(Succeed())
		settled(ctx, user.Name)
		Expect(s.Operator.Stop()).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(s.Operator.Start(ctx)).To(Succeed()) })

		kubectl(ctx, "patch", "adminuser", user.Name, "--type=merge", "-p", `{"spec":{"rotation":{"every":"24h"}}}`)
		_, err := s.Kubectl(ctx, append(waitForReady, user.Name)...)
		Expect(err).To(MatchError(ContainSubstring("timed out")))
		expectAssessed(ctx, user.Name, "Progressing", status.InProgressStatus)

		unseen := admin(name("unseen"))
		Expect(s.Client.Create(ctx, unseen)).To(Succeed())
		_, err = s.Kubectl(ctx, append(waitForReady, unseen.Name)...)
		Expect(err).To(MatchError(ContainSubstring("timed out")))
		expectAssessed(ctx, unseen.Name, "Progressing", status.InProgressStatus)
	}, SpecTimeout(time.Minute))
})
