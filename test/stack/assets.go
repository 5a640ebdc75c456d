package stack

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// findAssets returns the folder that holds etcd, kube-apiserver and kubectl. The script honours
// KUBEBUILDER_ASSETS and builds the three otherwise; its progress goes to out.
func findAssets(ctx context.Context, root string, out io.Writer) (string, error) {
	var folder bytes.Buffer
	build := command(ctx, filepath.Join(root, "hack", "controlplane", "build.sh"))
	build.Stdout = &folder
	build.Stderr = out
	if err := build.Run(); err != nil {
		return "", fmt.Errorf("hack/controlplane/build.sh: %w", err)
	}
	return strings.TrimSpace(folder.String()), nil
}

// command returns a child in its own process group, so that Ctrl-C at a terminal does not reach it. The whole group
// ends with ctx.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}
