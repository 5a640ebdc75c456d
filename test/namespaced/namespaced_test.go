// Package namespaced tests config/namespaced as docs/install.md assembles it: operator and server on a real API server,
// with the rights of that profile only.
package namespaced

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

func TestNamespaced(t *testing.T) {
	kit.RunSpecs(t, "Namespaced")
}

// Two listed namespaces, and one that is not listed.
const (
	listed    = "team-a,team-b"
	elsewhere = "elsewhere"
)

// patience is long enough for a busy machine.
const patience = 30 * time.Second

var s *stack.Stack

var _ = BeforeSuite(func(ctx SpecContext) {
	root, err := stack.Root()
	Expect(err).NotTo(HaveOccurred())
	dir := GinkgoT().TempDir()
	namespaces := "--namespaces=" + listed
	s = kit.Stack(ctx, stack.Options{
		Audit:        true,
		Policies:     []string{teams(dir), profile(ctx, root, dir)},
		OperatorArgs: []string{namespaces}, ServerArgs: []string{namespaces},
	})
}, kit.StartTimeout)

// The programs must not need more than the profile grants.
var _ = AfterSuite(func() {
	requests, err := s.Requests()
	Expect(err).NotTo(HaveOccurred())
	Expect(requests).NotTo(BeEmpty())
	Expect(kit.RefusedRequests(requests)).To(BeEmpty())
})

// teams writes a kustomization of the namespaces that exist before Keywright.
func teams(dir string) string {
	GinkgoHelper()
	folder := filepath.Join(dir, "teams")
	Expect(os.Mkdir(folder, 0o700)).To(Succeed())
	var all strings.Builder
	for _, name := range append(strings.Split(listed, ","), elsewhere) {
		all.WriteString("---\napiVersion: v1\nkind: Namespace\nmetadata: {name: " + name + "}\n")
	}
	write(filepath.Join(folder, "namespaces.yaml"), all.String())
	write(filepath.Join(folder, "kustomization.yaml"), "resources: [namespaces.yaml]\n")
	return folder
}

func write(path, text string) {
	GinkgoHelper()
	Expect(os.WriteFile(path, []byte(text), 0o600)).To(Succeed())
}

// recipe matches the block of docs/install.md that writes the profile, up to where it is applied.
var recipe = regexp.MustCompile("(?s)```sh\n(mkdir -p my-teams/team-a .*?)kubectl apply [^\n]*\n```")

// profile runs that block beside a copy of config.
func profile(ctx context.Context, root, dir string) string {
	GinkgoHelper()
	Expect(os.CopyFS(filepath.Join(dir, "config"), os.DirFS(filepath.Join(root, "config")))).To(Succeed())
	page, err := os.ReadFile(filepath.Join(root, "docs", "install.md"))
	Expect(err).NotTo(HaveOccurred())
	found := recipe.FindSubmatch(page)
	Expect(found).NotTo(BeNil(), "docs/install.md does not have the block")
	shell := exec.CommandContext(ctx, "sh", "-eu", "-c", string(found[1]))
	shell.Dir = dir
	out, err := shell.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(out))
	return filepath.Join(dir, "my-teams")
}

func newKey(ctx context.Context, namespace, name string) *v1alpha1.APIKey {
	GinkgoHelper()
	k := &v1alpha1.APIKey{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       v1alpha1.APIKeySpec{Subject: v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: name}},
	}
	Expect(s.Client.Create(ctx, k)).To(Succeed())
	return k
}

// delivered waits for the key in a Secret.
func delivered(ctx context.Context, namespace, name string) string {
	GinkgoHelper()
	secret := &corev1.Secret{}
	Eventually(ctx, func() error {
		return s.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, secret)
	}).WithTimeout(patience).Should(Succeed())
	return string(secret.Data[v1alpha1.SecretKey])
}

// ask sends a key to the gate.
func ask(ctx context.Context, plaintext string) int {
	return kit.AuthStatus(ctx, s.ServerURL, plaintext)
}

func expectAnswer(ctx context.Context, plaintext string, status int) {
	GinkgoHelper()
	Eventually(ctx, func() int { return ask(ctx, plaintext) }).WithTimeout(patience).Should(Equal(status))
}

