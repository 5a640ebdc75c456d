package kit

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
)

var (
	fence = regexp.MustCompile("(?s)\n( *)```\\w+(\n.*?\n) *```\n")
	title = regexp.MustCompile(`^# ([^\s,]+)`)
)

// CodeBlocks returns the code blocks of docs/gateways.md, by the name in the first line of each.
func CodeBlocks(root string) map[string]string {
	ginkgo.GinkgoHelper()
	content, err := os.ReadFile(filepath.Join(root, "docs", "gateways.md"))
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	found := map[string]string{}
	for _, m := range fence.FindAllStringSubmatch(string(content), -1) {
		text := strings.ReplaceAll(m[2], "\n"+m[1], "\n")[1:]
		name := title.FindStringSubmatch(text)
		gomega.Expect(name).NotTo(gomega.BeNil(), "a block starts with the name of its file:\n%s", text)
		gomega.Expect(found).NotTo(gomega.HaveKey(name[1]))
		found[name[1]] = text
	}
	gomega.Expect(strings.Count(string(content), "```")).To(gomega.Equal(2 * len(found)))
	return found
}
