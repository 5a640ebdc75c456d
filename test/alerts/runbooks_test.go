package alerts

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var (
	shell  = regexp.MustCompile("(?s)```sh\n(.*?)```")
	inline = regexp.MustCompile("`(kubectl (?:scale|rollout restart) [^`]*)`")
	// needsPods matches commands that no API server alone can answer.
	needsPods = regexp.MustCompile(`^kubectl logs -n keywright-system deployment/keywright-(operator|server) ` +
		`--all-pods --since=1h$|^kubectl get --raw '/api/v1/namespaces/keywright-system/services/keywright-server:http/proxy/`)
)

// commands returns the commands of a page, in blocks and in sentences.
func commands(page string) (all []string) {
	for _, block := range shell.FindAllStringSubmatch(page, -1) {
		all = append(all, strings.Split(strings.TrimSpace(block[1]), "\n")...)
	}
	for _, command := range inline.FindAllStringSubmatch(page, -1) {
		all = append(all, command[1])
	}
	return all
}

var _ = Describe("The commands of docs/runbooks", Ordered, func() {
	BeforeAll(func(ctx SpecContext) {
		for _, folder := range []string{"config/operator", "config/server"} {
			_, err := s.Kubectl(ctx, "apply", "--server-side", "-k", folder)
			Expect(err).NotTo(HaveOccurred())
		}
	})

	It("are accepted", func(ctx SpecContext) {
		pages, err := filepath.Glob(filepath.Join(s.Root, "docs", "runbooks", "*.md"))
		Expect(err).NotTo(HaveOccurred())
		played := map[string]bool{}
		for _, path := range pages {
			page, err := filepath.Rel(s.Root, path)
			Expect(err).NotTo(HaveOccurred())
			for _, command := range commands(read(page)) {
				if played[command] || needsPods.MatchString(command) {
					continue
				}
				played[command] = true
				run := exec.CommandContext(ctx, "sh", "-euc", command)
				run.Env = append(os.Environ(), "KUBECONFIG="+s.Kubeconfig, "KUBERC=off",
					"PATH="+s.Assets+string(filepath.ListSeparator)+os.Getenv("PATH"))
				out, err := run.CombinedOutput()
				Expect(err).NotTo(HaveOccurred(), "%s: %s: %s", page, command, out)
			}
		}
		Expect(len(played)).To(BeNumerically(">", 10))
	})
})
