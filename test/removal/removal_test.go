// Package removal installs Keywright with the first commands of docs/install.md, and removes it from the cluster with
// the last ones, in every order.
package removal

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

func TestRemoval(t *testing.T) {
	kit.RunSpecs(t, "Removal")
}

const (
	team = "team-a"
	// all is the kustomization of the whole installation.
	all = "config/default"
	// patience is long enough for a busy machine.
	patience = time.Minute
)

var s *stack.Stack

var _ = BeforeSuite(func(ctx SpecContext) {
	s = kit.Stack(ctx, stack.Options{Policies: []string{all}})
	Expect(s.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: team}})).To(Succeed())
	kit.Background(newStandIn(s.ControlPlane).run)
}, kit.StartTimeout)

// page returns the first group of an expression's match in docs/install.md.
func page(expression string) string {
	GinkgoHelper()
	text, err := os.ReadFile(filepath.Join(s.Root, "docs", "install.md"))
	Expect(err).NotTo(HaveOccurred())
	found := regexp.MustCompile(expression).FindSubmatch(text)
	Expect(found).NotTo(BeNil(), "docs/install.md does not match %s", expression)
	return string(found[1])
}

// shell runs commands as a person does, in the root of the checkout. It returns what they print, and their error.
func shell(ctx context.Context, commands string) (string, error) {
	sh := exec.CommandContext(ctx, "sh", "-eu", "-c", commands)
	sh.Dir, sh.Env = s.Root, append(s.Environ(), "DELETE_TIMEOUT=1")
	var out bytes.Buffer
	sh.Stdout, sh.Stderr = &out, &out
	err := sh.Run()
	return out.String(), err
}

func mustShell(ctx context.Context, commands string) string {
	GinkgoHelper()
	out, err := shell(ctx, commands)
	Expect(err).NotTo(HaveOccurred(), out)
	return out
}

// deleteAll begins to delete the whole installation, and does not wait.
func deleteAll(ctx context.Context) {
	GinkgoHelper()
	mustShell(ctx, "kubectl delete --ignore-not-found --wait=false -k "+all)
}

// annotateLast runs the command of the page that lets the last admin go.
func annotateLast(ctx context.Context) {
	GinkgoHelper()
	mustShell(ctx, strings.ReplaceAll(page("Annotate it now: `([^`]+)`"), "<name>", "alice"))
}

// removeFinalizers runs the command of the page that does so.
func removeFinalizers(ctx context.Context) {
	GinkgoHelper()
	mustShell(ctx, page("(?s)```sh\n(kubectl get [^`]*?xargs .*?)```"))
}

// fill creates an admin, who is the anchor, a key, and a key whose Secret is to stay.
func fill(ctx context.Context) {
	GinkgoHelper()
	alice := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: stack.Namespace, Name: "alice"}}
	Expect(s.Client.Create(ctx, alice)).To(Succeed())
	for name, policy := range map[string]v1alpha1.DeletionPolicy{
		"ci": v1alpha1.DeletionDelete, "kept": v1alpha1.DeletionOrphan,
	} {
		key := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: team, Name: name}}
		key.Spec.Subject = v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: name}
		key.Spec.Secret = &v1alpha1.APIKeySecret{}
		key.Spec.Secret.DeletionPolicy = policy
		Expect(s.Client.Create(ctx, key)).To(Succeed())
		expectReady(ctx, key, &key.Status.Conditions)
	}
	expectReady(ctx, alice, &alice.Status.Conditions)
	Eventually(ctx, func(g Gomega) {
		g.Expect(s.Client.Get(ctx, client.ObjectKeyFromObject(alice), alice)).To(Succeed())
		g.Expect(alice.Finalizers).To(ContainElement(v1alpha1.FinalizerLastAdmin))
	}).WithTimeout(patience).Should(Succeed())
}

func expectReady(ctx context.Context, o client.Object, conditions *[]metav1.Condition) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		g.Expect(s.Client.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
		g.Expect(meta.IsStatusConditionTrue(*conditions, v1alpha1.ConditionReady)).To(BeTrue())
	}).WithTimeout(patience).Should(Succeed())
}

