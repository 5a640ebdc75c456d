package v1alpha1_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const samplesDir = "config/samples"

// samples are the files of config/samples that hold objects, as paths from the root of the checkout.
func samples() []string {
	GinkgoHelper()
	found, err := filepath.Glob(filepath.Join(plane.Root, samplesDir, "*.yaml"))
	Expect(err).NotTo(HaveOccurred())
	var paths []string
	for _, path := range found {
		if name := filepath.Base(path); name != "kustomization.yaml" {
			paths = append(paths, filepath.Join(samplesDir, name))
		}
	}
	Expect(len(paths)).To(BeNumerically(">", 5))
	return paths
}

func read(path string) string {
	GinkgoHelper()
	content, err := os.ReadFile(filepath.Join(plane.Root, path))
	Expect(err).NotTo(HaveOccurred())
	return string(content)
}

// opening matches the comment at the beginning of a file.
var opening = regexp.MustCompile(`\A(# .*\n|#\n)+`)

const tenant = "--as=system:serviceaccount:team-a:deployer"

var _ = Describe("The samples", Ordered, func() {
	// A dry run does not create the namespace of its objects.
	BeforeAll(func(ctx SpecContext) {
		for _, name := range []string{"team-a", "flux-system", "argocd"} {
			err := plane.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
			Expect(err == nil || apierrors.IsAlreadyExists(err)).To(BeTrue(), "%v", err)
		}
	})

	It("are accepted without unknown fields and without warnings", func(ctx SpecContext) {
		for _, path := range samples() {
			_, err := plane.Kubectl(ctx, "apply", "--server-side", "--dry-run=server", "--validate=strict",
				"--warnings-as-errors", "-f", path)
			Expect(err).NotTo(HaveOccurred())
		}
	})

	It("begin with a description and the command to apply them", func() {
		for _, path := range samples() {
			Expect(opening.FindString(read(path))).To(ContainSubstring("kubectl apply -f "+path), path)
		}
	})

	// Ready is also true of a key that is disabled or revoked.
	It("wait for a key that is accepted", func() {
		for _, path := range append(samples(), "README.md") {
			Expect(read(path)).NotTo(ContainSubstring("condition=Ready"), path)
		}
	})

	It("of the kustomization are admins only", func(ctx SpecContext) {
		out, err := plane.Kubectl(ctx, "apply", "--dry-run=server", "-k", samplesDir, "-o", "name")
		Expect(err).NotTo(HaveOccurred())
		Expect(strings.Fields(out)).To(ConsistOf("adminuser.keywright.dev/alice", "adminuser.keywright.dev/bob"))
	})

	Describe("of the tenant", Ordered, func() {
		BeforeAll(func(ctx SpecContext) {
			_, err := plane.Kubectl(ctx, "apply", "--server-side", "-f", samplesDir+"/tenant.yaml")
			Expect(err).NotTo(HaveOccurred())
		})

		It("allow the key of the sample", func(ctx SpecContext) {
			Eventually(ctx, func() error {
				_, err := plane.Kubectl(ctx, "apply", "--dry-run=server", tenant, "-f", samplesDir+"/tenant_apikey.yaml")
				return err
			}).Should(Succeed(), "RBAC catches up in a moment")
		})

		DescribeTable("allow no other key:", func(ctx SpecContext, was, is, want string) {
			path := filepath.Join(GinkgoT().TempDir(), "key.yaml")
			changed := strings.ReplaceAll(read(samplesDir+"/tenant_apikey.yaml"), was, is)
			Expect(os.WriteFile(path, []byte(changed), 0o600)).To(Succeed())
			_, err := plane.Kubectl(ctx, "apply", "--dry-run=server", tenant, "-f", path)
			Expect(err).To(MatchError(ContainSubstring(want)))
		},
			Entry("with another scope", "- certs.read", "- certs.write", `may not use scope "certs.write"`),
			Entry("for another subject", "name: ci", "name: other", "may not make a key that speaks as Account/other"),
			Entry("with a role", "  scopes:", "  roles: [certificate-reader]\n  scopes:", `may not use role "certificate-reader"`),
			Entry("with a policy", "  scopes:",
				"  policy: {permissions: [{effect: ALLOW, actions: ['*'], resources: ['*']}]}\n  scopes:",
				"may not write spec.policy"),
			Entry("elsewhere", "namespace: team-a", "namespace: default", `cannot get resource "apikeys"`),
		)
	})
})
