package namespaced

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/stack"
)

// onPage returns the first group of an expression's match in docs/install.md.
func onPage(expression string) string {
	GinkgoHelper()
	page, err := os.ReadFile(filepath.Join(s.Root, "docs", "install.md"))
	Expect(err).NotTo(HaveOccurred())
	found := regexp.MustCompile(expression).FindSubmatch(page)
	Expect(found).NotTo(BeNil(), "docs/install.md does not match %s", expression)
	return string(found[1])
}

// shell runs commands as a person does.
func shell(ctx context.Context, commands string) string {
	GinkgoHelper()
	sh := exec.CommandContext(ctx, "sh", "-eu", "-c", commands)
	sh.Env = s.Environ()
	out, err := sh.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), "%s", out)
	return string(out)
}

func anchored(ctx context.Context, name string) *v1alpha1.AdminUser {
	GinkgoHelper()
	user := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: stack.Namespace, Name: name}}
	Expect(s.Client.Create(ctx, user)).To(Succeed())
	Eventually(ctx, func(g Gomega) {
		g.Expect(s.Client.Get(ctx, client.ObjectKeyFromObject(user), user)).To(Succeed())
		g.Expect(user.Finalizers).To(ContainElement(v1alpha1.FinalizerLastAdmin))
	}).WithTimeout(patience).Should(Succeed())
	return user
}

// Every command is taken from the page.
var _ = Describe("Removing", Serial, func() {
	BeforeEach(func(ctx SpecContext) { removeObjects(ctx) })

	It("as the page describes leaves no object", func(ctx SpecContext) {
		anchored(ctx, "leaver")
		newKey(ctx, "team-a", "leaving")
		delivered(ctx, "team-a", "leaving-api-key")
		removeObjects(ctx)
	})

	It("of an admin without an operator hangs until the finalizer is removed", func(ctx SpecContext) {
		user := anchored(ctx, "left-behind")
		Expect(s.Operator.Stop()).To(Succeed())
		DeferCleanup(s.Operator.Start)
		shell(ctx, "kubectl annotate adminuser left-behind "+v1alpha1.AnnotationAllowLastAdminRemoval+"=true; kubectl "+
			"delete adminuser left-behind --wait=false")
		Expect(s.Client.Get(ctx, client.ObjectKeyFromObject(user), user)).To(Succeed())
		Expect(shell(ctx, onPage("(?s)```sh\n(kubectl get adminusers,apikeys.*?)\nkubectl get pods"))).
			To(ContainSubstring(v1alpha1.FinalizerLastAdmin))

		removal := onPage("Remove the finalizer: `([^`]+)`")
		shell(ctx, strings.ReplaceAll(removal, "<name>", "left-behind"))
		Expect(apierrors.IsNotFound(s.Client.Get(ctx, client.ObjectKeyFromObject(user), user))).To(BeTrue())
	})
})

// removeObjects runs the page's commands that precede the removal of the programs.
func removeObjects(ctx context.Context) {
	GinkgoHelper()
	shell(ctx, onPage("(?s)## Removing.*?```sh\n(.*?)kubectl delete -k"))
	Expect(shell(ctx, "kubectl get adminusers,apikeys --all-namespaces")).To(ContainSubstring("No resources found"))
}
