package recovery

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/cli/cluster/archive"
	"keywright.dev/keywright/test/stack"
)

// veleroFolder holds what hack/velero builds. Empty: Velero is not built, and its specs do not exist.
var veleroFolder = os.Getenv("KEYWRIGHT_VELERO")

// velero is Velero on a cluster.
type velero struct {
	on     *stack.Stack
	server *stack.Process
}

// bucket is the folder that holds the backups. Velero finds those of the lost cluster there.
var bucket string

// startVelero installs Velero by its own manifests, with the rights of a cluster admin, and runs its server, which no
// node does here.
func startVelero(ctx context.Context, on *stack.Stack) velero {
	GinkgoHelper()
	v := velero{on: on}
	v.play(ctx, `
velero install --dry-run -o yaml --no-default-backup-location --no-secret --use-volume-snapshots=false |
  kubectl apply --server-side -f -
kubectl wait --for=condition=Established crd --all
velero backup-location create default --default --provider=keywright.dev/folder --bucket=backups --config=folder="$BACKUPS"
`)
	metrics := freeAddress()
	var err error
	v.server, err = on.NewProcess("velero", filepath.Join(veleroFolder, "velero"), "http://"+metrics+"/metrics",
		"server", "--kubeconfig="+v.kubeconfig(ctx), "--namespace=velero", "--backup-sync-period=1s",
		"--plugin-dir="+filepath.Join(veleroFolder, "plugins"), "--metrics-address="+metrics, "--profiler-address=")
	Expect(err).NotTo(HaveOccurred())
	home := GinkgoT().TempDir()
	v.server.Env = []string{"HOME=" + home, "TMPDIR=" + home}
	Expect(v.server.Start(ctx)).To(Succeed())
	v.play(ctx, "kubectl wait --for=jsonpath='{.status.phase}'=Available backupstoragelocation/default "+
		"-n velero --timeout=60s")
	return v
}

// kubeconfig writes the kubeconfig of Velero's own account.
func (v velero) kubeconfig(ctx context.Context) string {
	GinkgoHelper()
	account, err := v.on.ServiceAccountConfigIn(ctx, "velero", "velero")
	Expect(err).NotTo(HaveOccurred())
	file := filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	Expect(clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{
			"": {Server: account.Host, CertificateAuthorityData: account.CAData},
		},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"": {Token: account.BearerToken}},
		Contexts:       map[string]*clientcmdapi.Context{"velero": {}},
		CurrentContext: "velero",
	}, file)).To(Succeed())
	return file
}

func freeAddress() string {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	defer listener.Close()
	return listener.Addr().String()
}

// play runs commands of a shell as the cluster admin and returns what they print.
func (v velero) play(ctx context.Context, commands string) string {
	GinkgoHelper()
	shell := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", commands)
	shell.Dir = v.on.Root
	shell.Env = append(v.on.Environ(), "HOME="+GinkgoT().TempDir(), "BACKUPS="+bucket,
		"PATH="+veleroFolder+":"+v.on.Assets+":"+os.Getenv("PATH"))
	out, err := shell.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), "%s\n%s", commands, out)
	return string(out)
}

// expectCompleted expects that a backup or restore has ended without an error.
func (v velero) expectCompleted(ctx context.Context, what string) {
	GinkgoHelper()
	state := v.play(ctx, "kubectl get "+what+" -n velero -o jsonpath='{.status}'")
	// What velero describe prints: warnings and errors.
	results := v.play(ctx, `find "$BACKUPS" -name "*`+path.Base(what)+`-results.gz" -exec zcat {} +`)
	Expect(state).To(ContainSubstring(`"phase":"Completed"`), results)
	fmt.Fprintln(GinkgoWriter, what, state, results)
}

// pageBlocks returns the commands of a section of docs/backup.md.
func pageBlocks(root, section string) (blocks []string) {
	GinkgoHelper()
	page, err := os.ReadFile(filepath.Join(root, "docs", "backup.md"))
	Expect(err).NotTo(HaveOccurred())
	_, text, found := strings.Cut(string(page), "\n## "+section+"\n")
	Expect(found).To(BeTrue(), section)
	text, _, _ = strings.Cut(text, "\n## ")
	for _, m := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(text, -1) {
		blocks = append(blocks, m[1])
	}
	return blocks
}

