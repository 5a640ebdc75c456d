package plugin

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// completions returns the words that kubectl offers for the last argument, and its directive to the shell.
func completions(ctx context.Context, variables []string, args ...string) (words []string, directive string) {
	GinkgoHelper()
	got := kubectl(ctx, variables, append([]string{"__complete"}, args...)...)
	Expect(got.code).To(Equal(0), got.stderr)
	lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
	for _, line := range lines[:len(lines)-1] {
		word, _, _ := strings.Cut(line, "\t")
		words = append(words, word)
	}
	return words, lines[len(lines)-1]
}

const noFiles = ":4"

var _ = Describe("Completion under kubectl", func() {
	It("offers the plugin, its commands, keys, namespaces and flags", func(ctx SpecContext) {
		namespace := namespaceOf(ctx, "ci", "ci-nightly", "deploy")
		apply(ctx, "apiVersion: keywright.dev/v1alpha1\nkind: AdminUser\n"+
			"metadata: {name: completed, namespace: keywright-system}\n")
		apply(ctx, "apiVersion: v1\nkind: Secret\nmetadata: {name: completed-secret, namespace: "+namespace+"}\n")
		apply(ctx, "apiVersion: keywright.dev/v1alpha1\nkind: AccessRole\nmetadata: {name: completed-role}\n"+
			"spec: {permissions: [{effect: ALLOW, actions: [certs.read], resources: ['*']}]}\n")
		for _, row := range []struct {
			line string
			want []string
		}{
			{"keywri", []string{"keywright"}},
			{"keywright expl", []string{"explain-revoke"}},
			{"keywright new a", []string{"adminuser", "apikey"}},
			{"keywright status -n NS ci", []string{"ci", "ci-nightly"}},
			{"keywright status -n NS adminuser/comp", []string{"adminuser/completed"}},
			{"keywright status -n NS ci c", nil},
			{"keywright disable -n NS ci c", []string{"ci-nightly"}},
			{"keywright can -n NS d", []string{"deploy"}},
			{"keywright inspect secret -n NS completed", []string{"completed-secret"}},
			{"keywright list -n plugin-", []string{namespace}},
			{"keywright list --system-namespace keywright-", []string{"keywright-system"}},
			{"keywright list --context key", []string{"keywright"}},
			{"keywright list -o ya", []string{"yaml"}},
			{"keywright wait --for ina", []string{"inactive"}},
			{"keywright new apikey --role completed", []string{"completed-role"}},
			{"keywright list --expir", []string{"--expiring"}},
		} {
			By(row.line)
			words, directive := completions(ctx, nil, strings.Fields(strings.ReplaceAll(row.line, "NS", namespace))...)
			if strings.HasPrefix(row.line, "keywright list -n ") {
				Expect(words).To(ContainElements(row.want))
				continue
			}
			Expect(words).To(ConsistOf(row.want))
			if strings.HasPrefix(row.line, "keywright ") {
				Expect(directive).To(Equal(noFiles))
			}
		}
		words, directive := completions(ctx, nil, "keywright", "new", "apikey", "--subject", "Acc")
		Expect(words).To(ContainElement("Account/"))
		Expect(directive).To(Equal(":6"), "the name follows without a blank")
	})

	It("offers nothing, and prints nothing into the command line, without a cluster", func(ctx SpecContext) {
		for _, kubeconfig := range []string{"/dev/null", "/no/such/file"} {
			words, directive := completions(ctx, []string{"KUBECONFIG=" + kubeconfig}, "keywright", "status", "")
			Expect(words).To(BeEmpty())
			Expect(directive).To(Equal(noFiles))
		}
	})
})
