package gateways

import (
	"bytes"
	"context"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// find returns the path of a program in PATH or Debian's folders. Empty: it is not installed.
func find(program string) string {
	for _, candidate := range []string{program, "/usr/local/sbin/" + program, "/usr/sbin/" + program} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	return ""
}

// without reports which part of the suite is left out. In CI that is a failure.
func without(program, how string) {
	if os.Getenv("CI") == "" {
		fmt.Printf("test/gateways: %s is not installed, so nothing of it is tested (%s)\n", program, how)
		return
	}
	It("is tested with "+program, func() { Fail(program + " is not installed: " + how) })
}

// leashed runs a program until its standard input ends, so that the program ends with this process.
const leashed = `"$@" </dev/null & program=$!; trap 'kill $program' TERM; cat >/dev/null; kill $program; wait $program`

// run starts a program and returns when it listens. The program ends with the surrounding specs.
func run(ctx context.Context, listen string, command ...string) {
	GinkgoHelper()
	var out bytes.Buffer
	cmd := exec.Command("sh", append([]string{"-c", leashed, "sh"}, command...)...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 10 * time.Second
	leash, err := cmd.StdinPipe()
	Expect(err).NotTo(HaveOccurred())
	Expect(cmd.Start()).To(Succeed())
	DeferCleanup(func() {
		_ = leash.Close()
		_ = cmd.Wait()
		_, _ = io.Copy(GinkgoWriter, &out)
	})
	Eventually(ctx, func() error { return dial(ctx, listen) }).
		Should(Succeed(), "%s listens on %s", filepath.Base(command[0]), listen)
}

func dial(ctx context.Context, address string) error {
	connection, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return connection.Close()
}

// freeAddress returns an unused loopback address. The kernel does not assign its port to outgoing connections.
func freeAddress() string {
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 10_000+mathrand.IntN(22_000))
		if listener, err := net.Listen("tcp", address); err == nil {
			_ = listener.Close()
			return address
		}
	}
	panic("no port is free")
}

// write creates a file and its folder, and returns its path.
func write(dir, name, text string) string {
	GinkgoHelper()
	path := filepath.Join(dir, name)
	Expect(os.MkdirAll(filepath.Dir(path), 0o700)).To(Succeed())
	Expect(os.WriteFile(path, []byte(text), 0o600)).To(Succeed())
	return path
}
