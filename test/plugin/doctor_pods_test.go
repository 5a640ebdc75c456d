package plugin

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

// startPod creates a Pod of a program, with a status as a kubelet writes it.
func startPod(
	ctx context.Context, program string, state func(*corev1.PodStatus), volumes ...corev1.Volume,
) *corev1.Pod {
	GinkgoHelper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: stack.Namespace, GenerateName: program + "-", Labels: map[string]string{"app": program},
	}}
	pod.Spec.Containers = []corev1.Container{{Name: "program", Image: "keywright.dev/server"}}
	// The namespace enforces the restricted standard.
	pod.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsNonRoot: new(true),
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}}
	pod.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{AllowPrivilegeEscalation: new(false),
		Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}}
	pod.Spec.Volumes = volumes
	create(ctx, pod)
	state(&pod.Status)
	Expect(s.Client.Status().Update(ctx, pod)).To(Succeed())
	return pod
}

func isReady(status *corev1.PodStatus) {
	status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
}

// waitsFor is the state of a Pod whose container waits.
func waitsFor(reason, message string) func(*corev1.PodStatus) {
	return func(status *corev1.PodStatus) {
		status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}}
		status.ContainerStatuses = []corev1.ContainerStatus{{Name: "program", State: corev1.ContainerState{
			Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message},
		}}}
	}
}

// ends is the state of a Pod whose program ends with this log.
func ends(log string) func(*corev1.PodStatus) {
	return func(status *corev1.PodStatus) {
		waitsFor("CrashLoopBackOff", "back-off 10s restarting failed container")(status)
		status.ContainerStatuses[0].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{
			ExitCode: 2, Reason: "Error", Message: log,
		}
	}
}

func isNotScheduled(status *corev1.PodStatus) {
	status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
		Message: "pod has unbound immediate PersistentVolumeClaims"}}
}

func runsNotReady(status *corev1.PodStatus) {
	waitsFor("", "")(status)
	status.ContainerStatuses[0].State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
}

// warn creates a Warning event on a Pod.
func warn(ctx context.Context, pod *corev1.Pod, reporter, reason, message string, at time.Time) {
	GinkgoHelper()
	create(ctx, &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, GenerateName: "warning-"}, Type: corev1.EventTypeWarning,
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID},
		Source:         corev1.EventSource{Component: reporter},
		Reason:         reason, Message: message, LastTimestamp: metav1.NewTime(at),
	})
}

