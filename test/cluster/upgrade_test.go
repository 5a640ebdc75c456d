package cluster

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

// upgradeVariable names the commit to upgrade from. Without it there is no upgrade.
const upgradeVariable = "KEYWRIGHT_UPGRADE_FROM"

// earlierVersion is the tag of that commit's images.
const earlierVersion = "v0.0.0-earlier"

var _ = upgrade(os.Getenv(upgradeVariable))

func upgrade(from string) bool {
	return from == "" || Describe("Upgraded from "+from+", with PostgreSQL", Ordered, func() {
		// Kustomizations of the two versions.
		var earlier, present string
		BeforeAll(func(ctx SpecContext) {
			checkout := buildEarlier(ctx, from)
			dir := GinkgoT().TempDir()
			earlier = kustomization(dir, "earlier", checkout, earlierVersion)
			present = kustomization(dir, "present", plane.Root, "")
		})
		AfterAll(func(ctx SpecContext) { run(ctx, "make", "undeploy") })

		It("works before", func(ctx SpecContext) {
			kubectl(ctx, "apply", "--server-side", "-f", "config/default/namespace.yaml")
			kubectl(ctx, "create", "secret", "generic", "keywright-database", "-n", stack.Namespace,
				"--from-literal=url="+databaseURL)
			beginAudit()
			roll(ctx, earlier)
			Expect(images(ctx)).To(HaveEach(HaveSuffix(":" + earlierVersion)))
			startWorkload(ctx)
		})

		It("refuses no call while it is upgraded, rolled back and upgraded again, and keeps the key", func(ctx SpecContext) {
			for _, version := range []struct{ what, kustomization string }{
				{"upgrade", present}, {"rollback", earlier}, {"upgrade after a rollback", present},
			} {
				before := kit.CurrentKey(theKey(ctx)).ID
				unnoticed(ctx, version.what, func() { roll(ctx, version.kustomization) })
				Expect(kit.CurrentKey(theKey(ctx)).ID).To(Equal(before))
				unnoticed(ctx, "rotation after "+version.what, func() { rotate(ctx, version.what) })
			}
			Expect(images(ctx)).NotTo(ContainElement(HaveSuffix(":" + earlierVersion)))
		})

		It("is refused nothing by the API server", func() { noneForbidden() })
	})
}

// buildEarlier builds the images of a commit, imports them into the node, and returns a checkout of the commit.
func buildEarlier(ctx context.Context, commit string) string {
	GinkgoHelper()
	checkout := filepath.Join(GinkgoT().TempDir(), "earlier")
	run(ctx, "git", "worktree", "add", "--detach", checkout, commit)
	DeferCleanup(func(ctx SpecContext) { run(ctx, "git", "worktree", "remove", "--force", checkout) })
	run(ctx, "make", "-C", checkout, "images", "IMAGE_VERSION="+earlierVersion, "IMAGE_PLATFORMS=linux/"+runtime.GOARCH)
	for _, program := range []string{"operator", "server"} {
		run(ctx, filepath.Join("hack", "cluster", "run.sh"), "-name", filepath.Base(folder), "load",
			filepath.Join(checkout, "bin", "images", program+"-"+runtime.GOARCH+".docker.tar"))
	}
	return checkout
}

// kustomization writes one for a checkout, with images of another version unless that is empty, and returns its folder.
func kustomization(dir, name, checkout, version string) string {
	GinkgoHelper()
	Expect(os.Symlink(filepath.Join(checkout, "config"), filepath.Join(dir, "config-"+name))).To(Succeed())
	text := "resources: [../config-" + name + "/default]\ncomponents: [../config-" + name + "/postgresql]\n"
	if version != "" {
		text += "images:\n- {name: keywright.dev/operator, newTag: " + version + "}\n" +
			"- {name: keywright.dev/server, newTag: " + version + "}\n"
	}
	folder := filepath.Join(dir, name)
	Expect(os.Mkdir(folder, 0o700)).To(Succeed())
	Expect(os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(text), 0o600)).To(Succeed())
	return folder
}

// roll applies a kustomization as docs/upgrade.md says, and waits until every Pod is of that version.
func roll(ctx context.Context, kustomization string) {
	GinkgoHelper()
	kubectl(ctx, "apply", "--server-side", "-k", kustomization)
	rolledOut(ctx, stack.Namespace, programs...)
}

// images returns the images of the Pods.
func images(ctx context.Context) []string {
	GinkgoHelper()
	return strings.Fields(kubectl(ctx, "get", "pods", "-n", stack.Namespace,
		"-o", "jsonpath={.items[*].spec.containers[*].image}"))
}