// expectOnly waits until nothing of Keywright is left in the cluster but these objects.
func expectOnly(ctx context.Context, objects ...string) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		left, err := kit.Leftovers(ctx, s.ControlPlane)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(left).To(ConsistOf(objects))
	}).WithTimeout(patience).Should(Succeed())
}

// expectKept expects that only the Secret stays that was asked to, and deletes it.
func expectKept(ctx context.Context) {
	GinkgoHelper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: team, Name: "kept-api-key"}}
	expectOnly(ctx, "Secret team-a/kept-api-key")
	Expect(s.Client.Get(ctx, client.ObjectKeyFromObject(secret), secret)).To(Succeed())
	Expect(secret.Data).To(HaveKey(v1alpha1.SecretKey))
	Expect(s.Client.Delete(ctx, secret)).To(Succeed())
}

var _ = Describe("The page", Ordered, func() {
	It("ends its first ten minutes with a key that the server accepts", func(ctx SpecContext) {
		firstSteps(ctx)
		Expect(s.Server.Stop()).To(Succeed())
		annotateLast(ctx)
		mustShell(ctx, "kubectl delete adminuser alice")
	})

	Describe("removes everything:", func() {
		installed := true

		BeforeEach(func(ctx SpecContext) {
			if !installed {
				Expect(s.Operator.Stop()).To(Succeed())
				Expect(s.Reinstall(ctx)).To(Succeed())
			}
			installed = false
			fill(ctx)
		}, NodeTimeout(5*time.Minute))

		It("keys, admins, then the rest", func(ctx SpecContext) {
			block := page("(?s)## Removing.*?```sh\n(.*?)```")
			mustShell(ctx, strings.ReplaceAll(block, "my-keywright", all))
			expectKept(ctx)
		})

		It("CRDs first", func(ctx SpecContext) {
			mustShell(ctx, "kubectl delete --wait=false -k config/crd")
			alice := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: stack.Namespace, Name: "alice"}}
			Eventually(ctx, func(g Gomega) {
				g.Expect(s.Client.Get(ctx, client.ObjectKeyFromObject(alice), alice)).To(Succeed())
				kept := meta.FindStatusCondition(alice.Status.Conditions, v1alpha1.ConditionLastAdmin)
				g.Expect(kept).NotTo(BeNil())
				g.Expect(kept.Reason).To(Equal(v1alpha1.ReasonKeptLastAdmin))
				g.Expect(kept.Message).To(ContainSubstring("To remove it now, set annotation"))
			}).WithTimeout(patience).Should(Succeed())
			annotateLast(ctx)
			Eventually(ctx, func() (string, error) { return shell(ctx, "kubectl get crd -o name") }).
				WithTimeout(patience).Should(BeEmpty())
			Expect(s.Operator.Stop()).To(Succeed())
			deleteAll(ctx)
			expectKept(ctx)
		})

		It("the namespace first, and then everything", func(ctx SpecContext) {
			mustShell(ctx, "kubectl delete --wait=false namespace "+stack.Namespace)
			Expect(s.Operator.Stop()).To(Succeed())
			deleteAll(ctx)
			expectHangs(ctx)
			removeFinalizers(ctx)
			mustShell(ctx, "make undeploy KUBECTL=kubectl")
			// The garbage collector does not know that a Secret was meant to stay.
			expectOnly(ctx)
		})
	})
})

// expectHangs expects that objects wait for an operator that does not run any more, and that make explains it.
func expectHangs(ctx context.Context) {
	GinkgoHelper()
	Eventually(ctx, func() string {
		return mustShell(ctx, page("(?s)```sh\n(kubectl get adminusers,apikeys.*?)\nkubectl get pods"))
	}).WithTimeout(patience).Should(SatisfyAll(ContainSubstring(v1alpha1.FinalizerLastAdmin),
		ContainSubstring(v1alpha1.FinalizerKeepSecret), Not(ContainSubstring("<none>"))))
	out, err := shell(ctx, "make undeploy KUBECTL=kubectl")
	Expect(err).To(HaveOccurred())
	Expect(out).To(SatisfyAll(ContainSubstring("kept"), ContainSubstring(v1alpha1.FinalizerKeepSecret),
		ContainSubstring(`see "When something hangs" in docs/install.md`)))
}
