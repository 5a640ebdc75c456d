package stack

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Kubectl runs kubectl as the cluster admin, in the system namespace unless args say another, from the root of
// the checkout. It returns what went to stdout; what went to stderr is in the error.
func (c *ControlPlane) Kubectl(ctx context.Context, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := command(ctx, c.kubectlPath(), args...)
	cmd.Dir = c.Root
	cmd.Env = append(os.Environ(), c.kubectlVariables()...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.String(), nil
}

// kubectlVariables is what kubectl needs in its environment to work on this control plane. A person's own
// preferences and cache stay out of it, and unchanged.
func (c *ControlPlane) kubectlVariables() []string {
	return []string{
		"KUBECONFIG=" + c.Kubeconfig,
		"KUBECACHEDIR=" + filepath.Join(c.run(), "kubectl-cache"),
		"KUBERC=off",
	}
}

func (c *ControlPlane) kubectlPath() string {
	return filepath.Join(c.Assets, "kubectl")
}
