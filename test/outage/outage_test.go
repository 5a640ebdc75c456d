package outage

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

func TestOutages(t *testing.T) {
	kit.RunSpecs(t, "A server without the API server")
}

const patience = 30 * time.Second

var (
	s *stack.Stack
	// line is the first server's connection to the API server. Other clients do not use it.
	line *relay
	// legs is the proxy of another server. It may be nil.
	legs *proxy
	// path is the API server's URL for the next server.
	path string
)

var _ = BeforeSuite(func(ctx SpecContext) {
	s = kit.Stack(ctx, stack.Options{
		ServerArgs: []string{"--log-level=debug"},
		ServerSees: func(apiServer string) (string, error) {
			if path != "" {
				return path, nil
			}
			address, err := url.Parse(apiServer)
			if err != nil {
				return "", err
			}
			if line, err = newRelay(address.Host); err != nil {
				return "", err
			}
			address.Host = line.address
			return address.String(), nil
		},
	})
	DeferCleanup(func() error { return line.cut() })
}, kit.StartTimeout)

// ask sends a key to the gate.
func ask(ctx context.Context, plaintext string) int {
	GinkgoHelper()
	return askOf(ctx, s.Replicas[0], plaintext)
}

func askOf(ctx context.Context, server stack.Replica, plaintext string) int {
	GinkgoHelper()
	status, _ := get(ctx, server.URL+"/auth", http.Header{"X-Api-Key": {plaintext}})
	return status
}

func get(ctx context.Context, address string, header http.Header) (status int, body string) {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	Expect(err).NotTo(HaveOccurred())
	request.Header = header
	reply, err := http.DefaultClient.Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer reply.Body.Close()
	content, err := io.ReadAll(reply.Body)
	Expect(err).NotTo(HaveOccurred())
	return reply.StatusCode, string(content)
}

func awaitAnswer(ctx context.Context, plaintext string, status int) {
	GinkgoHelper()
	Eventually(ctx, func() int { return ask(ctx, plaintext) }).WithTimeout(patience).WithPolling(5 * time.Millisecond).
		Should(Equal(status))
}

// issued creates an APIKey and returns its key.
func issued(ctx context.Context, name string) (*v1alpha1.APIKey, string) {
	GinkgoHelper()
	k := &v1alpha1.APIKey{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec:       v1alpha1.APIKeySpec{Subject: v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: name}},
	}
	Expect(s.Client.Create(ctx, k)).To(Succeed())
	secret := &corev1.Secret{}
	Eventually(ctx, func() error {
		return s.Client.Get(ctx, client.ObjectKey{Namespace: k.Namespace, Name: name + "-api-key"}, secret)
	}).WithTimeout(patience).Should(Succeed())
	return k, string(secret.Data[v1alpha1.SecretKey])
}

// ageOf returns the age of the view of a server in seconds, from the metric.
func ageOf(ctx context.Context, server stack.Replica) float64 {
	GinkgoHelper()
	_, metrics := get(ctx, server.MetricsURL, nil)
	_, rest, found := strings.Cut(metrics, "\nkeywright_index_age_seconds ")
	Expect(found).To(BeTrue())
	value, _, _ := strings.Cut(rest, "\n")
	seconds, err := strconv.ParseFloat(value, 64)
	Expect(err).NotTo(HaveOccurred())
	return seconds
}

func readiness(ctx context.Context) (status int, report string) {
	GinkgoHelper()
	return get(ctx, s.ServerURL+"/readyz?verbose", nil)
}

// configure replaces the whole configuration and waits until the first server runs it.
func configure(ctx context.Context, data map[string]string) {
	GinkgoHelper()
	revision := func() string {
		_, report := readiness(ctx)
		_, rest, _ := strings.Cut(report, "revision ")
		return strings.Fields(rest)[0]
	}
	before := revision()
	if isConfigured(ctx, data) {
		return
	}
	Expect(s.Settings(ctx, data)).To(Succeed())
	Eventually(ctx, revision).WithTimeout(patience).ShouldNot(Equal(before))
}

func isConfigured(ctx context.Context, data map[string]string) bool {
	GinkgoHelper()
	config := &corev1.ConfigMap{}
	Expect(s.Client.Get(ctx, client.ObjectKey{Namespace: stack.Namespace, Name: v1alpha1.ConfigMapConfig}, config)).
		To(Succeed())
	return maps.Equal(config.Data, data)
}

// cut disconnects the API server until the spec ends or mend is called.
func cut() {
	GinkgoHelper()
	Expect(line.cut()).To(Succeed())
	DeferCleanup(func() {
		if line.listener == nil {
			Expect(line.mend()).To(Succeed())
		}
	})
}

var _ = Describe("While the API server cannot be reached", Ordered, func() {
	It("verifies as before, reports the age of its view, and catches up by itself", func(ctx SpecContext) {
		report := func() string { _, report := readiness(ctx); return report }
		kept, keptKey := issued(ctx, "kept")
		gone, goneKey := issued(ctx, "gone")
		awaitAnswer(ctx, keptKey, http.StatusOK)
		awaitAnswer(ctx, goneKey, http.StatusOK)
		Expect(report()).NotTo(ContainSubstring("does not answer"))

		cut()
		Eventually(ctx, report).WithTimeout(patience).Should(ContainSubstring("does not answer"))
		Expect(s.Client.Delete(ctx, gone)).To(Succeed())
		_, lateKey := issued(ctx, "late")
		Expect([]int{ask(ctx, keptKey), ask(ctx, goneKey), ask(ctx, lateKey), ask(ctx, "no-such-key-anywhere")}).
			To(Equal([]int{http.StatusOK, http.StatusOK, http.StatusUnauthorized, http.StatusUnauthorized}))
		Eventually(ctx, report).WithTimeout(patience).
			Should(MatchRegexp(`\[\+\] index: ok, as it was [1-9]\d*s ago: the API server does not answer`))
		Expect(ageOf(ctx, s.Replicas[0])).To(BeNumerically(">", 0))
		status, _ := readiness(ctx)
		Expect(status).To(Equal(http.StatusOK))

		Expect(line.mend()).To(Succeed())
		awaitAnswer(ctx, goneKey, http.StatusUnauthorized)
		awaitAnswer(ctx, lateKey, http.StatusOK)
		Eventually(ctx, report).WithTimeout(patience).ShouldNot(ContainSubstring("does not answer"))
		Expect(ask(ctx, keptKey)).To(Equal(http.StatusOK))
		Expect(s.Client.Delete(ctx, kept)).To(Succeed())
	})

	It("refuses every caller once the view is older than STALE_AFTER, until it is connected again", func(ctx SpecContext) {
		_, plaintext := issued(ctx, "fresh")
		awaitAnswer(ctx, plaintext, http.StatusOK)
		configure(ctx, map[string]string{"STALE_AFTER": "5s"})

		cut()
		awaitAnswer(ctx, plaintext, http.StatusServiceUnavailable)
		Expect(ask(ctx, "no-such-key-anywhere")).To(Equal(http.StatusServiceUnavailable))
		status, report := readiness(ctx)
		Expect(status).To(Equal(http.StatusServiceUnavailable))
		Expect(report).To(ContainSubstring("more than STALE_AFTER=5s, so every request is refused"))

		Expect(line.mend()).To(Succeed())
		awaitAnswer(ctx, plaintext, http.StatusOK)
		Eventually(ctx, func() int { status, _ := readiness(ctx); return status }).WithTimeout(patience).
			Should(Equal(http.StatusOK))
	})
})
