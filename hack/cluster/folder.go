//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
)

// cluster is one cluster of this machine.
type cluster struct {
	name string
	// dir has everything that the cluster keeps: data, certificates, images, logs.
	dir string
}

var validName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}$`)

func newCluster(name string) (*cluster, error) {
	if !validName.MatchString(name) {
		return nil, fmt.Errorf("the name %q must be lower-case letters, digits and hyphens, 31 at most", name)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(cache, "keywright", "clusters", name)
	// The node has a /var of its own, which would hide the programs and this folder.
	if strings.HasPrefix(dir, "/var/") {
		return nil, fmt.Errorf("%s is below /var, which the node replaces: set XDG_CACHE_HOME to another folder", dir)
	}
	return &cluster{name: name, dir: dir}, nil
}

// path returns a path in the cluster's folder.
func (c *cluster) path(names ...string) string {
	return filepath.Join(append([]string{c.dir}, names...)...)
}

func (c *cluster) kubeconfig() string       { return c.path("kubeconfig") }
func (c *cluster) containerdSocket() string { return c.path("containerd.sock") }
func (c *cluster) log(name string) string   { return c.path("logs", name+".log") }

// cgroup is the parent of the cgroups of all containers.
func (c *cluster) cgroup() string { return "/keywright-cluster-" + c.name }

// folders are created by up.
func (c *cluster) folders() []string {
	folders := []string{c.path("pki"), c.path("logs"), c.path("etcd"), c.path("cni"), c.path("containerd")}
	for i := range volumes {
		folders = append(folders, c.path("var", "lib", "volumes", strconv.Itoa(i)))
	}
	// What programs of the node expect in /var.
	for _, name := range []string{"log", "run", "tmp", "lib/kubelet"} {
		folders = append(folders, c.path("var", name))
	}
	return folders
}

// lock returns the lock of the folder, or nil if another process has it: the supervisor has it as long as it lives.
func (c *cluster) lock() (*os.File, error) {
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(c.path("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, file.Close()
	}
	return file, err
}

// supervisor returns the id of the supervisor's process, or 0 if it does not run. The id in the file may belong to
// another process by now, so the command line of the process is compared.
func (c *cluster) supervisor() int {
	text, err := os.ReadFile(c.path("pid"))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || !c.isOwn(pid, superviseCommand) {
		return 0
	}
	return pid
}

// isOwn reports whether a process is this cluster's supervisor or node.
func (c *cluster) isOwn(pid int, command string) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && strings.HasSuffix(string(line), "\x00-name\x00"+c.name+"\x00"+command+"\x00")
}

// nodeProcess returns the first process of the node, or 0 if the node is down.
func (c *cluster) nodeProcess() (int, error) {
	supervisor := c.supervisor()
	if supervisor == 0 {
		return 0, fmt.Errorf("cluster %q does not run: start it with make cluster", c.name)
	}
	children, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		return 0, err
	}
	for _, status := range children {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(status)))
		if err == nil && parent(status) == supervisor && c.isOwn(pid, nodeCommand) {
			return pid, nil
		}
	}
	return 0, nil
}

// closeAll closes what cannot lose data: readers, connections, and files whose writers are other processes.
func closeAll(all ...io.Closer) {
	for _, one := range all {
		_ = one.Close() // see above
	}
}

// parent returns the parent's id from a process' status, or 0.
func parent(status string) int {
	text, err := os.ReadFile(status)
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(text), "\nPPid:\t")
	id, _, _ := strings.Cut(after, "\n")
	pid, err := strconv.Atoi(id)
	if err != nil {
		return 0
	}
	return pid
}
