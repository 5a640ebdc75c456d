package plugin

import (
	"context"
	"os"
	"os/exec"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"github.com/onsi/gomega/gexec"

	"keywright.dev/keywright/internal/cli/cluster"
)

// begin starts the plugin in the background, and kills it after the spec.
func begin(args ...string) *gexec.Session {
	GinkgoHelper()
	cmd := exec.Command(cluster.Name, args...)
	cmd.Env = s.Environ()
	session, err := gexec.Start(cmd, GinkgoWriter, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { session.Kill().Wait() })
	return session
}

const soon = "30s"

var _ = Describe("kubectl keywright wait", func() {
	type action = func(ctx context.Context, namespace string)
	DescribeTable("returns once an object is there", func(ctx SpecContext, goal string, act action) {
		namespace := namespaceOf(ctx)
		waiting := begin("wait", "ci", "-n", namespace, "--for", goal, "--timeout", soon)
		apply(ctx, "apiVersion: keywright.dev/v1alpha1\nkind: APIKey\nmetadata: {name: ci, namespace: "+namespace+"}\n"+
			"spec: {subject: {kind: Account, name: plugin}}\n")
		act(ctx, namespace)
		Eventually(waiting).WithTimeout(minute).Should(gexec.Exit(0))
		Expect(string(waiting.Out.Contents())).To(Equal("ci is " + goal + "\n"))
	},
		Entry("active, created later", "active", func(context.Context, string) {}),
		Entry("ready", "ready", func(context.Context, string) {}),
		Entry("inactive", "inactive", func(ctx context.Context, namespace string) {
			Expect(kubectl(ctx, nil, "keywright", "disable", "ci", "-n", namespace).code).To(Equal(0))
		}),
	)

	It("returns once an object is deleted", func(ctx SpecContext) {
		namespace := namespaceOf(ctx, "ci")
		waiting := begin("wait", "ci", "-n", namespace, "--for", "deleted", "--timeout", soon)
		kubectlDo(ctx, "delete", "apikey", "-n", namespace, "ci")
		Eventually(waiting).WithTimeout(minute).Should(gexec.Exit(0))
	})

	DescribeTable("fails", func(ctx SpecContext, line string, code int, message string) {
		namespace := namespaceOf(ctx, "ci")
		Expect(kubectl(ctx, nil, "keywright", "wait", "ci", "-n", namespace).code).To(Equal(0))
		got := kubectl(ctx, nil, append([]string{"keywright", "wait", "-n", namespace}, strings.Fields(line)...)...)
		Expect(got.stderr).To(MatchRegexp("^Error: " + message))
		Expect(got.code).To(Equal(code))
	},
		Entry("when the time is up, with what the object says", "ci --for inactive --timeout 1s", 1,
			"ci is not inactive after 1s: "),
		Entry("for an object that does not appear", "none --timeout 1s", 1, "none is not active after 1s: it does not exist"),
		Entry("for a goal that does not exist", "ci --for happy", 2, `--for "happy" must be one of active, ready, `),
		Entry("without time", "ci --timeout 0s", 2, "--timeout must be longer than 0s"),
	)
})

var _ = Describe("kubectl keywright list --watch", func() {
	It("prints what is there, then what changes, until it is interrupted", func(ctx SpecContext) {
		namespace, twin := namespaceOf(ctx, "first"), namespaceOf(ctx, "first")
		Expect(kubectl(ctx, nil, "keywright", "wait", "first", "-n", namespace).code).To(Equal(0))
		Expect(kubectl(ctx, nil, "keywright", "wait", "first", "-n", twin).code).To(Equal(0))
		watch := begin("list", "--watch", "-A", "-o", "csv")
		Eventually(watch).WithTimeout(minute).Should(gbytes.Say(namespace + ",APIKey,first,Account/plugin,True,Accepted"))
		kubectlDo(ctx, "patch", "apikey", "-n", namespace, "first", "--type=merge", "-p", `{"spec":{"state":"Disabled"}}`)
		Eventually(watch).WithTimeout(minute).Should(gbytes.Say(namespace + ",APIKey,first,Account/plugin,False,Disabled"))
		watch.Interrupt()
		Eventually(watch).WithTimeout(minute).Should(gexec.Exit())
		Expect(strings.Count(string(watch.Out.Contents()), twin+",")).To(Equal(1), "what did not change is not repeated")
	})
})

var _ = Describe("kubectl keywright status --watch", func() {
	It("prints the object again when it changes, in any format", func(ctx SpecContext) {
		namespace := namespaceOf(ctx, "ci")
		Expect(kubectl(ctx, nil, "keywright", "wait", "ci", "-n", namespace).code).To(Equal(0))
		story := begin("status", "ci", "-n", namespace, "--watch")
		state := begin("status", "ci", "-n", namespace, "--watch", "-o", "jsonpath={.kind} {.spec.state}")
		Eventually(story).WithTimeout(minute).Should(gbytes.Say("Active: True, Accepted"))
		Eventually(state).WithTimeout(minute).Should(gbytes.Say("APIKey Active"))
		kubectlDo(ctx, "patch", "apikey", "-n", namespace, "ci", "--type=merge", "-p", `{"spec":{"state":"Disabled"}}`)
		Eventually(story).WithTimeout(minute).Should(gbytes.Say("Its keys are refused: disabled"))
		Eventually(state).WithTimeout(minute).Should(gbytes.Say("APIKey Disabled"))
		for _, session := range []*gexec.Session{story, state} {
			session.Signal(os.Interrupt)
			Eventually(session).WithTimeout(minute).Should(gexec.Exit())
		}
	})
})
