//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// mountOwn makes mounts of a new namespace invisible to others, and shows its processes in /proc.
func mountOwn() error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("mount namespace: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	return nil
}

// mountNode gives the node folders of its own where its programs write, so that it changes none of the host's.
func (c *cluster) mountNode() error {
	// The kubelet passes mounts on to containers.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED, ""); err != nil {
		return err
	}
	if err := syscall.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mount /run: %w", err)
	}
	if err := syscall.Mount(c.path("var"), "/var", "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount /var: %w", err)
	}
	var errs []error
	for path, value := range tunables {
		errs = append(errs, pretend(path, value))
	}
	return errors.Join(errs...)
}

// tunables are settings of the host's kernel that a kubelet changes unless they are as it wants them.
var tunables = map[string]string{
	"vm/overcommit_memory":     "1",
	"vm/panic_on_oom":          "0",
	"kernel/panic":             "10",
	"kernel/panic_on_oops":     "1",
	"kernel/keys/root_maxkeys": "1000000", "kernel/keys/root_maxbytes": "25000000",
}

// pretend covers a setting by a file with this value.
func pretend(setting, value string) error {
	file := "/run/" + strings.ReplaceAll(setting, "/", ".")
	if err := os.WriteFile(file, []byte(value+"\n"), 0o600); err != nil {
		return err
	}
	if err := syscall.Mount(file, "/proc/sys/"+setting, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("cover %s: %w", setting, err)
	}
	return nil
}

// makeNetwork sets up the empty network namespace: a bridge has the node's address, and takes everything that no other
// interface takes, so that addresses of Services have a route.
func makeNetwork() error {
	for _, words := range []string{
		"link set lo up",
		"link add node0 type bridge",
		"addr add " + nodeAddress + "/24 dev node0",
		"link set node0 up",
		"route add default dev node0",
	} {
		if output, err := exec.Command("ip", strings.Fields(words)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", words, err, output)
		}
	}
	return errors.Join(
		os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o600),
		os.WriteFile("/proc/sys/net/ipv4/conf/all/route_localnet", []byte("1"), 0o600),
	)
}

// relay passes connections on to an address in this network namespace. The listener is of the host's: a socket stays in
// the namespace that it was made in.
func relay(file *os.File, address string) error {
	listener, err := net.FileListener(file)
	if err != nil {
		return err
	}
	go func() {
		for {
			outside, err := listener.Accept()
			if err != nil {
				fmt.Println("relay:", err)
				return
			}
			go join(outside, address)
		}
	}()
	return nil
}

func join(outside net.Conn, address string) {
	defer closeAll(outside)
	inside, err := net.Dial("tcp", address)
	if err != nil {
		return // the API server is not up yet: the client tries again
	}
	defer closeAll(inside)
	done := make(chan struct{}, 2)
	for _, pair := range [][2]net.Conn{{outside, inside}, {inside, outside}} {
		go func() {
			_, _ = io.Copy(pair[0], pair[1]) // ends with either connection
			done <- struct{}{}
		}()
	}
	<-done
}
