package recovery

import (
	"context"
	"crypto/rand"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/cli/cluster/archive"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/test/stack"
)

// wipe leaves what a new installation has whose operator was stopped: a pepper that no key was digested with.
func wipe(ctx context.Context) {
	GinkgoHelper()
	for _, o := range holders(ctx, s) {
		before := o.DeepCopyObject().(client.Object)
		o.SetAnnotations(map[string]string{v1alpha1.AnnotationAllowLastAdminRemoval: "true"})
		o.SetFinalizers(nil)
		Expect(s.Client.Patch(ctx, o, client.MergeFrom(before))).To(Succeed())
		Expect(client.IgnoreNotFound(s.Client.Delete(ctx, o))).To(Succeed())
	}
	Expect(s.Client.DeleteAllOf(ctx, &v1alpha1.AccessRole{})).To(Succeed())
	Expect(s.Client.DeleteAllOf(ctx, &v1alpha1.AccessRoleBinding{})).To(Succeed())
	for _, namespace := range []string{stack.Namespace, team} {
		Expect(s.Client.DeleteAllOf(ctx, &corev1.Secret{}, client.InNamespace(namespace),
			client.HasLabels{v1alpha1.LabelIssuedFor})).To(Succeed())
	}
	for _, o := range []client.Object{
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "keywright-bootstrap"}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.PepperSecret}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.ConfigMapConfig}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.ConfigMapRuntime}},
	} {
		o.SetNamespace(stack.Namespace)
		Expect(client.IgnoreNotFound(s.Client.Delete(ctx, o))).To(Succeed())
	}
	fresh := make([]byte, 32)
	_, _ = rand.Read(fresh)
	Expect(s.Client.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: stack.Namespace, Name: v1alpha1.PepperSecret},
		Data:       map[string][]byte{"active": fresh},
	})).To(Succeed())
	for _, plaintext := range plaintexts {
		Eventually(answer(ctx, s, plaintext)).WithTimeout(20 * time.Second).ShouldNot(Equal(200))
	}
}

// part is a piece of the backup: what a person may restore at a time of its own.
var part = map[string]func(*unstructured.Unstructured) bool{
	"pepper":  isNamed(v1alpha1.PepperSecret),
	"config":  isNamed(v1alpha1.ConfigMapConfig),
	"runtime": isNamed(v1alpha1.ConfigMapRuntime),
	"objects": func(o *unstructured.Unstructured) bool { return o.GroupVersionKind().Group != "" },
	"Secrets": func(o *unstructured.Unstructured) bool {
		return o.GetKind() == "Secret" && o.GetName() != v1alpha1.PepperSecret
	},
}

func isNamed(name string) func(*unstructured.Unstructured) bool {
	return func(o *unstructured.Unstructured) bool { return o.GetName() == name }
}

// fileOf writes a part of the backup.
func fileOf(name string) string {
	GinkgoHelper()
	some := &archive.Archive{Head: saved.Head}
	for _, item := range saved.Items {
		if part[name](item) {
			some.Items = append(some.Items, item)
		}
	}
	Expect(some.Items).NotTo(BeEmpty(), name)
	text, err := some.Encode()
	Expect(err).NotTo(HaveOccurred())
	path := filepath.Join(GinkgoT().TempDir(), "part.json")
	Expect(os.WriteFile(path, text, 0o600)).To(Succeed())
	return path
}

// runOperator runs the operator until everything is at rest. A key that it issues shows that it has looked at all
// objects that were there before.
func runOperator(ctx context.Context) {
	GinkgoHelper()
	Expect(s.Operator.Start(ctx)).To(Succeed())
	last := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: stack.Namespace, Name: "last"}}
	last.Spec.Subject = v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "last"}
	Expect(s.Client.Create(ctx, last)).To(Succeed())
	awaitRest(ctx, s)
	Eventually(func() error {
		return s.Client.Get(ctx, client.ObjectKey{Namespace: stack.Namespace, Name: v1alpha1.ConfigMapRuntime},
			&corev1.ConfigMap{})
	}).WithTimeout(20 * time.Second).Should(Succeed())
	Expect(s.Client.Delete(ctx, last)).To(Succeed())
	Eventually(func() bool {
		err := s.Client.Get(ctx, client.ObjectKey{Namespace: stack.Namespace, Name: "last-api-key"}, &corev1.Secret{})
		return apierrors.IsNotFound(err)
	}).WithTimeout(20 * time.Second).Should(BeTrue())
	stopOperator(ctx)
}

// stopOperator also removes its Lease, which is held for some seconds more.
func stopOperator(ctx context.Context) {
	GinkgoHelper()
	Expect(s.Operator.Stop()).To(Succeed())
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: stack.Namespace, Name: "keywright-operator"}}
	Expect(client.IgnoreNotFound(s.Client.Delete(ctx, lease))).To(Succeed())
}

