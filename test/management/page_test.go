package management

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// block is a code block of the page: commands, or their output.
type block struct {
	language, text string
	// line is its first line on the page.
	line int
}

var fence = regexp.MustCompile("(?s)```(\\w+)\n(.*?)```")

func blocks(page string) (found []block) {
	for _, at := range fence.FindAllStringSubmatchIndex(page, -1) {
		found = append(found, block{page[at[2]:at[3]], page[at[4]:at[5]], 1 + strings.Count(page[:at[0]], "\n")})
	}
	return found
}

const cut = "--- end of block ---"

var _ = Describe("The page", func() {
	// A reader runs the page from top to bottom in one shell.
	It("works as written and prints the output it shows", func(ctx SpecContext) {
		content, err := os.ReadFile(filepath.Join(s.Root, "docs", "api.md"))
		Expect(err).NotTo(HaveOccurred())
		page := blocks(string(content))
		Expect(len(page)).To(BeNumerically(">", 20))
		// As in the demo, Dana is not the only one.
		made := admin().send(ctx, http.MethodPost, "/api/admin/users", `{"username":"keeper"}`)
		Expect(made.status).To(Equal(200), made.text)
		printed := play(ctx, page)
		for i, b := range page {
			if b.language != "sh" {
				Expect(page[i-1].language).To(Equal("sh"), "line %d: no command prints this", b.line)
				Expect(printed[i-1]).To(MatchRegexp(pattern(b.text)), "line %d", b.line)
			}
		}
	})
})

// play runs the commands and returns what each block has printed.
func play(ctx context.Context, page []block) []string {
	GinkgoHelper()
	dir := GinkgoT().TempDir()
	Expect(os.Mkdir(filepath.Join(dir, ".demo"), 0o700)).To(Succeed())
	Expect(s.WriteEnv(filepath.Join(dir, ".demo", "env"))).To(Succeed())
	var script strings.Builder
	for _, b := range page {
		if b.language == "sh" {
			script.WriteString(b.text)
		}
		fmt.Fprintf(&script, "echo '%s'\n", cut)
	}
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script.String())
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "TMPDIR="+dir)
	output, err := cmd.CombinedOutput()
	printed := strings.Split(string(output), cut+"\n")
	if err != nil {
		// What has failed is in the block that the output ends with. The output before it may hold keys.
		b := page[min(len(printed), len(page))-1]
		Fail(fmt.Sprintf("line %d: %v\n%s", b.line, err, b.text))
	}
	return printed
}

// pattern has … stand for anything on a line.
func pattern(text string) string {
	return "(?m)^" + strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(text)), "…", ".*") + `\s*\z`
}
