package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/api/v1alpha1"
)

// Prices for a million tokens, and what one call of each model of test/aiapp costs.
const (
	aiPrices = "[{provider: openai, model: gpt-4o, input: 2.5, output: 10, cache_read: 1.25}," +
		" {provider: openai, model: gpt-4o-mini, input: 0.15, output: 0.6}]"
	costOfLarge, costOfSmall = 0.00475, 0.00081
)

// buildAIApp builds test/aiapp, a module of its own.
func buildAIApp(ctx context.Context) (path string) {
	GinkgoHelper()
	path = filepath.Join(GinkgoT().TempDir(), "aiapp")
	build := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", path, ".")
	build.Dir = filepath.Join(s.Root, "test", "aiapp")
	output, err := build.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), "%s", output)
	return path
}

// mounted writes a key into a file, as a volume has it.
func mounted(plaintext string) (path string) {
	GinkgoHelper()
	path = filepath.Join(GinkgoT().TempDir(), "key")
	Expect(os.WriteFile(path, []byte(plaintext), 0o600)).To(Succeed())
	return path
}

// usageBy returns the number of calls and the cost of each group of a report about a type of call.
func usageBy(ctx context.Context, group string) map[string]string {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet,
		s.ServerURL+"/api/admin/token-usage?group_by="+url.QueryEscape(group), http.NoBody)
	Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Authorization", "Bearer "+s.BootstrapKey)
	reply, err := http.DefaultClient.Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	Expect(err).NotTo(HaveOccurred())
	Expect(reply.StatusCode).To(Equal(http.StatusOK), "%s", body)
	var report struct {
		Breakdown []struct {
			GroupKey  string   `json:"group_key"`
			CallCount int      `json:"call_count"`
			CostUSD   *float64 `json:"cost_usd"`
		}
	}
	Expect(json.Unmarshal(body, &report)).To(Succeed())
	groups := map[string]string{}
	for _, line := range report.Breakdown {
		cost := "unknown"
		if line.CostUSD != nil {
			cost = fmt.Sprintf("%.6f", *line.CostUSD)
		}
		groups[line.GroupKey] = fmt.Sprintf("%d calls, %s", line.CallCount, cost)
	}
	return groups
}

// deaf passes exports on to the server, and loses the first answers.
func deaf(losses int) *httptest.Server {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer GinkgoRecover()
		passed, err := http.NewRequestWithContext(r.Context(), r.Method, s.ServerURL+r.URL.Path, r.Body)
		Expect(err).NotTo(HaveOccurred())
		passed.Header = r.Header
		reply, err := http.DefaultClient.Do(passed)
		Expect(err).NotTo(HaveOccurred())
		defer reply.Body.Close()
		Expect(reply.StatusCode).To(Equal(http.StatusOK))
		if asked.Add(1) <= int64(losses) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, err = io.Copy(w, reply.Body)
		Expect(err).NotTo(HaveOccurred())
	}))
	DeferCleanup(server.Close)
	return server
}

var _ = Describe("An app with OpenTelemetry", Serial, func() {
	It("reports the cost of its AI calls, each of them once", func(ctx SpecContext) {
		DeferCleanup(func(ctx SpecContext) { configure(ctx, nil) })
		configure(ctx, map[string]string{"PRICES": aiPrices})
		app := buildAIApp(ctx)
		key := mounted(keyOf(ctx, "ai-calls", speaksAs(v1alpha1.SubjectAccount, "ai-calls", "usage.write")))
		run := func(args ...string) {
			GinkgoHelper()
			args = append([]string{"--server", s.ServerURL, "--key-file", key, "--job", "e2e-ai-calls"}, args...)
			output, err := exec.CommandContext(ctx, app, args...).CombinedOutput()
			Expect(err).NotTo(HaveOccurred(), "%s", output)
		}
		before := usageBy(ctx, "owner")
		Expect(before).NotTo(HaveKey("Account/ai-calls"))

		run("--calls", "3")
		Expect(usageBy(ctx, "job")).To(HaveKeyWithValue("e2e-ai-calls",
			fmt.Sprintf("6 calls, %.6f", 3*(costOfLarge+costOfSmall))))
		// The reply to the first export is lost, and the SDK sends it again.
		run("--calls", "2", "--traces", deaf(1).URL+"/v1/traces")
		want := fmt.Sprintf("10 calls, %.6f", 5*(costOfLarge+costOfSmall))
		Expect(usageBy(ctx, "job")).To(HaveKeyWithValue("e2e-ai-calls", want))
		Expect(usageBy(ctx, "owner")).To(HaveKeyWithValue("Account/ai-calls", want))
		Expect(usageBy(ctx, "key")).To(HaveKeyWithValue(tenant+"/ai-calls", want))
		Expect(usageBy(ctx, "model")).To(SatisfyAll(
			HaveKey("openai / gpt-4o-2024-08-06"), HaveKey("openai / gpt-4o-mini-2024-07-18"),
		))
	})

	It("may not report without the right", func(ctx SpecContext) {
		app := buildAIApp(ctx)
		key := mounted(keyOf(ctx, "ai-mute", speaksAs(v1alpha1.SubjectAccount, "ai-mute")))
		output, err := exec.CommandContext(ctx, app, "--server", s.ServerURL, "--key-file", key).CombinedOutput()
		Expect(err).To(HaveOccurred())
		Expect(string(output)).To(ContainSubstring("403"))
		Expect(usageBy(ctx, "owner")).NotTo(HaveKey("Account/ai-mute"))
	})
})