// expectAccepted asks the server for every key of the lost cluster.
func expectAccepted(ctx context.Context) {
	GinkgoHelper()
	for what, plaintext := range plaintexts {
		Eventually(answer(ctx, s, plaintext)).WithTimeout(20*time.Second).Should(Equal(200), what)
	}
}

// expectSame compares keys, owners and Secrets with the backup: none is lost, and none was issued.
func expectSame(ctx context.Context) {
	GinkgoHelper()
	found := holders(ctx, s)
	Expect(found).To(HaveLen(5))
	for _, o := range found {
		present := recordOf(ctx, o)
		Expect(archive.SameRecord(present, itemOf(o.GetName()))).To(BeTrue(), "%s: %v", o.GetName(), present.Object)
		if name, _, _ := unstructured.NestedString(itemOf(o.GetName()).Object, "status", "secretName"); name != "" {
			Expect(o.HolderStatus().SecretName).To(Equal(name))
			Expect(plaintextIn(ctx, s, o.GetNamespace(), name)).
				To(Equal(plaintexts[keyholder.KindOf(o)+" "+o.GetName()]))
			secret := &corev1.Secret{}
			Expect(s.Client.Get(ctx, client.ObjectKey{Namespace: o.GetNamespace(), Name: name}, secret)).To(Succeed())
			Expect(metav1.IsControlledBy(secret, o)).To(BeTrue(), name)
			Expect(secret.Annotations).NotTo(HaveKey(v1alpha1.AnnotationAdopt))
		}
	}
}

// recordOf reads an object as a file has it.
func recordOf(ctx context.Context, o keyholder.Object) *unstructured.Unstructured {
	GinkgoHelper()
	present := &unstructured.Unstructured{}
	present.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind(keyholder.KindOf(o)))
	Expect(s.Client.Get(ctx, client.ObjectKeyFromObject(o), present)).To(Succeed())
	return present
}

func kubectl(ctx context.Context, args ...string) {
	GinkgoHelper()
	_, err := s.Kubectl(ctx, args...)
	Expect(err).NotTo(HaveOccurred())
}

// listOf writes a part of the backup as kubectl prints it.
func listOf(name string) string {
	GinkgoHelper()
	return list(part[name])
}

// keysOf writes what has a status.
func keysOf() string {
	GinkgoHelper()
	return list(func(o *unstructured.Unstructured) bool { return o.Object["status"] != nil })
}

func list(has func(*unstructured.Unstructured) bool) string {
	GinkgoHelper()
	some := &unstructured.UnstructuredList{Object: map[string]any{"apiVersion": "v1", "kind": "List"}}
	for _, item := range saved.Items {
		if has(item) {
			some.Items = append(some.Items, *item)
		}
	}
	text, err := some.MarshalJSON()
	Expect(err).NotTo(HaveOccurred())
	path := filepath.Join(GinkgoT().TempDir(), "list.json")
	Expect(os.WriteFile(path, text, 0o600)).To(Succeed())
	return path
}

func itemOf(name string) *unstructured.Unstructured {
	GinkgoHelper()
	i := slices.IndexFunc(saved.Items, func(o *unstructured.Unstructured) bool {
		return part["objects"](o) && o.GetName() == name
	})
	Expect(i).To(BeNumerically(">=", 0), name)
	return saved.Items[i]
}

// orders has each part at each place, and each before each other one.
var orders = []string{
	"pepper config runtime objects Secrets",
	"Secrets objects runtime config pepper",
	"config Secrets pepper runtime objects",
	"objects pepper Secrets config runtime",
	"runtime objects config Secrets pepper",
}

