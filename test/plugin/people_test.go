package plugin

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/test/kit"
)

// grant gives a user a ClusterRole in a new namespace, which it returns. There is no controller here that aggregates
// ClusterRoles into view and edit, so the parts are named.
func grant(ctx context.Context, user, role string) string {
	GinkgoHelper()
	namespace := kit.Namespace(ctx, s.ControlPlane, "plugin-")
	grantIn(ctx, namespace, user, role)
	return namespace
}

func grantIn(ctx context.Context, namespace, user, role string) {
	GinkgoHelper()
	create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: user + "-" + role, Namespace: namespace},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}},
	})
}

var _ = Describe("What a person may do", Ordered, func() {
	var namespace string

	BeforeAll(func(ctx SpecContext) {
		namespace = namespaceOf(ctx, "ci")
		grantIn(ctx, namespace, "reader", "keywright-view")
		grantIn(ctx, namespace, "editor", "keywright-view")
		grantIn(ctx, namespace, "editor", "keywright-edit")
		Expect(kubectl(ctx, nil, "keywright", "wait", "ci", "-n", namespace).code).To(Equal(0))
	})

	DescribeTable("is refused with the hint that fits", func(ctx SpecContext, line, hint string) {
		got := kubectl(ctx, nil, strings.Fields(strings.ReplaceAll("keywright "+line, "NS", namespace))...)
		Expect(got.code).To(Equal(console.ExitFailed), got.stdout)
		Expect(got.stdout).To(BeEmpty())
		Expect(got.stderr).To(MatchRegexp("^Error: .*(forbidden|denied)"))
		Expect(got.stderr).To(ContainSubstring("Hint: "))
		Expect(got.stderr).To(ContainSubstring(hint))
	},
		Entry("list, without rights", "list -n NS --as=stranger", "RoleBinding in the namespace: of ClusterRole view"),
		Entry("status, without rights", "status ci -n NS --as=stranger", "RoleBinding in the namespace"),
		Entry("wait, without rights", "wait ci -n NS --as=stranger", "RoleBinding in the namespace"),
		Entry("list -A, with rights in a namespace", "list -A --as=reader", "ClusterRoleBinding"),
		Entry("can, which reads the cluster", "can ci certs.read -n NS --as=reader", "ClusterRoleBinding"),
		Entry("disable, with rights to read", "disable ci -n NS --as=reader", "of edit to change keys"),
		Entry("rotate, with rights to read", "rotate ci -n NS --as=reader", "of edit to change keys"),
		Entry("inspect secret, with rights on keys", "inspect secret ci-api-key -n NS --as=reader", "view has no Secrets"),
		Entry("new, with rights on keys and none on the subject",
			"new apikey more -n NS --subject Account/plugin --scope certs.read --as=editor", "docs/admission.md"),
	)

	It("lists keys without the AdminUsers that the person may not list, and says so", func(ctx SpecContext) {
		got := kubectl(ctx, nil, "keywright", "list", "-n", namespace, "--as=reader")
		Expect(got.code).To(Equal(0), got.stderr)
		Expect(got.stdout).To(ContainSubstring(" ci "))
		Expect(got.stderr).To(Equal(
			"Warning: AdminUsers are left out: you may not list them in namespace keywright-system\n"))
	})

	It("explains a revocation without the Secrets that the person may not list", func(ctx SpecContext) {
		got := kubectl(ctx, nil, "keywright", "explain-revoke", "ci", "-n", namespace, "--as=reader")
		Expect(got.code).To(Equal(0), got.stderr)
		Expect(got.stdout).To(ContainSubstring("Secrets with the key: unknown, you may not list them\n"))
		Expect(got.stdout).To(ContainSubstring("Pods that use these Secrets: unknown, you may not list them\n"))
	})

	It("disables with the right to change keys", func(ctx SpecContext) {
		got := kubectl(ctx, nil, "keywright", "disable", "ci", "-n", namespace, "--as=editor")
		Expect(got.stdout).To(Equal("APIKey "+namespace+"/ci: Disabled\n"), got.stderr)
	})
})

