//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// superviseCommand and nodeCommand are the commands of the two processes that are the first in their namespaces.
const (
	superviseCommand = "supervise"
	nodeCommand      = "node"
)

const (
	newProcesses = syscall.CLONE_NEWPID
	newMounts    = syscall.CLONE_NEWNS
	newNetwork   = syscall.CLONE_NEWNET
)

// Files that up hands to the supervisor.
const (
	lockFile = 3 + iota
	listenerFile
)

// supervise runs the cluster. Up starts it in new namespaces, and everything ends with it.
func (c *cluster) supervise() error {
	// Programs must not inherit these: the lock is released with the last process that has it.
	syscall.CloseOnExec(lockFile)
	syscall.CloseOnExec(listenerFile)
	if err := errors.Join(mountOwn(), makeNetwork()); err != nil {
		return err
	}
	if err := relay(os.NewFile(listenerFile, "listener"), "127.0.0.1:6443"); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return c.keepRunning(c.controlPlane(self))
}

// node runs the node. The supervisor starts it in further namespaces, and containers end with it.
func (c *cluster) node() error {
	if err := errors.Join(mountOwn(), c.mountNode(), c.makeCgroups()); err != nil {
		return err
	}
	return c.keepRunning(c.nodePrograms())
}

// keepRunning starts programs, and each one again a second after it has ended. It returns only an error. As the first
// process of a namespace it also collects the orphans there.
func (c *cluster) keepRunning(programs []program) error {
	running := map[int]program{}
	start := func(p program) error {
		pid, err := c.start(p)
		running[pid] = p
		return err
	}
	for _, p := range programs {
		if err := start(p); err != nil {
			return err
		}
	}
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("wait: %w", err)
		}
		p, ours := running[pid]
		if !ours {
			continue
		}
		delete(running, pid)
		fmt.Printf("%s %s ended: %s\n", time.Now().Format(time.TimeOnly), p.label(), describe(status))
		time.Sleep(time.Second)
		if err := start(p); err != nil {
			return err
		}
	}
}

func describe(status syscall.WaitStatus) string {
	if status.Signaled() {
		return status.Signal().String()
	}
	return fmt.Sprintf("exit code %d", status.ExitStatus())
}

// start starts a program with its output in its log. Not by os/exec, which would collect the process itself.
func (c *cluster) start(p program) (int, error) {
	path, err := exec.LookPath(p.name)
	if err != nil {
		return 0, err
	}
	log, err := os.OpenFile(c.log(p.label()), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer closeAll(log)
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer closeAll(null)
	return syscall.ForkExec(path, append([]string{path}, p.args...), &syscall.ProcAttr{
		Dir: "/", Env: os.Environ(), Files: []uintptr{null.Fd(), log.Fd(), log.Fd()},
		Sys: &syscall.SysProcAttr{Setsid: true, Cloneflags: p.namespaces},
	})
}