var _ = Describe("A cluster that is lost", Ordered, ContinueOnFailure, func() {
	BeforeEach(wipe)

	It("comes back by one command: the same keys are accepted before the operator runs, and after", func(ctx SpecContext) {
		r := plugin(ctx, s, "restore", backup)
		expectDone(r)
		Expect(r.stdout).To(ContainSubstring("AdminUser keywright-system/alice is created\n"))
		Expect(r.stdout).To(ContainSubstring("joined with the pepper of the backup\n"))
		Expect(r.stderr).To(ContainSubstring("Now start the operator"))
		// A new server waits for its configuration, which only the operator writes otherwise.
		Expect(s.Server.Restart(ctx)).To(Succeed())
		expectAccepted(ctx)
		runOperator(ctx)
		expectAccepted(ctx)
		expectSame(ctx)
	})

	for _, order := range orders {
		It("comes back in the order "+order, func(ctx SpecContext) {
			for _, name := range strings.Fields(order) {
				expectDone(plugin(ctx, s, "restore", fileOf(name)))
			}
			expectAccepted(ctx)
			runOperator(ctx)
			expectAccepted(ctx)
			expectSame(ctx)
		})
	}

	It("comes back by the commands of docs/backup.md, with kubectl alone", func(ctx SpecContext) {
		expectDone(plugin(ctx, s, "restore", fileOf("pepper")))
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: team}}
		Expect(client.IgnoreAlreadyExists(s.Client.Create(ctx, namespace))).To(Succeed())
		keys, secrets := listOf("objects"), listOf("Secrets")
		kubectl(ctx, "create", "-f", keys)
		kubectl(ctx, "replace", "--subresource=status", "--field-manager=keywright-incident", "-f", keysOf())
		kubectl(ctx, "create", "-f", secrets)
		expectDone(plugin(ctx, s, "restore", fileOf("config")))
		runOperator(ctx)
		expectAccepted(ctx)
		expectSame(ctx)
	})

	It("comes back without keywright-runtime as soon as the operator runs", func(ctx SpecContext) {
		for _, name := range []string{"pepper", "config", "objects", "Secrets"} {
			expectDone(plugin(ctx, s, "restore", fileOf(name)))
		}
		runOperator(ctx)
		Expect(s.Server.Restart(ctx)).To(Succeed())
		expectAccepted(ctx)
		expectSame(ctx)
	})

	It("comes back after an interruption, by the same command", func(ctx SpecContext) {
		expectDone(plugin(ctx, s, "restore", backup))
		user := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: stack.Namespace, Name: "alice"}}
		Expect(s.Client.Get(ctx, client.ObjectKeyFromObject(user), user)).To(Succeed())
		user.Status = v1alpha1.AdminUserStatus{}
		Expect(s.Client.Status().Update(ctx, user)).To(Succeed())
		Expect(s.Client.Delete(ctx, &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: team, Name: "ci"}})).
			To(Succeed())
		r := plugin(ctx, s, "restore", backup)
		expectDone(r)
		Expect(strings.Split(strings.TrimSpace(r.stdout), "\n")).To(ConsistOf(
			"AdminUser keywright-system/alice is given its status", "APIKey team-a/ci is created"))
		again := plugin(ctx, s, "restore", backup)
		expectDone(again)
		Expect(again.stdout).To(BeEmpty())
		runOperator(ctx)
		expectAccepted(ctx)
		expectSame(ctx)
	})

	It("is not touched by a dry run", func(ctx SpecContext) {
		r := plugin(ctx, s, "restore", backup, "--dry-run")
		expectDone(r)
		Expect(r.stdout).To(ContainSubstring("APIKey team-a/ci would be created\n"))
		Expect(holders(ctx, s)).To(BeEmpty())
		err := s.Client.Get(ctx, client.ObjectKey{Namespace: stack.Namespace, Name: "keywright-bootstrap"}, &corev1.Secret{})
		Expect(apierrors.IsNotFound(err)).To(BeTrue())
	})
})

