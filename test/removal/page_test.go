package removal

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// steps returns the shell blocks below "In ten minutes", as they are typed.
func steps() (blocks []string) {
	GinkgoHelper()
	section := page("(?s)## In ten minutes\n(.*?)\n## ")
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(section, -1) {
		blocks = append(blocks, block[1])
	}
	return blocks
}

// firstSteps runs them, and expects what the page shows. No kubelet runs Pods here, so the suite's own programs stand
// in for them: what waits for Pods, pushes images, forwards a port or builds the plugin is left out.
func firstSteps(ctx context.Context) {
	GinkgoHelper()
	folder := GinkgoT().TempDir()
	Expect(os.CopyFS(filepath.Join(folder, "config"), os.DirFS(filepath.Join(s.Root, "config")))).To(Succeed())
	elsewhere := regexp.MustCompile("^(make push-images|kubectl rollout status|kubectl port-forward|go build|PATH=)")
	var script strings.Builder
	for _, block := range steps() {
		if strings.Contains(block, "helm install") {
			continue // the other way
		}
		for line := range strings.Lines(block) {
			if !elsewhere.MatchString(line) {
				script.WriteString(line)
			}
		}
	}
	commands := strings.ReplaceAll(script.String(), "http://127.0.0.1:8080", s.ServerURL)
	out := mustShell(ctx, "cd '"+folder+"'\n"+commands)
	Expect(out).To(ContainSubstring(page("(?s)```json\n(.*?)\n")))
}
