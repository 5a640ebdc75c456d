package alerts

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"sigs.k8s.io/yaml"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

func TestAlerts(t *testing.T) {
	kit.RunSpecs(t, "Alerts")
}

var (
	s *stack.Stack
	// measured are the metrics of both programs, with all keys issued.
	measured []series
	rules    []rule
)

var _ = BeforeSuite(func(ctx SpecContext) {
	s = kit.Stack(ctx, stack.Options{})
	rules = documented()
	applySamples(ctx)
	applyReadme(ctx)
	Eventually(ctx, atRest).WithTimeout(2 * time.Minute).Should(Succeed())
	measured = append(scrape(ctx, "operator", s.OperatorMetricsURL), scrape(ctx, "server", s.ServerMetricsURL)...)
	// The volume is that of this machine.
	measured = set(value("keywright_database_volume_bytes")/2, "keywright_database_volume_free_bytes")(measured)
	Expect(value("keywright_keys", "kind", "APIKey", "state", "active")).To(BeNumerically(">", 5))
}, kit.StartTimeout)

// rule is an alert as the page has it.
type rule struct {
	Alert string `json:"alert"`
	Expr  string `json:"expr"`
	For   string `json:"for"`
}

// documented returns the alerts of the page.
func documented() []rule {
	GinkgoHelper()
	page := read("docs/metrics.md")
	_, alerts, found := strings.Cut(page, "## Alerts")
	Expect(found).To(BeTrue())
	var file struct{ Groups []struct{ Rules []rule } }
	Expect(yaml.Unmarshal([]byte(blocks(alerts)[0]), &file)).To(Succeed())
	Expect(file.Groups).To(HaveLen(1))
	return file.Groups[0].Rules
}

func read(path string) string {
	GinkgoHelper()
	content, err := os.ReadFile(filepath.Join(s.Root, path))
	Expect(err).NotTo(HaveOccurred())
	return string(content)
}

var block = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// blocks returns the YAML blocks of a page.
func blocks(page string) (all []string) {
	for _, found := range block.FindAllStringSubmatch(page, -1) {
		all = append(all, found[1])
	}
	return all
}

func applySamples(ctx context.Context) {
	GinkgoHelper()
	files, err := filepath.Glob(filepath.Join(s.Root, "config", "samples", "*.yaml"))
	Expect(err).NotTo(HaveOccurred())
	for _, file := range files {
		if filepath.Base(file) != "kustomization.yaml" {
			apply(ctx, read("config/samples/"+filepath.Base(file)))
		}
	}
}

// applyReadme applies the keys that the README shows.
func applyReadme(ctx context.Context) {
	GinkgoHelper()
	applied := 0
	for _, manifest := range blocks(read("README.md")) {
		if strings.Contains(manifest, "kind: APIKey") {
			apply(ctx, manifest)
			applied++
		}
	}
	Expect(applied).To(BeNumerically(">", 0))
}

func apply(ctx context.Context, manifest string) {
	GinkgoHelper()
	file := filepath.Join(GinkgoT().TempDir(), "manifest.yaml")
	Expect(os.WriteFile(file, []byte(manifest), 0o600)).To(Succeed())
	_, err := s.Kubectl(ctx, "apply", "--server-side", "-f", file)
	Expect(err).NotTo(HaveOccurred())
}

// atRest returns an error until every key has been issued.
func atRest(ctx context.Context) error {
	var users v1alpha1.AdminUserList
	if err := s.Client.List(ctx, &users); err != nil {
		return err
	}
	for i := range users.Items {
		if err := kit.CheckAtRest(&users.Items[i]); err != nil {
			return err
		}
	}
	var keys v1alpha1.APIKeyList
	if err := s.Client.List(ctx, &keys); err != nil {
		return err
	}
	for i := range keys.Items {
		if err := kit.CheckAtRest(&keys.Items[i]); err != nil {
			return err
		}
	}
	return nil
}

// series has a value for each minute.
type series struct {
	Labels map[string]string `json:"labels"`
	Values []float64         `json:"values"`
}

// minutes is how long the alerts are evaluated: longer than any of them waits.
const minutes = 60

// scrape returns the metrics of a program as if they stayed the same.
func scrape(ctx context.Context, instance, url string) (all []series) {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	Expect(err).NotTo(HaveOccurred())
	response, err := http.DefaultClient.Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	Expect(err).NotTo(HaveOccurred())
	now := &expfmt.DecodeOptions{Timestamp: model.Now()}
	samples, err := expfmt.ExtractSamples(now, slices.Collect(maps.Values(families))...)
	Expect(err).NotTo(HaveOccurred())
	for _, sample := range samples {
		one := series{Labels: map[string]string{"instance": instance}, Values: constant(float64(sample.Value))}
		for name, value := range sample.Metric {
			one.Labels[string(name)] = string(value)
		}
		all = append(all, one)
	}
	return all
}

func constant(value float64) []float64 { return slices.Repeat([]float64{value}, minutes+1) }

// firing evaluates the alerts and returns those that fire at the end, by name, with their labels.
func firing(ctx context.Context, of []series) map[string][]string {
	GinkgoHelper()
	request, err := json.Marshal(map[string]any{"rules": rules, "series": of, "minutes": minutes})
	Expect(err).NotTo(HaveOccurred())
	evaluate := exec.CommandContext(ctx, "go", "run", ".")
	evaluate.Dir = filepath.Join(s.Root, "hack", "alerts")
	evaluate.Stdin = bytes.NewReader(request)
	var stdout, stderr bytes.Buffer
	evaluate.Stdout, evaluate.Stderr = &stdout, &stderr
	Expect(evaluate.Run()).To(Succeed(), stderr.String())
	fired := map[string][]string{}
	Expect(json.Unmarshal(stdout.Bytes(), &fired)).To(Succeed())
	return fired
}