// backUpByVelero runs the first commands of the page in the cluster that is about to be lost.
func backUpByVelero(ctx context.Context, lost *stack.Stack) {
	GinkgoHelper()
	bucket = GinkgoT().TempDir()
	v := startVelero(ctx, lost)
	v.play(ctx, pageBlocks(lost.Root, "With Velero")[0])
	v.expectCompleted(ctx, "backup/keywright")
}

// The resources of a restore, as Velero names them, and what it needs to restore their status.
const (
	objects = "adminusers.keywright.dev,apikeys.keywright.dev,accessroles.keywright.dev,accessrolebindings.keywright.dev"
	status  = " --status-include-resources adminusers.keywright.dev,apikeys.keywright.dev"
)

var _ = Describe("A cluster that is lost, with Velero", Ordered, ContinueOnFailure, func() {
	if veleroFolder == "" {
		return
	}
	var v velero

	BeforeAll(func(ctx SpecContext) {
		// The page scales its Deployment.
		kubectl(ctx, "apply", "--server-side", "-k", "config/operator")
		DeferCleanup(func(ctx SpecContext) { kubectl(ctx, "delete", "-k", "config/operator") })
		v = startVelero(ctx, s)
		// The location is available now: at a start, the server looks at once for the backups in it.
		Expect(v.server.Restart(ctx)).To(Succeed())
		v.play(ctx, "kubectl wait --for=create backup/keywright -n velero --timeout=60s")
	})

	BeforeEach(func(ctx SpecContext) {
		v.play(ctx, "kubectl delete restores --all -n velero")
		wipe(ctx)
	})

	restore := func(ctx context.Context, name, flags string) {
		GinkgoHelper()
		v.play(ctx, "velero restore create "+name+" --from-backup keywright --wait "+flags)
		v.expectCompleted(ctx, "restore/"+name)
	}

	It("comes back by the commands of docs/backup.md", func(ctx SpecContext) {
		v.play(ctx, pageBlocks(s.Root, "With Velero")[1])
		v.expectCompleted(ctx, "restore/keywright")
		Expect(s.Server.Restart(ctx)).To(Succeed())
		expectAccepted(ctx)
		runOperator(ctx)
		expectAccepted(ctx)
		expectSame(ctx)
		// The rest of the cluster.
		restore(ctx, "rest", "")
		runOperator(ctx)
		expectAccepted(ctx)
		expectSame(ctx)
	})

	for _, order := range []string{
		"secrets configmaps objects", "objects configmaps secrets", "configmaps secrets objects",
	} {
		It("comes back in the order "+order, func(ctx SpecContext) {
			v.play(ctx, "kubectl delete secret keywright-pepper -n keywright-system")
			for _, part := range strings.Fields(order) {
				restore(ctx, part, strings.NewReplacer("objects", "--include-resources "+objects+status,
					"secrets", "--include-resources secrets", "configmaps", "--include-resources configmaps").Replace(part))
			}
			expectAccepted(ctx)
			runOperator(ctx)
			expectAccepted(ctx)
			expectSame(ctx)
		})
	}

	It("comes back by a second restore where a pepper, and an object from Git, were in the way of the first",
		func(ctx SpecContext) {
			early := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: stack.Namespace, Name: "alice"}}
			Expect(s.Client.Create(ctx, early)).To(Succeed())
			flags := "--include-resources secrets,configmaps," + objects + status
			restore(ctx, "first", flags)
			Expect(archive.HasRecord(recordOf(ctx, early))).To(BeFalse())
			v.play(ctx, "kubectl delete secret/keywright-pepper adminuser/alice -n keywright-system")
			restore(ctx, "second", flags)
			expectAccepted(ctx)
			runOperator(ctx)
			expectAccepted(ctx)
			expectSame(ctx)
		})

	It("keeps the keys of annotated Secrets without the status", func(ctx SpecContext) {
		v.play(ctx, "kubectl delete secret keywright-pepper -n keywright-system")
		restore(ctx, "keywright", "--include-resources secrets,configmaps,"+objects)
		v.play(ctx, "kubectl annotate secrets -A -l keywright.dev/issued-for keywright.dev/adopt=true")
		runOperator(ctx)
		for what, plaintext := range plaintexts {
			want := Equal(200)
			if what == "APIKey of the API" {
				want = Equal(401)
			}
			Eventually(answer(ctx, s, plaintext)).WithTimeout(20*time.Second).Should(want, what)
		}
	})
})
