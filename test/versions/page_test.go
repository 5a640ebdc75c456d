package versions

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

const page = "../../docs/spec/versions.md"

var (
	heading = regexp.MustCompile(`(?m)^### (\d\. .*)$`)
	row     = regexp.MustCompile(`(?m)^\| (\d\. [^|]*) \|`)
	block   = regexp.MustCompile("(?s)```sh\n(.*?)```")
)

func TestPage_TableHasEveryStep(t *testing.T) {
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	rows, headings := captured(row, content), captured(heading, content)
	if rows != headings || strings.Count(rows, "\n") != 7 {
		t.Errorf("the table has\n%sthe page has\n%s", rows, headings)
	}
}

func captured(pattern *regexp.Regexp, content []byte) string {
	var all strings.Builder
	for _, m := range pattern.FindAllSubmatch(content, -1) {
		all.Write(append(m[1], '\n'))
	}
	return all.String()
}

// checks are the commands that come before the last step.
type checks struct{ managers, owners, requests string }

// readChecks reads the commands from the page.
func readChecks() checks {
	GinkgoHelper()
	content, err := os.ReadFile(page)
	Expect(err).NotTo(HaveOccurred())
	_, last, found := bytes.Cut(content, []byte("\n### 7."))
	Expect(found).To(BeTrue())
	lines := strings.Split(strings.TrimSpace(string(block.FindSubmatch(last)[1])), "\n")
	Expect(lines).To(HaveLen(3))
	return checks{managers: lines[0], owners: lines[1], requests: lines[2]}
}

// shell runs a command of the page and returns what it prints. A count of 0 is a failure to grep.
func shell(ctx context.Context, command string) string {
	GinkgoHelper()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Env = s.Environ()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, _ := cmd.Output()
	Expect(stderr.String()).To(BeEmpty())
	return strings.TrimSpace(string(out))
}
