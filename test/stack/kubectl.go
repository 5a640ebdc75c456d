package stack

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Kubectl runs kubectl as the cluster admin from the root of the checkout, in the system namespace unless args name
// another. It returns stdout. The error contains stderr.
func (c *ControlPlane) Kubectl(ctx context.Context, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := command(ctx, c.kubectlPath(), args...)
	cmd.Dir = c.Root
	cmd.Env = append(os.Environ(), c.kubectlVariables()...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err,
			bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.String(), nil
}

// kubectlVariables returns the variables that kubectl needs to work on this control plane. It neither reads nor changes
// a person's own preferences and cache.
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
