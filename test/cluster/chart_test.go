package cluster

import (
	"context"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

const databaseURL = "postgres://keywright:correct-horse@postgres.database.svc/postgres?sslmode=disable"

var _ = Describe("Installed by the chart, with PostgreSQL", Ordered, func() {
	// The next run begins without Keywright.
	AfterAll(func(ctx SpecContext) { run(ctx, "make", "undeploy") })

	It("is ready in time, on a cluster that enforces the restricted standard", func(ctx SpecContext) {
		kubectl(ctx, "apply", "--server-side", "-f", "config/default/namespace.yaml")
		kubectl(ctx, "create", "secret", "generic", "keywright-database", "-n", stack.Namespace,
			"--from-literal=url="+databaseURL)
		install(ctx, "the chart", func() {
			run(ctx, helmPath, "install", "keywright", "charts/keywright", "-n", stack.Namespace,
				"-f", "charts/keywright/profiles/postgresql.yaml")
		})
		startWorkload(ctx)
	})

	It("refuses no call during ten rotations", func(ctx SpecContext) {
		unnoticed(ctx, "ten rotations", func() {
			for i := range 10 {
				rotate(ctx, strconv.Itoa(i))
				if i%5 == 4 {
					rotated := time.Now()
					report("lag of a mounted Secret", "%.0f s", mounted(ctx).Sub(rotated).Seconds())
				}
			}
		})
	})

	for _, name := range programs {
		It("refuses no call during rollouts of "+name, func(ctx SpecContext) {
			unnoticed(ctx, "two rollouts of "+name, func() {
				for range 2 {
					kubectl(ctx, "rollout", "restart", "-n", stack.Namespace, "deployment/"+name)
					rolledOut(ctx, stack.Namespace, name)
				}
			})
		})
	}

	It("refuses no call when its Pods are evicted", func(ctx SpecContext) {
		unnoticed(ctx, "evictions", func() {
			for _, pod := range pods(ctx, stack.Namespace) {
				evict(ctx, pod)
				rolledOut(ctx, stack.Namespace, programs...)
			}
		})
	})

	It("refuses no call when the operator is killed", func(ctx SpecContext) {
		unnoticed(ctx, "SIGKILL of the operator", func() { kill(ctx, "operator", 0) })
	})

	It("refuses a bounded number of calls when a server is killed", func(ctx SpecContext) {
		for i := range 2 {
			total, refused := duringWhich(ctx, func() { kill(ctx, "server", i) })
			report("SIGKILL of one server of two", "%d calls, refused: %v", total, refused)
			Expect(refused).NotTo(Or(HaveKey("401"), HaveKey("403")))
			Expect(sum(refused)).To(BeNumerically("<", total/killedShare))
		}
	})

	It("loses nothing when the node loses power", func(ctx SpecContext) {
		before := kit.CurrentKey(theKey(ctx)).ID
		starts := restarts(ctx)
		begun := time.Now()
		run(ctx, "hack/cluster/run.sh", "-name", filepath.Base(folder), "crash-node")
		Eventually(ctx, func(g Gomega) {
			now := restarts(ctx)
			for name, n := range starts {
				g.Expect(now[name]).To(BeNumerically(">", n), name)
			}
		}).Should(Succeed())
		after := accepted(ctx)
		report("power failure of the node", "calls accepted again after %.0f s; refused since the caller's start: %v",
			time.Since(begun).Seconds(), after.Replies)
		Expect(after.Replies).NotTo(Or(HaveKey("401"), HaveKey("403")))
		Expect(kit.CurrentKey(theKey(ctx)).ID).To(Equal(before))
		rolledOut(ctx, stack.Namespace, programs...)
	})

	It("is refused nothing by the API server", func() { noneForbidden() })

	It("leaves every key and the pepper where it is uninstalled", func(ctx SpecContext) {
		before := kit.CurrentKey(theKey(ctx)).ID
		run(ctx, helmPath, "uninstall", "keywright", "-n", stack.Namespace, "--wait")
		Expect(kit.CurrentKey(theKey(ctx)).ID).To(Equal(before))
		for namespace, name := range map[string]string{
			corev1.NamespaceDefault: "caller-api-key", stack.Namespace: v1alpha1.PepperSecret,
		} {
			Expect(plane.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &corev1.Secret{})).To(Succeed())
		}
		for _, name := range programs {
			err := plane.Client.Get(ctx, client.ObjectKey{Namespace: stack.Namespace, Name: name}, &appsv1.Deployment{})
			Expect(apierrors.IsNotFound(err)).To(BeTrue(), name)
		}
	})

	It("accepts the same key once it is installed again", func(ctx SpecContext) {
		run(ctx, helmPath, "install", "keywright", "charts/keywright", "-n", stack.Namespace,
			"-f", "charts/keywright/profiles/postgresql.yaml")
		rolledOut(ctx, stack.Namespace, programs...)
		startWorkload(ctx)
	})
})

