package plugin

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// inKrew runs go in the module of hack/krew and returns its output.
func inKrew(ctx context.Context, variables []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = filepath.Join(s.Root, "hack", "krew")
	cmd.Env = append(os.Environ(), variables...)
	text, err := cmd.CombinedOutput()
	return string(text), err
}

var _ = Describe("Krew", func() {
	It("installs the archive of the manifest, and kubectl finds the program under both names",
		func(ctx SpecContext) {
			folder, krew := GinkgoT().TempDir(), GinkgoT().TempDir()
			target := runtime.GOOS + "/" + runtime.GOARCH
			// With the setting of this test nothing has to be compiled a second time.
			cgo, err := inKrew(ctx, nil, "env", "CGO_ENABLED")
			Expect(err).NotTo(HaveOccurred())
			text, err := inKrew(ctx, []string{"CGO_ENABLED=" + strings.TrimSpace(cgo)}, "run", ".", "-version", "v0.1.2",
				"-url", "https://keywright.example/v0.1.2", "-platforms", target, "-out", folder)
			Expect(err).NotTo(HaveOccurred(), text)

			archive := "kubectl-keywright_" + runtime.GOOS + "_" + runtime.GOARCH + ".tar.gz"
			install := []string{"tool", "krew", "install", "--manifest", filepath.Join(folder, "keywright.yaml"),
				"--archive", filepath.Join(folder, archive)}
			offline := []string{"KREW_ROOT=" + krew, "KREW_NO_UPGRADE_CHECK=1"}
			text, err = inKrew(ctx, offline, install...)
			Expect(err).NotTo(HaveOccurred(), text)
			Expect(text).To(ContainSubstring("Installed plugin: keywright"))
			Expect(filepath.Glob(filepath.Join(krew, "store", "keywright", "v0.1.2", "LICENSE"))).To(HaveLen(1))

			bin := filepath.Join(krew, "bin")
			Expect(os.Symlink("kubectl-keywright", filepath.Join(bin, "kubectl_complete-keywright"))).To(Succeed())
			path := []string{"PATH=" + bin + string(filepath.ListSeparator) + os.Getenv("PATH")}
			got := kubectl(ctx, path, "keywright", "--version")
			Expect(got.stdout).To(Equal("kubectl-keywright v0.1.2\n"), got.stderr)
			words, _ := completions(ctx, path, "keywright", "doc")
			Expect(words).To(ConsistOf("doctor"))

			By("not with another archive")
			Expect(os.WriteFile(filepath.Join(folder, archive), []byte("changed"), 0o600)).To(Succeed())
			text, err = inKrew(ctx, append(offline, "KREW_ROOT="+GinkgoT().TempDir()), install...)
			Expect(err).To(HaveOccurred(), text)
			Expect(text).To(ContainSubstring("checksum"))
		})

	DescribeTable("refuses to write a manifest of",
		func(ctx SpecContext, message string, args ...string) {
			folder := GinkgoT().TempDir()
			text, err := inKrew(ctx, nil, append([]string{"run", ".", "-out", folder}, args...)...)
			Expect(err).To(HaveOccurred())
			Expect(text).To(ContainSubstring(message))
			Expect(os.ReadDir(folder)).To(BeEmpty())
		},
		Entry("a version that Krew cannot compare", "must be like v1.2.3",
			"-version", "1.2", "-url", "https://keywright.example"),
		Entry("no address", "must begin with https://", "-version", "v1.2.3"),
		Entry("a system without a release", `no release for platform "plan9/amd64"`,
			"-version", "v1.2.3", "-url", "https://keywright.example", "-platforms", "plan9/amd64"),
	)

	It("accepts the manifest for every platform, and would refuse a broken one", func(ctx SpecContext) {
		text, err := inKrew(ctx, nil, "run", ".", "-check")
		Expect(err).NotTo(HaveOccurred(), text)
		text, err = inKrew(ctx, nil, "run", ".", "-check", "-platforms", "linux/amd64,linux/amd64")
		Expect(err).To(HaveOccurred())
		Expect(text).To(ContainSubstring("overlapping"))
	})
})