var _ = Describe("A restore", Ordered, ContinueOnFailure, func() {
	BeforeEach(wipe)

	It("is refused while the operator runs", func(ctx SpecContext) {
		Expect(s.Operator.Start(ctx)).To(Succeed())
		DeferCleanup(stopOperator)
		var r result
		Eventually(func() string {
			r = plugin(ctx, s, "restore", fileOf("config"))
			return r.stderr
		}).WithTimeout(30 * time.Second).Should(ContainSubstring(
			"kubectl scale deployment keywright-operator --replicas=0 -n keywright-system"))
		Expect(r.code).To(Equal(1))
	})

	It("waits for an operator that is scaled to zero and not gone yet", func(ctx SpecContext) {
		Expect(s.Operator.Start(ctx)).To(Succeed())
		DeferCleanup(stopOperator)
		Eventually(func() string { return plugin(ctx, s, "restore", fileOf("config")).stderr }).
			WithTimeout(30 * time.Second).Should(ContainSubstring("the operator"))
		labels := map[string]string{"app": "operator"}
		scaledToZero := &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: stack.Namespace, Name: "keywright-operator"},
			Spec: appsv1.DeploymentSpec{
				Replicas: new(int32(0)), Selector: &metav1.LabelSelector{MatchLabels: labels},
				Template: corev1.PodTemplateSpec{
					ObjectMeta: metav1.ObjectMeta{Labels: labels},
					Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "operator", Image: "operator"}}},
				},
			},
		}
		Expect(s.Client.Create(ctx, scaledToZero)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(s.Client.Delete(ctx, scaledToZero)).To(Succeed()) })
		// Its Lease ends 15 seconds later.
		Expect(s.Operator.Kill()).To(Succeed())
		r := plugin(ctx, s, "restore", backup)
		expectDone(r)
		Expect(r.stderr).To(HavePrefix("Waiting for the operator to stop\n"))
	})

	It("overwrites nothing without --force", func(ctx SpecContext) {
		expectDone(plugin(ctx, s, "restore", backup))
		binding := &v1alpha1.AccessRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "readers"}}
		Expect(s.Client.Get(ctx, client.ObjectKeyFromObject(binding), binding)).To(Succeed())
		binding.Spec.APIKeys = v1alpha1.KeysDenied
		Expect(s.Client.Update(ctx, binding)).To(Succeed())
		user := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: stack.Namespace, Name: "bob"}}
		Expect(s.Client.Get(ctx, client.ObjectKeyFromObject(user), user)).To(Succeed())
		user.Status.Keys = nil
		Expect(s.Client.Status().Update(ctx, user)).To(Succeed())

		r := plugin(ctx, s, "restore", backup)
		Expect(r.code).To(Equal(1))
		Expect(r.stdout).To(BeEmpty())
		Expect(r.stderr).To(ContainSubstring("AccessRoleBinding readers exists with other content, and stays as it is"))
		Expect(r.stderr).To(ContainSubstring("AdminUser keywright-system/bob exists with other content"))

		r = plugin(ctx, s, "restore", backup, "--force")
		expectDone(r)
		Expect(strings.Split(strings.TrimSpace(r.stdout), "\n")).To(ConsistOf(
			"AccessRoleBinding readers is overwritten", "AdminUser keywright-system/bob is overwritten"))
		expectAccepted(ctx)
	})

	It("keeps the pepper that is there beside that of the backup", func(ctx SpecContext) {
		secret := &corev1.Secret{}
		name := client.ObjectKey{Namespace: stack.Namespace, Name: v1alpha1.PepperSecret}
		Expect(s.Client.Get(ctx, name, secret)).To(Succeed())
		before := secret.Data["active"]
		expectDone(plugin(ctx, s, "restore", fileOf("pepper")))
		Expect(s.Client.Get(ctx, name, secret)).To(Succeed())
		Expect(secret.Data).To(HaveLen(2))
		Expect(slices.Collect(maps.Values(secret.Data))).To(ContainElement(before))
		Expect(secret.Data["active"]).NotTo(Equal(before))
		r := plugin(ctx, s, "restore", fileOf("pepper"))
		expectDone(r)
		Expect(r.stdout).To(BeEmpty())
	})

	It("is refused in another cluster with keys of its own", func(ctx SpecContext) {
		user := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: stack.Namespace, Name: "carol"}}
		Expect(s.Client.Create(ctx, user)).To(Succeed())
		runOperator(ctx)
		r := plugin(ctx, s, "restore", backup)
		Expect(r.code).To(Equal(1))
		Expect(r.stderr).To(ContainSubstring("it has keys of its own, such as that of AdminUser keywright-system/carol"))
		Expect(holders(ctx, s)).To(HaveLen(1))
	})

	It("reports keys whose pepper is nowhere", func(ctx SpecContext) {
		r := plugin(ctx, s, "restore", fileOf("objects"), "--dry-run")
		expectDone(r)
		Expect(r.stderr).To(MatchRegexp(`Warning: 5 keys are refused until Secret \S+ has their pepper [0-9a-f]+`))
	})

	It("needs the namespace of the backup", func(ctx SpecContext) {
		r := plugin(ctx, s, "restore", backup, "--system-namespace", "keys")
		Expect(r.code).To(Equal(2))
		Expect(r.stderr).To(ContainSubstring("--system-namespace keywright-system"))
	})
})

var _ = Describe("A backup", Ordered, func() {
	It("is for its owner only, and replaces no file without --force", func(ctx SpecContext) {
		info, err := os.Stat(backup)
		Expect(err).NotTo(HaveOccurred())
		Expect(info.Mode().Perm()).To(BeEquivalentTo(0o600))
		r := plugin(ctx, s, "backup", backup)
		Expect(r.code).To(Equal(2))
		Expect(r.stderr).To(ContainSubstring("--force replaces it"))
	})

	It("has no key in plaintext, and no pepper, unless that is asked for", func(ctx SpecContext) {
		wipe(ctx)
		expectDone(plugin(ctx, s, "restore", backup))
		path := filepath.Join(GinkgoT().TempDir(), "backup.json")
		r := plugin(ctx, s, "backup", path)
		expectDone(r)
		Expect(r.stderr).To(ContainSubstring("Warning: Secret keywright-pepper is not in the backup"))
		text, err := os.ReadFile(path)
		Expect(err).NotTo(HaveOccurred())
		a, err := archive.Decode(text)
		Expect(err).NotTo(HaveOccurred())
		for _, item := range a.Items {
			Expect(item.GetKind()).NotTo(Equal("Secret"))
		}
		for _, plaintext := range plaintexts {
			Expect(string(text)).NotTo(ContainSubstring(plaintext))
		}
	})
})
