package chart

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/serverlimits"
	"keywright.dev/keywright/test/stack"
)

// patience is long enough for a busy machine.
const patience = 30 * time.Second

// teams are the namespaces of profile namespaces.
var teams = []string{"team-a", "team-b"}

func install(ctx context.Context, args ...string) {
	GinkgoHelper()
	_, err := helm(ctx, append([]string{"install", release, chart, "--namespace", stack.Namespace}, args...)...)
	Expect(err).NotTo(HaveOccurred())
}

func uninstall(ctx context.Context) {
	GinkgoHelper()
	_, err := helm(ctx, "uninstall", release, "--namespace", stack.Namespace)
	Expect(err).NotTo(HaveOccurred())
}

// live returns what the API server made of objects: with defaults, and what admission changed.
func live(ctx context.Context, rendered objects) objects {
	GinkgoHelper()
	found := objects{}
	for key, o := range rendered {
		got := &unstructured.Unstructured{}
		got.SetGroupVersionKind(o.GroupVersionKind())
		Expect(plane.Client.Get(ctx, client.ObjectKeyFromObject(o), got)).To(Succeed(), key)
		anonymous(got)
		found[key] = got
	}
	return found
}

// anonymous removes what differs between two objects of the same content, and Helm's own marks.
func anonymous(o *unstructured.Unstructured) {
	for _, field := range []string{"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"} {
		unstructured.RemoveNestedField(o.Object, "metadata", field)
	}
	for _, annotation := range []string{"meta.helm.sh/release-name", "meta.helm.sh/release-namespace",
		"helm.sh/resource-policy", "deprecated.daemonset.template.generation"} {
		unstructured.RemoveNestedField(o.Object, "metadata", "annotations", annotation)
	}
	unstructured.RemoveNestedField(o.Object, "metadata", "labels", "app.kubernetes.io/managed-by")
	unstructured.RemoveNestedField(o.Object, "status")
	if len(o.GetAnnotations()) == 0 {
		o.SetAnnotations(nil)
	}
	if len(o.GetLabels()) == 0 {
		o.SetLabels(nil)
	}
	if o.GetKind() == "Service" {
		unstructured.RemoveNestedField(o.Object, "spec", "clusterIP")
		unstructured.RemoveNestedField(o.Object, "spec", "clusterIPs")
	}
}

// remove deletes objects of an installation by kustomize. The CRDs stay, and so do the namespace and the volume:
// nothing removes their finalizers here.
func remove(ctx context.Context, rendered objects) {
	GinkgoHelper()
	for key, o := range rendered {
		if !slices.Contains([]string{"CustomResourceDefinition", "Namespace", "PersistentVolumeClaim"}, o.GetKind()) {
			Expect(client.IgnoreNotFound(plane.Client.Delete(ctx, o))).To(Succeed(), key)
		}
	}
}

// expectPods has the API server check the Pods of both Deployments, in a namespace that enforces the restricted
// standard.
func expectPods(ctx context.Context, all objects) {
	GinkgoHelper()
	for _, program := range []string{"operator", "server"} {
		template := deployment(all, program).Spec.Template
		pod := &corev1.Pod{Spec: template.Spec, ObjectMeta: metav1.ObjectMeta{
			Namespace: stack.Namespace, GenerateName: program + "-", Labels: template.Labels}}
		Expect(plane.Client.Create(ctx, pod.DeepCopy(), client.DryRunAll)).To(Succeed())
		pod.Spec.HostNetwork = true
		Expect(plane.Client.Create(ctx, pod, client.DryRunAll)).
			To(MatchError(ContainSubstring(`violates PodSecurity "restricted`)))
	}
}

// generations returns how often each Deployment was changed.
func generations(ctx context.Context) map[string]int64 {
	GinkgoHelper()
	var all appsv1.DeploymentList
	Expect(plane.Client.List(ctx, &all, client.InNamespace(stack.Namespace))).To(Succeed())
	found := map[string]int64{}
	for i := range all.Items {
		found[all.Items[i].Name] = all.Items[i].Generation
	}
	Expect(found).To(HaveLen(2))
	return found
}

