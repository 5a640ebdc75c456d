package kit

import (
	"context"
	"encoding/json"
	"os/exec"

	"github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// ModuleFolder downloads the version of a module that the go.mod in a folder pins, verifies its checksum, and returns
// where it is.
func ModuleFolder(ctx context.Context, folder, module string) string {
	ginkgo.GinkgoHelper()
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", module)
	cmd.Dir = folder
	out, err := cmd.Output()
	var downloaded struct{ Dir, Error string }
	Expect(json.Unmarshal(out, &downloaded)).To(Succeed())
	Expect(downloaded.Error).To(BeEmpty())
	Expect(err).NotTo(HaveOccurred())
	return downloaded.Dir
}
