package cluster

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

var _ = Describe("A cluster that is lost", Ordered, func() {
	var backup, id, plaintext string

	BeforeAll(func(ctx SpecContext) {
		bin := GinkgoT().TempDir()
		run(ctx, "go", "build", "-trimpath", "-o", filepath.Join(bin, "kubectl-keywright"), "./cmd/keywright")
		GinkgoT().Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
		backup = filepath.Join(GinkgoT().TempDir(), "keywright.json")
	})
	AfterAll(func(ctx SpecContext) { run(ctx, "make", "undeploy") })

	It("is backed up while a workload uses a key", func(ctx SpecContext) {
		kubectl(ctx, "apply", "--server-side", "-k", "config/default")
		rolledOut(ctx, stack.Namespace, programs...)
		startWorkload(ctx)
		id, plaintext = kit.CurrentKey(theKey(ctx)).ID, delivered(ctx)
		unnoticed(ctx, "a backup", func() { kubectl(ctx, "keywright", "backup", backup, "--pepper", "--secrets") })
	})

	It("leaves nothing on the machine", func(ctx SpecContext) {
		namespaces := clusterNamespaces()
		run(ctx, "make", "cluster-down", "CLUSTER="+filepath.Base(folder))
		expectGone(namespaces)
	})

	It("accepts the same key after a restore into a new one, before the operator runs", func(ctx SpecContext) {
		name := filepath.Base(folder)
		run(ctx, "make", "cluster", "CLUSTER="+name)
		run(ctx, filepath.Join("test", "cluster", "images.sh"), filepath.Join("hack", "cluster", "run.sh"), "-name", name)
		Expect(plane.Stop()).To(Succeed())
		connect(ctx)
		beginAudit()
		kubectl(ctx, "apply", "--server-side", "-k", "config/default")
		rolledOut(ctx, stack.Namespace, programs...)
		commands := restoring(backup)
		for _, command := range commands[:3] {
			run(ctx, "sh", "-euc", command)
		}
		startWorkload(ctx)
		Expect(kit.CurrentKey(theKey(ctx)).ID).To(Equal(id))
		unnoticed(ctx, "the start of the operator after a restore", func() { run(ctx, "sh", "-euc", commands[3]) })
	})

	It("keeps that key, and goes on to rotate it", func(ctx SpecContext) {
		rolledOut(ctx, stack.Namespace, programs...)
		Expect(kit.CurrentKey(theKey(ctx)).ID).To(Equal(id))
		Expect(delivered(ctx)).To(Equal(plaintext))
		unnoticed(ctx, "a rotation after a restore", func() { rotate(ctx, "after the restore") })
		Expect(kit.CurrentKey(theKey(ctx)).ID).NotTo(Equal(id))
	})

	It("is refused nothing by the API server", func() { noneForbidden() })
})

// restoring returns the four commands of docs/backup.md that restore a file.
func restoring(backup string) []string {
	GinkgoHelper()
	page, err := os.ReadFile(filepath.Join(plane.Root, "docs", "backup.md"))
	Expect(err).NotTo(HaveOccurred())
	block := regexp.MustCompile("(?s)```sh\n(kubectl scale .*?)\n```").FindSubmatch(page)
	Expect(block).NotTo(BeNil(), "docs/backup.md has no block for a restore")
	commands := strings.Split(strings.ReplaceAll(string(block[1]), "keywright.json", backup), "\n")
	Expect(commands).To(HaveLen(4))
	return commands
}

// delivered returns the caller's key.
func delivered(ctx context.Context) string {
	GinkgoHelper()
	secret := &corev1.Secret{}
	name := client.ObjectKey{Namespace: corev1.NamespaceDefault, Name: "caller-api-key"}
	Expect(plane.Client.Get(ctx, name, secret)).To(Succeed())
	return string(secret.Data["key"])
}