var _ = Describe("kubectl keywright doctor, about Pods", Ordered, func() {
	var e examination
	BeforeAll(func(ctx SpecContext) {
		deploy(ctx, "keywright/operator:v1", "keywright/server:v1")
		e = examination{kubeconfig: s.Kubeconfig, version: "v1", args: []string{"--keywright-server", s.ServerURL}}
		startPod(ctx, "keywright-operator", isReady)
	})

	DescribeTable("finds", func(ctx SpecContext, state func(*corev1.PodStatus), detail, remedy string) {
		pod := startPod(ctx, "keywright-server", state)
		now := time.Now()
		warn(ctx, pod, "kubelet", "FailedMount", `secret "keywright-pepper" not found`, now)
		warn(ctx, pod, "keywright.dev/server", "DatabaseUnavailable", "PostgreSQL: no", now.Add(-time.Minute))
		findings, code := e.run(ctx)
		Expect(of(findings, "pods")).To(ConsistOf(finding{
			Check: "pods", State: "wrong", Detail: pod.Name + ": " + detail,
			Remedy: strings.ReplaceAll(remedy, "NAME", pod.Name),
		}))
		Expect(code).To(Equal(console.ExitFailed))
	},
		Entry("an image that no registry has", waitsFor("ImagePullBackOff", `Back-off pulling image "x"`),
			`ImagePullBackOff: Back-off pulling image "x"`,
			"push this image, or name another one: docs/install.md, The images"),
		Entry("a missing Secret with a database URL",
			waitsFor("CreateContainerConfigError", `secret "keywright-database" not found`),
			`CreateContainerConfigError: secret "keywright-database" not found`, "create what it names"),
		Entry("a program that ends", ends("starting\nKEYWRIGHT_DATABASE_URL: not a URL\n"),
			"it ends each time, last with exit code 2: KEYWRIGHT_DATABASE_URL: not a URL",
			"kubectl logs -n keywright-system NAME --previous"),
		Entry("a program that ends without a word", ends(""), "it ends each time, last with exit code 2: Error",
			"kubectl logs -n keywright-system NAME --previous"),
		Entry("a volume that no storage class makes", isNotScheduled,
			"no node takes it: pod has unbound immediate PersistentVolumeClaims",
			"kubectl describe pod -n keywright-system NAME"),
		Entry("a server whose database does not answer, by its own event", runsNotReady,
			"DatabaseUnavailable: PostgreSQL: no", "kubectl describe pod -n keywright-system NAME"),
		Entry("what a new Pod waits for, by its newest event", waitsFor("ContainerCreating", ""),
			`FailedMount: secret "keywright-pepper" not found`, "kubectl describe pod -n keywright-system NAME"),
	)

	It("names a volume claim without a storage class", func(ctx SpecContext) {
		claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: stack.Namespace, Name: "data"}}
		claim.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
		claim.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}
		create(ctx, claim)
		startPod(ctx, "keywright-server", isNotScheduled, corev1.Volume{Name: "data", VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name},
		}})
		findings, _ := e.run(ctx)
		Expect(of(findings, "pods")).To(ConsistOf(HaveField("Remedy",
			ContainSubstring("kubectl get storageclass: one is the default, or PersistentVolumeClaim data names one"))))
	})

	It("finds a program without Pods, or scaled to zero", func(ctx SpecContext) {
		findings, _ := e.run(ctx)
		Expect(of(findings, "pods")).To(ConsistOf(HaveField("Detail", "Deployment keywright-server has no Pods")))
		kubectlDo(ctx, "scale", "deployment/keywright-server", "--replicas=0")
		DeferCleanup(func(ctx context.Context) { kubectlDo(ctx, "scale", "deployment/keywright-server", "--replicas=1") })
		findings, _ = e.run(ctx)
		Expect(of(findings, "pods")).To(ConsistOf(HaveField("Detail", "Deployment keywright-server is scaled to zero")))
	})

	It("finds a second installation", func(ctx SpecContext) {
		startPod(ctx, "keywright-server", isReady)
		namespace := kit.Namespace(ctx, s.ControlPlane, "second-")
		second := strings.ReplaceAll(deployment("keywright-operator", "keywright/operator:v1"), stack.Namespace, namespace)
		apply(ctx, strings.ReplaceAll(second, "{name: keywright-operator,",
			"{labels: {app.kubernetes.io/name: keywright}, name: keywright-operator,"))
		DeferCleanup(func(ctx context.Context) {
			kubectlDo(ctx, "delete", "deployment", "keywright-operator", "-n", namespace)
		})
		findings, _ := e.run(ctx)
		Expect(of(findings, "pods")).To(ConsistOf(HaveField("Detail",
			"namespace "+namespace+" has a Keywright, too: there is one in a cluster")))
	})

	It("finds why Pods can't be created", func(ctx SpecContext) {
		status := `{"status":{"conditions":[{"type":"ReplicaFailure","status":"True","reason":"FailedCreate",` +
			`"message":"pods is forbidden: exceeded quota"}]}}`
		patch := func(ctx context.Context, status string) {
			kubectlDo(ctx, "patch", "deployment/keywright-server", "--subresource=status", "--type=merge", "-p", status)
		}
		DeferCleanup(func(ctx context.Context) { patch(ctx, `{"status":{"conditions":null}}`) })
		patch(ctx, status)
		findings, _ := e.run(ctx)
		Expect(of(findings, "pods")).To(ConsistOf(HaveField("Detail",
			"Deployment keywright-server cannot create its Pods: pods is forbidden: exceeded quota")))
	})
})
