// Package chart compares the Helm chart with config, and installs both on a real API server.
package chart

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

func TestChart(t *testing.T) {
	kit.RunSpecs(t, "The Helm chart")
}

const (
	release  = "keywright"
	chart    = "charts/keywright"
	profiles = chart + "/profiles"
)

var (
	plane *stack.ControlPlane
	// helmPath is the binary of hack/helm.
	helmPath string
)

var _ = BeforeSuite(func(ctx SpecContext) {
	root, err := stack.Root()
	Expect(err).NotTo(HaveOccurred())
	build := exec.CommandContext(ctx, filepath.Join(root, "hack", "helm", "build.sh"))
	build.Stderr = GinkgoWriter
	path, err := build.Output()
	Expect(err).NotTo(HaveOccurred())
	helmPath = strings.TrimSpace(string(path))
	plane = kit.ControlPlane(ctx)
}, kit.StartTimeout)

// environment has helm and kubectl first in PATH. Helm keeps nothing beyond this suite.
func environment() []string {
	own := GinkgoT().TempDir()
	return append(os.Environ(),
		"KUBECONFIG="+plane.Kubeconfig, "KUBERC=off", "KUBECACHEDIR="+filepath.Join(own, "kubectl"),
		"HELM_CACHE_HOME="+filepath.Join(own, "cache"), "HELM_CONFIG_HOME="+filepath.Join(own, "config"),
		"HELM_DATA_HOME="+filepath.Join(own, "data"),
		fmt.Sprintf("PATH=%s%c%s%c%s", filepath.Dir(helmPath), filepath.ListSeparator, plane.Assets,
			filepath.ListSeparator, os.Getenv("PATH")))
}

// helm runs helm in the root of the checkout and returns stdout. The error contains stderr.
func helm(ctx context.Context, args ...string) (string, error) {
	return run(ctx, helmPath, args...)
}

func run(ctx context.Context, name string, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = plane.Root, environment()
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s %s: %w: %s", filepath.Base(name), strings.Join(args, " "), err, &stderr)
	}
	return stdout.String(), nil
}

// registry is the first command of docs/install.md.
const registry = "export REGISTRY=registry.example.com/keywright\n"

// fromPage returns a block of shell commands below a heading of docs/install.md.
func fromPage(heading, begin string) string {
	GinkgoHelper()
	_, section, found := strings.Cut(read("docs/install.md"), "\n"+heading+"\n")
	Expect(found).To(BeTrue(), "docs/install.md has no heading %s", heading)
	block := regexp.MustCompile("(?s)```sh\n(" + regexp.QuoteMeta(begin) + ".*?)```").FindStringSubmatch(section)
	Expect(block).NotTo(BeNil(), "docs/install.md has no block that begins with %q", begin)
	return block[1]
}

// read returns a file of the checkout.
func read(name string) string {
	GinkgoHelper()
	content, err := os.ReadFile(filepath.Join(plane.Root, filepath.FromSlash(name)))
	Expect(err).NotTo(HaveOccurred())
	return string(content)
}
