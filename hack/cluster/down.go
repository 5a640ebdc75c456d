//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// endTimeout is how long the kernel may take to end the processes of a namespace.
const endTimeout = time.Minute

// down ends the cluster and removes everything that it left. It may be called again, and after a crash.
func (c *cluster) down() error {
	if pid := c.supervisor(); pid != 0 {
		// The processes of its namespaces end with it, then their mounts and the network.
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			return err
		}
	}
	if err := c.awaitLock(); err != nil {
		return err
	}
	if err := c.removeCgroups(); err != nil {
		return err
	}
	// Mounts of the cluster's namespace are gone. One that was made by hand would be emptied.
	if err := c.seesNoMount(); err != nil {
		return err
	}
	return os.RemoveAll(c.dir)
}

// awaitLock returns when no process of the cluster has the lock, so that the last one has ended.
func (c *cluster) awaitLock() error {
	for deadline := time.Now().Add(endTimeout); ; time.Sleep(50 * time.Millisecond) {
		lock, err := c.lock()
		if err != nil {
			return err
		}
		if lock != nil {
			return lock.Close()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("another process has the lock %s: a start of this cluster, or one that is not in %s",
				c.path("lock"), c.path("pid"))
		}
	}
}

// removeCgroups removes the empty cgroups of the containers from every hierarchy.
func (c *cluster) removeCgroups() error {
	return c.eachCgroup(removeTree)
}

// makeCgroups creates the parent of all containers' cgroups, which a kubelet expects.
func (c *cluster) makeCgroups() error {
	return c.eachCgroup(func(path string) error { return os.MkdirAll(path, 0o755) })
}

// eachCgroup calls do for the cluster's folder in every hierarchy.
func (c *cluster) eachCgroup(do func(path string) error) error {
	mounts, err := mountPoints(func(kind string) bool { return kind == "cgroup" || kind == "cgroup2" })
	if err != nil {
		return err
	}
	for _, mount := range mounts {
		if err := do(filepath.Join(mount, c.cgroup())); err != nil {
			return err
		}
	}
	return nil
}

// removeTree removes folders from the innermost on: the files of a cgroup go with its folder.
func removeTree(top string) error {
	var folders []string
	err := filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			folders = append(folders, path)
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, folder := range slices.Backward(folders) {
		err = errors.Join(err, removeCgroup(folder))
	}
	return err
}

// removeCgroup waits for the kernel to take the last process out.
func removeCgroup(folder string) error {
	for deadline := time.Now().Add(endTimeout); ; time.Sleep(50 * time.Millisecond) {
		err := os.Remove(folder)
		if !errors.Is(err, syscall.EBUSY) || time.Now().After(deadline) {
			return err
		}
	}
}

func (c *cluster) seesNoMount() error {
	mounts, err := mountPoints(func(string) bool { return true })
	if err != nil {
		return err
	}
	for _, mount := range mounts {
		if strings.HasPrefix(mount, c.dir+"/") {
			return fmt.Errorf("%s is mounted: unmount it first", mount)
		}
	}
	return nil
}

// mountPoints returns where file systems of some kinds are mounted.
func mountPoints(wanted func(kind string) bool) ([]string, error) {
	file, err := os.Open("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	defer closeAll(file)
	var found []string
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) > 2 && wanted(fields[2]) {
			found = append(found, fields[1])
		}
	}
	return found, lines.Err()
}

// crashNode kills the node at once. The supervisor boots it again.
func (c *cluster) crashNode() error {
	node, err := c.nodeProcess()
	switch {
	case err != nil:
		return err
	case node == 0:
		return errors.New("the node is down already")
	}
	return syscall.Kill(node, syscall.SIGKILL)
}
