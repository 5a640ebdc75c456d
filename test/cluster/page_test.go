package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// registry is the one of the images on the node, in place of the first command of the page.
const registry = "export REGISTRY=keywright.dev\n"

var _ = DescribeTable("docs/install.md, word for word, on an empty cluster", func(ctx SpecContext, other string) {
	dir := GinkgoT().TempDir()
	for _, name := range []string{"config", "charts"} {
		Expect(os.Symlink(filepath.Join(plane.Root, name), filepath.Join(dir, name))).To(Succeed())
	}
	path := []string{plane.Assets, filepath.Dir(helmPath), os.Getenv("PATH")}
	GinkgoT().Setenv("PATH", strings.Join(path, string(os.PathListSeparator)))
	port := freePort()
	for _, step := range blocks("## In ten minutes\n") {
		step = strings.NewReplacer("127.0.0.1:8080", "127.0.0.1:"+port, "8080:80", port+":80").Replace(step)
		switch {
		case strings.Contains(step, other), strings.Contains(step, "make push-images"), strings.Contains(step, "go build"):
			// The other way, images that are on the node, and a plugin that is not needed.
		case strings.Contains(step, "port-forward"):
			forward(ctx, dir, step)
		case strings.Contains(step, "curl"):
			Eventually(ctx, func() (string, error) { return shell(ctx, dir, step) }).
				Should(ContainSubstring(`"username":"alice"`))
		default:
			mustShell(ctx, dir, step)
		}
	}
	removal := blocks("## Removing\n")
	if other == "helm" {
		mustShell(ctx, dir, removal[0])
	} else {
		// The last command is these three instead.
		before, _, found := strings.Cut(removal[0], "kubectl delete -k")
		Expect(found).To(BeTrue())
		mustShell(ctx, dir, before+removal[1])
	}
	expectRemoved(ctx)
},
	Entry("with kubectl", "helm"),
	Entry("with Helm", "my-keywright"),
)

// shellBlock is a block of commands.
var shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")

// blocks returns the blocks of commands in a section of docs/install.md.
func blocks(heading string) (found []string) {
	GinkgoHelper()
	page, err := os.ReadFile(filepath.Join(plane.Root, "docs", "install.md"))
	Expect(err).NotTo(HaveOccurred())
	_, section, has := strings.Cut(string(page), "\n"+heading)
	Expect(has).To(BeTrue(), heading)
	section, _, _ = strings.Cut(section, "\n## ")
	for _, block := range shellBlock.FindAllStringSubmatch(section, -1) {
		found = append(found, block[1])
	}
	return found
}

// person returns a shell with the commands of a person in a checkout.
func person(ctx context.Context, dir, commands string) *exec.Cmd {
	sh := exec.CommandContext(ctx, "sh", "-euc", registry+commands)
	sh.Dir, sh.Env = dir, environment()
	return sh
}

func shell(ctx context.Context, dir, commands string) (string, error) {
	output, err := person(ctx, dir, commands).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", commands, err, output)
	}
	return string(output), err
}

func mustShell(ctx context.Context, dir, commands string) {
	GinkgoHelper()
	_, err := shell(ctx, dir, commands)
	Expect(err).NotTo(HaveOccurred())
}

// forward runs a command that does not end until the spec does.
func forward(ctx context.Context, dir, command string) {
	GinkgoHelper()
	running := person(ctx, dir, "exec "+command)
	Expect(running.Start()).To(Succeed())
	DeferCleanup(func() {
		Expect(running.Process.Kill()).To(Succeed())
		_ = running.Wait() // it was killed
	})
}

func freePort() string {
	GinkgoHelper()
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	Expect(err).NotTo(HaveOccurred())
	_, port, err := net.SplitHostPort(listener.Addr().String())
	Expect(errors.Join(err, listener.Close())).To(Succeed())
	return port
}
