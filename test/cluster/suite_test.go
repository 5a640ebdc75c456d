package cluster

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

// variable is the folder of the cluster to test on: `make test-cluster` sets it. Keywright must not be installed there.
const variable = "KEYWRIGHT_CLUSTER"

// patience is long enough for a busy machine.
const patience = 5 * time.Minute

// TestMain runs nothing without a cluster: then these are not tests that were skipped.
func TestMain(m *testing.M) {
	if os.Getenv(variable) == "" {
		return
	}
	os.Exit(m.Run())
}

func TestCluster(t *testing.T) {
	kit.RunSpecs(t, "On a real node")
}

var (
	folder string
	plane  *stack.ControlPlane
	// helmPath is the binary of hack/helm.
	helmPath string
)

var _ = BeforeSuite(func(ctx SpecContext) {
	EnforceDefaultTimeoutsWhenUsingContexts()
	SetDefaultEventuallyTimeout(patience)
	SetDefaultEventuallyPollingInterval(200 * time.Millisecond)
	folder = os.Getenv(variable)
	connect(ctx)
	DeferCleanup(func() error { return plane.Stop() })
	helmPath = strings.TrimSpace(run(ctx, filepath.Join("hack", "helm", "build.sh")))
}, kit.StartTimeout)

// connect begins to use the cluster in the folder, and starts a database there.
func connect(ctx context.Context) {
	GinkgoHelper()
	var err error
	plane, err = stack.Connect(ctx, filepath.Join(folder, "kubeconfig"), stack.Options{Out: GinkgoWriter})
	Expect(err).NotTo(HaveOccurred())
	kubectl(ctx, "apply", "--server-side", "-f", "test/cluster/testdata/postgres.yaml")
	rolledOut(ctx, "database", "postgres")
}

// run runs a command in the root of the checkout and returns stdout.
func run(ctx context.Context, name string, args ...string) string {
	GinkgoHelper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = plane.Root, &stdout, &stderr
	cmd.Env = environment()
	if strings.ContainsRune(name, filepath.Separator) && !filepath.IsAbs(name) {
		cmd.Path = filepath.Join(plane.Root, name)
	}
	err := cmd.Run()
	Expect(err).NotTo(HaveOccurred(), "%s %s: %s", name, strings.Join(args, " "), &stderr)
	return stdout.String()
}

// environment is that of a person who works with the cluster.
func environment() []string {
	variables := append(os.Environ(), "KUBECONFIG="+plane.Kubeconfig, "KUBERC=off")
	for _, name := range []string{"HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"} {
		variables = append(variables, name+"="+filepath.Join(plane.Dir, "helm"))
	}
	return variables
}

func kubectl(ctx context.Context, args ...string) string {
	GinkgoHelper()
	output, err := plane.Kubectl(ctx, args...)
	Expect(err).NotTo(HaveOccurred())
	return output
}

// rolledOut waits until every Pod of Deployments is of the newest kind and ready.
func rolledOut(ctx context.Context, namespace string, names ...string) {
	GinkgoHelper()
	for _, name := range names {
		kubectl(ctx, "rollout", "status", "--timeout="+patience.String(), "-n", namespace, "deployment/"+name)
	}
}

// report adds a figure to the report of the suite.
func report(name, format string, args ...any) {
	AddReportEntry(name, fmt.Sprintf(format, args...), ReportEntryVisibilityAlways)
}