var _ = Describe("On an API server", Ordered, func() {
	installed := &serverlimits.Installation{Namespace: stack.Namespace, Elsewhere: teams[0]}

	BeforeAll(func(ctx SpecContext) {
		installed.Plane = plane
		for _, name := range teams {
			Expect(plane.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})).To(Succeed())
		}
		// The page begins with an empty cluster.
		_, err := plane.Kubectl(ctx, "delete", "-k", "config/crd")
		Expect(err).NotTo(HaveOccurred())
	})

	Describe("installed as docs/install.md says", Ordered, func() {
		BeforeAll(func(ctx SpecContext) {
			_, err := run(ctx, "sh", "-euc", registry+fromPage("### 3. Install", "kubectl apply"))
			Expect(err).NotTo(HaveOccurred())
			Expect(plane.InstallFrom(ctx)).To(Succeed())
		})

		installed.Specs()

		It("runs the images of the page, in a namespace that enforces the restricted standard", func(ctx SpecContext) {
			server := &appsv1.Deployment{}
			Expect(plane.Client.Get(ctx, client.ObjectKey{Namespace: stack.Namespace, Name: "keywright-server"}, server)).
				To(Succeed())
			Expect(server.Spec.Template.Spec.Containers[0].Image).To(HavePrefix("registry.example.com/keywright/server:v"))
			expectPods(ctx, template(ctx))
		})

		It("says what comes next", func(ctx SpecContext) {
			notes, err := helm(ctx, "get", "notes", release, "--namespace", stack.Namespace)
			Expect(err).NotTo(HaveOccurred())
			_, after, found := strings.Cut(notes, "<<'YAML'\n")
			manifest, _, ends := strings.Cut(after, "   YAML\n")
			Expect(found && ends).To(BeTrue(), notes)
			path := file("alice.yaml", strings.ReplaceAll("\n"+manifest, "\n   ", "\n"))
			_, err = plane.Kubectl(ctx, "apply", "--server-side", "-f", path)
			Expect(err).NotTo(HaveOccurred())
		})

		It("keeps every key where it is removed, and takes them over again", func(ctx SpecContext) {
			key := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: teams[0], Name: "ci"}}
			key.Spec.Subject = v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"}
			Expect(plane.Client.Create(ctx, key)).To(Succeed())
			alice := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: stack.Namespace, Name: "alice"}}
			uninstall(ctx)
			kept := func() {
				GinkgoHelper()
				for _, o := range []client.Object{key, alice} {
					Expect(plane.Client.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
					Expect(o.GetDeletionTimestamp()).To(BeNil())
				}
			}
			kept()
			left, err := kit.Leftovers(ctx, plane)
			Expect(err).NotTo(HaveOccurred())
			for _, o := range template(ctx) {
				stays := slices.Contains([]string{"CustomResourceDefinition", "PersistentVolumeClaim"}, o.GetKind())
				Expect(slices.Contains(left, kit.NameOf(o))).To(Equal(stays), kit.NameOf(o))
			}
			install(ctx)
			kept()
			uninstall(ctx)
		})
	})

	It("the objects of the Prometheus operator need its CRDs", func(ctx SpecContext) {
		_, err := helm(ctx, "install", release, chart, "--namespace", stack.Namespace, "-f", profiles+"/monitoring.yaml")
		Expect(err).To(MatchError(And(ContainSubstring(`no matches for kind "ServiceMonitor"`),
			ContainSubstring("ensure CRDs are installed first"))))
		definitions := kit.ModuleFolder(ctx, filepath.Join(plane.Root, "hack", "gatewaycrds"),
			"github.com/prometheus-operator/prometheus-operator") + "/example/prometheus-operator-crd/monitoring.coreos.com_"
		_, err = plane.Kubectl(ctx, "create", "-f", definitions+"servicemonitors.yaml",
			"-f", definitions+"prometheusrules.yaml")
		Expect(err).NotTo(HaveOccurred())
		_, err = plane.Kubectl(ctx, "wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
		Expect(err).NotTo(HaveOccurred())
	})

	for _, p := range both {
		It("both ways make the same of profile "+p.values, func(ctx SpecContext) {
			values := []string{"-f", profiles + "/" + p.values + ".yaml"}
			rendered := template(ctx, values...)
			install(ctx, values...)
			byHelm := live(ctx, rendered)
			expectPods(ctx, rendered)
			uninstall(ctx)

			folder := p.folder()
			Expect(plane.InstallFrom(ctx, folder)).To(Succeed())
			built, err := plane.Kubectl(ctx, "kustomize", folder)
			Expect(err).NotTo(HaveOccurred())
			byKustomize := live(ctx, decode(built))
			remove(ctx, decode(built))
			expectEqual(likeForLike(byHelm), likeForLike(byKustomize))
		})
	}

	It("an upgrade changes a setting and no Pod", func(ctx SpecContext) {
		install(ctx)
		before := generations(ctx)
		_, err := helm(ctx, "upgrade", release, chart, "--namespace", stack.Namespace, "--set", "settings.UNMATCHED=deny")
		Expect(err).NotTo(HaveOccurred())
		settings := &corev1.ConfigMap{}
		name := client.ObjectKey{Namespace: stack.Namespace, Name: v1alpha1.ConfigMapConfig}
		Expect(plane.Client.Get(ctx, name, settings)).To(Succeed())
		Expect(settings.Data).To(Equal(map[string]string{"UNMATCHED": "deny"}))
		Expect(generations(ctx)).To(Equal(before))
		uninstall(ctx)
		Expect(apierrors.IsNotFound(plane.Client.Get(ctx, name, settings))).To(BeTrue())
	})

	It("the chart takes over an installation by kustomize", func(ctx SpecContext) {
		Expect(plane.InstallFrom(ctx, both[0].folder())).To(Succeed())
		_, err := helm(ctx, "install", release, chart, "--namespace", stack.Namespace)
		Expect(err).To(MatchError(ContainSubstring("invalid ownership metadata")))
		_, err = run(ctx, "sh", "-euc", fromPage("### From kustomize to Helm", "helm install"))
		Expect(err).NotTo(HaveOccurred())
		uninstall(ctx)
	})

	It("the CRDs and all keys go with the chart on request only", func(ctx SpecContext) {
		install(ctx, "--set", "crds.keep=false")
		uninstall(ctx)
		Eventually(ctx, func() error {
			return plane.Client.List(ctx, &v1alpha1.APIKeyList{})
		}).WithTimeout(patience).ShouldNot(Succeed())
	})
})
