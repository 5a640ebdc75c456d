package chart

import (
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/test/stack"
)

var _ = Describe("The archive of a release", func() {
	It("is a chart that renders what its folder renders", func(ctx SpecContext) {
		out := GinkgoT().TempDir()
		version, err := run(ctx, "sh", "-c", "sed -n 's/^appVersion: //p' "+chart+"/Chart.yaml | tr -d '\\n'")
		Expect(err).NotTo(HaveOccurred())
		_, err = run(ctx, "go", "run", "./hack/release", "chart", "-version", version, "-out", out)
		Expect(err).NotTo(HaveOccurred())
		archives, err := filepath.Glob(filepath.Join(out, "*.tgz"))
		Expect(err).NotTo(HaveOccurred())
		Expect(archives).To(HaveLen(1))
		manifests, err := helm(ctx, "template", release, archives[0], "--namespace", stack.Namespace)
		Expect(err).NotTo(HaveOccurred())
		Expect(decode(manifests)).To(Equal(template(ctx)))
		shown, err := helm(ctx, "show", "chart", archives[0])
		Expect(err).NotTo(HaveOccurred())
		Expect(shown).To(ContainSubstring("appVersion: " + version))
	})
})
