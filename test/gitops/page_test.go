package gitops

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/yaml"

	"keywright.dev/keywright/api/v1alpha1"
)

// block is a code block of the page.
type block struct {
	language, text string
	// line is its first line on the page.
	line int
}

var fence = regexp.MustCompile("(?s)```(\\w+)\n(.*?)```")

func blocks(page string) (found []block) {
	for _, at := range fence.FindAllStringSubmatchIndex(page, -1) {
		found = append(found, block{page[at[2]:at[3]], page[at[4]:at[5]], 1 + strings.Count(page[:at[0]], "\n")})
	}
	return found
}

// file returns the name in the first line of a manifest.
func (b block) file() string {
	first, _, _ := strings.Cut(b.text, "\n")
	name, named := strings.CutPrefix(first, "# ")
	Expect(named).To(BeTrue(), "line %d: a manifest starts with the name of its file", b.line)
	return name
}

// carols is the key that the page adopts.
const carols = "Carols-Very-Own-Key-0123456789"

var _ = Describe("The page", Ordered, func() {
	var page []block
	var dir, first string

	BeforeAll(func(ctx SpecContext) {
		content, err := os.ReadFile(filepath.Join(s.Root, "docs", "gitops.md"))
		Expect(err).NotTo(HaveOccurred())
		page = blocks(string(content))
		Expect(len(page)).To(BeNumerically(">", 10))
		dir = pageDir()
		write(dir, "carol.key", carols)
		installArgoCD(ctx)
	})

	// A reader runs the page from top to bottom: a block may need the results of earlier ones.
	It("works as written, from top to bottom", func(ctx SpecContext) {
		for _, b := range page {
			switch b.language {
			case "yaml":
				write(dir, b.file(), b.text)
			case "sh":
				b.run(ctx, dir)
			default:
				Fail(fmt.Sprintf("line %d: no way to run %q", b.line, b.language))
			}
			if first == "" && b.language == "sh" {
				first = plaintext(ctx, "alice")
			}
		}
	}, SpecTimeout(3*time.Minute))

	It("leaves behind what it describes", func(ctx SpecContext) {
		for _, name := range []string{"alice", "breakglass", "carol"} {
			settled(ctx, name)
		}
		Expect(plaintext(ctx, "alice")).NotTo(Equal(first))
		Eventually(answer(ctx, first)).Should(Equal(401))
		Eventually(answer(ctx, plaintext(ctx, "alice"))).Should(Equal(200))
		Expect(plaintext(ctx, "carol")).To(Equal(carols))
		Eventually(answer(ctx, carols)).Should(Equal(200))
		Expect(get(ctx, "breakglass").Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationAllowLastAdminRemoval, "true"))
		expectHealthScripts(ctx)
	})

	It("applies every manifest with an object of Keywright", func() {
		var commands strings.Builder
		for _, b := range page {
			if b.language == "sh" {
				commands.WriteString(b.text)
			}
		}
		for _, b := range page {
			if b.language == "yaml" && strings.Contains(b.text, "keywright.dev/v1alpha1") {
				Expect(commands.String()).To(Or(ContainSubstring("-f "+b.file()),
					ContainSubstring("resources: ["+filepath.Base(b.file())+"]")), "line %d", b.line)
			}
		}
	})

	// Flux does not run here. The dependencies have to exist on the page or be Keywright itself.
	It("has Flux Kustomizations that fit together", func() {
		names, needed := sets.New("keywright"), sets.New[string]()
		for _, b := range page {
			if b.language != "yaml" || b.file() != "flux.yaml" {
				continue
			}
			for part := range strings.SplitSeq(b.text, "---\n") {
				u := &unstructured.Unstructured{}
				Expect(yaml.UnmarshalStrict([]byte(part), u)).To(Succeed())
				Expect(u.GetKind()).To(Equal("Kustomization"))
				names.Insert(u.GetName())
				list, _, err := unstructured.NestedSlice(u.Object, "spec", "dependsOn")
				Expect(err).NotTo(HaveOccurred())
				for _, item := range list {
					needed.Insert(item.(map[string]any)["name"].(string))
				}
			}
		}
		Expect(needed.UnsortedList()).NotTo(BeEmpty())
		Expect(names.IsSuperset(needed)).To(BeTrue(), "%v needs %v", names, needed)
	})
})

// pageDir returns the folder in which a reader runs the page.
func pageDir() string {
	GinkgoHelper()
	dir := GinkgoT().TempDir()
	Expect(os.Symlink(filepath.Join(s.Root, "config"), filepath.Join(dir, "config"))).To(Succeed())
	return dir
}

// run runs the block in a shell in the folder of the manifests, as a reader does.
func (b block) run(ctx context.Context, dir string) {
	GinkgoHelper()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", b.text)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+s.Assets+":"+os.Getenv("PATH"),
		"KUBECONFIG="+s.Kubeconfig, "KUBERC=off", "KUBECACHEDIR="+filepath.Join(dir, "cache"))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	Expect(cmd.Run()).To(Succeed(), "line %d of docs/gitops.md: %s\n%s", b.line, b.text, &out)
}

func write(dir, name, content string) string {
	GinkgoHelper()
	path := filepath.Join(dir, name)
	Expect(os.WriteFile(path, []byte(content), 0o600)).To(Succeed())
	return path
}