// killedShare is promised by docs/gateways.md: of the calls from when a server is killed until it runs again, fewer
// than one in so many get no decision.
const killedShare = 20

func sum(counts map[string]int) (total int) {
	for _, n := range counts {
		total += n
	}
	return total
}

func namespace() *corev1.Namespace { return &corev1.Namespace{} }

// pods returns the Pods of a namespace that are not ending.
func pods(ctx context.Context, namespace string) (found []corev1.Pod) {
	GinkgoHelper()
	var all corev1.PodList
	Expect(plane.Client.List(ctx, &all, client.InNamespace(namespace))).To(Succeed())
	for i := range all.Items {
		if all.Items[i].DeletionTimestamp == nil {
			found = append(found, all.Items[i])
		}
	}
	return found
}

// podsOf returns the Pods of the operator or the server.
func podsOf(ctx context.Context, component string) []corev1.Pod {
	GinkgoHelper()
	var found corev1.PodList
	Expect(plane.Client.List(ctx, &found, client.InNamespace(stack.Namespace),
		client.MatchingLabels{"app.kubernetes.io/component": component})).To(Succeed())
	Expect(found.Items).NotTo(BeEmpty(), component)
	return found.Items
}

// containerOf returns the id of a Pod's first container.
func containerOf(pod *corev1.Pod) string {
	_, id, _ := strings.Cut(pod.Status.ContainerStatuses[0].ContainerID, "://")
	return id
}

// evict asks again while the PodDisruptionBudget does not allow it.
func evict(ctx context.Context, pod corev1.Pod) {
	GinkgoHelper()
	Eventually(ctx, func() error {
		return plane.Client.SubResource("eviction").Create(ctx, &pod, &policyv1.Eviction{})
	}).Should(Succeed())
	Eventually(ctx, func() bool {
		return apierrors.IsNotFound(plane.Client.Get(ctx, client.ObjectKeyFromObject(&pod), &corev1.Pod{}))
	}).Should(BeTrue())
}

// kill kills the process of one Pod's container, and waits until another one runs in its place.
func kill(ctx context.Context, component string, which int) {
	GinkgoHelper()
	pod := &podsOf(ctx, component)[which]
	Expect(syscall.Kill(processOf(containerOf(pod)), syscall.SIGKILL)).To(Succeed())
	restarted := pod.Status.ContainerStatuses[0].RestartCount
	Eventually(ctx, func(g Gomega) {
		g.Expect(plane.Client.Get(ctx, client.ObjectKeyFromObject(pod), pod)).To(Succeed())
		g.Expect(pod.Status.ContainerStatuses[0].RestartCount).To(BeNumerically(">", restarted))
		g.Expect(pod.Status.ContainerStatuses[0].Ready).To(BeTrue())
	}).Should(Succeed())
}

// restarts counts the restarts of each Pod that is ready.
func restarts(ctx context.Context) map[string]int32 {
	GinkgoHelper()
	found := map[string]int32{}
	for _, namespace := range []string{corev1.NamespaceDefault, stack.Namespace, "database"} {
		for _, pod := range pods(ctx, namespace) {
			if status := pod.Status.ContainerStatuses; len(status) == 1 && status[0].Ready {
				found[pod.Name] = status[0].RestartCount
			}
		}
	}
	return found
}
