//go:build linux

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// startTimeout bounds the start. A busy machine takes half a minute.
const startTimeout = 5 * time.Minute

// up starts the cluster unless it runs, and waits until its node is ready.
func (c *cluster) up(ctx context.Context) error {
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := c.possible(); err != nil {
		return err
	}
	lock, err := c.lock()
	if err != nil {
		return err
	}
	if lock != nil {
		defer closeAll(lock)
		if err := c.launch(lock); err != nil {
			return err
		}
	}
	for _, step := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"the API server", c.awaitAPI},
		{"containerd", c.awaitContainerd},
		{"the pause image", c.loadPause},
		{"the StorageClass", c.applyObjects},
		{"the node", c.awaitNode},
		{"DNS", c.awaitDNS},
	} {
		if err := step.run(ctx); err != nil {
			const hint = "logs are in %s; make cluster-down removes the cluster"
			return fmt.Errorf("%s: %w\n"+hint, step.name, err, c.path("logs"))
		}
		fmt.Printf("%6.1f s  %s is ready\n", time.Since(begun).Seconds(), step.name)
	}
	return nil
}

// needed are programs beside those of the node.
var needed = []string{"ip", "nft", "nsenter", "curl", "etcd", "kube-apiserver", "kubectl", "coredns", "pause"}

// possible returns an error that names what this machine lacks.
func (c *cluster) possible() error {
	if os.Geteuid() != 0 {
		return errors.New("a node needs root, for namespaces, mounts and cgroups: sudo -E make cluster")
	}
	probe := exec.Command("true")
	probe.SysProcAttr = &syscall.SysProcAttr{Cloneflags: newProcesses | newMounts | newNetwork}
	if err := probe.Run(); err != nil {
		return fmt.Errorf("this machine does not allow new namespaces, which need a machine of its own or a privileged "+
			"container: %w", err)
	}
	if _, err := os.Stat("/usr/lib/cni/bridge"); err != nil {
		return fmt.Errorf("no CNI plugins (Debian: containernetworking-plugins): %w", err)
	}
	names := slices.Clone(needed)
	for _, p := range append(c.nodePrograms(), c.controlPlane("true")...) {
		names = append(names, p.name)
	}
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("%w: hack/cluster/run.sh installs or builds it", err)
		}
	}
	return nil
}

// launch starts the supervisor, which keeps the lock. Data of an earlier run stays: for Kubernetes the machine has
// booted again.
func (c *cluster) launch(lock *os.File) error {
	for _, folder := range c.folders() {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	if err := errors.Join(c.makePKI(), c.writeFiles()); err != nil {
		return err
	}
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return err
	}
	defer closeAll(listener)
	socket, err := listener.File()
	if err != nil {
		return err
	}
	defer closeAll(socket)
	if err := c.writeAdmin(listener.Addr().String()); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(c.log("cluster"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer closeAll(log)
	cmd := exec.Command(self, "-name", c.name, superviseCommand)
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", log, log
	cmd.ExtraFiles = []*os.File{lock, socket}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Cloneflags: newProcesses | newMounts | newNetwork}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("supervisor: %w", err)
	}
	return os.WriteFile(c.path("pid"), fmt.Appendln(nil, cmd.Process.Pid), 0o600)
}

// await tries every 200 ms until ctx ends, and returns early when the supervisor has ended.
func (c *cluster) await(ctx context.Context, try func(context.Context) error) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		err := try(ctx)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return cmp.Or(last, err)
		case c.supervisor() == 0:
			return fmt.Errorf("the cluster has ended (see %s): %w", c.log("cluster"), err)
		}
		last = err
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// command runs a program. The error contains its output.
func command(ctx context.Context, name string, args ...string) error {
	output, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(output)))
	}
	return nil
}

func (c *cluster) kubectl(ctx context.Context, args ...string) error {
	return command(ctx, "kubectl", append([]string{"--kubeconfig", c.kubeconfig()}, args...)...)
}

func (c *cluster) ctr(ctx context.Context, args ...string) error {
	return command(ctx, "ctr", append([]string{"--address", c.containerdSocket(), "--namespace", "k8s.io"}, args...)...)
}

func (c *cluster) awaitAPI(ctx context.Context) error {
	return c.await(ctx, func(ctx context.Context) error { return c.kubectl(ctx, "get", "--raw", "/readyz") })
}

func (c *cluster) awaitContainerd(ctx context.Context) error {
	return c.await(ctx, func(ctx context.Context) error { return c.ctr(ctx, "version") })
}

func (c *cluster) applyObjects(ctx context.Context) error {
	return c.await(ctx, func(ctx context.Context) error {
		return c.kubectl(ctx, "apply", "--server-side", "--force-conflicts", "-f", c.path("objects.yaml"))
	})
}

// awaitNode also waits for what the first Pod needs beside a node.
func (c *cluster) awaitNode(ctx context.Context) error {
	return c.await(ctx, func(ctx context.Context) error {
		return errors.Join(
			c.kubectl(ctx, "wait", "--for=condition=Ready", "--timeout=1s", "node/"+nodeName),
			c.kubectl(ctx, "get", "--namespace=default", "serviceaccount/default", "configmap/kube-root-ca.crt"),
		)
	})
}

// awaitDNS asks in the cluster's network namespace.
func (c *cluster) awaitDNS(ctx context.Context) error {
	network := fmt.Sprintf("--net=/proc/%d/ns/net", c.supervisor())
	return c.await(ctx, func(ctx context.Context) error {
		return command(ctx, "nsenter", network, "--", "curl", "--silent", "--fail", "http://127.0.0.1:8181/ready")
	})
}

// loadPause imports the image of every Pod's first container.
func (c *cluster) loadPause(ctx context.Context) error {
	pause, err := exec.LookPath("pause")
	if err != nil {
		return err
	}
	archive := c.path("pause.tar")
	if err := writeImage("keywright.dev/pause:cluster", archive, []string{pause + "=/pause"}); err != nil {
		return err
	}
	return c.load(ctx, []string{archive})
}

// load imports archives of images into the node.
func (c *cluster) load(ctx context.Context, archives []string) error {
	for _, archive := range archives {
		if err := c.ctr(ctx, "image", "import", archive); err != nil {
			return err
		}
		fmt.Println("          imported", filepath.Base(archive))
	}
	return nil
}

// next prints the variables of a shell that works with the cluster, and what may come next.
func (c *cluster) next() error {
	if c.supervisor() == 0 {
		return fmt.Errorf("cluster %q does not run: start it with make cluster", c.name)
	}
	kubectl, err := exec.LookPath("kubectl")
	if err != nil {
		return err
	}
	fmt.Printf(`
The cluster runs, and its node has the images of Keywright:

  export KUBECONFIG=%s PATH=%s:$PATH
  kubectl apply --server-side -k config/default
  kubectl get pods -n keywright-system --watch

Logs are in %s. make cluster-down removes the cluster.
`, c.kubeconfig(), filepath.Dir(kubectl), c.path("logs"))
	return nil
}