var _ = Describe("With listed namespaces", func() {
	It("an AdminUser gets a key", func(ctx SpecContext) {
		Expect(s.Client.Create(ctx,
			&v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: stack.Namespace, Name: "alice"}})).To(Succeed())
		expectAnswer(ctx, delivered(ctx, stack.Namespace, "alice-admin-key"), http.StatusOK)
	})

	for _, team := range strings.Split(listed, ",") {
		It("an APIKey of "+team+" has a key until it is deleted", func(ctx SpecContext) {
			k := newKey(ctx, team, "ci")
			plaintext := delivered(ctx, team, "ci-api-key")
			expectAnswer(ctx, plaintext, http.StatusOK)
			Expect(s.Client.Delete(ctx, k)).To(Succeed())
			expectAnswer(ctx, plaintext, http.StatusUnauthorized)
			Eventually(ctx, func() error {
				return s.Client.Get(ctx, client.ObjectKey{Namespace: team, Name: "ci-api-key"}, &corev1.Secret{})
			}).WithTimeout(patience).ShouldNot(Succeed())
		})
	}

	It("an APIKey of another namespace is ignored", func(ctx SpecContext) {
		ignored := newKey(ctx, elsewhere, "ignored")
		// An operator that saw it would have reconciled it before this later one.
		newKey(ctx, "team-a", "later")
		plaintext := delivered(ctx, "team-a", "later-api-key")
		Expect(s.Client.Get(ctx, client.ObjectKeyFromObject(ignored), ignored)).To(Succeed())
		Expect(ignored.Status.Keys).To(BeEmpty())
		Expect(ignored.Status.Conditions).To(BeEmpty())
		var secrets corev1.SecretList
		Expect(s.Client.List(ctx, &secrets, client.InNamespace(elsewhere))).To(Succeed())
		Expect(secrets.Items).To(BeEmpty())

		// Not even a digest that is accepted for another object.
		expectAnswer(ctx, plaintext, http.StatusOK)
		accepted := &v1alpha1.APIKey{}
		Expect(s.Client.Get(ctx, client.ObjectKey{Namespace: "team-a", Name: "later"}, accepted)).To(Succeed())
		ignored.Status = accepted.Status
		Expect(s.Client.Status().Update(ctx, ignored)).To(Succeed())
		Expect(s.Client.Delete(ctx, accepted)).To(Succeed())
		expectAnswer(ctx, plaintext, http.StatusUnauthorized)
		Consistently(ctx, func() int { return ask(ctx, plaintext) }).Should(Equal(http.StatusUnauthorized))
	})

	It("both programs get the same list", func(ctx SpecContext) {
		for _, name := range []string{"keywright-operator", "keywright-server"} {
			var deployment appsv1.Deployment
			Expect(s.Client.Get(ctx, client.ObjectKey{Namespace: stack.Namespace, Name: name}, &deployment)).To(Succeed())
			container := deployment.Spec.Template.Spec.Containers[0]
			Expect(container.Args).To(ContainElement("--namespaces=$(NAMESPACES)"))
			Expect(container.Env).To(ContainElement(HaveField("Name", "NAMESPACES")))
			from := container.Env[len(container.Env)-1].ValueFrom.ConfigMapKeyRef
			var list corev1.ConfigMap
			Expect(s.Client.Get(ctx, client.ObjectKey{Namespace: stack.Namespace, Name: from.Name}, &list)).To(Succeed())
			Expect(list.Data).To(HaveKeyWithValue(from.Key, listed))
		}
	})

	for _, c := range []struct {
		account, what, where string
		allowed              bool
	}{
		{"keywright-operator", "get secrets", "-n=" + elsewhere, false},
		{"keywright-operator", "list secrets", "-n=" + elsewhere, false},
		{"keywright-operator", "watch secrets", "--all-namespaces", false},
		{"keywright-operator", "list secrets", "--all-namespaces", false},
		{"keywright-operator", "patch secrets", "-n=" + elsewhere, false},
		{"keywright-operator", "delete secrets", "-n=" + elsewhere, false},
		{"keywright-operator", "list apikeys.keywright.dev", "-n=" + elsewhere, false},
		{"keywright-operator", "create events.events.k8s.io", "-n=" + elsewhere, false},
		{"keywright-operator", "get secrets", "-n=team-a", true},
		{"keywright-operator", "patch secrets", "-n=team-b", true},
		{"keywright-operator", "get secrets", "-n=" + stack.Namespace, true},
		{"keywright-operator", "list accessroles.keywright.dev", "--all-namespaces", true},
		{"keywright-operator", "list accessrolebindings.keywright.dev", "--all-namespaces", true},
		{"keywright-server", "list apikeys.keywright.dev", "-n=" + elsewhere, false},
		{"keywright-server", "list apikeys.keywright.dev", "-n=team-a", true},
		{"keywright-server", "get secrets", "-n=team-a", false},
		{"keywright-server", "watch accessroles.keywright.dev", "--all-namespaces", true},
		{"keywright-server", "watch accessrolebindings.keywright.dev", "--all-namespaces", true},
	} {
		It(c.account+" may "+c.what+" "+c.where+": "+map[bool]string{true: "yes", false: "no"}[c.allowed],
			func(ctx SpecContext) {
				args := append([]string{"auth", "can-i"}, strings.Fields(c.what)...)
				// kubectl fails if the answer is no.
				answer, _ := s.Kubectl(ctx, append(args, c.where, "--as=system:serviceaccount:"+stack.Namespace+":"+c.account)...)
				Expect(strings.TrimSpace(answer)).To(Equal(map[bool]string{true: "yes", false: "no"}[c.allowed]))
			})
	}
})
