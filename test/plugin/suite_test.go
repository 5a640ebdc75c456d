package plugin

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/rogpeppe/go-internal/testscript"

	"keywright.dev/keywright/internal/cli/cluster"
	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

// TestMain makes this program the plugin, under both of its names in PATH.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){cluster.Name: runPlugin, cluster.CompletionName: runPlugin})
}

func runPlugin() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	args, _ := cluster.Arguments(os.Args)
	code := (&cluster.Plugin{Console: console.OfProcess(), Version: "test"}).Run(ctx, args)
	stop()
	os.Exit(code)
}

func TestPlugin(t *testing.T) {
	kit.RunSpecs(t, "kubectl keywright")
}

var s *stack.Stack

var _ = BeforeSuite(func(ctx SpecContext) {
	s = kit.Stack(ctx, stack.Options{OperatorArgs: []string{"--leader-elect"}})
}, kit.StartTimeout)

// result is what a command printed.
type result struct {
	stdout, stderr string
	code           int
}

// kubectl runs kubectl as the cluster admin. Variables are added to the environment.
func kubectl(ctx context.Context, variables []string, args ...string) result {
	GinkgoHelper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(s.Assets, "kubectl"), args...)
	cmd.Env = append(s.Environ(), variables...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if cmd.ProcessState == nil {
		Expect(err).NotTo(HaveOccurred())
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// apply creates what a manifest describes.
func apply(ctx context.Context, manifest string) {
	GinkgoHelper()
	// Cleanups apply, too, so the folder is not one of theirs.
	folder, err := os.MkdirTemp("", "keywright-plugin-")
	Expect(err).NotTo(HaveOccurred())
	defer func() { Expect(os.RemoveAll(folder)).To(Succeed()) }()
	path := filepath.Join(folder, "manifest.yaml")
	Expect(os.WriteFile(path, []byte(manifest), 0o600)).To(Succeed())
	_, err = s.Kubectl(ctx, "apply", "-f", path)
	Expect(err).NotTo(HaveOccurred())
}

// namespaceOf creates a namespace with APIKeys of these names.
func namespaceOf(ctx context.Context, keys ...string) string {
	GinkgoHelper()
	namespace := kit.Namespace(ctx, s.ControlPlane, "plugin-")
	var manifest strings.Builder
	for _, name := range keys {
		manifest.WriteString("---\napiVersion: keywright.dev/v1alpha1\nkind: APIKey\n" +
			"metadata: {name: " + name + ", namespace: " + namespace + "}\n" +
			"spec: {subject: {kind: Account, name: plugin}, scopes: [certs.read]}\n")
	}
	if len(keys) > 0 {
		apply(ctx, manifest.String())
	}
	return namespace
}
