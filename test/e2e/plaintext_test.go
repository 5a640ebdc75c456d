package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/test/scenario"
	"keywright.dev/keywright/test/stack"
)

var (
	createOptions = metav1.CreateOptions{}
	generated     = regexp.MustCompile(`ak_[0-9A-Za-z]{46}`)
)

const secretsInEtcd = "/registry/secrets/"

// The spec plays the demo's story while the programs log at the lowest level. Then it searches everything ever written:
// each version of each object in etcd, events included, the logs of all four programs, and the metrics.
var _ = Describe("The plaintext of a key", Serial, func() {
	It("is in its Secret only after the demo's steps", func(ctx SpecContext) {
		printed := playStory(ctx)
		history, err := s.EtcdHistory(ctx)
		Expect(err).NotTo(HaveOccurred())

		keys := plaintexts(history)
		Expect(len(keys)).To(BeNumerically(">=", 3), "alice's two keys and bob's")
		Expect(count(history, "/registry/events/")).To(BeNumerically(">", 0), "events were written")
		Expect(count(history, "/registry/keywright.dev/adminusers/")).To(BeNumerically(">=", 6))

		for _, write := range history {
			if !strings.HasPrefix(write.Key, secretsInEtcd) {
				expectClean("etcd "+write.Key, write.Value, keys)
			}
		}
		for _, name := range []string{"operator", "server", "kube-apiserver", "etcd"} {
			log, err := os.ReadFile(s.LogFile(name))
			Expect(err).NotTo(HaveOccurred())
			expectClean("the log of "+name, log, keys)
		}
		files, err := s.DatabaseFiles()
		Expect(err).NotTo(HaveOccurred())
		Expect(files).NotTo(BeEmpty())
		for _, file := range files {
			content, err := os.ReadFile(file)
			Expect(err).NotTo(HaveOccurred())
			expectClean("the database, "+file, content, keys)
		}
		expectClean("the server's metrics", fetch(ctx, s.ServerMetricsURL), keys)
		expectClean("the operator's metrics", fetch(ctx, s.OperatorMetricsURL), keys)
		expectClean("the output of the demo", printed, keys)
	})
})

func playStory(ctx context.Context) []byte {
	GinkgoHelper()
	removeAll(ctx)
	DeferCleanup(func(ctx SpecContext) {
		removeAll(ctx)
		issued(ctx, keeper)
	})
	var printed bytes.Buffer
	player := &scenario.Player{
		Root: s.Root, Dir: GinkgoT().TempDir(), Env: s.Environ(), ServerURL: s.ServerURL,
		Out: scenario.NewPrinter(io.MultiWriter(&printed, GinkgoWriter), false),
	}
	Expect(player.Play(ctx, scenario.Steps())).To(Succeed())
	// The last step leaves prices.
	DeferCleanup(func(ctx SpecContext) { configure(ctx, nil) })
	return printed.Bytes()
}

// plaintexts returns every key that was ever in a Secret, and the bootstrap key.
func plaintexts(history []stack.EtcdWrite) map[string]bool {
	keys := map[string]bool{s.BootstrapKey: true}
	for _, write := range history {
		if strings.HasPrefix(write.Key, secretsInEtcd) {
			for _, found := range generated.FindAll(write.Value, -1) {
				keys[string(found)] = true
			}
		}
	}
	return keys
}

func count(history []stack.EtcdWrite, prefix string) (n int) {
	for _, write := range history {
		if strings.HasPrefix(write.Key, prefix) {
			n++
		}
	}
	return n
}

// expectClean does not print a key that it finds, to keep plaintexts out of the test's output.
func expectClean(where string, content []byte, keys map[string]bool) {
	GinkgoHelper()
	Expect(generated.Match(content)).To(BeFalse(), "something that looks like a key is in %s", where)
	for plaintext := range keys {
		found := bytes.Contains(content, []byte(plaintext)) ||
			bytes.Contains(content, []byte(base64.StdEncoding.EncodeToString([]byte(plaintext))))
		Expect(found).To(BeFalse(), "a key is in %s", where)
	}
}

func fetch(ctx context.Context, url string) []byte {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	Expect(err).NotTo(HaveOccurred())
	reply, err := http.DefaultClient.Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	Expect(err).NotTo(HaveOccurred())
	Expect(body).NotTo(BeEmpty())
	return body
}