var _ = Describe("Where a command works", Ordered, func() {
	var one, other, kubeconfig string

	BeforeAll(func(ctx SpecContext) {
		one, other = namespaceOf(ctx, "in-one"), namespaceOf(ctx, "in-other")
		text, err := os.ReadFile(s.Kubeconfig)
		Expect(err).NotTo(HaveOccurred())
		kubeconfig = filepath.Join(GinkgoT().TempDir(), "kubeconfig")
		Expect(os.WriteFile(kubeconfig, text, 0o600)).To(Succeed())
		for context, namespace := range map[string]string{"one": one, "other": other} {
			got := kubectl(ctx, nil, "--kubeconfig", kubeconfig, "config", "set-context", context,
				"--cluster=keywright", "--user=admin", "--namespace="+namespace)
			Expect(got.code).To(Equal(0), got.stderr)
		}
	})

	DescribeTable("is what the flags and the kubeconfig say", func(ctx SpecContext, flags string, want, not []string) {
		flags = strings.NewReplacer("ONE", one, "OTHER", other).Replace(flags)
		got := kubectl(ctx, []string{"KUBECONFIG=" + kubeconfig},
			append([]string{"keywright", "list", "-o", "name"}, strings.Fields(flags)...)...)
		Expect(got.code).To(Equal(0), got.stderr)
		for _, name := range want {
			Expect(got.stdout).To(ContainSubstring("apikey/" + name + "\n"))
		}
		for _, name := range not {
			Expect(got.stdout).NotTo(ContainSubstring("apikey/" + name + "\n"))
		}
	},
		Entry("the namespace of a context", "--context one", []string{"in-one"}, []string{"in-other"}),
		Entry("the namespace of another", "--context other", []string{"in-other"}, []string{"in-one"}),
		Entry("-n before that of the context", "--context one -n OTHER", []string{"in-other"}, []string{"in-one"}),
		Entry("-A before -n", "-A -n ONE", []string{"in-one", "in-other"}, nil),
		Entry("the current context", "", nil, []string{"in-one", "in-other"}),
	)

	It("is a kubeconfig that is given before that of the environment", func(ctx SpecContext) {
		got := kubectl(ctx, []string{"KUBECONFIG=/dev/null"},
			"keywright", "list", "--kubeconfig", kubeconfig, "--context", "one")
		Expect(got.stdout).To(ContainSubstring(" in-one "), got.stderr)
	})

	DescribeTable("is refused when it does not exist", func(ctx SpecContext, line string, code int, message string) {
		got := kubectl(ctx, nil, strings.Fields("keywright "+strings.ReplaceAll(line, "ONE", one))...)
		Expect(got.stderr).To(MatchRegexp("^Error: " + message))
		Expect(got.code).To(Equal(code))
		Expect(got.stdout).To(BeEmpty())
	},
		Entry("a namespace", "list -n no-such", 1, `namespace "no-such" does not exist\n$`),
		Entry("the namespace of a key", "status ci -n no-such", 1, `namespace "no-such" does not exist\n$`),
		Entry("the namespace of a new key", "new apikey a -n no-such --subject Account/a", 1, `.*"no-such" not found`),
		Entry("the system namespace", "status adminuser/a --system-namespace no-such", 1,
			`namespace "no-such" does not exist`),
		Entry("a key in a namespace that exists", "status ci -n ONE", 1, `apikeys.keywright.dev "ci" not found\n$`),
		Entry("a context", "list --context no-such", 2, `context "no-such" does not exist\n$`),
		Entry("a kubeconfig", "list --kubeconfig /no/such/file", 2, `.*/no/such/file`),
		Entry("a cluster", "list --server https://127.0.0.1:1", 1, `.*connection refused`),
	)
})
